"""Run a scenario: build the world, let agents trade, drain, judge, write the folder."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sim import compiled
from sim.counts import count, find
from sim.invariants import INVARIANTS, Judge, Verdict, aside
from sim.kernel.cold import Memory
from sim.kernel.history import HistoryReader, HistoryWriter
from sim.kernel.meter import Meter, statistic
from sim.report.amounts import measured
from sim.report.folder import LAKE
from sim.report.record import (
    Failure,
    Quantiles,
    RunRecord,
    ThresholdResult,
    evidence_of,
    failures_of,
    write_record,
)
from sim.scenario.schema import Scenario
from sim.scenario.thresholds import MEASURES, Threshold
from sim.scenario.units import DURATION, SECOND_NS
from sim.world.build import Snapshot, World
from sim.world.business import business_digest
from system.model import keys
from system.ports.lake import Lake

Progress = Callable[[int, dict[str, int]], None]
"""Called now and then: virtual ns since the start, and counts so far."""

LOOK_EVERY_NS = 60 * SECOND_NS
"""How often the invariants are judged while agents trade."""
MANY_ORDERS = 5_000
"""From so many orders on, to judge them takes longer than to fork."""

DRAIN_STEP_NS = 10 * SECOND_NS
DRAIN_LIMIT_NS = 900 * SECOND_NS
PACKAGES = ("simpy", "boto3", "moto", "msgspec", "orjson", "coincurve", "web3")

HELD, BROKEN, LIVENESS, THRESHOLD = 0, 1, 3, 4


class RunResult(NamedTuple):
    """What a run leaves: its record, and the folder when it was written."""

    record: RunRecord
    folder: Path | None

    @property
    def exit_code(self) -> int:
        return self.record.exit_code


class Timings:
    """Wall-clock seconds by phase; they enter no digest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, phase: str) -> None:
        """Close the phase that began at the last call."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._since
        self._since = now


def run(
    scenario: Scenario,
    *,
    out: Path | None = None,
    progress: Progress | None = None,
    expected: HistoryReader | None = None,
    reproduce: str = "",
    look_every_ns: int = LOOK_EVERY_NS,
    memory: Memory | None = None,
) -> RunResult:
    """Run one scenario from its first to its last event.

    Args:
        out: the run's folder; None keeps the history in memory and writes nothing.
        progress: called about once per virtual minute.
        expected: an earlier history to compare with, event by event.
        reproduce: the command line to print beside a failure.
        look_every_ns: virtual time between two looks of the invariants.
        memory: what functions may remember from event to event; everything when left out.

    Raises:
        Divergence: `expected` was given and an event differs.
        ProvisionError: a backend or chain could not be made.
    """
    timings = Timings()
    if out is not None:
        (out / "tables").mkdir(parents=True, exist_ok=True)
        (out / "scenario.yaml").write_text(scenario.resolved_yaml(), encoding="utf-8")
    history = HistoryWriter(out / "history.jsonl.zst" if out else None, expected, keep=out is None)
    with history:
        world = World(scenario, history, memory)
        try:
            timings.end("build")
            judge = Judge(None if scenario.expect.invariants == "all" else scenario.expect.invariants)
            _play(world, judge, progress, look_every_ns, timings)
            history.add({"t": world.timeline.elapsed_ns, "e": "end"})
            history.close()
            arrived = not world.unsettled() and not world.unfinished()
            judge.look(Snapshot(world, final=arrived, history=history.reader()))
            timings.end("judge")
            record = _record(world, judge, timings, reproduce)
            if out is not None:
                _write_tables(world, out)
                timings.end("write")
        finally:
            world.close()
    if out is not None:
        write_record(out, record)
    return RunResult(record, out)


def _play(
    world: World,
    judge: Judge,
    progress: Progress | None,
    look_every_ns: int,
    timings: Timings,
    run_until: Callable[[int], None] | None = None,
) -> None:
    """Let time pass: first the agents', then until nothing is left to do or the time for it is over.

    Args:
        run_until: instead of the timeline's own.
    """
    timeline, end_ns = world.timeline, world.scenario.duration
    run_until = run_until or timeline.run_until
    # Nearly everything that is made stays (rows, records); looking for cycles among it costs a third.
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        while timeline.elapsed_ns < end_ns:
            run_until(min(end_ns, timeline.elapsed_ns + look_every_ns))
            timings.end("play")
            if timeline.elapsed_ns < end_ns and not world.grounds.abandoned:  # then nothing changes any more
                _look(world, judge)
                timings.end("judge")
            if progress is not None:
                progress(timeline.elapsed_ns, _so_far(world))
        limit_ns = end_ns + (world.scenario.expect.settled_within or DRAIN_LIMIT_NS)
        while timeline.elapsed_ns < limit_ns:
            run_until(min(limit_ns, timeline.elapsed_ns + DRAIN_STEP_NS))
            if progress is not None:
                progress(timeline.elapsed_ns, _so_far(world))
            if world.unsettled() == 0 and world.drained():
                break
        timings.end("drain")
    finally:
        judge.catch_up()
        gc.enable()
        gc.unfreeze()


def play_unjudged(world: World, run_until: Callable[[int], None], progress: Progress | None = None) -> None:
    """Play a world to its end without judging it, and close its history."""
    _play(world, Judge(()), progress, LOOK_EVERY_NS, Timings(), run_until)
    world.history.add({"t": world.timeline.elapsed_ns, "e": "end"})
    world.history.close()


def _look(world: World, judge: Judge) -> None:
    """Judge this instant, beside the run where that is cheaper than a halt of it."""
    if not judge.rules:
        return
    scenario, state = world.scenario, Snapshot(world, final=False)
    forks = aside.POSSIBLE and (scenario.backend, scenario.chain) == ("memory", "model")
    if forks and sum(desk.sent for desk in world.desks) > MANY_ORDERS:
        judge.look_aside(state)
    else:
        judge.look(state)


def _so_far(world: World) -> dict[str, int]:
    """Count what a progress bar shows, cheaply."""
    assert world.backend is not None
    leases = world.backend.scan(keys.MATCHER_LEASES)
    return {"orders": sum(desk.sent for desk in world.desks), "fills": sum(row["trade_no"] for row in leases)}


def _record(world: World, judge: Judge, timings: Timings, reproduce: str) -> RunRecord:
    scenario = world.scenario
    assert world.backend is not None
    undrained, unsettled = world.unfinished(), world.unsettled()
    counts, found = count(world), find(world)
    meter = _measure(world)
    thresholds = {
        str(threshold): _realistic(threshold, world)
        if threshold.measure == "unrealistic"
        else _check(threshold, counts | found, meter)
        for threshold in scenario.expect.thresholds
    }
    failures = failures_of(judge.verdicts)
    said = evidence_of(_with_unjudged(judge), {name: rule.summary for name, rule in INVARIANTS.items()})
    exit_code = BROKEN if failures else HELD
    if unsettled or undrained:
        failures.append(_not_drained(world, undrained, unsettled))
        exit_code = exit_code or LIVENESS
    for text, result in thresholds.items():
        if not result.held:
            failures.append(Failure(what="threshold", where=scenario.scenario, expected=text, was=result.was))
            exit_code = exit_code or THRESHOLD
    return RunRecord(
        scenario=scenario.scenario,
        about=scenario.about,
        seed=scenario.seed,
        backend=scenario.backend,
        chain=scenario.chain,
        ingress=scenario.ingress,
        interleaving=scenario.interleaving,
        signatures=scenario.signatures,
        commit=_commit(),
        versions={"python": platform.python_version(), "compiled": compiled.state()}
        | {name: version(name) for name in PACKAGES},
        started=datetime.fromtimestamp(scenario.start // SECOND_NS, UTC).isoformat(),
        virtual_s=world.timeline.elapsed_ns / SECOND_NS,
        digest=world.history.digest,
        business_digest=business_digest(world.backend),
        unsettled=unsettled,
        undrained=undrained,
        thresholds=thresholds,
        faults=dict(world.grounds.times),
        counts=counts,
        facts=found,
        latency_ms={name: _quantiles(meter, name) for name in meter.samples if meter.samples[name]},
        timings={phase: round(seconds, 3) for phase, seconds in timings.seconds.items()},
        failures=failures,
        reproduce=reproduce or f"dexsim run {scenario.scenario} --seed {scenario.seed}",
        exit_code=exit_code,
        **said,
    )


def _with_unjudged(judge: Judge) -> dict[str, Verdict]:
    """Return all verdicts; rules about the end are unknown in a run that did not come to it.

    What is still on its way breaks most of them, so that "broken" would only hide why.
    """
    why = "not judged: the run had not drained"
    unjudged = {rule.name: Verdict(rule.name, "unknown", error=why) for rule in judge.rules}
    return unjudged | judge.verdicts


def _not_drained(world: World, undrained: list[str], unsettled: int) -> Failure:
    scenario = world.scenario
    within = DURATION.format(scenario.expect.settled_within or DRAIN_LIMIT_NS)
    was = [f"{unsettled} trades not final on chain ({_statuses(world)})"] if unsettled else []
    was += [f"not done: {', '.join(undrained)}"] if undrained else []
    return Failure(
        what="liveness",
        where=", ".join(undrained) or "settlement",
        expected=f"everything settled and drained within {within} after the end",
        was="; ".join(was),
    )


def _statuses(world: World) -> str:
    """Say how far the trades came that are not final."""
    waiting = world.unsettled_by_status()
    return ", ".join(f"{count} {status}" for status, count in sorted(waiting.items()))


def _measure(world: World) -> Meter:
    """Complete the kernel's samples by what the tables say."""
    assert world.backend is not None
    meter = world.cloud.meter
    orders = world.backend.scan(keys.ORDERS)
    meter.note_all(
        "order_to_book",
        [row["sequenced_ns"] - row["received_ns"] for row in orders if row.get("sequenced_ns")],
    )
    trades = [row for row in world.backend.scan(keys.TRADES) if row["tradeType"] == "TRADE"]
    meter.note_all("order_to_fill", [row["latency_ns"] for row in trades])
    settled = {
        row["PK"]: row["confirmed_ns"]
        for row in world.backend.scan(keys.SETTLEMENTS)
        if row.get("confirmed_ns")
    }
    meter.note_all(
        "fill_to_settled",
        [
            settled[pk] - row["ts_ns"]
            for row in trades
            if (pk := f"BATCH#{row.get('batch', 0):012d}") in settled
        ],
    )
    return meter


