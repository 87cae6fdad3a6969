"""Each invariant holds on a healthy exchange, breaks on a broken one, and is unknown when it cannot tell."""

from __future__ import annotations

import os
import signal

import pytest

from sim.invariants import INVARIANTS, Judge, Verdict, Violation, chosen, judge, overall
from sim.invariants.aside import Aside
from sim.invariants.registry import Found, Invariant, invariant
from sim.invariants.state import State
from system.model import keys
from system.model.units import NS
from tests.rules import rule
from tests.unit.sim.fixtures.exchange import ACCOUNTS, START_NS, TRADERS, Exchange
from tests.unit.sim.fixtures.sabotage import (
    ANN,
    BOB,
    PERP,
    Break,
    answered,
    cancelled,
    cancelled_for,
    change,
    changed_object,
    closed_by_force,
    crossing,
    funding,
    funding_twice,
    invented_object,
    issued,
    larger_hold,
    lost_object,
    lost_trade,
    marked,
    message,
    misplaced_object,
    missed,
    not_heard,
    observed,
    option_closed,
    order,
    out_of_turn,
    slower_than_counted,
    told,
    trade,
    write,
    written,
)
from tests.unit.sim.fixtures.small import small_exchange

# before the end: a sabotage of tables
NOW: list[tuple[str, Break]] = [
    ("I1_sizes_cancel_out", change(keys.POSITIONS, ANN, PERP, size_e8=1)),
    ("I1_sizes_cancel_out", change(keys.MATCHER_LEASES, PERP, "LEASE", open_interest_e8=7)),
    ("I2_clearing_mirrors_cost", change(keys.BALANCES, PERP, "ASSET#USDC", clearing=1)),
    ("I2_clearing_mirrors_cost", change(keys.POSITIONS, BOB, PERP, cost=-1)),
    ("I3_vault_equals_accounts", change(keys.BALANCES, ANN, "ASSET#USDC", available=1)),
    ("I3_vault_equals_accounts", change(keys.BALANCES, PERP, "ASSET#USDC", fees=-1)),
    ("I3_vault_equals_accounts", change(keys.POSITIONS, ANN, PERP, margin=1)),
    ("I4_assets_equal_deposits", change(keys.BALANCES, BOB, "ASSET#sBTC", available=-1)),
    ("I4_assets_equal_deposits", change(keys.BALANCES, ANN, "ASSET#sGOLD", available=5)),
    ("I3_vault_equals_accounts", issued(5, 500)),
    ("I4_assets_equal_deposits", issued(0, 500)),
    ("I4_assets_equal_deposits", issued(5, 499)),
    ("I6_nothing_negative", issued(-5, -500)),
    ("I5_holds_cover_orders", change(keys.BALANCES, BOB, "ASSET#sBTC", reserved=1)),
    ("I5_holds_cover_orders", order(2, hold=1)),
    ("I5_holds_cover_orders", order(1, hold=1)),
    ("I5_holds_cover_orders", order(4, hold_asset="USDC")),
    ("I6_nothing_negative", change(keys.BALANCES, ANN, "ASSET#USDC", available=-2_000_000_000)),
    ("I6_nothing_negative", change(keys.BALANCES, ANN, "ASSET#USDC", reserved=-2_000_000_000)),
    ("I6_nothing_negative", change(keys.BALANCES, PERP, "ASSET#USDC", fees=-2_000_000_000)),
    ("I6_nothing_negative", change(keys.POSITIONS, ANN, PERP, margin=-2_000_000_000)),
    ("I6_nothing_negative", order(0, leaves_e8=-1)),
    ("I6_nothing_negative", order(0, hold=-1)),
    ("I6_nothing_negative", order(0, cum_qty_e8=300_001)),
    ("I6_nothing_negative", change(keys.BALANCES, PERP, "ASSET#USDC", insurance=-1)),
    ("I3_vault_equals_accounts", change(keys.BALANCES, PERP, "ASSET#USDC", bad_debt=1)),
    ("I7_funding_is_zero_sum", funding(dust=2)),
    ("I7_funding_is_zero_sum", funding(received=6)),
    ("I7_funding_is_zero_sum", funding(paid=9)),
    ("I7_funding_is_zero_sum", funding_twice),
    ("I8_writers_lock_the_payoff", written(5_999_999)),
    ("I8_writers_lock_the_payoff", written(6_000_001)),
    ("stats_against_trades", change(keys.STATS_INTRADAY, PERP, "2025-05-03T23:30", volume=1)),
    ("stats_against_trades", change(keys.STATS_INTRADAY, PERP, "2025-05-03T23:30", close_e6=1)),
    ("stats_against_trades", change(keys.STATS_INTRADAY, PERP, "2025-05-03T23:30", h_7=1)),
    ("stats_against_trades", lambda exchange: exchange.tables[keys.STATS_INTRADAY].clear()),
    ("stats_against_trades", change(keys.STATS_INTRADAY, PERP, "2025-05-03T23:31", trades=1)),
    ("stats_against_trades", change(keys.STATS_DAILY, PERP, "2025-05-03", fees=1)),
    ("stats_against_trades", change(keys.STATS_LIFETIME, "KEY#GLOBAL", "META", trades=-1)),
    ("stats_against_trades", lambda exchange: exchange.tables[keys.STATS_LIFETIME].clear()),
    ("stats_against_trades", change(keys.BALANCES, PERP, "ASSET#USDC", fees=1)),
    ("books_agree", order(2, limit_price_e6=60_000_000_000)),
    ("books_agree", order(2, leaves_e8=0)),
    ("books_agree", order(1, cum_qty_e8=99_999)),
    ("books_agree", order(1, fee_paid=1)),
    ("fills_count_once", order(1, cum_qty_e8=99_999)),
    ("fills_count_once", order(0, fee_paid=1)),
    ("fills_count_once", order(0, limit_price_e6=60_000_100_000)),
    ("fills_count_once", order(0, seq=9)),
    ("fills_count_once", change(keys.POSITIONS, ANN, PERP, size_e8=1)),
    ("fills_count_once", trade(maker=TRADERS["ann"])),
    ("orders_keep_their_words", order(2, tif="IOC")),
    ("orders_keep_their_words", order(2, qty_e8=100_001)),
    ("orders_keep_their_words", order(2, limit_price_e6=59_000_000_001)),
    ("orders_keep_their_words", order(2, expire_ns=1)),
    ("orders_keep_their_words", order(0, worst_price_e6=70_000_000_000)),
    ("orders_keep_their_words", order(1, post_only=True)),
    ("orders_keep_their_words", order(1, limit_price_e6=59_000_000_000)),
    ("orders_keep_their_words", order(0, tif="FOK", status="EXPIRED")),
    ("orders_keep_their_words", trade(latency_ns=1)),
    ("orders_keep_their_words", order(0, trader=TRADERS["ann"])),
    ("orders_keep_their_words", cancelled(target="BTC-PERP:0196-00000003")),
    ("orders_keep_their_words", cancelled(target="BTC-PERP:0196-00000004", trader=TRADERS["bob"])),
    ("orders_keep_their_words", cancelled(nonce_floor=9)),
    ("orders_keep_their_words", order(3, reason="CANCEL_REQUESTED")),
    ("orders_keep_their_words", order(1, replaces="BTC-PERP:0196-00000003")),
    ("I5_holds_cover_orders", larger_hold),
    ("prices_have_grounds", observed(published_ns=START_NS - 61 * NS)),
    ("prices_have_grounds", observed(price_e6=0)),
    ("prices_have_grounds", observed(conf_e6=601_000_000)),
    ("prices_have_grounds", marked(mark_e6=66_000_000_000)),
    ("options_pay_the_payoff", option_closed(realised=1)),
    ("options_pay_the_payoff", option_closed(margin=1)),
    ("funding_follows_sizes", funding(dF_e12=10**12)),
    ("funding_follows_sizes", funding(paid=0, received=5)),
]
# at the end: a sabotage of what the history, the lake or the chain says, before or after it ends
BEFORE_END: list[tuple[str, Break]] = [
    (
        "I9_transactions_balance",
        write("api", ["upd", keys.BALANCES, ANN, "ASSET#USDC", {}, {"available": 1}]),
    ),
    ("I9_transactions_balance", write("api", ["upd", keys.BALANCES, ANN, "ASSET#USDC", {"reserved": 0}, {}])),
    (
        "I9_transactions_balance",
        write("api", ["put", keys.BALANCES, {"PK": ANN, "SK": "ASSET#USDC", "available": 5, "reserved": 5}]),
    ),
    ("I9_transactions_balance", write("api", ["del", keys.BALANCES, BOB, "ASSET#sBTC"])),
    (
        "I9_transactions_balance",
        write(
            "settle_watch",
            ["put", keys.SETTLEMENTS, {"PK": "DEPOSIT#0x1:1", "SK": "META"}],
            ["upd", keys.BALANCES, ANN, "ASSET#USDC", {}, {"available": 10}],
        ),
    ),
    ("books_agree", write("matcher", ["upd", keys.ORDERS, PERP, "TS#0196-00000002", {"status": "OPEN"}, {}])),
    (
        "books_agree",
        write("matcher", ["upd", keys.ORDERS, PERP, "TS#0196-00000002", {"status": "EXPIRED"}, {}]),
    ),
    ("price_time_priority", crossing),
    ("price_time_priority", out_of_turn),
    ("door_keeps_its_word", answered("BTC-PERP:nobody")),
    ("door_keeps_its_word", answered("BTC-PERP:0196-00000003")),
    ("door_keeps_its_word", answered("BTC-PERP:0196-00000003", account=ACCOUNTS["bob"])),
    ("door_keeps_its_word", cancelled_for("BTC-PERP:0196-00000003", ACCOUNTS["bob"])),
    ("feed_against_rows", message("trade", 9, "9")),
    ("feed_against_rows", told("orderUpdate", TRADERS["bob"], order_id="BTC-PERP:0196-00000003")),
    ("feed_against_rows", told("orderUpdate", TRADERS["ann"], order_id="BTC-PERP:0196-00000004")),
    ("feed_against_rows", told("positionUpdate", TRADERS["ann"], symbol="BTC-PERP")),
    ("feeds_heal", missed("market.BTC-PERP", 1)),
    ("feeds_heal", missed("trader." + TRADERS["ann"], 3)),
    ("feeds_heal", missed("trader." + TRADERS["ann"], 1, new=True, after_ns=61 * 10**9)),
    ("liquidations_have_a_reason", closed_by_force),
    ("sequence", message("depth", 99)),
    ("sequence", message("trade", 8, "1")),
    ("sequence", lost_trade),
]
AFTER_END: list[tuple[str, Break]] = [
    ("I10_log_makes_the_state", change(keys.BALANCES, ANN, "ASSET#USDC", available=1)),
    ("I10_log_makes_the_state", change(keys.BALANCES, ANN, "ASSET#unheard", available=1)),
    ("I10_log_makes_the_state", lost_trade),
    ("prices_have_grounds", not_heard),
    ("tiers_add_up", change(keys.STATS_DAILY, PERP, "2025-05-03", volume=1)),
    ("tiers_add_up", change(keys.STATS_LIFETIME, "KEY#GLOBAL", "META", fees=1)),
    ("tiers_add_up", slower_than_counted),
    ("nobody_is_locked_in", lambda exchange: exchange.chain.wallets.update({(ACCOUNTS["ann"], "USDC"): 1})),
    ("nobody_is_locked_in", lambda exchange: exchange.chain.cxpt.update({ACCOUNTS["ann"]: 1})),
    ("nobody_is_locked_in", lambda exchange: setattr(exchange.chain, "reserve", 1)),
    ("nobody_is_locked_in", lambda exchange: setattr(exchange, "abandoned", True)),
    ("sequence", lambda exchange: exchange.items(keys.TRADES)[0].update(trade_no=2)),
    ("lake_against_trades", lost_object),
    ("lake_against_trades", changed_object),
    ("lake_against_trades", invented_object),
    ("lake_against_trades", misplaced_object),
    (
        "every_trade_settled",
        lambda exchange: exchange.items(keys.TRADES)[0].update(settlementStatus="SKIPPED"),
    ),
    ("every_trade_settled", lambda exchange: exchange.items(keys.SETTLEMENTS)[0].update(status="SUBMITTED")),
    ("every_trade_settled", lambda exchange: setattr(exchange, "confirmations", 4)),
    ("every_trade_settled", lambda exchange: exchange.items(keys.SETTLEMENTS)[0]["trades"].pop()),
    (
        "every_trade_settled",
        lambda exchange: exchange.items(keys.SETTLEMENTS)[0]["trades"].append(["a", "b"]),
    ),
    ("chain_against_ledger", lambda exchange: exchange.chain.usdc.update({ACCOUNTS["ann"]: 1})),
    ("chain_against_ledger", lambda exchange: exchange.chain.assets.clear()),
    ("chain_against_ledger", lambda exchange: exchange.chain.filled.clear()),
    ("chain_against_ledger", lambda exchange: exchange.chain.positions.clear()),
    ("chain_against_ledger", lambda exchange: setattr(exchange.chain, "treasury", 0)),
    ("chain_against_ledger", lambda exchange: setattr(exchange.chain, "clearing", 0)),
    ("chain_against_ledger", lambda exchange: setattr(exchange.chain, "vault", 0)),
    ("chain_against_ledger", lambda exchange: setattr(exchange.chain, "reserve", 1)),
]


