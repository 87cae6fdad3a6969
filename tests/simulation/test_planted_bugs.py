"""A checker that has never failed is no checker: known bugs, planted while a run builds its world.

Each test breaks one thing of the system and says which invariants must notice. Patching our own
code is allowed here and nowhere else, because the patch is what is tested.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any

import msgspec
import orjson
import pytest

from sim.agents.base import Life, wait_for_prices
from sim.client import Desk
from sim.invariants import INVARIANTS
from sim.kernel.observed import ObservedLake, ObservedStore
from sim.kernel.plumbing import QueueReader
from sim.run import BROKEN, run
from sim.scenario.schema import Scenario
from system.jobs import archive
from system.matcher import fills, handler, matching
from system.matcher.commit import Changes
from system.metrics.buckets import MinuteBucket
from system.model import keys
from system.model.order import CANCELED, Order
from system.ports.store import Action, Put, Update
from system.risk.stake import Stake
from system.settlement.contents import Contents, Reading
from tests.simulation.scenes import joined, small

Patch = pytest.MonkeyPatch


def broken(scenario: Scenario | None = None) -> set[str]:
    """Run, and return the names of the invariants that broke; each must be told with evidence."""
    result = run(scenario or small(1), look_every_ns=10**9)

    record = result.record
    found = {name for name, outcome in record.invariants.items() if outcome == "broken"}
    if found:
        assert result.exit_code == BROKEN
        assert record.verdict == "broken"
    for name in found:
        first = record.evidence[name].first
        assert first is not None
        assert first.where
        assert any(failure.what == name for failure in record.failures)
    return found


def test_without_a_bug_everything_holds() -> None:
    record = run(small(1), look_every_ns=10**9).record

    assert record.invariants == dict.fromkeys(sorted(INVARIANTS), "held")


# --- at least once


def deliver_twice(monkeypatch: Patch) -> None:
    """Acknowledge each batch of commands only after it was delivered a second time."""
    original = QueueReader.__init__

    def build(reader: QueueReader, *args: Any) -> None:
        original(reader, *args)
        invoke = reader.invoke
        reader.invoke = lambda event, finish: invoke(event, lambda _first: invoke(event, finish))

    monkeypatch.setattr(QueueReader, "__init__", build)


def test_a_redelivery_alone_breaks_nothing(monkeypatch: Patch) -> None:
    deliver_twice(monkeypatch)

    assert not broken()


def test_a_matcher_that_forgets_what_it_applied(monkeypatch: Patch) -> None:
    """A redelivered taker is filled again: the memory and the condition that should stop it are gone."""
    whole, unapplied = handler.transaction, handler._Batch._unapplied

    def trusting(changes: Any, advance: Any, _first_time: Any, rows: Any) -> list[Action]:
        return whole(changes, advance, {}, rows)

    def forgetful(batch: Any, commands: Any) -> Any:
        new = unapplied(batch, commands)
        return [
            command
            for command in commands
            if command in new or (command.order and command.order.tif == "IOC")
        ]

    deliver_twice(monkeypatch)
    monkeypatch.setattr(handler, "transaction", trusting)
    monkeypatch.setattr(handler._Batch, "_unapplied", forgetful)

    assert broken() >= {"I5_holds_cover_orders", "chain_against_ledger", "every_trade_settled"}


def test_a_watermark_that_stands_still(monkeypatch: Patch) -> None:
    """Two trades get one number."""
    record_fill = handler._Batch._record

    def again(batch: Any, fill: Any) -> None:
        record_fill(batch, fill)
        if batch.seat.mark.trade_no == 5:
            batch.seat.mark.trade_no -= 1

    monkeypatch.setattr(handler._Batch, "_record", again)

    assert broken() >= {"sequence"}


# --- money


def test_a_hold_that_is_never_released(monkeypatch: Patch) -> None:
    post = Changes._post

    def forgetful(changes: Changes, postings: Any) -> None:
        post(changes, tuple(each for each in postings if each.available != -each.reserved))

    monkeypatch.setattr(Changes, "_post", forgetful)

    assert broken() >= {"I5_holds_cover_orders"}


def test_a_hold_that_is_released_twice(monkeypatch: Patch) -> None:
    post = Changes._post

    def generous(changes: Changes, postings: Any) -> None:
        post(changes, (*postings, *(each for each in postings if each.available == -each.reserved)))

    monkeypatch.setattr(Changes, "_post", generous)

    assert broken() >= {"I5_holds_cover_orders"}


def test_a_fee_that_is_rounded_down(monkeypatch: Patch) -> None:
    """An order's last fill pays the floor where the whole order owes the ceiling, on every account alike."""
    advance = fills._advance

    def cheap(order: Order, spec: Any, *rest: Any) -> tuple[int, int]:
        fee, released = advance(order, spec, *rest)
        if order.leaves_e8 or order.cum_notional * spec.fee_ppm % 10**6 == 0:
            return fee, released
        order.fee_paid -= 1
        return fee - 1, released

    monkeypatch.setattr(fills, "_advance", cheap)

    assert broken(small(1, "markets.0.fee=33 bps")) == {"books_agree"}


