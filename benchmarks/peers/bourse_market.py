"""bourse: the book in Rust, agents in Python, one step of all agents after the other.

Source: Simtopia, "Bourse", https://simtopia.github.io/bourse.
"""

# The package has no types, and need not be installed.
# mypy: disable-error-code="import-untyped,import-not-found,misc"

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from bourse.core import StepEnv
from bourse.step_sim.agents import BaseAgent

from benchmarks.workload import CANCEL, MARKET, Trader, Workload
from benchmarks.yardstick import Tally

PACKAGE = "bourse"
DOES = "book, matching, orders and trades kept in Rust; one environment per market; shuffles each step"
LACKS = "no money at all; steps, no time; agents see the book as it was before the step"

_ACTIVE = 1
_NEW = 0
_STEP_NS = 1_000_000


class ZeroIntelligenceAgent(BaseAgent):
    """The workload's trader in bourse's clothes; it deals with all markets."""

    def __init__(self, work: Workload, number: int, markets: list[StepEnv]) -> None:
        self.mind = Trader(work, number)
        self.markets = markets
        self.mine: dict[tuple[int, int], None] = {}  # (market, order)
        self.cancels = 0

    def update(self, rng: np.random.Generator, env: StepEnv) -> None:
        """Act once; `env` is whatever market the caller holds, for all of them are known."""
        mind = self.mind
        if mind.done:
            return
        self._forget_the_ended()
        kind, market, is_buy, price, lots = mind.intend()
        if kind == CANCEL:
            if self.mine:
                where, order = next(iter(self.mine))
                del self.mine[where, order]
                mind.open_orders -= 1
                self.markets[where].cancel_order(order)
                self.cancels += 1
            return
        to_pay = None if kind == MARKET else price
        order = self.markets[market].place_order(is_buy, lots, mind.number, price=to_pay)
        if kind != MARKET:
            self.mine[market, order] = None
            mind.open_orders += 1

    def _forget_the_ended(self) -> None:
        """Only the oldest must be alive: it is the one that a cancel means."""
        while self.mine:
            where, order = next(iter(self.mine))
            if self.markets[where].order_status(order) in (_NEW, _ACTIVE):
                return
            del self.mine[where, order]
            self.mind.open_orders -= 1


def prepare(work: Workload) -> Callable[[], Tally]:
    markets = [StepEnv(work.seed + number, 0, 1, _STEP_NS) for number in range(work.markets)]
    agents = [ZeroIntelligenceAgent(work, number, markets) for number in range(work.traders)]
    rng = np.random.default_rng(work.seed)

    def play() -> Tally:
        # bourse.step_sim.run does the same with one environment
        while not all(agent.mind.done for agent in agents):
            for agent in agents:
                agent.update(rng, markets[0])
            for market in markets:
                market.step()
        return Tally(
            sum(agent.mind.sent for agent in agents),
            sum(agent.cancels for agent in agents),
            sum(len(market.get_trades()) for market in markets),
            sum(order[1] == _ACTIVE for market in markets for order in market.get_orders()),
        )

    return play
