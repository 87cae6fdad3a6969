"""What listeners of a run have heard: everything, by its numbers; and what was lost is known again."""

from __future__ import annotations

import pytest

from sim.kernel.history import HistoryReader
from sim.run import run
from sim.scenario.schema import Scenario
from sim.world.build import World
from system.model import keys
from system.model.order import LIVE
from tests.rules import rule
from tests.simulation.scenes import played, small

LOSSES = (
    "{fault: drop, target: fan_out -> client, probability: 10 %, during: [1 s, 40 s]}",
    "{fault: socket_gone, probability: 2 %, during: [1 s, 40 s]}",
    "{fault: crash, target: fan_out, after: store.count, probability: 5 %, during: [1 s, 40 s]}",
)


def lossy(fault: str, seed: int) -> Scenario:
    return small(seed, "duration=150 s", f"faults=[{fault}]")


def readers_know_their_rows(world: World) -> int:
    """Compare what every desk believes with the tables; return how many things were compared."""
    assert world.backend is not None
    orders = world.backend.scan(keys.ORDERS)
    positions = {(row["trader"], row["symbol"]): row for row in world.backend.scan(keys.POSITIONS)}
    compared = 0
    for desk in world.desks:
        live = {
            f"{row['symbol']}:{row['uuid']}": row
            for row in orders
            if row.get("trader") == desk.trader and row["status"] in LIVE and "limit_price_e6" in row
        }
        known = {order_id: order.cum_qty_e8 for order_id, order in desk.open_orders.items()}
        assert known == {order_id: row["cum_qty_e8"] for order_id, row in live.items()}, desk.name
        for symbol, position in desk.positions.items():
            row = positions.get((desk.trader, symbol))
            said = (position.version, position.size_e8, position.cost, position.margin)
            told = (row["version"], row["size_e8"], row["cost"], row["margin"]) if row else (0, 0, 0, 0)
            assert said == told, (desk.name, symbol)
            compared += 1
        compared += len(live)
    return compared


@rule("FANO-004", "FANO-005")
@pytest.mark.parametrize("fault", LOSSES)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_lost_on_the_way_is_known_again(fault, seed):
    with played(lossy(fault, seed)) as world:
        assert readers_know_their_rows(world) > 20
        for desk in world.desks:
            desk.hearing.look()
            assert desk.hearing.look() == [], desk.name


@rule("CONS-040", "FANO-005")
def test_losses_are_seen_and_healed_and_nothing_else_is(tmp_path):
    record = run(lossy(LOSSES[0], 3), out=tmp_path / "lossy").record
    assert (record.verdict, record.invariants["feeds_heal"]) == ("held", "held")
    holes = [event for _, event in HistoryReader(tmp_path / "lossy" / "history.jsonl.zst").of_kind("hole")]
    assert {event["ch"].partition(".")[0] for event in holes} == {"market", "trader"}

    run(small(3, "duration=60 s"), out=tmp_path / "whole")
    history = HistoryReader(tmp_path / "whole" / "history.jsonl.zst")
    assert [event for _, event in history.of_kind("hole") if not event["new"]] == []
