"""The engine alone: 60 % orders that rest, 30 % cancels, 10 % market orders, on one perpetual market."""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.measure import timed
from system.matcher.matching import Engine
from system.matcher.steps import Cancel, Command, Rested
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, SELL, Order, Side
from system.risk.holds import hold_asset, hold_before_match, worst_price

SPEC = MarketSpec(
    symbol="BTC-PERP",
    kind=MarketKind.PERP,
    base="BTC",
    underlying="BTC",
    tick_e6=100_000,
    lot_e8=10_000,
)
PRICE_E6 = 60_000_000_000
TRADERS = tuple(f"trader-{number:03d}" for number in range(100))
MOST_LOTS = 83  # 500 USDC at 60,000
WIDTH_TICKS = 9_000  # 1.5 %

Recipe = tuple[str, str, str, int, int]
"""(what, trader, uuid, price_e6 signed by side, qty_e8): enough to make a command anew."""


def measure(operations: int) -> dict[str, Any]:
    """Carry out so many commands; returns what they cost and came to."""
    recipes = _plan(operations)
    commands = [_command(recipe) for recipe in recipes]
    engine = Engine(SPEC)
    steps, cost = timed(lambda: _carry_out(engine, commands))
    return {
        "cpu_s": cost.cpu_s,
        "wall_s": cost.wall_s,
        "operations": operations,
        "steps": steps,
        "resting": len(engine.book),
    }


def _carry_out(engine: Engine, commands: list[Command]) -> int:
    steps = 0
    for seq, command in enumerate(commands, 1):
        for _step in engine.run(command, seq, seq):
            steps += 1
    return steps


def _plan(operations: int) -> list[Recipe]:
    """Choose the commands; a rehearsal tells which orders are still there to be cancelled."""
    dice = Random(f"matcher:{operations}")
    engine = Engine(SPEC)
    resting: list[tuple[str, str]] = []
    recipes: list[Recipe] = []
    for seq in range(1, operations + 1):
        recipe = _draw(dice, seq, resting, engine)
        recipes.append(recipe)
        steps = engine.run(_command(recipe), seq, seq)
        resting += [(step.order.uuid, step.order.trader) for step in steps if isinstance(step, Rested)]
    return recipes


def _draw(dice: Random, seq: int, resting: list[tuple[str, str]], engine: Engine) -> Recipe:
    draw = dice.random()
    while draw < 0.3 and resting:
        index = int(dice.random() * len(resting))
        uuid, trader = resting[index]
        resting[index] = resting[-1]
        resting.pop()
        if uuid in engine.book:
            return "cancel", trader, uuid, 0, 0
    side = BUY if dice.random() < 0.5 else SELL
    what = "market" if draw >= 0.9 else "limit"
    away = WIDTH_TICKS if what == "market" else -int(dice.random() * WIDTH_TICKS)
    price_e6 = PRICE_E6 + away * SPEC.tick_e6 * (1 if side == BUY else -1)
    trader = TRADERS[int(dice.random() * len(TRADERS))]
    qty_e8 = (int(dice.random() * MOST_LOTS) or 1) * SPEC.lot_e8
    return f"{what} {side}", trader, f"{seq:032x}", price_e6, qty_e8


def _command(recipe: Recipe) -> Command:
    """Make a command as the door hands it over: pre-paid, not yet sequenced."""
    what, trader, uuid, price_e6, qty_e8 = recipe
    if what == "cancel":
        return Cancel(uuid, trader)
    kind, _, word = what.partition(" ")
    side: Side = BUY if word == BUY else SELL
    order = Order(
        symbol=SPEC.symbol,
        uuid=uuid,
        trader=trader,
        account="0x" + "0" * 40,
        order_type="LIMIT" if kind == "limit" else "MARKET",
        side=side,
        tif="GTC" if kind == "limit" else "IOC",
        qty_e8=qty_e8,
        limit_price_e6=price_e6,
        nonce=1,
        max_fee_bps=50,
        worst_price_e6=worst_price(side, price_e6, PRICE_E6, SPEC),
        leaves_e8=qty_e8,
    )
    order.hold_asset = hold_asset(order, SPEC)
    order.hold = hold_before_match(order, SPEC)
    return order
