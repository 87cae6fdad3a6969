"""A list does not show what was just written."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from sim.scenario.units import SECOND_NS, PositiveDuration

Question = tuple[str, str]
Answers = dict[Question, tuple[int, Any]]


class StaleList(Fault):
    """A query of an index, or a list of the lake, is answered as it was some time ago.

    Indexes are eventually consistent; reads of a table itself are not touched.
    """

    fault: Literal["stale_list"]
    target: FunctionName = "*"
    """Who asks."""
    age: PositiveDuration = 5 * SECOND_NS
    """How old an answer may be."""

    def install(self, site: Site) -> None:
        answers: Answers = {}
        for call in ("store.query", "lake.list"):
            site.interference.on_call(self.target, call, partial(self._answer, site, answers))

    def _answer(self, site: Site, answers: Answers, crossing: Crossing, proceed: Proceed) -> Any:
        if crossing.name == "store.query" and not crossing.how.get("index"):
            return proceed()
        question = (crossing.name, repr((crossing.args, sorted(crossing.how.items()))))
        now_ns = site.timeline.elapsed_ns
        known = answers.get(question)
        fresh = proceed()
        if known is not None and now_ns - known[0] <= self.age and known[1] != fresh:
            if site.strikes(function=crossing.instance.function, call=crossing.name):
                return known[1]
        elif known is None or now_ns - known[0] > self.age:
            answers[question] = (now_ns, fresh)
        return fresh
