"""Numbers that a reader counts by have no holes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sim.invariants.ledger import trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from sim.kernel.history import HistoryReader
from system.model import keys


@invariant("sequence", at_end_only=True)
def check(state: State) -> Found:
    """Trade numbers of a market are 1, 2, 3, ... in the table and on the channel, and so are its messages.

    So are those of `admin.<market>`. A client that sees 7 after 5 must know that it missed something,
    and only then. So a channel may have a hole, or say something again, at its first message after a
    fault of the matcher that the history tells of: what it had committed and not published died with
    it, what it had published and got no answer for is sent once more. What a trader is told gets its
    number from the fan-out: `feeds_heal`.
    Source: rule CONS-011; sequence numbers as in FIX MsgSeqNum (34).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in trades(state):
        numbers["market." + row["symbol"]].append(row["trade_no"])
    in_table = yield from _in_table(numbers)
    channels = _Channels()
    told = yield from channels.read(state.history)
    for channel in sorted({*numbers, *channels.names()}):
        rows, printed = len(numbers[channel]), channels.last[channel, "trade_no"]
        if printed != rows and not channels.excused(channel, "trade_no"):
            yield Violation(f"{channel}: last trade printed", str(rows), str(printed))
    return in_table + told


def _in_table(numbers: dict[str, list[int]]) -> Found:
    for channel, given in sorted(numbers.items()):
        for place, number in enumerate(sorted(given), start=1):
            if number != place:
                yield Violation(
                    f"{channel.removeprefix('market.')}: Trades", f"trade_no {place}", str(number)
                )
                break
    return sum(map(len, numbers.values()))


class _Channels:
    """The last number of each count on each channel, and what a fault of the matcher excuses."""

    def __init__(self) -> None:
        self.last: dict[tuple[str, str], int] = defaultdict(int)
        self._faults = 0
        self._seen: dict[tuple[str, str], int] = defaultdict(int)  # faults when a count last went on

    def names(self) -> set[str]:
        return {channel for channel, _ in self.last}

    def excused(self, channel: str, count: str) -> bool:
        """Tell whether the matcher has failed since this count last went on."""
        return self._seen[channel, count] != self._faults

    def read(self, history: HistoryReader) -> Found:
        looked_at = 0
        for at_ns, message in _book_messages(history):
            if message is None:
                self._faults += 1
                continue
            looked_at += 1
            yield from self._hear(at_ns, message)
        return looked_at

    def _hear(self, at_ns: int, message: dict[str, Any]) -> Iterator[Violation]:
        channel = message["channel"]
        counted = [("seq", message["seq"])]
        if message["kind"] == "trade":
            counted.append(("trade_no", int(message["data"]["trade_no"])))
        for count, number in counted:
            expected = self.last[channel, count] + 1
            if number != expected and not self.excused(channel, count):
                yield Violation(f"{channel} at {at_ns} ns", f"{count} {expected}", str(number))
            if number >= expected:
                self.last[channel, count], self._seen[channel, count] = number, self._faults


def _book_messages(history: HistoryReader) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Iterate what the matchers published and numbered, with its virtual time; None is a fault.

    A topic that takes nothing loses nothing by itself: the news is kept until it does. Only when another
    instance takes a market over meanwhile, it tells later news, and what was kept is dropped.
    """
    away = False
    for _, event in history.of_kind("publish", "fault", "tx"):
        if event["e"] == "publish":
            for message in event["m"]:
                if "seq" in message:
                    yield event["t"], message
        elif event["e"] == "tx":
            leases = [write for write in _updates(event) if write[1] == keys.MATCHER_LEASES]
            if away and any("token" in write[4] for write in leases):
                yield event["t"], None
        elif event.get("call") == "topic.publish" and event["name"].startswith(("outage", "throttle")):
            away = True
        elif event.get("function") == "matcher" or ("instances" in event and "function" not in event):
            yield event["t"], None


def _updates(event: dict[str, Any]) -> list[list[Any]]:
    return [write for write in event["w"] if write[0] == "upd"]
