"""PAMS: agents and markets in Python, one round of all agents after the other.

Source: Hirano, Takata, Izumi (2023), "PAMS: Platform for Artificial Market Simulations".
"""

# The package has no types, and need not be installed.
# mypy: disable-error-code="import-untyped,import-not-found,misc"

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from pams.agents import Agent
from pams.logs.base import ExecutionLog
from pams.market import Market
from pams.order import LIMIT_ORDER, MARKET_ORDER, Cancel, Order
from pams.runners import SequentialRunner

from benchmarks.workload import CANCEL, MARKET, PRICE, Trader, Workload
from benchmarks.yardstick import Tally

PACKAGE = "pams"
DOES = "book and matching per market, agents asked in random order, cash and assets moved at a fill"
LACKS = "a market order without a partner waits; money is a float and may be negative; rounds, no time"


class ZeroIntelligenceAgent(Agent):
    """The workload's trader in PAMS's clothes."""

    mind: Trader
    mine: dict[int, Order]
    fills: int
    cancels: int
    work: Workload
    """Given by `prepare`: PAMS makes its agents itself."""

    def setup(self, settings: dict[str, Any], accessible_markets_ids: list[int], *_: Any, **__: Any) -> None:
        super().setup(settings, accessible_markets_ids)
        self.mind = Trader(type(self).work, self.agent_id)
        self.mine = {}
        self.fills = self.cancels = 0

    def submit_orders(self, markets: list[Market]) -> list[Order | Cancel]:
        if self.mind.done:
            return []
        self._forget_the_filled()
        kind, market, is_buy, price, lots = self.mind.intend()
        if kind == CANCEL:
            if not self.mine:
                return []
            order = self.mine.pop(next(iter(self.mine)))
            self.mind.open_orders -= 1
            self.cancels += 1
            return [Cancel(order)]
        order = Order(
            agent_id=self.agent_id,
            market_id=markets[market].market_id,
            is_buy=is_buy,
            kind=MARKET_ORDER if kind == MARKET else LIMIT_ORDER,
            volume=lots,
            price=None if kind == MARKET else float(price),
        )
        if kind != MARKET:
            self.mine[id(order)] = order
            self.mind.open_orders += 1
        return [order]

    def executed_order(self, log: ExecutionLog) -> None:
        self.fills += 1

    def _forget_the_filled(self) -> None:
        """Only the oldest must be alive: it is the one that a cancel means."""
        while self.mine:
            oldest = next(iter(self.mine))
            if self.mine[oldest].volume:
                return
            del self.mine[oldest]
            self.mind.open_orders -= 1


def prepare(work: Workload) -> Callable[[], Tally]:
    ZeroIntelligenceAgent.work = work
    names = [f"market-{number}" for number in range(work.markets)]
    # a tenth of the beats are cancels, and the slowest of the traders needs some more
    rounds = work.orders_each * 13 // 10 + 30
    market = {"class": "Market", "tickSize": 1.0, "marketPrice": float(PRICE)}
    session = {
        "sessionName": 0,
        "iterationSteps": rounds,
        "withOrderPlacement": True,
        "withOrderExecution": True,
        "withPrint": False,
        "maxNormalOrders": work.traders,
    }
    settings: dict[str, Any] = {
        "simulation": {"markets": names, "agents": ["traders"], "sessions": [session]},
        "traders": {
            "class": ZeroIntelligenceAgent.__name__,
            "numAgents": work.traders,
            "markets": names,
            "assetVolume": 1_000_000,
            "cashAmount": 1e12,
        },
        **{name: dict(market) for name in names},
    }
    runner = SequentialRunner(settings=settings, prng=random.Random(work.seed))
    runner.class_register(ZeroIntelligenceAgent)
    runner._setup()  # noqa: SLF001  # PAMS offers no other way to build before it runs

    def play() -> Tally:
        runner._run()  # noqa: SLF001  # what main() calls between its stopwatch readings
        agents: list[ZeroIntelligenceAgent] = runner.simulator.agents
        books = [(one.buy_order_book, one.sell_order_book) for one in runner.simulator.markets]
        return Tally(
            sum(agent.mind.sent for agent in agents),
            sum(agent.cancels for agent in agents),
            sum(agent.fills for agent in agents) // 2,
            sum(len(bids) + len(asks) for bids, asks in books),
        )

    return play
