"""The record of a run, run.json: what ran, what it did, and what the judges said of it.

Its keys are an interface: `dexsim run --json` prints the same object, CI and notebooks read it.
Keys may be added; none is renamed or loses its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.invariants.verdict import Outcome, Verdict, Violation
from system.model.errors import DexError
from system.model.units import NS

FILE = "run.json"
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RecordUnreadable(DexError):
    """A run's folder is missing or its run.json is damaged: (path, problem, remedy)."""

    def __str__(self) -> str:
        path, problem, remedy = self.args
        return f"{path}: {problem}; {remedy}"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Found(_Part):
    """One violation. Units: at_ns virtual UTC; size in the unit of what was compared."""

    where: str
    expected: str
    was: str
    size: int
    at_ns: int

    @classmethod
    def of(cls, violation: Violation) -> Found:
        """Take over what a judge found."""
        return cls(**violation._asdict())


class Evidence(_Part):
    """Why an invariant's verdict is what it is."""

    about: str
    looked_at: int
    times: int = 0
    first: Found | None = None
    worst: Found | None = None
    last: Found | None = None
    error: str = ""

    @classmethod
    def of(cls, verdict: Verdict, about: str) -> Evidence:
        """Take over a verdict; `about` is the invariant's first sentence."""
        found = {
            name: Found.of(violation)
            for name in ("first", "worst", "last")
            if (violation := getattr(verdict, name)) is not None
        }
        return cls(
            about=about, looked_at=verdict.looked_at, times=verdict.times, error=verdict.error, **found
        )


class ThresholdResult(_Part):
    """One line of `expect.thresholds`: whether it held, and what was measured, with its unit."""

    held: bool
    was: str


class Quantiles(_Part):
    """Latency of one hop in virtual milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    count: int


class Failure(_Part):
    """One reason why the run did not pass, as it is printed."""

    what: str
    where: str
    expected: str
    was: str


class RunRecord(_Part):
    """run.json."""

    scenario: str
    about: str = ""
    seed: int
    backend: str
    chain: str
    ingress: str
    interleaving: str
    signatures: str
    commit: str
    """Git commit of the code, `-dirty` behind it when files differed; "" outside a checkout."""
    versions: dict[str, str]
    """Of Python and of the packages that decide what happens."""
    started: str
    """Virtual start of the scenario, ISO 8601 in UTC."""
    virtual_s: float
    """Virtual seconds from the start to the end of the drain."""
    digest: _Digest
    """Of the whole history: equal on every repetition with the same backend and chain."""
    business_digest: _Digest
    """Of orders, trades, positions, balances, statistics, settlements: equal on every backend and chain."""
    verdict: Outcome
    invariants: dict[str, Outcome]
    evidence: dict[str, Evidence]
    unsettled: int = 0
    """Trades that were not final on chain when the time for it was over."""
    undrained: list[str] = []
    """Parts of the exchange that still had work then."""
    thresholds: dict[str, ThresholdResult] = {}
    faults: dict[str, int] = {}
    """How often each fault fired."""
    counts: dict[str, int]
    facts: dict[str, int] = {}
    """How the world was: falls, partings, what was liquidated (sim/facts.py)."""
    latency_ms: dict[str, Quantiles]
    timings: dict[str, float]
    """Wall-clock seconds by phase; not part of any digest."""
    failures: list[Failure] = []
    reproduce: str
    """The line that runs this again."""
    exit_code: Literal[0, 1, 3, 4]
    schema_version: Literal[1] = 1

    def to_json(self) -> str:
        """Return the file's content."""
        return self.model_dump_json(indent=2) + "\n"


def write_record(folder: Path, record: RunRecord) -> Path:
    """Write run.json into a run's folder."""
    path = folder / FILE
    path.write_text(record.to_json(), encoding="utf-8")
    return path


def read_record(folder: Path) -> RunRecord:
    """Read run.json of a run's folder.

    Raises:
        RecordUnreadable: it is missing, or says something else than a run's record.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem, remedy = (
            f"no run is here ({error.strerror})",
            "name a folder below runs/, for example runs/latest",
        )
        if (folder / "history.jsonl.zst").is_file():
            problem = f"no run is here that came to its end: there is a history, and no {FILE}"
            remedy = "run the scenario again, into the same folder if you like"
        raise RecordUnreadable(folder, problem, remedy) from None
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the file"
        problem = f"{place}: {first['msg']}"
        raise RecordUnreadable(path, problem, "run the scenario again") from None


def evidence_of(verdicts: Mapping[str, Verdict], about: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys `verdict`, `invariants` and `evidence` for a run's verdicts."""
    from sim.invariants.judge import overall
    from sim.invariants.registry import place_of

    names = sorted(verdicts, key=place_of)
    return {
        "verdict": overall(verdicts.values()),
        "invariants": {name: verdicts[name].outcome for name in names},
        "evidence": {name: Evidence.of(verdicts[name], about.get(name, "")) for name in names},
    }


def failures_of(verdicts: Mapping[str, Verdict]) -> list[Failure]:
    """Return one failure for each invariant that did not hold, with its first evidence."""
    failures = []
    for name, verdict in sorted(verdicts.items()):
        if verdict.outcome == "held":
            continue
        first = verdict.first
        if first is None:
            was = Failure(what=name, where="the check itself", expected="a verdict", was=verdict.error)
        else:
            seen = datetime.fromtimestamp(first.at_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            times = f"first of {verdict.times}, " if verdict.times > 1 else ""
            where = f"{first.where} ({times}seen at {seen})"
            was = Failure(what=name, where=where, expected=first.expected, was=first.was)
        failures.append(was)
    return failures