def test_a_healthy_exchange_holds_while_it_runs() -> None:
    verdicts = judge(small_exchange())

    assert {name: str(verdict.first) for name, verdict in verdicts.items() if verdict.outcome != "held"} == {}
    assert overall(verdicts.values()) == "held"
    assert not any(INVARIANTS[name].at_end_only for name in verdicts)


def test_a_healthy_exchange_holds_at_the_end() -> None:
    verdicts = judge(small_exchange().finish())

    assert {name: f"{v.first} {v.error}" for name, v in verdicts.items() if v.outcome != "held"} == {}
    assert set(verdicts) == set(INVARIANTS)
    idle = {name for name, verdict in verdicts.items() if not verdict.looked_at}
    assert idle == {  # neither funding, nor options, nor a forced close, nor anything that was missed
        *("feeds_heal", "I7_funding_is_zero_sum", "I8_writers_lock_the_payoff"),
        *("funding_follows_sizes", "liquidations_have_a_reason", "options_pay_the_payoff"),
    }


@rule("CONS-007", "CONS-008")
def test_funding_and_a_written_option_hold() -> None:
    exchange = small_exchange()
    funding()(exchange)
    written(6_000_000)(exchange)
    verdicts = judge(exchange, ["I7_funding_is_zero_sum", "I8_writers_lock_the_payoff"])
    assert [(verdict.outcome, verdict.looked_at) for verdict in verdicts.values()] == [("held", 1)] * 2


