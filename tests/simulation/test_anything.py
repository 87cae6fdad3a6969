"""Traders who use every word of the door at random: whatever they try, all invariants hold."""

from typing import Any

import pytest

from sim.agents.base import Life, wait_for_prices
from sim.client import Desk
from sim.client.requests import Draft
from sim.run import run
from sim.scenario.schema import Scenario
from system.model import keys
from system.model.order import BUY, SELL
from tests.simulation.scenes import joined, played, small

SYMBOLS = ("BTC-PERP", "sBTC-USDC")
NS = 10**9
MARGINS = ("10 %", "100 %", "50 %")
"""Each leaves a whole number of units of a trade's worth, which is a multiple of 10 here."""

AWAY_PPM = (-60_000, -49_000, -5_000, -500, 0, 500, 5_000, 49_000, 60_000)
LOTS = (1, 7, 100, 1_000)


def anything(desk: Desk) -> Life:
    desk.listen(*SYMBOLS)
    yield from wait_for_prices(desk, SYMBOLS)
    while True:
        yield desk.sleep(1 + desk.dice.randrange(NS // 5))
        act(desk, desk.dice.choice(SYMBOLS), desk.dice.random())


def act(desk: Desk, symbol: str, beat: float) -> None:
    mine = [order.order_id for order in desk.open_orders.values() if order.symbol == symbol]
    if mine and beat < 0.1:
        desk.cancel(desk.dice.choice(mine))
    elif mine and beat < 0.13:
        desk.cancel_all(symbol)
    else:
        draft = drawn(desk, symbol)
        desk.submit(draft._replace(replaces=desk.dice.choice(mine)) if mine and beat < 0.3 else draft)


def drawn(desk: Desk, symbol: str) -> Draft:
    dice, view = desk.dice, desk.market(symbol)
    reference_e6 = view.reference_e6
    assert reference_e6 is not None
    price_e6 = view.tick_down(reference_e6 + reference_e6 * dice.choice(AWAY_PPM) // 10**6)
    words: dict[str, Any] = {"reduce_only": dice.random() < 0.3}
    if dice.random() < 0.2:
        words["market"] = True
    else:
        words["tif"] = dice.choice(("GTC", "GTC", "IOC", "FOK", "GTT"))
        words["post_only"] = dice.random() < 0.2
        if words["tif"] == "GTT":
            words["expire_s"] = desk.now_ns // NS + dice.randrange(1, 4)
    return Draft(symbol, dice.choice((BUY, SELL)), view.spec.lot_e8 * dice.choice(LOTS), price_e6, **words)


def wild(seed: int, margin: str = "") -> Scenario:
    """Three of them among the others."""
    margin = margin or MARGINS[seed % len(MARGINS)]
    names = ("anything-a", "anything-b", "anything-c")
    return joined(small(seed, f"markets.0.initial_margin={margin}"), **dict.fromkeys(names, anything))


def held(scenario: Scenario) -> None:
    result = run(scenario, look_every_ns=NS)

    assert result.exit_code == 0, f"seed {scenario.seed}: {result.record.failures}"


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_tried_holds(seed: int) -> None:
    held(wild(seed))


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(10, 300))
def test_whatever_many_try_holds(seed: int) -> None:
    held(wild(seed))


def test_a_margin_that_does_not_divide_holds() -> None:
    held(wild(2, "6 %"))


def test_they_do_try_everything() -> None:
    """A search that meets nothing finds nothing: these ends and refusals are all met."""
    ends, refusals = set(), set()
    for seed in range(6):
        with played(wild(seed)) as world:
            assert world.backend is not None
            ends |= {(row["status"], row.get("reason", "")) for row in world.backend.scan(keys.ORDERS)}
            refusals |= {reason for desk in world.desks for reason in desk.rejects}

    assert {status for status, _ in ends} >= {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "DONE"}
    assert {reason for _, reason in ends} >= {
        *("REPLACED", "CANCEL_REQUESTED", "NO_LIQUIDITY", "FOK_NOT_FILLED", "WOULD_TAKE", "EXPIRED"),
        *("REDUCE_ONLY", "TOO_LATE_TO_CANCEL", "SELF_TRADE"),
    }
    assert refusals >= {"PRICE_BAND", "INSUFFICIENT_FUNDS", "INCOMPATIBLE_FLAGS"}