def test_a_fee_that_nobody_receives(monkeypatch: Patch) -> None:
    settle = matching.settle

    def leaking(*args: Any) -> Any:
        fill = settle(*args)
        return msgspec.structs.replace(fill, fees=fill.fees - 1)

    monkeypatch.setattr(matching, "settle", leaking)

    assert broken() >= {"I3_vault_equals_accounts", "I9_transactions_balance", "stats_against_trades"}


def test_a_clearing_account_that_forgets_a_unit(monkeypatch: Patch) -> None:
    settle = matching.settle

    def leaking(*args: Any) -> Any:
        fill = settle(*args)
        return msgspec.structs.replace(fill, clearing=fill.clearing + 1, fees=fill.fees - 1)

    monkeypatch.setattr(matching, "settle", leaking)

    found = broken()
    assert found >= {"I2_clearing_mirrors_cost"}
    assert "I9_transactions_balance" not in found


def without_condition(monkeypatch: Patch, table: str, attribute: str) -> None:
    """Forget one condition of every transaction."""
    transact = ObservedStore.transact

    def careless(store: ObservedStore, actions: Sequence[Action], token: str = "") -> None:
        transact(store, [without(action) for action in actions], token)

    def without(action: Action) -> Action:
        if not isinstance(action, Put | Update) or action.table != table:
            return action
        when = tuple(clause for clause in action.when if clause.attribute != attribute)
        return msgspec.structs.replace(action, when=when)

    monkeypatch.setattr(ObservedStore, "transact", careless)


