"""What a run amounts to in numbers: how often, how much, and how long each hop of an order took.

One pass over the history and the tables, in plain Python, so that runs of a sweep need no pandas.
Times are virtual. The names are those of `expect.thresholds` (sim/scenario/thresholds.py).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sim.kernel.history import HistoryReader
from sim.report.record import Quantiles
from system.model import keys
from system.model.keys import Item
from system.model.trade import CONFIRMED, SKIPPED

HOPS: Mapping[str, str] = {
    "order_to_response": "request leaves the client until the door has answered",
    "order_to_book": "order is accepted and pre-paid until the matcher has sequenced it",
    "order_to_fill": "aggressing order is accepted until its fill is committed",
    "fill_to_message": "fill is committed until its print reaches a subscriber",
    "fill_to_settled": "fill is committed until its settlement is final on chain",
}
"""Every hop that is measured, in the order of the walk, with its first and last instant."""

_NS_PER_MS = 1_000_000
_PENDING = "PENDING"
Items = Callable[[str], Sequence[Item]]


def quantile(ordered: Sequence[int], q: float) -> int:
    """Return the nearest-rank quantile of sorted values: the smallest that covers the share `q`.

    >>> [quantile([10, 20, 30, 40], q) for q in (0.0, 0.5, 0.51, 1.0)]
    [10, 20, 30, 40]
    """
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


class Measures:
    """The numbers of one run.

    `samples` has one value in ns for each order or fill that made a hop; `counts` are whole
    numbers, amounts in uUSDC.
    """

    __slots__ = ("_sorted", "counts", "samples")

    def __init__(self, counts: dict[str, int], samples: dict[str, array[int]]) -> None:
        self.counts = counts
        self.samples = samples
        self._sorted: dict[str, list[int]] = {}

    def ordered(self, hop: str) -> list[int]:
        """Return a hop's samples, sorted; [] when nothing made the hop."""
        found = self._sorted.get(hop)
        if found is None:
            found = self._sorted[hop] = sorted(self.samples.get(hop, ()))
        return found

    def value(self, measure: str, statistic: str = "value") -> float | None:
        """Return one measure as a threshold asks for it; None when there is no sample.

        Raises:
            KeyError: there is no such measure.
        """
        if measure not in HOPS:
            return self.counts[measure]
        ordered = self.ordered(measure)
        if not ordered:
            return None
        if statistic == "max":
            return ordered[-1]
        if statistic == "mean":
            return sum(ordered) / len(ordered)
        return quantile(ordered, int(statistic.removeprefix("p")) / 100)

    def latency_ms(self) -> dict[str, Quantiles]:
        """Return each hop's quantiles in virtual milliseconds; hops without a sample are left out."""
        return {
            hop: Quantiles(
                p50=quantile(ordered, 0.50) / _NS_PER_MS,
                p95=quantile(ordered, 0.95) / _NS_PER_MS,
                p99=quantile(ordered, 0.99) / _NS_PER_MS,
                max=ordered[-1] / _NS_PER_MS,
                count=len(ordered),
            )
            for hop in HOPS
            if (ordered := self.ordered(hop))
        }


def measure(
    items: Items, history: HistoryReader, *, delivered_ns: Iterable[int] = (), dead_letters: int = 0
) -> Measures:
    """Measure a finished run.

    Args:
        items: all rows of a table, as the backend's scan returns them.
        history: the closed history of the run.
        delivered_ns: for each print that reached a subscriber, how long after its fill; sockets
            are not part of the history, so whoever plays them keeps this.
        dead_letters: messages that ended in a dead-letter queue.
    """
    walk = _Walk()
    for _, event in history.of_kind("request", "response", "tx"):
        walk.see(event)
    walk.samples["fill_to_message"].extend(delivered_ns)
    trades = items(keys.TRADES)
    walk.samples["order_to_fill"].extend(trade["latency_ns"] for trade in trades)
    statuses = [trade["settlementStatus"] for trade in trades]
    settled, skipped = statuses.count(CONFIRMED), statuses.count(SKIPPED)
    counts = walk.counts | {
        "fills": len(trades),
        "trades_settled": settled,
        "trades_unsettled": len(trades) - settled - skipped,
        "settlement_skipped": skipped,
        "dead_letters": dead_letters,
        "reject_share": walk.counts["rejected"] * 1_000_000 // max(1, walk.counts["orders"]),
        "volume": sum(trade["notional"] for trade in trades),
        "fees": sum(trade["maker_fee"] + trade["taker_fee"] for trade in trades),
        "bad_debt": sum(max(0, -row["margin"]) for row in items(keys.POSITIONS)),
    }
    return Measures(counts, walk.samples)


class _Walk:
    """Follows each order and each fill through the history."""

    def __init__(self) -> None:
        self.counts = {"orders": 0, "accepted": 0, "rejected": 0, "cancels": 0}
        self.samples: dict[str, array[int]] = {hop: array("q") for hop in HOPS}
        self._asked: dict[str, int] = {}  # request of an order: when it was sent
        self._accepted: dict[str, int] = {}  # order that no matcher has seen: when it was accepted
        self._filled: dict[str, int] = {}  # trade that is not settled: when it was committed

    def see(self, event: dict[str, Any]) -> None:
        kind = event["e"]
        if kind == "tx":
            for write in event["w"]:
                if write[1] == keys.ORDERS:
                    self._order(event["t"], write)
                elif write[1] == keys.TRADES:
                    self._trade(event["t"], write)
        elif kind == "request":
            self._request(event)
        elif kind == "response":
            self._response(event)

    def _request(self, event: dict[str, Any]) -> None:
        if event["m"] == "POST" and event["p"] == "/orders":
            self.counts["orders"] += 1
            self._asked[event["who"]] = event["t"]
        elif event["m"] == "DELETE":
            self.counts["cancels"] += 1

    def _response(self, event: dict[str, Any]) -> None:
        sent_ns = self._asked.pop(event["who"], None)
        if sent_ns is None:
            return
        self.samples["order_to_response"].append(event["t"] - sent_ns)
        self.counts["accepted" if event["s"] < 300 else "rejected"] += 1

    def _order(self, t_ns: int, write: list[Any]) -> None:
        if write[0] == "put":
            row = write[2]
            if row["orderType"] in ("LIMIT", "MARKET"):
                self._accepted[row["SK"]] = t_ns
        elif write[0] == "upd" and write[4].get("status", _PENDING) != _PENDING:
            accepted_ns = self._accepted.pop(write[3], None)
            if accepted_ns is not None:
                self.samples["order_to_book"].append(t_ns - accepted_ns)

    def _trade(self, t_ns: int, write: list[Any]) -> None:
        if write[0] == "put":
            self._filled[write[2]["SK"]] = t_ns
        elif write[0] == "upd" and write[4].get("settlementStatus") == CONFIRMED:
            filled_ns = self._filled.pop(write[3], None)
            if filled_ns is not None:
                self.samples["fill_to_settled"].append(t_ns - filled_ns)
