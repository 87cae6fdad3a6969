"""Events happen at their time: prices leap and stay, administrators are obeyed."""

import pytest

from sim.events import Event, shocked
from system.model import keys
from system.model.units import NS
from tests.simulation.scenes import played, small

START_NS = 1_000 * NS


class Flat:
    """A price that stands still."""

    def at(self, _now_ns: int) -> int:
        return 1_000_000


def moved(*events: str) -> list[Event]:
    return list(small(1, f"events=[{', '.join(events)}]").events)


@pytest.mark.parametrize(
    ("second", "price_e6"), [(0, 10**6), (2, 10**6), (3, 940_000), (4, 880_000), (9, 880_000)]
)
def test_a_shock_moves_a_price_along_a_line_and_it_stays_there(second: int, price_e6: int) -> None:
    events = moved("{at: 2 s, oracle_shock: {asset: BTC, move: -12 %, over: 2 s}}")

    assert shocked(Flat(), "BTC", events, START_NS).at(START_NS + second * NS) == price_e6


def test_shocks_multiply_and_others_are_left_alone() -> None:
    events = moved(*["{at: 1 s, oracle_shock: {asset: BTC, move: 10 %}}"] * 2)
    flat = Flat()

    assert shocked(flat, "BTC", events, START_NS).at(START_NS + NS) == 1_210_000
    assert shocked(flat, "ETH", events, START_NS) is flat


def test_an_administrator_closes_and_opens_a_market() -> None:
    pause = "{at: 3 s, market: {action: pause, symbol: BTC-PERP}}"
    scenario = small(
        1, "markets.0.cooldown=1 s", f"events=[{pause}, {{at: 5 s, market: {{action: resume}}}}]"
    )

    with played(scenario) as world:
        assert world.backend is not None
        rows = [row for row in world.backend.scan(keys.ORDERS) if row["orderType"] == "STATE"]
        states = {
            row["symbol"]: row["status"] for row in world.backend.scan(keys.MARKETS) if row["SK"] == "META"
        }

    assert [row["state"] for row in rows if row["symbol"] == "BTC-PERP"] == ["PAUSED", "ACTIVE"]
    assert states["BTC-PERP"] == "ACTIVE"