@rule("CONS-001", "CONS-002", "CONS-003", "CONS-004", "CONS-005", "CONS-006", "CONS-010", "CONS-012")
@rule("CONS-030", "CONS-031", "CONS-035", "CONS-037", "CONS-038")
@pytest.mark.parametrize(("name", "sabotage"), NOW, ids=[f"{n}-{i}" for i, (n, _) in enumerate(NOW)])
def test_each_can_break_while_it_runs(name: str, sabotage: Break) -> None:
    exchange = small_exchange()
    sabotage(exchange)

    verdict = judge(exchange)[name]

    assert verdict.outcome == "broken"
    assert verdict.times >= 1
    assert verdict.first is not None
    assert verdict.first.at_ns == exchange.now_ns


@rule("CONS-009", "CONS-010", "CONS-011", "CONS-032", "CONS-033", "CONS-034", "CONS-036", "CONS-040")
@pytest.mark.parametrize(
    ("name", "sabotage"), BEFORE_END, ids=[f"{n}-{i}" for i, (n, _) in enumerate(BEFORE_END)]
)
def test_each_can_break_by_its_history(name: str, sabotage: Break) -> None:
    exchange = small_exchange()
    sabotage(exchange)

    assert judge(exchange.finish())[name].outcome == "broken"


@rule("CONS-036")
@pytest.mark.parametrize("busy", [False, True], ids=["alone", "a maker, too"])
def test_a_forced_close_that_takes_two_transactions_is_judged_by_its_begin(*, busy: bool) -> None:
    exchange = small_exchange()
    held = next(row for row in exchange.items(keys.POSITIONS) if row["trader"] == TRADERS["ann"])
    safe = held | {"margin": 10**15}
    row = {"PK": PERP, "symbol": "BTC-PERP", "tradeType": "LIQUIDATION", "settlementStatus": "CONFIRMED"}
    forced = row | {"taker": TRADERS["ann"], "maker": TRADERS["bob"]}
    marks = ["upd", keys.MARKETS, PERP, "META", {"mark_e6": 60_000_000_000}, {}]

    exchange.write("matcher", [marks, ["put", keys.POSITIONS, held | {"margin": -(10**15)}]])
    made = forced | {"maker": TRADERS["ann"], "taker": "inventory", "SK": "TS#e", "trade_no": 1}
    first = [["put", keys.TRADES, forced | {"SK": "TS#f", "trade_no": 2}], ["put", keys.POSITIONS, safe]]
    exchange.write("matcher", [*([["put", keys.TRADES, made]] if busy else []), *first])
    exchange.write("matcher", [["put", keys.TRADES, forced | {"SK": "TS#g", "trade_no": 3}]])
    at_once = judge(exchange.finish(), ["liquidations_have_a_reason"])["liquidations_have_a_reason"]

    assert (at_once.outcome, at_once.looked_at) == ("held", 0 if busy else 1)