def _check(threshold: Threshold, counts: dict[str, int], meter: Meter) -> ThresholdResult:
    unit = MEASURES[threshold.measure].unit
    if threshold.statistic == "value":
        value: float = counts[threshold.measure]
    else:
        samples = meter.samples.get(threshold.measure)
        if not samples:
            return ThresholdResult(held=False, was="no sample")
        value = statistic(samples, threshold.statistic)
    return ThresholdResult(held=threshold.holds(value), was=measured(value, unit))


def _realistic(threshold: Threshold, world: World) -> ThresholdResult:
    """Judge the stylised facts; only a scenario that asks for them pays for them."""
    from sim.report import realism

    facts = realism.of_world(world)
    if not facts:
        return ThresholdResult(held=False, was=f"no sample: it takes {realism.FEWEST_MINUTES} min of trading")
    outside = [fact for fact in facts if not fact.held]
    said = "; ".join(str(fact) for fact in outside)
    was = f"{len(outside)} of {len(facts)}" + (f": {said}" if said else "")
    return ThresholdResult(held=threshold.holds(len(outside)), was=was)


def _quantiles(meter: Meter, name: str) -> Quantiles:
    samples = meter.samples[name]
    ms = {which: round(statistic(samples, which) / 1e6, 3) for which in ("p50", "p95", "p99", "max")}
    return Quantiles(**ms, count=len(samples))


def _write_tables(world: World, out: Path) -> None:
    from sim.report.tables import write_tables

    assert world.backend is not None
    state = Snapshot(world, final=True)
    write_tables(world.backend, out / "tables", samples=world.cloud.meter.samples, state=state)
    _write_lake(world.backend.lake, out / LAKE)


def _write_lake(lake: Lake, file: Path) -> None:
    """Keep the lake's objects, for `dexsim lake`."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as kept:
        for key in lake.list(""):
            kept.writestr(zipfile.ZipInfo(key), lake.get(key) or b"", zipfile.ZIP_DEFLATED)


def _commit() -> str:
    """Return the checkout's commit, "" when this is no checkout."""
    here = Path(__file__).parent
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip()


class _Verb(ModuleType):
    """Makes the module itself callable: `from sim import run` may find either, as Python binds submodules."""

    def __call__(self, scenario: Scenario, **how: Any) -> RunResult:
        return run(scenario, **how)


sys.modules[__name__].__class__ = _Verb
