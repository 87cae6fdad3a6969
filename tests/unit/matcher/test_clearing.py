"""The clearing house through the whole road: jobs, commands, rows, crashes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from system.jobs.archive import Archive
from system.jobs.expiry import Expiry
from system.jobs.funding_tick import FundingTick
from system.jobs.liquidation_scan import LiquidationScan
from system.model import keys, typed_data
from system.model.keys import Key
from system.model.market import MarketKind, MarketSpec
from system.model.messages import command_body, mark_command
from system.model.units import NS
from system.ports.store import Update
from system.risk.funding.clock import offset_ns
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import (
    BTC,
    E6,
    E8,
    SETTLEMENT,
    SPOT,
    START_NS,
    TOMORROW_S,
    Floor,
    account_of,
    comparable,
    key_of,
)

HOUR_NS = 3_600 * NS
LEVERAGED = replace(
    BTC, im_ppm=100_000, settlement="ledger", funding="seed_literal", band_ppm=200_000, mark="INDEX"
)
DAY_S = START_NS // NS // 86_400 * 86_400
FUTURE = replace(
    LEVERAGED, symbol="BTC-4MAY25", kind=MarketKind.FUTURE, funding="none", expiry_s=DAY_S + 115_200
)


def floor_of(spec: MarketSpec = LEVERAGED, **settings: Any) -> Floor:
    floor = Floor((spec, SPOT), **settings)
    for name in ("ann", "bob", "cat", "ins"):
        floor.fund(name)
    return floor


def mark(floor: Floor, ticks: int, symbol: str = "BTC-PERP", **how: Any) -> None:
    now_ns = floor.clock.now_ns()
    command = mark_command(symbol, now_ns, ticks * E6, **{"valid": True, "standing": "", **how})
    floor.fifo.send(command_body(command), symbol, f"mark-{now_ns}")
    floor.run()


def wait(floor: Floor, seconds: int) -> None:
    floor.clock.advance(seconds * NS)


def trade(floor: Floor, buyer: str, seller: str, lots: int, ticks: int, symbol: str = "BTC-PERP") -> None:
    floor.order(seller, "SELL", lots, ticks, symbol)
    floor.order(buyer, "BUY", lots, ticks, symbol)
    floor.run()


def fund(floor: Floor) -> None:
    FundingTick(floor.store, floor.clock).handle({}, None)
    floor.run()


def account(floor: Floor, symbol: str = "BTC-PERP") -> dict[str, Any]:
    return floor.store.get(keys.BALANCES, Key(keys.market_pk(symbol), "ASSET#USDC")) or {}


def collateral(floor: Floor, name: str, amount: int, **more: Any) -> tuple[int, dict[str, Any]]:
    floor.nonces[name] += 1
    body = {"symbol": "BTC-PERP", "account": account_of(name), "amount": amount, "nonce": floor.nonces[name]}
    body |= {"deadline": TOMORROW_S, "purpose": "margin", **more}
    separator = typed_data.domain_separator(typed_data.Domain(floor.config.chain_id, SETTLEMENT))
    named = (body[name] for name in ("symbol", "amount", "purpose", "nonce", "deadline"))
    digest = typed_data.collateral_digest(separator, body["account"], *named)
    said = floor.http(
        "POST /collateral", {"signature": "0x" + typed_data.sign(digest, key_of(name)).hex(), **body}
    )
    floor.run()
    return said


@rule("CLRH-005", "FNDJ-001", "FNDJ-002", "ARCH-002")
def test_a_boundary_is_paid_once_and_has_one_trade():
    floor = floor_of()
    trade(floor, "ann", "bob", 10, 60_000)
    for _ in range(4):
        wait(floor, 890)
        mark(floor, 60_000)
        floor.order("cat", "BUY", 1, 60_600)
    wait(floor, HOUR_NS // NS)
    mark(floor, 60_000)
    wait(floor, offset_ns("BTC-PERP") // NS + 60)
    before = floor.position("ann")["margin"]
    fund(floor)
    fund(floor)
    ticks = [row for row in floor.store.scan("Trades") if row["tradeType"] == "FUNDING"]
    boundary_s = floor.clock.now_ns() // HOUR_NS * 3_600
    assert [row["boundary_ns"] // NS for row in ticks][-1] == boundary_s
    assert len({row["boundary_ns"] for row in ticks}) == len(ticks) == len(floor.news("fundingRate"))
    paid = sum(row["paid"] for row in ticks)
    assert before - floor.position("ann")["margin"] == paid
    floor.audit()
    Archive(floor.lake).handle({"Records": floor.store.stream("Trades").read("archive", 100, "INSERT")}, None)
    key = next(key for key in floor.lake.list("funding/") if str(boundary_s) in key)
    assert orjson.loads(floor.lake.get(key) or b"")["boundary_ns"] == str(boundary_s * NS)


@rule("CLRH-002")
def test_a_market_without_an_index_stands_still_and_comes_back():
    floor = floor_of()
    mark(floor, 60_000)
    for standing in ("CANCEL_ONLY", "PAUSED"):
        wait(floor, 30)
        mark(floor, 0, valid=False, standing=standing)
        assert floor.store.get("Markets", Key("MARKET#BTC-PERP", "META"))["status"] == standing
    wait(floor, 30)
    mark(floor, 60_100)
    row = floor.store.get("Markets", Key("MARKET#BTC-PERP", "META"))
    assert (row["status"], row["mark_e6"]) == ("POST_ONLY", 60_000 * E6)


@rule("CLRH-010", "MATC-072", "LIQJ-001")
def test_a_liquidation_goes_through_book_fund_and_deleveraging():
    floor = floor_of()
    assert collateral(floor, "ins", 100 * E6, purpose="insurance")[0] == 202
    trade(floor, "ann", "bob", 100, 60_000)
    floor.order("cat", "BUY", 30, 55_500)
    resting = floor.order("ann", "BUY", 1, 50_000)
    floor.run()
    mark(floor, 60_000)
    wait(floor, 30)
    mark(floor, 55_000)
    kinds = [row["tradeType"] for row in floor.store.scan("Trades")]
    assert kinds.count("LIQUIDATION") == 1
    assert floor.row(resting)["reason"] == "LIQUIDATION"
    assert {m["data"]["stage"] for m in floor.news("liquidationAlert")} == {"ALERT"}
    for ticks in (52_000, 50_000):
        wait(floor, 30)
        mark(floor, ticks)
        LiquidationScan(floor.store, floor.fifo, floor.clock).handle({}, None)
        floor.run()
    assert floor.position("ann")["size_e8"] == 0
    assert "ADL" in [row["tradeType"] for row in floor.store.scan("Trades")]
    assert all(row["settlementStatus"] == "LEDGER" for row in floor.store.scan("Trades"))
    floor.audit()


@rule("CLRH-006", "EXPJ-001")
@pytest.mark.parametrize("paused", [False, True])
def test_a_future_is_settled_at_the_average_whatever_its_state(paused):
    floor = floor_of(FUTURE)
    trade(floor, "ann", "bob", 10, 60_000, FUTURE.symbol)
    if paused:
        floor.admin("pause", FUTURE.symbol)
        floor.run()
    floor.clock.advance(FUTURE.expiry_ns - floor.clock.now_ns() - 1_800 * NS)
    for minute in range(30):
        mark(floor, 60_500 if minute < 15 else 61_500, FUTURE.symbol)
        wait(floor, 60)
    Expiry(MarketKind.OPTION, floor.store, floor.clock).handle({}, None)
    Expiry(MarketKind.FUTURE, floor.store, floor.clock).handle({}, None)
    floor.run()
    market = floor.store.get("Markets", Key("MARKET#" + FUTURE.symbol, "META"))
    assert (market["status"], market["settle_e6"]) == ("CLOSED", 61_000 * E6)
    assert floor.position("ann", FUTURE.symbol)["realised"] == 100 * E6
    assert account(floor, FUTURE.symbol)["clearing"] == 0
    assert {m["data"]["stage"] for m in floor.news("liquidationAlert")} == {"SETTLED"}
    floor.audit()


@rule("CLRH-006")
def test_a_perpetual_that_is_wound_up_is_settled_by_an_admins_word():
    floor = floor_of()
    trade(floor, "ann", "bob", 10, 60_000)
    floor.admin("delete")
    floor.run()
    body = {"action": "settle", "symbol": "BTC-PERP", "price_e6": 61_000 * E6}
    assert floor.http("POST /admin/markets", body, groups=["admin"])[0] == 202
    floor.run()
    assert floor.store.get("Markets", Key("MARKET#BTC-PERP", "META"))["status"] == "CLOSED"
    assert floor.position("ann")["realised"] == 100 * E6
    floor.audit()


def crowd() -> Floor:
    """Open 120 positions, and be at the end of a contract."""
    floor = Floor((FUTURE,), seed="crowd")
    for n in range(60):
        for name in (f"l{n}", f"s{n}"):
            floor.fund(name)
        trade(floor, f"l{n}", f"s{n}", 1 + n % 5, 60_000, FUTURE.symbol)
    floor.clock.advance(FUTURE.expiry_ns - floor.clock.now_ns() - 1_800 * NS)
    for _ in range(30):
        mark(floor, 59_500, FUTURE.symbol)
        wait(floor, 60)
    Expiry(MarketKind.FUTURE, floor.store, floor.clock).handle({}, None)
    floor.carry()
    return floor


@rule("CLRH-003", "CLRH-004", "CLRH-007")
@pytest.mark.parametrize("after", [False, True])
def test_a_matcher_that_dies_in_a_settlement_changes_nothing_of_it(after):
    calm = crowd()
    calm.run()
    calm.audit()
    deaths = 0
    for fail_at in range(1, 12):
        floor = crowd()
        store = FailingStore(floor.store, fail_at, after=after)
        floor.matcher = floor.new_matcher(store)
        floor.serve()
        deaths += len(store.transactions) >= fail_at
        floor.matcher = floor.new_matcher()
        wait(floor, 0)
        floor.run()
        assert comparable(floor.scan())["Balances"] == comparable(calm.scan())["Balances"], fail_at
        assert floor.store.get("Markets", Key("MARKET#" + FUTURE.symbol, "META"))["status"] == "CLOSED"
        floor.audit()
        if len(store.transactions) < fail_at:
            break
    assert deaths >= 2, "the settlement was not cut"


@rule("MATC-070", "MATC-071", "COLL-001", "COLL-002")
@pytest.mark.parametrize("signatures", ["off", "real"])
def test_margin_goes_in_and_out(signatures):
    floor = floor_of(signatures=signatures)
    trade(floor, "ann", "bob", 10, 60_000)
    mark(floor, 60_000)
    margin = floor.position("ann")["margin"]
    assert collateral(floor, "ann", 500 * E6)[0] == 202
    assert floor.position("ann")["margin"] == margin + 500 * E6
    assert collateral(floor, "ann", -500 * E6)[0] == 202
    assert (
        collateral(floor, "ann", -500 * E6)[0] == 202
    )  # refused by the matcher: no more than the initial margin
    assert floor.position("ann")["margin"] == margin
    rows = [row["status"] for row in floor.store.scan("Orders") if row["orderType"] == "MARGIN"]
    assert sorted(rows) == ["DONE", "DONE", "INSUFFICIENT_FUNDS"]
    assert collateral(floor, "cat", 5)[0] == 202  # no position: it comes back
    assert floor.balance("cat")[1] == 0
    floor.audit()


@rule("COLL-001", "COLL-002", "COLL-003", "COLL-004")
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"amount": 0}, "BAD_REQUEST"),
        ({"amount": 10**30}, "INSUFFICIENT_FUNDS"),
        ({"deadline": 1}, "EXPIRED"),
        ({"deadline": 1 << 40}, "BAD_REQUEST"),
        ({"nonce": 1}, "DUPLICATE_ORDER"),
        ({"nonce": 0}, "BAD_REQUEST"),
        ({"symbol": "sBTC-USDC"}, "WRONG_INSTRUMENT"),
        ({"symbol": "ETH-PERP"}, "UNKNOWN_SYMBOL"),
        ({"amount": -1, "purpose": "insurance"}, "BAD_REQUEST"),
        ({"signature": "0x" + "11" * 65}, "BAD_SIGNATURE"),
    ],
)
def test_what_is_no_collateral_changes_nothing(more, reason):
    floor = floor_of(signatures="real")
    assert collateral(floor, "ann", 5)[0] == 202
    before = floor.scan()
    packed = {name: value for name, value in more.items() if name != "deadline" or value < 1 << 40}
    if "deadline" in more and more["deadline"] >= 1 << 40:
        body = {
            "symbol": "BTC-PERP",
            "account": account_of("ann"),
            "amount": 5,
            "nonce": 9,
            "deadline": 1 << 40,
        }
        said = floor.http("POST /collateral", body)
    elif more.get("nonce") == 0:
        body = {
            "symbol": "BTC-PERP",
            "account": account_of("ann"),
            "amount": 5,
            "nonce": 0,
            "deadline": TOMORROW_S,
        }
        said = floor.http("POST /collateral", body)
    else:
        said = collateral(floor, "ann", packed.pop("amount", 5), **packed)
    assert said[1].get("reason") == reason, said
    assert floor.scan() == before


CXPT = MarketSpec(
    symbol="CXPT-USDC",
    kind=MarketKind.SPOT,
    base="CXPT",
    underlying="CXPT",
    tick_e6=100,
    lot_e8=10**8,
    rebate_ppm=100_000,
    settlement="ledger",
)


def floor_of_cxpt(**settings):
    floor = floor_of(CXPT, **settings)
    peg = {"mark_e6": E6, "index_e6": E6}
    floor.store.write(Update(keys.MARKETS, Key("MARKET#CXPT-USDC", "META"), put=peg))
    return floor


def circulating(floor):
    """What is set aside for CXPT, and what the traders have of it."""
    backing = floor.store.get("Balances", Key("ISSUER#CXPT", "ASSET#USDC")) or {"available": 0}
    supply = floor.store.get("Balances", Key("ISSUER#CXPT", "ASSET#CXPT")) or {"available": 0}
    held = [row for row in floor.store.scan("Balances") if row["PK"][:7] == "TRADER#"]
    traders = sum(row["available"] + row["reserved"] for row in held if row["SK"] == "ASSET#CXPT")
    assert traders == -supply["available"] == 100 * backing["available"]
    return backing["available"]


@rule("MATC-073", "RISK-081", "RISK-082", "COLL-005")
def test_cxpt_is_minted_and_redeemed_one_to_one():
    floor = floor_of_cxpt()
    usdc = floor.balance("ann")[0]
    said = {"symbol": "CXPT-USDC"}
    assert collateral(floor, "ann", 1_000 * E6, purpose="mint", **said)[0] == 202
    assert floor.balance("ann") == (usdc - 1_000 * E6, 0)
    assert floor.balance("ann", "CXPT") == (1_000 * E8, 0)
    assert circulating(floor) == 1_000 * E6

    status, refused = collateral(floor, "ann", 1_000 * E6 + 1, purpose="redeem", **said)
    assert (status, refused["reason"]) == (422, "INSUFFICIENT_FUNDS")
    assert collateral(floor, "ann", 400 * E6, purpose="redeem", **said)[0] == 202
    assert floor.balance("ann") == (usdc - 600 * E6, 0)
    assert floor.balance("ann", "CXPT") == (600 * E8, 0)
    assert circulating(floor) == 600 * E6

    for purpose in ("mint", "redeem"):
        assert collateral(floor, "ann", -5, purpose=purpose, **said)[1]["field"] == "amount"
        elsewhere = collateral(floor, "ann", 5, purpose=purpose, symbol="sBTC-USDC")
        assert elsewhere[1]["reason"] == "WRONG_INSTRUMENT"


@rule("COLL-005")
def test_redemption_may_be_closed_and_minting_not():
    floor = floor_of_cxpt(cxpt_redeemable=False)
    said = {"symbol": "CXPT-USDC"}
    assert collateral(floor, "ann", 7, purpose="mint", **said)[0] == 202
    status, refused = collateral(floor, "ann", 7, purpose="redeem", **said)
    assert (status, refused["reason"]) == (403, "FORBIDDEN")
    assert circulating(floor) == 7


@rule("MATC-073")
def test_once_the_market_is_closed_what_was_reserved_goes_back():
    floor = floor_of_cxpt()
    said = {"symbol": "CXPT-USDC"}
    collateral(floor, "ann", 50, purpose="mint", **said)
    usdc = floor.balance("ann")[0]
    floor.http("POST /admin/markets", {"action": "delete", "symbol": "CXPT-USDC"}, groups=("admin",))
    floor.run()
    for purpose in ("mint", "redeem"):
        collateral(floor, "ann", 20, purpose=purpose, **said)
    assert floor.balance("ann") == (usdc, 0)
    assert floor.balance("ann", "CXPT") == (5_000, 0)
    assert circulating(floor) == 50


@rule("FEES-006", "RISK-080")
def test_a_share_of_an_orders_fees_comes_back_in_cxpt():
    floor = floor_of_cxpt()
    collateral(floor, "ann", 100 * E6, purpose="mint", symbol="CXPT-USDC")
    sells = floor.order("ann", "SELL", 30, 10_007, "CXPT-USDC")
    buys = [floor.order("bob", "BUY", lots, 10_007, "CXPT-USDC") for lots in (7, 11, 12)]
    floor.run()
    rows = [floor.row(order_id) for order_id in (sells, *buys)]
    rebates = [row["fee_paid"] // 10 for row in rows]
    assert min(rebates) > 0
    assert floor.balance("bob", "CXPT") == (30 * E8 + 100 * sum(rebates[1:]), 0)
    assert floor.balance("ann", "CXPT") == (70 * E8 + 100 * rebates[0], 0)
    assert circulating(floor) == 100 * E6 + sum(rebates)
    account = floor.store.get("Balances", Key("MARKET#CXPT-USDC", "ASSET#USDC"))
    assert account["fees"] == sum(row["fee_paid"] for row in rows) - sum(rebates)
