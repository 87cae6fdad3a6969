"""Stylised facts: each tells what it is named after from what it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pandas as pd
import pytest

from sim.report.realism import FEWEST_MINUTES, Fact, Market, panel

STEP_NS, START_NS = 10_000_000_000, 1_746_252_000 * 10**9
MINUTES = 300
Draw = Callable[[Random], float]


def normal(dice: Random) -> float:
    return dice.gauss(0.0, 5e-4)


def fat(dice: Random) -> float:
    """Student's t with three degrees of freedom."""
    return dice.gauss(0.0, 3e-4) * math.sqrt(3 / dice.gammavariate(1.5, 2.0))


def book(draw: Draw, minutes: int = MINUTES, half_bps: int = 60) -> pd.DataFrame:
    """Return a depth of two levels a side, whose mid moves every 30 seconds."""
    dice, price, rows = Random(7), 60_000.0, []
    for step in range(1, minutes * 6 + 1):
        if step % 3 == 0:
            price *= math.exp(draw(dice))
        for level in range(2):
            away = (half_bps + 10 * level) / 10_000
            rows.append((step * STEP_NS, "BUY", level, round(price * (1 - away) * 1e6), 10**8))
            rows.append((step * STEP_NS, "SELL", level, round(price * (1 + away) * 1e6), 10**8))
    return pd.DataFrame(rows, columns=["t_ns", "side", "level", "price_e6", "qty_e8"])


def flow(*, bursts: bool, minutes: int = MINUTES) -> pd.DataFrame:
    """Return trades: either at random, or twenty of one side at once after a long pause."""
    dice, rows, at, side = Random(8), [], 0.0, "BUY"
    while at < minutes * 60:
        side = dice.choice(("BUY", "SELL"))
        many = 20 if bursts else 1
        at += dice.expovariate(1 / (6 * many))
        for place in range(many):
            ts_ns = START_NS + int((at + place * 0.2) * 1e9)
            rows.append((ts_ns, f"o{len(rows)}", side, 60_000 * 10**6, 10**6, 600 * 10**6))
    names = ["ts_ns", "taker_order_id", "aggressor_side", "price_e6", "qty_e8", "notional"]
    return pd.DataFrame(rows, columns=names)


def found(depth: pd.DataFrame, trades: pd.DataFrame, fee_ppm: int = 5_000) -> dict[str, Fact]:
    rates = pd.Series([], dtype="int64")
    return {fact.name: fact for fact in panel(Market("BTC-PERP", fee_ppm, trades, depth, rates), START_NS)}


def test_fat_tails_are_told_from_a_random_walk() -> None:
    walk, real = (found(book(draw), flow(bursts=False)) for draw in (normal, fat))

    assert not walk["excess kurtosis"].held
    assert real["excess kurtosis"].held
    assert (real["tail index"].value or 0) < (walk["tail index"].value or 0)
    assert real["autocorrelation"].held
    assert (real["excess kurtosis"].p or 0) < 0.001 < (walk["excess kurtosis"].p or 0)


def test_a_trend_is_not_a_price_without_memory() -> None:
    way = iter(range(10**6))

    trend = found(book(lambda dice: 1e-3 * math.sin(next(way) / 8) + normal(dice) / 10), flow(bursts=False))

    assert not trend["autocorrelation"].held


def test_bursts_are_told_from_a_poisson_flow() -> None:
    calm, bursts = (found(book(fat), flow(bursts=how)) for how in (False, True))

    assert not calm["order signs"].held
    assert (bursts["trade clusters"].value or 0) > 2
    assert calm["trade clusters"].value == pytest.approx(1.0, abs=0.05)
    assert bursts["order signs"].held
    assert bursts["trade clusters"].held


def test_a_spread_below_two_fees_is_not_real() -> None:
    assert found(book(fat, half_bps=60), flow(bursts=True))["spread"].held
    assert not found(book(fat, half_bps=40), flow(bursts=True))["spread"].held


def test_volume_without_moves_does_not_follow_volatility() -> None:
    assert not found(book(fat), flow(bursts=False))["volume and volatility"].held


def test_of_a_short_run_nothing_is_said() -> None:
    minutes = FEWEST_MINUTES - 1

    assert found(book(fat, minutes), flow(bursts=True, minutes=minutes)) == {}


def test_a_band_that_cannot_be_measured_does_not_hold() -> None:
    assert not Fact("BTC-PERP", "tail index", "", None, 2.0, 5.0).held
    assert Fact("BTC-PERP", "funding", "", None).held
    assert str(Fact("A", "b", "", None, 2.0)) == "A b not measurable (expected at least 2)"
