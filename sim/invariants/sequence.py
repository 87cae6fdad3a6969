"""Numbers that a reader counts by have no holes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from sim.kernel.history import HistoryReader
from system.model import keys


@invariant("sequence", at_end_only=True)
def check(state: State) -> Found:
    """Trade numbers of a market are 1, 2, 3, ... in the table and on the channel, and so are its messages.

    A client that sees 7 after 5 must know that it missed something, and only then. Mark prices
    have the oracle's clock as their number and are not counted.
    Source: rule CONS-011; sequence numbers as in FIX MsgSeqNum (34).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    looked_at = 0
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in state.items(keys.TRADES):
        numbers[row["symbol"]].append(row["trade_no"])
    for symbol, given in sorted(numbers.items()):
        looked_at += len(given)
        for place, number in enumerate(sorted(given), start=1):
            if number != place:
                yield Violation(f"{symbol}: Trades", f"trade_no {place}", str(number))
                break
    messages: dict[str, int] = defaultdict(int)
    prints: dict[str, int] = defaultdict(int)
    for at_ns, message in _book_messages(state.history):
        looked_at += 1
        channel = message["channel"]
        counted = [("seq", messages, message["seq"])]
        if message["kind"] == "trade":
            counted.append(("trade_no", prints, int(message["data"]["trade_no"])))
        for name, last, number in counted:
            if number != last[channel] + 1:
                yield Violation(f"{channel} at {at_ns} ns", f"{name} {last[channel] + 1}", str(number))
            last[channel] = number
    for channel in sorted({"market." + symbol for symbol in numbers} | set(prints)):
        rows, printed = len(numbers[channel.removeprefix("market.")]), prints[channel]
        if printed != rows:
            yield Violation(f"{channel}: last trade printed", str(rows), str(printed))
    return looked_at


def _book_messages(history: HistoryReader) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate what the matchers published on market channels, with its virtual time."""
    for _, event in history.of_kind("publish"):
        for message in event["m"]:
            if message["channel"].startswith("market.") and message["kind"] != "markPrice":
                yield event["t"], message