def spend(desk: Desk) -> Life:
    """Bid again and again for more than there is."""
    yield from wait_for_prices(desk, ("BTC-PERP",))
    view = desk.market("BTC-PERP")
    assert view.reference_e6 is not None
    for _ in range(5):
        desk.buy("BTC-PERP", view.spec.lot_e8 * 500, view.tick_down(view.reference_e6 * 95 // 100))
        yield desk.sleep(10**9)


def test_a_balance_that_is_spent_twice(monkeypatch: Patch) -> None:
    scenario = joined(small(1), spender=spend)
    assert not broken(scenario)

    without_condition(monkeypatch, keys.BALANCES, "available")
    without_condition(monkeypatch, keys.BALANCES, "backed")  # on chain each stands for the other

    assert broken(scenario) >= {"I6_nothing_negative"}


def test_a_relief_that_no_rule_grants(monkeypatch: Patch) -> None:
    """Netting gives back one unit more than the cheaper halves are worth."""
    relief = Stake.relief
    monkeypatch.setattr(Stake, "relief", lambda *args: (exact := relief(*args)) + (exact > 0))

    assert "I5_holds_cover_orders" in broken()


# --- the book


def test_an_order_that_comes_back_to_life(monkeypatch: Patch) -> None:
    """A cancel is answered and stored, and the order goes on resting where it was."""
    cancel = matching.Engine._cancel

    def stale(engine: matching.Engine, command: Any, now_ns: int) -> Any:
        order = engine.book.get(command.uuid)
        ghost = copy(order) if order is not None else None
        step = cancel(engine, command, now_ns)
        if ghost is not None and order is not None and order.status == CANCELED:
            engine.book.add(ghost)
        return step

    monkeypatch.setattr(matching.Engine, "_cancel", stale)

    assert broken(small(2, "agents.2.cancel_share=40 %", "agents.2.rate=10 /s")) >= {"books_agree"}


def test_a_nonce_that_is_taken_twice(monkeypatch: Patch) -> None:
    """The chain counts fills by account and nonce, so two orders of one nonce are one order there."""

    def repeat(desk: Desk) -> Life:
        yield from wait_for_prices(desk, ("BTC-PERP",))
        view = desk.market("BTC-PERP")
        assert view.reference_e6 is not None
        for _ in range(4):
            desk.buy("BTC-PERP", view.spec.lot_e8 * 50, view.tick_up(view.reference_e6 * 102 // 100))
            desk._nonce = 0
            yield desk.sleep(10**9)

    without_condition(monkeypatch, keys.IDEMPOTENCY, "PK")

    assert broken(joined(small(1), repeater=repeat)) >= {"chain_against_ledger", "every_trade_settled"}


# --- what is told of a trade


def test_a_settlement_that_leaves_one_trade_out(monkeypatch: Patch) -> None:
    """The batch is confirmed with all its trades, and the contract never saw one of them."""
    contents = Reading.contents

    def short(reading: Reading, batch: Any) -> Any:
        orders, found = contents(reading, batch)
        return Contents(orders, found[:-1] if batch["number"] == 1 else found)

    monkeypatch.setattr(Reading, "contents", short)

    assert broken() >= {"chain_against_ledger"}


def test_an_archive_that_drops_a_line(monkeypatch: Patch) -> None:
    put = ObservedLake.put
    short: list[str] = []

    def dropping(lake: ObservedLake, key: str, body: bytes) -> None:
        lines = body.splitlines(keepends=True)
        if key.startswith("trades/") and len(lines) > 1 and not short:
            short.append(key)
            del lines[-1]
        put(lake, key, b"".join(lines))

    monkeypatch.setattr(ObservedLake, "put", dropping)

    assert broken() == {"lake_against_trades"}
    assert short


def test_an_archive_that_changes_a_price(monkeypatch: Patch) -> None:
    line = archive._line

    def wrong(trade: Any) -> Any:
        return line(trade | {"price_e6": trade["price_e6"] + (trade["trade_no"] == 2)})

    monkeypatch.setattr(archive, "_line", wrong)

    assert broken() == {"lake_against_trades"}


def test_statistics_that_count_a_trade_twice(monkeypatch: Patch) -> None:
    add = MinuteBucket.add_trade

    def twice(bucket: MinuteBucket, trade: Any) -> None:
        add(bucket, trade)
        if trade.trade_no == 4:
            add(bucket, trade)

    monkeypatch.setattr(MinuteBucket, "add_trade", twice)

    assert broken() == {"stats_against_trades"}


def test_a_message_that_is_not_published(monkeypatch: Patch) -> None:
    publish = handler.Matcher._publish

    def quiet(matcher: handler.Matcher, symbol: str, news: Any) -> None:
        said = [orjson.loads(orjson.dumps(each)) for each in news]
        publish(matcher, symbol, [each for each in said if each["kind"] != "trade" or each["seq"] != 9])

    monkeypatch.setattr(handler.Matcher, "_publish", quiet)

    assert broken() == {"sequence"}
