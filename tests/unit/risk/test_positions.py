"""Single fills on positions. Published examples: average entry and realised profit of other venues."""

from __future__ import annotations

import pytest

from system.model.market import MarketKind, MarketSpec
from system.model.position import Position, position_from_item
from system.risk.positions import FillEffect, closable_e8, fill_effect, settle_fill
from tests.rules import rule

E6, E8 = 10**6, 10**8


def at(size_e8: int = 0, cost: int = 0, margin: int = 0) -> Position:
    return Position(trader="ann", symbol="BTC-PERP", size_e8=size_e8, cost=cost, margin=margin)


def effect(position: Position, signed_qty_e8: int, price_usdc: int, im_ppm: int = E6) -> FillEffect:
    found = fill_effect(position, signed_qty_e8, price_usdc * E6, im_ppm)
    assert found is not None
    return found


@rule("RISK-010")
@pytest.mark.parametrize(
    ("fills", "average_usdc"),
    [
        # Bybit help centre, average entry (PNL-AVG-01, PNL-AVG-02 of the specification)
        ([(50_000_000, 5_000), (30_000_000, 6_000)], 5_375),
        ([(50_000_000, 50_000), (80_000_000, 51_000)], 50_615),
    ],
)
def test_adding_averages_the_entry(fills: list[tuple[int, int]], average_usdc: int) -> None:
    position = at()
    for qty_e8, price in fills:
        settle_fill(position, effect(position, qty_e8, price), 0)

    assert position.cost * E8 // position.size_e8 // E6 == average_usdc
    assert position.margin == position.cost


@rule("RISK-012")
@pytest.mark.parametrize(
    ("held", "cost", "closed", "price_units", "realised", "left"),
    [
        (3, 100, -1, 40, 6, 66),  # exact profit 6.67
        (-3, -100, 1, 30, 3, -67),  # exact profit 3.33
        (3, 100, -3, 40, 20, 0),
        (-3, -100, 3, 30, 10, 0),
    ],
)
def test_reducing_rounds_the_profit_down(
    held: int, cost: int, closed: int, price_units: int, realised: int, left: int
) -> None:
    """Source: the worked example of the specification, 2.2; lots of 1e-8 and prices of 1 uUSDC a lot."""
    found = fill_effect(at(held, cost, 100), closed, price_units * E8, E6)

    assert found is not None
    assert (found.realised, found.cost, found.size_e8) == (realised, left, held + closed)
    assert found.pay_out == 100 * abs(closed) // 3 + realised


@rule("RISK-010")
def test_margin_at_ten_times() -> None:
    """Source: Bybit order cost, 1 BTC at 50 000 with leverage 10 (COST-BYBIT-01)."""
    assert effect(at(), E8, 50_000, im_ppm=100_000).margin_in == 5_000 * E6


@rule("RISK-013")
def test_turning_over_closes_first() -> None:
    long = at(2 * E8, 200 * E6, 200 * E6)

    found = effect(long, -5 * E8, 110)

    assert (found.size_e8, found.cost) == (-3 * E8, -330 * E6)
    assert (found.realised, found.pay_out) == (20 * E6, 220 * E6)
    assert (found.margin_in, found.margin) == (330 * E6, 330 * E6)


@rule("RISK-014")
def test_loss_eats_the_margin_that_stays_and_then_refuses() -> None:
    """A short of 2 at 100 with full margin: at 201 a half's loss of 101 exceeds its 100 of margin."""
    short = at(-2 * E8, -200 * E6, 200 * E6)

    half = effect(short, E8, 201)
    assert (half.pay_out, half.margin, half.realised) == (0, 99 * E6, -101 * E6)
    assert fill_effect(short, 2 * E8, 200 * E6, E6) is not None
    assert fill_effect(short, 2 * E8, 201 * E6, E6) is None
    assert fill_effect(short, 3 * E8, 201 * E6, E6) is None
    assert (short.size_e8, short.cost, short.margin) == (-2 * E8, -200 * E6, 200 * E6)


@rule("RISK-011")
def test_margin_steps_of_one_order_add_up() -> None:
    """At a third of initial margin each fill of one unit needs 0.33: one unit for three fills."""
    taken = [fill_effect(at(), 1, E8, 333_333, cum_notional=done) for done in range(4)]

    assert [found.margin_in for found in taken if found] == [1, 0, 0, 1]


def test_closable() -> None:
    assert closable_e8(None, is_buy=True) == 0
    assert [closable_e8(at(size), is_buy) for size in (5, -5) for is_buy in (True, False)] == [0, 5, 5, 0]


def test_row_round_trip() -> None:
    position = Position(
        trader="ann", symbol="BTC-PERP", size_e8=-5, cost=-7, margin=9, realised=-1, fees=2, trades=3
    )

    item = position.to_item()

    assert (item["PK"], item["SK"]) == ("TRADER#ann", "MARKET#BTC-PERP") == position.key
    assert position_from_item(item) == position


@rule("MARK-001")
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"tick_e6": 1_000, "lot_e8": 10_000}, "tick times lot"),
        ({"tick_e6": 0}, "tick and lot"),
        ({"symbol": "BTC-USDC"}, "symbol"),
        ({"im_ppm": 50_000}, "im_ppm"),
    ],
)
def test_only_markets_with_exact_notionals(changes: dict[str, object], problem: str) -> None:
    terms: dict[str, object] = {
        "symbol": "BTC-PERP", "kind": MarketKind.PERP, "base": "BTC", "underlying": "BTC",
        "tick_e6": 100_000, "lot_e8": 10_000,
    }  # fmt: skip
    spec = MarketSpec(**(terms | changes))  # type: ignore[arg-type]

    assert spec.problem().startswith(problem)
    assert bool(spec.problem()) == bool(problem)
