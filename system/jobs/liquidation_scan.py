"""Every minute, markets whose clearing house waits with a liquidation are told to look again. LIQJ-001.

A mark does the same at once; this is for rounds that wait while no mark comes.
"""

from __future__ import annotations

from typing import Any

from system.jobs.cross_margin import CrossMargin
from system.model import keys
from system.model.keys import Item
from system.model.market import LISTED, MarketSpec, MarketState, spec_from_item
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
        active = self._specs(MarketState.ACTIVE)
        called: dict[str, list[str]] = {}
        if any(spec.is_cross for spec, _ in active):
            listed = [market for state in LISTED for market in self._specs(state)]
            called = CrossMargin(self.store).look([market for market in listed if market[0].is_cross], now_ns)
        for spec, _ in active:
            if spec.liquidates:
                body = command_body(liquidate_command(spec.symbol, now_ns, called.get(spec.symbol, ())))
                self.queue.send(body, spec.symbol, f"{spec.symbol}:liquidate:{now_ns // MINUTE_NS}")

    def _specs(self, state: MarketState) -> list[tuple[MarketSpec, Item]]:
        rows = query_all(self.store, keys.MARKETS, state.value, index="status")
        return [(spec_from_item(row), row) for row in rows]
