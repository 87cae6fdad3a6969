"""Where the time of an order goes, by the steps of docs/walk.md.

A timer of the process's CPU time interrupts the run at every tick of the machine (4 ms on Linux) and the
innermost frame that belongs to a step gets the sample. Code that several steps use (the memory store,
packing of rows, JSON) counts for the step that called it. Nothing is wrapped, so nothing is distorted:
a sample costs some 10 us, and there are 250 in a second. A share p of n samples is known to within
sqrt(p (1 - p) / n): 0.5 points for 10 % of 4,000 samples.
"""

from __future__ import annotations

import math
import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

ROOT = str(Path(__file__).resolve().parents[1]) + "/"
INTERVAL_S = 0.001  # the machine rounds this up to its tick

AGENTS = "agents"
SIGN = "sign"
DOOR = "door"
VERIFY = "verify signature"
PRE_PAY = "pre-pay"
PIPE = "stream, pipe"
FIFO = "FIFO queue"
MATCH = "match"
COMMIT = "commit"
PUBLISH = "publish, fan-out"
ARCHIVE = "archive"
SETTLE = "settlement"
CHAIN = "chain"
JOBS = "scheduled jobs"
HISTORY = "history"
JUDGE = "invariants"
KERNEL = "kernel"
OTHER = "anything else"

STEPS: dict[str, str] = {
    AGENTS: "zero-intelligence traders and their desks: decide, write requests, read answers and news",
    SIGN: "EIP-712 digest and secp256k1 signature of each request",
    DOOR: "HTTP event to command, every check, the answer",
    VERIFY: "EIP-712 digest and recovery of the signer",
    PRE_PAY: "the transaction of order, hold and nonce; the row of a cancel",
    PIPE: "Orders stream to records, pipe, message bodies",
    FIFO: "the queue: send, receive, delete",
    MATCH: "messages to commands, the engine, steps to changes",
    COMMIT: "the transaction of a batch: orders, trades, positions, balances, statistics",
    PUBLISH: "news to messages, topic, fan-out, sockets",
    ARCHIVE: "Trades stream to objects of the lake",
    SETTLE: "Trades stream to batches, submission, confirmations",
    CHAIN: "the model chain: verify, execute, mine",
    JOBS: "oracle, minutes, roll-up",
    HISTORY: "every event as a line: JSON, blake2b, zstd",
    JUDGE: "sampled verdicts: scan the tables, ask every invariant",
    KERNEL: "SimPy, delays, invocations",
    OTHER: "what belongs to no step",
}

_CALLER = ""
"""No step of its own: whoever called."""

# The first that fits counts: (path below the repository, function or "" for all, step).
_PLACES: tuple[tuple[str, str, str], ...] = (
    ("sim/client/requests.py", "_sign_order", SIGN),
    ("sim/client/requests.py", "_sign_cancel", SIGN),
    ("sim/agents/", "", AGENTS),
    ("sim/client/", "", AGENTS),
    ("system/api/auth.py", "refuse_stranger", VERIFY),
    ("system/model/signing.py", "", VERIFY),
    ("system/api/submit_order.py", "_pre_pay", PRE_PAY),
    ("system/api/submit_order.py", "_under_used_key", PRE_PAY),
    ("system/api/cancel_orders.py", "_said", PRE_PAY),
    ("system/api/", "", DOOR),
    ("system/risk/checks.py", "", DOOR),
    ("sim/kernel/observed.py", "_written", HISTORY),
    ("sim/kernel/observed.py", "_refused", HISTORY),
    ("sim/kernel/observed.py", "publish", PUBLISH),
    ("sim/kernel/observed.py", "", _CALLER),
    ("sim/kernel/history.py", "", HISTORY),
    ("system/adapters/memory/queue.py", "", FIFO),
    ("system/matcher/commit.py", "", COMMIT),
    ("system/matcher/handler.py", "commit", COMMIT),
    ("system/matcher/handler.py", "_tell", PUBLISH),
    ("system/matcher/handler.py", "_depth", PUBLISH),
    ("system/matcher/handler.py", "_publish", PUBLISH),
    ("system/matcher/", "", MATCH),
    ("system/feed/", "", PUBLISH),
    ("sim/kernel/cloud.py", "_deliver_news", PUBLISH),
    ("sim/kernel/cloud.py", "_notify", PUBLISH),
    ("sim/kernel/cloud.py", "post", PUBLISH),
    ("sim/kernel/cloud.py", "_hand_over", PUBLISH),
    ("system/jobs/archive.py", "", ARCHIVE),
    ("system/jobs/", "", JOBS),
    ("system/settlement/", "", SETTLE),
    ("system/adapters/evm/", "", SETTLE),
    ("sim/world/model_", "", CHAIN),
    ("sim/world/chain_world.py", "", CHAIN),
    ("sim/world/prices/", "", JOBS),
    ("sim/invariants/", "", JUDGE),
    ("sim/world/build.py", "items", JUDGE),
    ("sim/world/build.py", "unsettled", JUDGE),
    ("sim/kernel/", "", KERNEL),
    ("sim/world/build.py", "", KERNEL),
)
_QUEUE_READER = "QueueReader"
_STREAM_READER = "StreamReader"
_READERS = {"archive": ARCHIVE, "settle": SETTLE}


