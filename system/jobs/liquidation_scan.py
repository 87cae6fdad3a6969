"""Every minute, markets whose clearing house waits with a liquidation are told to look again. Rule: LIQJ-001.

A mark does the same at once; this is for rounds that wait while no mark comes.
"""

from __future__ import annotations

from typing import Any

from system.model import keys
from system.model.market import MarketState, spec_from_item
from system.model.messages import command_body, liquidate_command
from system.model.units import MINUTE_NS
from system.ports.clock import Clock
from system.ports.queue import Queue
from system.ports.store import Store, query_all


class LiquidationScan:
    """Sends LIQUIDATE to the queue of every active market that liquidates."""

    def __init__(self, store: Store, queue: Queue, clock: Clock) -> None:
        self.store = store
        self.queue = queue
        self.clock = clock

    def handle(self, _event: dict[str, Any], _context: Any) -> None:
        """Serve one tick of the minute schedule."""
        now_ns = self.clock.now_ns()
        for row in query_all(self.store, keys.MARKETS, MarketState.ACTIVE.value, index="status"):
            if spec_from_item(row).liquidates:
                symbol = row["symbol"]
                body = command_body(liquidate_command(symbol, now_ns))
                self.queue.send(body, symbol, f"{symbol}:liquidate:{now_ns // MINUTE_NS}")
