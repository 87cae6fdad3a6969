"""The workload: what scenarios/throughput.yaml says its traders want, without any exchange around them.

The traders here draw what `sim/agents/zero_intelligence.py` draws, from dice of the same names and in
the same order. Two things differ: the price they know stands still, and they learn of their orders at once.
"""

from __future__ import annotations

from heapq import heapify, heapreplace
from pathlib import Path
from random import Random
from typing import NamedTuple

from sim.agents import ZeroIntelligence
from sim.scenario.schema import Scenario

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "scenarios" / "throughput.yaml"
GROUP = "zero_intelligence"
PRICE = 600_000
"""The price that everybody knows, in ticks of 0.1 USDC."""
PPM = 1_000_000

LIMIT, MARKET, CANCEL = 0, 1, 2


class Workload(NamedTuple):
    """A group of zero-intelligence traders in plain numbers: ticks, lots, parts of one."""

    seed: int
    traders: int
    orders: int
    markets: int
    market_share: float
    cancel_share: float
    width: float
    reach: float
    most_lots: float
    open_limit: int

    @property
    def orders_each(self) -> int:
        return self.orders // self.traders


class Intent(NamedTuple):
    """What a trader wants now. A cancel means its oldest open order and uses `market` only."""

    kind: int
    market: int
    is_buy: bool
    price: int
    lots: int


def scenario_of(orders: int, overrides: tuple[str, ...] = ()) -> Scenario:
    """Return the throughput scenario for so many orders; its time shrinks with them."""
    agent = _traders(Scenario.load(SCENARIO))
    each = max(orders // agent.count, 1)
    seconds = 12 + each * 3 // 10
    wanted = [f"agents.0.orders={each}", f"duration={seconds} s"]
    return Scenario.load(SCENARIO, [*wanted, *overrides])


def workload_of(scenario: Scenario) -> Workload:
    """Return the same traders for others."""
    agent = _traders(scenario)
    assert agent.orders is not None
    market = scenario.markets[0]
    lot_worth = PRICE * market.tick * market.lot.units / 10**8
    return Workload(
        seed=scenario.seed,
        traders=agent.count,
        orders=agent.count * agent.orders,
        markets=len(scenario.markets),
        market_share=agent.market_share / PPM,
        cancel_share=agent.cancel_share / PPM,
        width=agent.width / PPM,
        reach=agent.reach / PPM,
        most_lots=agent.size / lot_worth,
        open_limit=agent.open_limit,
    )


def _traders(scenario: Scenario) -> ZeroIntelligence:
    (agent,) = scenario.agents
    assert isinstance(agent, ZeroIntelligence), f"{SCENARIO.name}: expected one group of zero intelligence"
    return agent


class Trader:
    """One trader's mind; whoever runs it keeps `open_orders` (how many it has) up to date."""

    __slots__ = ("_dice", "_work", "number", "open_orders", "sent")

    def __init__(self, work: Workload, number: int) -> None:
        self.number = number
        self.sent = 0
        self.open_orders = 0
        self._work = work
        self._dice = Random(f"{work.seed}:agent:{GROUP}-{number}")

    @property
    def done(self) -> bool:
        return self.sent >= self._work.orders_each

    def gap(self) -> float:
        """Draw the time to the next beat, in mean gaps."""
        return self._dice.expovariate(1.0)

    def intend(self) -> Intent:
        """Draw one beat."""
        work, draw = self._work, self._dice.random
        market = int(draw() * work.markets)
        beat, side_draw, place_draw, size_draw = draw(), draw(), draw(), draw()
        if beat < work.cancel_share or self.open_orders >= work.open_limit:
            return Intent(CANCEL, market, False, 0, 0)
        self.sent += 1
        kind = MARKET if beat < work.cancel_share + work.market_share else LIMIT
        place = 1.0 if kind == MARKET else place_draw * (1 + work.reach) - 1
        away = int(PRICE * work.width * place)
        lots = int(work.most_lots * size_draw) or 1
        if side_draw < 0.5:
            return Intent(kind, market, True, PRICE + away, lots)
        return Intent(kind, market, False, PRICE - away, lots)


class Clockwork:
    """The traders in the order in which their Poisson clocks beat: the least that a kernel is."""

    __slots__ = ("_due",)

    def __init__(self, traders: list[Trader]) -> None:
        self._due = [(trader.gap() + trader.gap(), trader.number, trader) for trader in traders]
        heapify(self._due)

    def next(self) -> Trader:
        """Return who is next and wind its clock again."""
        due = self._due
        at, number, trader = due[0]
        heapreplace(due, (at + trader.gap(), number, trader))
        return trader
