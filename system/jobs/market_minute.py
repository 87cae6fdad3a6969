"""Every minute, each open market is told so on its own queue.

The market's only writer then removes expired orders and takes the minute's gauges (depth, open
interest), in sequence with everything else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from system.model import keys
from system.model.market import LISTED
from system.model.messages import command_body, minute_command
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.queue import Queue
from system.ports.store import Store, query_all


class MarketMinute:
    """Sends one MINUTE command per market; the minute is its deduplication id."""

    def __init__(self, store: Store, queue: Queue, clock: Clock) -> None:
        self.store = store
        self.queue = queue
        self.clock = clock

    def handle(self, _event: dict[str, Any], _context: Any) -> None:
        """Serve one tick."""
        now_ns = self.clock.now_ns()
        minute = datetime.fromtimestamp(now_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M")
        for state in LISTED:
            for row in query_all(self.store, keys.MARKETS, state.value, index="status"):
                symbol = row["symbol"]
                body = command_body(minute_command(symbol, minute, now_ns))
                self.queue.send(body, symbol, f"{symbol}:{minute}")
