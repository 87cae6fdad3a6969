"""The seed's funding tick: at each boundary of a perpetual's interval, one FUNDING command on its own road.

The command is a row whose key is the boundary, so that a tick that comes twice is one, and one that
comes late names the boundary it is late for. Rules: FNDJ-001, FNDJ-002.
"""

from __future__ import annotations

from typing import Any

from system.model import keys
from system.model.errors import ConditionFailed
from system.model.keys import Item
from system.model.market import LISTED
from system.model.messages import scheduled_command
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.store import NOT_EXISTS, Put, Store, query_all
from system.risk.funding import PRESETS
from system.risk.funding.clock import offset_ns


class FundingTick:
    """Asks every perpetual with funding for the payment of its last boundary."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def handle(self, _event: dict[str, Any], _context: Any) -> None:
        """Serve one tick of the minute schedule."""
        now_ns = self.clock.now_ns()
        for state in LISTED:
            for row in query_all(self.store, keys.MARKETS, state.value, index="status"):
                if row["funding"] != "none":
                    self._ask(row, now_ns)

    def _ask(self, row: Item, now_ns: int) -> None:
        """Put the row of the last boundary that is due, unless it is there; each market a little later."""
        model = PRESETS[row["funding"]]
        interval_ns = (row["funding_interval_s"] or model.usual_interval_s) * NS
        boundary_ns = (now_ns - offset_ns(row["symbol"])) // interval_ns * interval_ns
        if boundary_ns <= row["created_ns"]:
            return
        label = str(boundary_ns // NS)
        command = scheduled_command("FUNDING", row["symbol"], label, now_ns, boundary_ns=boundary_ns)
        try:
            self.store.write(Put(keys.ORDERS, command, NOT_EXISTS))
        except ConditionFailed:
            return  # asked before
