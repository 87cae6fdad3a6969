"""Makes a failing run small: the least of its scenario that still breaks the same rule.

Delta debugging (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002) over faults,
groups of agents, their counts, markets and the duration; then the requests that are left are
recorded, and it goes on with each of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from sim.attempt import TOO_LONG_S, Attempt, attempt
from sim.kernel.history import HistoryReader
from sim.report.record import RunRecord
from sim.run import run
from sim.scenario.schema import Scenario
from sim.scenario.units import DURATION
from system.model.errors import DexError

T = TypeVar("T")
Data = dict[str, Any]
Told = Callable[[str, int, int], None]
"""Called after each run that still fails: what was left out, runs so far, events of the run."""

WITHIN_S = 120.0
LOOK_EVERY_NS = 10 * 10**9
SHORTER = (8, 4, 2)


class NothingToShrink(DexError):
    """The run does not fail, or not again: (folder, problem, remedy)."""

    def __str__(self) -> str:
        folder, problem, remedy = self.args
        return f"{folder}: {problem}; {remedy}"


class _TimeIsUp(Exception):
    """The budget is used; what was found so far counts."""


class Shrunk(NamedTuple):
    """What is left: the scenario, what it breaks, and how it was found."""

    scenario: Scenario
    broken: str
    runs: int
    commands: int
    events_before: int  # 0 where the run raised, and has no end
    events: int


def targets_of(record: RunRecord) -> list[str]:
    """Return what a run broke, by the names of its failures; thresholds are no defect."""
    return [failure.what for failure in record.failures if failure.what != "threshold"]


def ddmin(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return a part of the items that still fails, from which no single one can be left out.

    >>> ddmin(range(100), lambda kept: {3, 58} <= set(kept))
    [3, 58]
    """
    kept, pieces = list(items), 2
    while kept:
        size = max(1, -(-len(kept) // pieces))
        for start in range(0, len(kept), size):
            less = kept[:start] + kept[start + size :]
            if fails(less):
                kept, pieces = less, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(pieces * 2, len(kept))
    return kept


class Shrinker:
    """One search; `play` is the whole of it.

    Args:
        scenario: of the failing run.
        broken: which of its failures counts (the name of an invariant, or `liveness`).
        within_s: wall seconds after which the smallest so far is taken.
    """

    def __init__(
        self, scenario: Scenario, broken: str, *, within_s: float = WITHIN_S, told: Told | None = None
    ) -> None:
        self.data: Data = scenario.model_dump(mode="json", exclude_none=True)
        self.broken = broken
        self.runs = 0
        self.found: Attempt | None = None  # the last that still failed
        self._told = told
        self._until = time.monotonic() + within_s

    def play(self) -> Shrunk:
        """Search until nothing more can go, or the time is over.

        Raises:
            NothingToShrink: the scenario does not break it at all.
        """
        whole = self.data | {"expect": self.data["expect"] | {"thresholds": []}}
        if not self._fails(whole, "nothing"):
            raise NothingToShrink(self.data["scenario"], f"`{self.broken}` does not break again", "replay it")
        assert self.found is not None
        before = self.found.events
        try:
            self._narrow()
            self._record_requests()
            self._list("commands")
            self._faults_and_time()
        except _TimeIsUp:
            pass
        scenario = Scenario.model_validate(self.data)
        commands = sum(len(group.get("commands", ())) for group in self.data["agents"])
        commands = commands or len(self._requests())
        return Shrunk(scenario, self.broken, self.runs, commands, before, self.found.events)

    def _fails(self, data: Data, without: str) -> bool:
        """Tell whether a candidate still breaks it; if so, it is what the search goes on with."""
        if self.runs and time.monotonic() > self._until:
            raise _TimeIsUp
        try:
            scenario = Scenario.model_validate(data)
        except ValidationError:
            return False
        left_s = max(1.0, self._until - time.monotonic()) if self.runs else TOO_LONG_S
        self.runs += 1
        made = attempt(scenario, look_every_ns=LOOK_EVERY_NS, within_s=left_s)
        if self.broken not in made.broken:
            return False
        self.data, self.found = data, made
        if self._told is not None:
            self._told(without, self.runs, made.events)
        return True

    def _narrow(self) -> None:
        """Cut the scenario itself: time first, as it saves most, then what there is of each kind."""
        while True:
            before = self.data
            self._faults_and_time()
            self._list("agents")
            self._counts()
            self._list("markets")
            if self.data is before:
                return

    def _faults_and_time(self) -> None:
        self._list("faults")
        self._list("events")
        for part in SHORTER:
            while self._shorter(part):
                pass

    def _shorter(self, part: int) -> bool:
        duration = DURATION.parse(self.data["duration"])
        less = duration // part
        if part == SHORTER[-1]:
            less = duration * 3 // 4
        less -= less % 10**6
        if less < 10**9:
            return False
        faults = [fault for fault in self.data["faults"] if _begins(fault) < less]
        events = [event for event in self.data["events"] if DURATION.parse(event["at"]) < less]
        shorter = self.data | {"duration": DURATION.format(less), "faults": faults, "events": events}
        return self._fails(shorter, f"all after {DURATION.format(less)}")

    def _list(self, name: str) -> None:
        """Leave out entries of a list; `commands` are those of the recorded traders."""
        if name == "commands":
            self._commands()
            return

        def fails(kept: Sequence[Any]) -> bool:
            return self._fails(self.data | {name: list(kept)}, f"some {name}")

        if self.data[name]:
            ddmin(self.data[name], fails)

    def _counts(self) -> None:
        for place, group in enumerate(self.data["agents"]):
            count = group["count"]
            while count > 1:
                count //= 2
                agents = list(self.data["agents"])
                agents[place] = group | {"count": count}
                if not self._fails(self.data | {"agents": agents}, "some traders"):
                    break

    def _record_requests(self) -> None:
        """Put recorded traders in the place of those that decide for themselves."""
        requests = self._requests()
        symbols = [market["symbol"] for market in self.data["markets"]]
        agents = [_recorded(group, requests, symbols) for group in self.data["agents"]]
        self._fails(self.data | {"agents": agents}, "all decisions")

    def _requests(self) -> list[Data]:
        """Return what traders ask for, other than to look, in the run as it is now."""
        with tempfile.TemporaryDirectory() as folder:
            with suppress(Exception):  # the very defect that is looked for; what was asked before is kept
                run(Scenario.model_validate(self.data), out=Path(folder), look_every_ns=LOOK_EVERY_NS)
            history = HistoryReader(Path(folder) / "history.jsonl.zst")
            return [event for _, event in history.of_kind("request") if event["m"] != "GET"]

    def _commands(self) -> None:
        groups = self.data["agents"]
        if any(group["kind"] != "recorded" for group in groups):
            return  # recording changed what happens: the traders stay as they are
        every = [(place, command) for place, group in enumerate(groups) for command in group["commands"]]

        def fails(kept: Sequence[tuple[int, Any]]) -> bool:
            agents = [
                group | {"commands": [command for at, command in kept if at == place]}
                for place, group in enumerate(groups)
            ]
            return self._fails(self.data | {"agents": agents}, "some requests")

        ddmin(every, fails)


def _begins(fault: Data) -> int:
    begin = fault["during"][0] if "during" in fault else fault.get("at", "0 s")
    return DURATION.parse(begin)


def _recorded(group: Data, requests: list[Data], symbols: list[str]) -> Data:
    """Return a group of traders that sends what these did."""
    name = group.get("name") or group["kind"]
    commands = []
    for request in requests:
        who, _, _ = request["who"].rpartition("-")
        whose, _, member = who.rpartition("-")
        if whose != name:
            continue
        at, path = DURATION.format(request["t"]), request["p"]
        command = {
            "at": at,
            "member": int(member),
            "method": request["m"],
            "path": path,
            "body": request["b"],
            "key": request.get("k", ""),
        }
        # the history does not tell in which market all orders are to be cancelled
        every = symbols if (request["m"], path) == ("DELETE", "/orders") else [""]
        commands += [command | {"symbol": symbol} for symbol in every]
    kept: Data = {key: group[key] for key in ("count", "funds", "markets") if key in group}
    return kept | {"kind": "recorded", "name": name, "commands": commands}


TEST = '''"""Made by `dexsim shrink`: {broken} broke with these {commands} commands."""

from pathlib import Path

from sim.run import run
from sim.scenario.schema import Scenario


def test_{name}_holds() -> None:
    record = run(Scenario.load(Path(__file__).with_name("{file}"))).record

    assert record.failures == []
'''


def write(shrunk: Shrunk, folder: Path) -> tuple[Path, Path]:
    """Write the scenario and its test; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    name = shrunk.broken.lower().replace("-", "_")
    scenario, test = folder / f"{name}.yaml", folder / f"test_{name}.py"
    scenario.write_text(shrunk.scenario.resolved_yaml(), encoding="utf-8")
    said = TEST.format(broken=shrunk.broken, commands=shrunk.commands, name=name, file=scenario.name)
    test.write_text(said, encoding="utf-8")
    return scenario, test
