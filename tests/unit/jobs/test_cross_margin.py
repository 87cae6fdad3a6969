"""Cross margin on the whole road: accounts judged by the job, levelled and closed in two markets."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from system.jobs.liquidation_scan import LiquidationScan
from system.model import keys
from system.model.keys import Key
from system.model.messages import command_body, mark_command
from system.model.units import NS
from system.ports.store import Update
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import BTC, E6, Floor, comparable, trader

CROSS = replace(
    BTC, im_ppm=100_000, settlement="ledger", margin="cross", band_ppm=400_000, mark="INDEX", liq_retry_s=1
)
ETH = replace(CROSS, symbol="ETH-PERP", base="ETH", underlying="ETH")
BOTH = ("BTC-PERP", "ETH-PERP")


def floor_of(**settings: Any) -> Floor:
    """Return a floor where ann is long in the one market and short in the other; bob has the other sides."""
    floor = Floor((CROSS, ETH), **settings)
    for name in ("ann", "bob", "cat"):
        floor.fund(name)
    for symbol in BOTH:
        buyer, seller = ("ann", "bob") if symbol == "BTC-PERP" else ("bob", "ann")
        floor.order(seller, "SELL", 10, 60_000, symbol)
        floor.order(buyer, "BUY", 10, 60_000, symbol)
    floor.run()
    return floor


def mark(floor: Floor, btc: int, eth: int) -> None:
    """Tell both markets their index, as the oracle's job does."""
    floor.clock.advance(30 * NS)
    now_ns = floor.clock.now_ns()
    for symbol, ticks in zip(BOTH, (btc, eth), strict=True):
        put = {"index_valid": True, "index_e6": ticks * E6}
        floor.store.write(Update(keys.MARKETS, Key(keys.market_pk(symbol), keys.META), put=put))
        command = mark_command(symbol, now_ns, ticks * E6, valid=True, standing="")
        floor.fifo.send(command_body(command), symbol, f"{symbol}-mark-{now_ns}")
    floor.run()


def scan(floor: Floor, run: bool = True) -> None:
    floor.clock.advance(60 * NS)
    LiquidationScan(floor.store, floor.fifo, floor.clock).handle({}, None)
    if run:
        floor.run()


def levels(floor: Floor) -> list[dict[str, Any]]:
    return [row for row in floor.store.scan("Orders") if row["orderType"] == "LEVEL"]


def equity(floor: Floor, name: str, symbol: str, ticks: int) -> int:
    at = floor.position(name, symbol)
    return int(at["margin"] - at["cost"] + at["size_e8"] * ticks * E6 // 10**8)


@rule("LIQJ-002", "RISK-045", "RISK-046")
def test_what_one_position_gains_stands_for_what_another_loses():
    floor = floor_of()
    mark(floor, 57_000, 57_000)  # ann's long has half of its margin left: no call, and nothing to level
    scan(floor)
    assert not levels(floor)

    mark(floor, 55_000, 55_000)  # its own equity is 1,000 x 0.1, below 5 % of 55,000 x 0.1
    before = floor.balance("ann")
    scan(floor)
    assert {(row["trader"], row["symbol"], row["to"], row["status"]) for row in levels(floor)} == {
        (trader("ann"), "ETH-PERP", "BTC-PERP", "DONE"),
        (trader("bob"), "BTC-PERP", "ETH-PERP", "DONE"),
    }
    assert floor.balance("ann") == before
    for name in ("ann", "bob"):
        own = [equity(floor, name, symbol, 55_000) for symbol in BOTH]
        assert sum(own) == 2 * 600 * E6
        assert abs(own[0] - own[1]) <= E6, "each its share, by maintenance margin"
    floor.audit()

    mark(floor, 48_000, 48_000)  # isolated, both of ann's and bob's losers would have been bankrupt
    for _ in range(3):
        scan(floor)
    assert not [row for row in floor.store.scan("Trades") if row["tradeType"] != "TRADE"]
    assert floor.position("ann")["size_e8"] == -floor.position("ann", "ETH-PERP")["size_e8"] != 0
    floor.audit()


@rule("LIQJ-002", "RISK-046")
def test_an_account_that_is_short_as_a_whole_is_closed_in_all_its_markets():
    floor = floor_of()
    mark(floor, 60_000, 69_500)  # ann's short alone has eaten nearly all that both had
    floor.order("cat", "BUY", 10, 60_000, "BTC-PERP")
    floor.order("cat", "SELL", 10, 70_000, "ETH-PERP")
    floor.run()
    scan(floor)
    assert [row["status"] for row in levels(floor)] == ["DONE"]
    assert floor.position("ann")["size_e8"], "levelled first"
    assert floor.position("ann")["margin"] < 600 * E6
    floor.audit()

    scan(floor)
    forced = [row for row in floor.store.scan("Trades") if row["tradeType"] == "LIQUIDATION"]
    assert sorted(row["symbol"] for row in forced) == ["BTC-PERP", "ETH-PERP"]
    assert not floor.position("ann")["size_e8"]
    assert not floor.position("ann", "ETH-PERP")["size_e8"]
    floor.audit()


@rule("LIQJ-002")
def test_nobody_is_judged_while_one_of_his_markets_has_no_index():
    floor = floor_of()
    mark(floor, 60_000, 69_500)
    put = {"index_valid": False}
    floor.store.write(Update(keys.MARKETS, Key(keys.market_pk("BTC-PERP"), keys.META), put=put))
    for _ in range(3):
        scan(floor)
    assert not levels(floor)
    assert floor.position("ann", "ETH-PERP")["size_e8"]


@rule("RISK-045")
def test_a_mark_alone_closes_nobody_under_cross_margin():
    floor = floor_of()
    floor.order("cat", "SELL", 10, 70_000, "ETH-PERP")
    mark(floor, 60_000, 69_500)
    assert floor.position("ann", "ETH-PERP")["size_e8"]


@rule("RISK-046", "COMM-004", "COMM-005")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("room", [84, 0])
def test_a_matcher_that_dies_while_margin_is_levelled_moves_it_once(after, room):
    def story(fail_at: int) -> tuple[Floor, int]:
        floor = floor_of(seed="levelled")
        mark(floor, 55_000, 55_000)
        scan(floor, run=False)
        store = FailingStore(floor.store, fail_at, after=after)
        floor.matcher = floor.new_matcher(store)
        floor.matcher.room = room  # 0: cut wherever a cut is allowed
        floor.carry()
        while floor.serve()["failed"] == 0 and len(store.transactions) < (fail_at or 100):
            if not floor.carry() and not floor.fifo.receive(1, 0):
                break
        floor.matcher = floor.new_matcher()
        floor.clock.advance(60 * NS)
        floor.run()
        return floor, len(store.transactions)

    calm, transactions = story(0)
    assert {row["status"] for row in levels(calm)} == {"DONE"}
    calm.audit()
    assert transactions >= 2
    for fail_at in range(1, transactions + 1):
        floor, _ = story(fail_at)
        floor.audit()
        for table in ("Balances", "Positions"):
            assert comparable(floor.scan())[table] == comparable(calm.scan())[table], fail_at