@rule("CONS-011", "CONS-012", "CONS-013", "CONS-014", "CONS-015", "CONS-019", "CONS-039")
@pytest.mark.parametrize(
    ("name", "sabotage"), AFTER_END, ids=[f"{n}-{i}" for i, (n, _) in enumerate(AFTER_END)]
)
def test_each_can_break_at_the_end(name: str, sabotage: Break) -> None:
    exchange = small_exchange().finish()
    sabotage(exchange)

    assert judge(exchange)[name].outcome == "broken"


def test_minutes_whose_rows_have_expired_are_not_missed() -> None:
    exchange = small_exchange()
    exchange.tables[keys.STATS_INTRADAY].clear()
    exchange.wait(48 * 3600 * 10**9)

    assert judge(exchange)["stats_against_trades"].outcome == "held"


@rule("CONS-021")
def test_every_invariant_was_broken_by_a_test() -> None:
    assert {name for name, _ in NOW + BEFORE_END + AFTER_END} == set(INVARIANTS) - {"door_tells_the_rows"}


@rule("CONS-020")
@pytest.mark.parametrize("name", list(INVARIANTS))
def test_a_check_that_cannot_run_is_unknown(name: str) -> None:
    class Broken(Exchange):
        def items(self, table: str) -> list[dict[str, object]]:
            raise ConnectionError("the store is away")

    exchange = Broken()
    exchange.final = True

    verdict = judge(exchange)[name]

    assert verdict.outcome == "unknown"
    assert "Error" in verdict.error