class Share(NamedTuple):
    """One step's part of the whole."""

    step: str
    share: float
    error: float
    in_store: float
    hottest: list[tuple[str, float]]


class Sampler:
    """Counts, at each tick of CPU time, which step the program is in."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        self.in_store: Counter[str] = Counter()
        self.leaves: dict[str, Counter[str]] = {step: Counter() for step in STEPS}
        self._steps: dict[tuple[str, str], str | None] = {}
        self._before: Any = None

    def start(self) -> None:
        self._before = signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # not the default action: a late signal would end the process
        signal.signal(signal.SIGPROF, signal.SIG_IGN)

    def _tick(self, _signal: int, frame: FrameType | None) -> None:
        leaf, store = frame, False
        step: str | None = None
        while frame is not None:
            path = frame.f_code.co_filename
            store = store or "/adapters/memory/" in path
            step = self.step_of(frame)
            if step is not None:
                break
            frame = frame.f_back
        step = step or OTHER
        self.samples[step] += 1
        if store:
            self.in_store[step] += 1
        if leaf is not None:
            self.leaves[step][_name(leaf)] += 1

    def step_of(self, frame: FrameType) -> str | None:
        """Return the step that a frame belongs to; None: ask who called it."""
        code = frame.f_code
        place = (code.co_filename, code.co_qualname)
        if place not in self._steps:
            self._steps[place] = _step_at(*place)
        step = self._steps[place]
        if step == PIPE and code.co_qualname.startswith(_STREAM_READER):
            # the pipe and two functions read streams in the same way; the reader knows for whom
            name = str(getattr(frame.f_locals.get("self"), "name", "")).lower()
            return next((found for word, found in _READERS.items() if word in name), PIPE)
        return step

    def shares(self) -> list[Share]:
        """Return what was found, largest first."""
        total = sum(self.samples.values()) or 1
        found = []
        for step in STEPS:
            count = self.samples[step]
            share = count / total
            found.append(
                Share(
                    step,
                    share,
                    math.sqrt(share * (1 - share) / total),
                    self.in_store[step] / total,
                    [(name, n / total) for name, n in self.leaves[step].most_common(5)],
                )
            )
        return sorted(found, key=lambda one: -one.share)


def _step_at(filename: str, qualname: str) -> str | None:
    if "/simpy/" in filename:
        return KERNEL
    path = filename.removeprefix(ROOT)
    if path == "sim/kernel/plumbing.py":
        return FIFO if qualname.startswith(_QUEUE_READER) else PIPE
    name = qualname.rpartition(".")[2]
    for start, function, step in _PLACES:
        if path.startswith(start) and function in ("", name):
            return step or None
    return None


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{Path(code.co_filename).stem}.{code.co_qualname}"
