"""The gate's judgement: each run by itself, its digest against the committed one, metrics over all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec

from sim.gate.play import Played
from sim.gate.statistics import Change, Values, changes
from sim.gate.suite import Cell, Suite

METRICS = (
    "orders",
    "accepted",
    "rejected",
    "cancels",
    "fills",
    "volume",
    "fees",
    "trades_settled",
    "trades_in_ledger",
    "batches",
    "liquidations",
    "liquidated",
    "deleveraged",
    "insurance",
    "bad_debt",
    "funding_ticks",
    "funding_paid",
    "discount",
    "premium",
    "order_to_response_p50",
    "order_to_book_p50",
    "order_to_book_p95",
    "order_to_fill_p50",
    "order_to_fill_p95",
    "fill_to_settled_p50",
    "fill_to_settled_p95",
)
"""What is compared over all runs."""


class Kept(msgspec.Struct, frozen=True):
    """What is committed of a cell."""

    digest: str
    business_digest: str
    metrics: dict[str, float]


Baseline = dict[str, Kept]
"""By the name of the cell."""


class Fault(NamedTuple):
    """One reason why the gate is closed; `cell` is empty for a metric over all runs."""

    what: str  # invariant, liveness, threshold, harness, digest, metric, performance, quarantine
    where: str
    said: str
    reproduce: str
    cell: str = ""


class Judgement(NamedTuple):
    """What the gate found."""

    faults: list[Fault]
    excused: list[Fault]
    moved: list[str]  # names of cells whose digest differs
    unknown: list[str]  # names of cells of which nothing is committed
    changes: list[Change]

    @property
    def passed(self) -> bool:
        return not self.faults


def read_baseline(file: Path) -> Baseline:
    """Read what was committed; nothing when there is no file yet."""
    if not file.is_file():
        return {}
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Kept])


def write_baseline(file: Path, played: Mapping[str, Played]) -> None:
    """Commit what was played: one line a cell, so that a diff shows which have moved."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"  {msgspec.json.encode(name).decode()}: {msgspec.json.encode(_kept(cell)).decode()}"
        for name, cell in sorted(played.items())
    ]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def judge(
    suite: Suite, todo: Sequence[Cell], played: Mapping[str, Played], baseline: Baseline, today: date
) -> Judgement:
    """Judge every cell, then all of them together."""
    faults: list[Fault] = []
    moved, unknown = [], []
    for cell in todo:
        one = played[cell.name]
        if one.exit_code:
            what = {1: "invariant", 3: "liveness", 4: "threshold"}.get(one.exit_code, "harness")
            faults.append(Fault(what, cell.name, "; ".join(one.failures), cell.reproduce, cell.name))
        kept = baseline.get(cell.name)
        if kept is None:
            unknown.append(cell.name)
        elif kept.digest != one.digest:
            moved.append(cell.name)
            faults.append(Fault("digest", cell.name, _digests(kept, one), cell.reproduce, cell.name))
    found = changes(_kept_values(todo, baseline), _values(played), METRICS)
    faults += [
        _metric(change, todo, played, baseline)
        for change in found
        if change.matters(suite.alpha, suite.least_effect)
    ]
    names = {quarantined.scenario: quarantined for quarantined in suite.quarantine}
    late = [q for q in suite.quarantine if q.until < today]
    faults += [
        Fault("quarantine", q.scenario, f"{q.owner} had until {q.until}: {q.why}", f"dexsim run {q.scenario}")
        for q in late
    ]
    held = {q.scenario for q in late}
    excused = [f for f in faults if f.cell and _scenario(f.cell) in names and _scenario(f.cell) not in held]
    return Judgement([f for f in faults if f not in excused], excused, moved, unknown, found)


def _scenario(cell: str) -> str:
    return cell.rpartition("-")[0]


def _kept(cell: Played) -> Kept:
    metrics = {name: cell.metrics[name] for name in METRICS if name in cell.metrics}
    return Kept(cell.digest, cell.business_digest, metrics)


def _digests(kept: Kept, now: Played) -> str:
    same = kept.business_digest == now.business_digest
    said = "the business is the same, its course is not" if same else "the business differs"
    return f"{said}: expected digest {kept.digest[:16]}, was {now.digest[:16] or 'none'}"


def _values(played: Mapping[str, Played]) -> Values:
    values: dict[str, dict[int, Mapping[str, float]]] = {}
    for one in played.values():
        if one.metrics:
            values.setdefault(one.scenario, {})[one.seed] = one.metrics
    return values


def _kept_values(todo: Sequence[Cell], baseline: Baseline) -> Values:
    values: dict[str, dict[int, Mapping[str, float]]] = {}
    wanted = {cell.scenario for cell in todo}
    for name, kept in baseline.items():
        scenario, _, seed = name.rpartition("-")
        if scenario in wanted:
            values.setdefault(scenario, {})[int(seed)] = kept.metrics
    return values


def _metric(change: Change, todo: Sequence[Cell], played: Mapping[str, Played], baseline: Baseline) -> Fault:
    """Name the run in which a metric moved most, so that somebody can look at it."""

    def distance(cell: Cell) -> float:
        kept, now = baseline.get(cell.name), played[cell.name].metrics.get(change.metric, 0.0)
        return abs(now - kept.metrics.get(change.metric, 0.0)) / (abs(now) + 1.0) if kept else 0.0

    most = max(todo, key=distance)
    said = (
        f"{change.mean:+.1%} (95 % interval {change.low:+.1%} to {change.high:+.1%}), "
        f"effect {change.effect:+.2f}, p {change.adjusted:.2g} after Holm, {change.pairs} pairs"
    )
    return Fault("metric", change.metric, said, most.reproduce)
