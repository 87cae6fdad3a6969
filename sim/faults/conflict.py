"""Two transactions meet at one item, and one of them is refused."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from system.model.errors import Throttled

Item = tuple[str, str, str]


class Conflict(Fault):
    """A transaction is cancelled with TransactionConflict: it has no effect, and may pass later."""

    fault: Literal["conflict"]
    target: FunctionName = "*"
    """Whose transactions."""
    overlapping: bool = False
    """Only where another write of one of its items is under way (needs `interleaving: ports`)."""

    def install(self, site: Site) -> None:
        under_way: dict[Item, int] = {}
        site.interference.on_call(self.target, "store.commit", partial(self._meet, site, under_way))

    def _meet(self, site: Site, under_way: dict[Item, int], crossing: Crossing, proceed: Proceed) -> Any:
        items = _written(crossing)
        taken = [item for item in items if item in under_way]
        if crossing.name == "store.transact" and (taken or not self.overlapping):
            where = {"item": taken[0]} if taken else {}
            if site.strikes(function=crossing.instance.function, **where):
                raise Throttled(f"{crossing.name}: TransactionConflict (fault {site.label})")
        for item in items:
            under_way[item] = under_way.get(item, 0) + 1
        try:
            return proceed()
        finally:
            for item in items:
                under_way[item] -= 1
                if not under_way[item]:
                    del under_way[item]


def _written(crossing: Crossing) -> list[Item]:
    """Return what a call of `store.commit` writes."""
    if crossing.name == "store.count":
        table, _, by = crossing.args
        return [(table, *key) for key in by]
    actions = crossing.args[0] if crossing.name == "store.transact" else crossing.args
    return [(action.table, *action.key) for action in actions]
