"""Who listens misses nothing without a reason, and knows the state again soon after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from sim.kernel.history import HistoryReader
from system.model.units import MINUTE_NS, NS

HEALED_WITHIN_NS = MINUTE_NS
REASON_WITHIN_NS = 10 * MINUTE_NS  # retries of fan-out take three minutes, a heartbeat comes every four
SHOWN = 3

Hole = dict[str, Any]


@invariant("feeds_heal", at_end_only=True)
def check(state: State) -> Found:
    """A hole in what a reader hears has a reason, and within a minute the reader knows the state again.

    Readers count each channel's messages, and look every five seconds for numbers that have not come.
    Behind a subscription the first ones may be missing (FANO-003); all others need a fault in the ten
    minutes before. What was never published has no hole here: that is `sequence`.
    Source: rules CONS-040 and FANO-005; FIX ResendRequest (2) and SequenceReset-GapFill (4).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    holes: list[Hole] = []
    open_since: dict[tuple[str, str], Hole] = {}
    looked_at = 0
    struck_ns = -REASON_WITHIN_NS - 1
    for _, event in state.history.of_kind("hole", "healed", "fault"):
        if event["e"] == "fault":
            struck_ns = event["t"]
        elif event["e"] == "hole":
            looked_at += 1
            open_since[event["who"], event["ch"]] = event
            if not event["new"] and event["t"] - struck_ns > REASON_WITHIN_NS:
                holes.append(event)
        else:
            yield from _late(open_since.pop((event["who"], event["ch"])), event["t"])
    ended_ns = state.now_ns - state.start_ns
    for hole in open_since.values():
        yield from _late(hole, ended_ns)
    yield from _without_reason(holes, state.history)
    return looked_at


def _late(hole: Hole, healed_ns: int) -> Iterator[Violation]:
    if healed_ns - hole["t"] > HEALED_WITHIN_NS:
        where = f"{hole['who']}, {hole['ch']}, from {hole['t']} ns"
        took = f"{(healed_ns - hole['t']) // NS} s"
        yield Violation(where, f"the state known within {HEALED_WITHIN_NS // NS} s", took)


def _without_reason(holes: list[Hole], history: HistoryReader) -> Iterator[Violation]:
    if not holes:
        return
    published = {
        (message["channel"], message["seq"])
        for _, event in history.of_kind("publish")
        for message in event["m"]
        if "seq" in message
    }
    for hole in holes:
        channel = hole["ch"]
        lost = [n for n in hole["n"] if channel.startswith("trader.") or (channel, n) in published]
        if lost:
            told = ", ".join(str(number) for number in lost[:SHOWN])
            yield Violation(f"{hole['who']}, {channel} at {hole['t']} ns", f"messages {told}", "never came")
