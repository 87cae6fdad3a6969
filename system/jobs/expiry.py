"""The seed's expiry jobs, one for options and one for futures: whose time has come is told so.

A market that is not settled yet (its window has too little of an index) is told again each minute:
the minute is part of the row's key. Rule: EXPJ-001.
"""

from __future__ import annotations

from typing import Any

from system.model import keys
from system.model.errors import ConditionFailed
from system.model.market import LISTED, MarketKind
from system.model.messages import scheduled_command
from system.model.units import MINUTE_NS, NS
from system.ports.clock import Clock
from system.ports.store import NOT_EXISTS, Put, Store, query_all


class Expiry:
    """Sends EXPIRE to every market of one kind that is past its expiry and not CLOSED."""

    def __init__(self, kind: MarketKind, store: Store, clock: Clock) -> None:
        self.kind = kind
        self.store = store
        self.clock = clock

    def handle(self, _event: dict[str, Any], _context: Any) -> None:
        """Serve one tick of the minute schedule."""
        now_ns = self.clock.now_ns()
        for state in LISTED:
            for row in query_all(self.store, keys.MARKETS, state.value, index="status"):
                if row["kind"] == self.kind.value and row["expiry_s"] * NS <= now_ns:
                    self._tell(row["symbol"], now_ns)

    def _tell(self, symbol: str, now_ns: int) -> None:
        label = str(now_ns // MINUTE_NS)
        command = scheduled_command("EXPIRE", symbol, label, now_ns, price_e6=0)
        try:
            self.store.write(Put(keys.ORDERS, command, NOT_EXISTS))
        except ConditionFailed:
            return  # told before in this minute
