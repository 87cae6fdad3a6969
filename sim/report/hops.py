"""The hops of an order whose latency every run measures."""

from __future__ import annotations

from collections.abc import Mapping

HOPS: Mapping[str, str] = {
    "order_to_response": "the client sends an order until the door has answered",
    "order_to_book": "the door receives an order until the matcher has sequenced it",
    "order_to_fill": "an aggressing order is accepted until its fill is committed",
    "fill_to_settled": "a fill is committed until its settlement is final on chain",
}
"""In the order of the walk, each with its first and last instant."""
