"""A cloud in which functions start anew for every event: nothing survives but what is stored."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from sim.kernel.backend import Backend
from sim.kernel.cloud import Cloud, Function, Outside
from sim.kernel.history import HistoryWriter
from sim.kernel.links import Links
from sim.kernel.plumbing import Event
from sim.kernel.template.stack import Template
from sim.kernel.timeline import Timeline

SHORTEST_CACHE_NS = 1


MARKETS = "market_cache_ns"
SUBSCRIBERS = "subscribers_cache_ns"
CACHES = (MARKETS, SUBSCRIBERS)
"""The caches that may be a second old by design: the door's markets, the feed's subscribers."""


class Memory(NamedTuple):
    """What functions may remember: nothing at all, for some of them; and which caches they have."""

    without: tuple[str, ...] = ()  # functions that start anew for each event; `*` for all
    caches: tuple[str, ...] = CACHES  # the others keep nothing for longer than an instant

    def forgets(self, function: str) -> bool:
        """Tell whether a function starts anew for each event."""
        return "*" in self.without or function in self.without

    def shortened(self) -> dict[str, int]:
        """Return the settings of the caches that it does without."""
        return {name: SHORTEST_CACHE_NS for name in CACHES if name not in self.caches}


class ColdCloud(Cloud):
    """The cloud without memory; a function's ids go on, as they do not come from memory either."""

    def __init__(  # the parts of a cloud
        self,
        template: Template,
        backend: Backend,
        timeline: Timeline,
        history: HistoryWriter,
        links: Links,
        outside: Outside,
        memory: Memory,
    ) -> None:
        self._memory = memory
        outside = outside._replace(make_ids=cache(outside.make_ids))
        super().__init__(template, backend, timeline, history, links, outside)

    def _function(self, name: str) -> Function:
        if not self._memory.forgets(name):
            return super()._function(name)

        def anew(event: Event, context: Any) -> Any:
            return getattr(self.system(name), name)(event, context)

        return Function(name, anew, self.links["work of " + name])