@pytest.mark.parametrize("name", list(INVARIANTS))
def test_each_says_what_it_is_about_and_where_it_comes_from(name: str) -> None:
    rule = INVARIANTS[name]

    assert rule.summary.endswith(".")
    assert "Source:" in rule.about


def test_what_was_found_before_a_check_failed_stays_found() -> None:
    def check(_state: State) -> Found:
        yield Violation("here", "1", "2")
        raise ConnectionError("away")

    INVARIANTS["half_way"] = Invariant("half_way", check, at_end_only=False)
    try:
        verdict = judge(small_exchange(), ["half_way"])["half_way"]
    finally:
        del INVARIANTS["half_way"]

    assert (verdict.outcome, verdict.times, verdict.error) == ("broken", 1, "ConnectionError: away")


@rule("CONS-022")
@pytest.mark.parametrize("aside", [False, True], ids=["here", "aside"])
def test_a_run_of_looks_keeps_first_worst_and_last(aside: bool) -> None:
    exchange = small_exchange()
    watch = Judge(["I3_vault_equals_accounts"])
    balance = exchange.row(keys.BALANCES, ANN, "ASSET#USDC")

    look = watch.look_aside if aside else watch.look

    look(exchange)
    for lost in (5, 100, 7):
        exchange.wait(1_000)
        balance["available"] -= lost
        assert look(exchange) is (None if aside else False)
        balance["available"] += lost  # a look aside is of the moment at which it was asked for
    assert watch.look(exchange)

    verdict = watch.verdicts["I3_vault_equals_accounts"]
    assert (verdict.outcome, verdict.times, verdict.looked_at) == ("broken", 3, 5)
    sizes = [found.size for found in (verdict.first, verdict.worst, verdict.last) if found]
    assert sizes == [5, 100, 7]
    assert verdict.first is not None
    assert verdict.last is not None
    assert verdict.first.at_ns == exchange.now_ns - 2_000
    assert verdict.last.at_ns == exchange.now_ns


def test_a_look_aside_that_fails_is_no_verdict() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        Aside(lambda: 1 // 0).result()
    with pytest.raises(RuntimeError, match="a child that ended with -9"):
        Aside(lambda: os.kill(os.getpid(), signal.SIGKILL)).result()
    assert Aside(lambda: "x" * 1_000_000).result() == "x" * 1_000_000  # more than a pipe holds


@rule("CONS-020")
def test_unknown_is_worse_than_held_and_better_than_broken() -> None:
    assert overall([Verdict("a"), Verdict("b", "unknown")]) == "unknown"
    assert overall([Verdict("a", "broken"), Verdict("b", "unknown")]) == "broken"
    assert overall([]) == "unknown"


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(KeyError, match="no invariant I77"):
        chosen(["I77"])


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="twice"):
        invariant("books_agree")(INVARIANTS["books_agree"].check)
