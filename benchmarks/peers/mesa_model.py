"""mesa: a general scheduler of agents. It has no market, so it gets the yardstick's plain book.

Source: ter Hoeven, Kwakkel et al. (2025), "Mesa 3: Agent-based modeling with Python in 2025".
"""

# The package has no types, and need not be installed.
# mypy: disable-error-code="import-untyped,import-not-found,misc"

from __future__ import annotations

from collections.abc import Callable

from mesa import Agent, Model

from benchmarks.workload import Trader, Workload
from benchmarks.yardstick import Floor, Tally

PACKAGE = "mesa"
DOES = "asks its agents in random order, step by step; the book is the yardstick's"
LACKS = "no market of its own; no money; steps, no time"


class ZeroIntelligenceAgent(Agent):
    """The workload's trader in mesa's clothes."""

    def __init__(self, model: ZeroIntelligenceModel, mind: Trader) -> None:
        super().__init__(model)
        self.mind = mind
        self.floor = model.floor

    def step(self) -> None:
        if not self.mind.done:
            self.floor.act(self.mind)


class ZeroIntelligenceModel(Model):
    """All traders and their books."""

    def __init__(self, work: Workload) -> None:
        super().__init__(seed=work.seed)
        self.floor = Floor(work)
        for mind in self.floor.traders:
            ZeroIntelligenceAgent(self, mind)

    def step(self) -> None:
        self.agents.shuffle_do("step")


def prepare(work: Workload) -> Callable[[], Tally]:
    model = ZeroIntelligenceModel(work)

    def play() -> Tally:
        while model.floor.orders < work.orders:
            model.step()
        return model.floor.tally()

    return play
