"""Step 8 of the walk: TradesArchiver copies every trade from the stream into the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from system.model.dynamo_json import unmarshal
from system.model.funding import FUNDING
from system.model.keys import Item
from system.model.units import NS
from system.ports.lake import Lake

_LEFT_OUT = ("PK", "SK", "maker_key", "taker_key", "settlementStatus", "batch")


class Archive:
    """Writes one object per market and day of a batch: trades/yyyy/mm/dd/SYMBOL/first-last.jsonl.

    The key is made of the trade numbers inside, so a redelivered batch overwrites itself; where
    the boundaries moved, objects overlap and a reader keeps one line per (symbol, trade_no).
    Rule: ARCH-001.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def handle(self, event: dict[str, Any], _context: Any) -> None:
        """Serve one batch of the Trades stream."""
        by_object: dict[tuple[str, str], list[Item]] = {}
        for record in event["Records"]:
            if record["eventName"] != "INSERT":
                continue
            trade = unmarshal(record["dynamodb"]["NewImage"])
            if trade["tradeType"] == FUNDING:
                self._put_funding(trade)
                continue
            by_object.setdefault((_day(trade["ts_ns"]), trade["symbol"]), []).append(trade)
        for (day, symbol), trades in by_object.items():
            trades.sort(key=_number)
            key = f"trades/{day}/{symbol}/{trades[0]['trade_no']:012d}-{trades[-1]['trade_no']:012d}.jsonl"
            self.lake.put(key, b"".join(orjson.dumps(_line(trade)) + b"\n" for trade in trades))

    def _put_funding(self, tick: Item) -> None:
        """Keep a funding tick in an object of its boundary. Rule: ARCH-002."""
        day = _day(tick["boundary_ns"])
        key = f"funding/{day}/{tick['symbol']}/{tick['boundary_ns'] // NS}.jsonl"
        self.lake.put(key, orjson.dumps(_line(tick)) + b"\n")


def _number(trade: Item) -> int:
    number: int = trade["trade_no"]
    return number


def _day(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // NS, UTC).strftime("%Y/%m/%d")


def _line(trade: Item) -> dict[str, Any]:
    """A trade as the lake keeps it: money as decimal strings."""
    return {
        name: str(value) if isinstance(value, int) else value
        for name, value in trade.items()
        if name not in _LEFT_OUT
    }
