"""What a person sees at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.padding import Padding
from rich.table import Table

from sim.cli.exits import escape, out
from sim.compare import differences
from sim.report.amounts import counted, span
from sim.report.record import RunRecord
from system.model.errors import Divergence

MARKS = {"held": "[green]✓ held[/]", "broken": "[bold red]✗ broken[/]", "unknown": "[yellow]? unknown[/]"}
_SHORT = 16


def print_summary(record: RunRecord) -> None:
    """Print what a run did and how it was judged."""
    wall_s = sum(record.timings.values())
    out.print()
    out.print(
        f"{MARKS[record.verdict]}  [bold]{escape(record.scenario)}[/]  seed {record.seed}  "
        f"{record.backend} · {record.chain}  "
        f"[dim]{span(record.virtual_s)} virtual in {wall_s:.1f} s[/]"
    )
    tables = [counts_table(record.counts), latency_table(record), invariants_table(record)]
    if record.thresholds:
        tables.append(thresholds_table(record))
    if record.faults:
        tables.append(faults_table(record))
    for table in tables:
        out.print()
        out.print(Padding(table, (0, 0, 0, 2), expand=False))
    out.print()
    out.print(f"  [dim]digest  [/] {record.digest}")
    out.print(f"  [dim]business[/] {record.business_digest}")


def counts_table(counts: dict[str, int]) -> Table:
    """Return the counts, two pairs a line."""
    table = _table(None, None, None, None, title="Counts")
    pairs = [(name.replace("_", " "), counted(name, value)) for name, value in counts.items()]
    half = (len(pairs) + 1) // 2
    for one, other in zip(pairs[:half], [*pairs[half:], ("", "")], strict=False):
        table.add_row(one[0], one[1], other[0], other[1])
    table.columns[1].justify = table.columns[3].justify = "right"
    return table


def latency_table(record: RunRecord) -> Table:
    """Return the latency per hop in virtual milliseconds."""
    table = _table("hop", "samples", "p50", "p95", "p99", "max", title="Latency, virtual ms")
    for hop, took in record.latency_ms.items():
        quantiles = (f"{value:,.1f}" for value in (took.p50, took.p95, took.p99, took.max))
        table.add_row(hop.replace("_", " "), f"{took.count:,}", *quantiles)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def invariants_table(record: RunRecord) -> Table:
    """Return every invariant with its verdict and how much was looked at."""
    table = _table("invariant", "verdict", "compared", "evidence", title="Invariants")
    for name, outcome in record.invariants.items():
        proof = record.evidence[name]
        said = ""
        if proof.first is not None:
            said = f"{proof.times:,} times; first: {proof.first.where}"
        elif proof.error:
            said = proof.error
        elif not proof.looked_at:
            said = "nothing to look at"
        table.add_row(name, MARKS[outcome], f"{proof.looked_at:,}", escape(said))
    table.columns[2].justify = "right"
    return table


def thresholds_table(record: RunRecord) -> Table:
    """Return every threshold with what was measured."""
    table = _table("threshold", "verdict", "measured", title="Thresholds")
    for text, result in record.thresholds.items():
        mark = "[green]✓ held[/]" if result.held else "[bold red]✗ missed[/]"
        table.add_row(escape(text), mark, escape(result.was))
    return table


def faults_table(record: RunRecord) -> Table:
    """Return every fault with how often it struck; one that never did tested nothing."""
    table = _table("fault", "struck", title="Faults")
    for name, times in record.faults.items():
        table.add_row(escape(name), f"{times:,} times" if times else "[yellow]? never[/]")
    return table


def print_parting(parted: Divergence) -> None:
    """Print the first event that differs, field by field."""
    number, expected, was = parted.args
    out.print(f"[bold]The first event that differs is number {number}.[/]" if number else "")
    print_sides("history", "replay", _event(expected), _event(was))


def print_sides(left_name: str, right_name: str, left: Any, right: Any) -> None:
    """Print two events side by side: what both say, then where they differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        common = {name: value for name, value in left.items() if right.get(name) == value and name != "w"}
        out.print(f"  [dim]both    [/] {escape(_short(common))}", soft_wrap=True)
    table = _table("field", left_name, right_name)
    for path, one, other in _first(differences(left, right)):
        table.add_row(escape(path or "event"), escape(_short(one)), escape(_short(other)))
    out.print(Padding(table, (0, 0, 0, 2)))


def _first(found: Iterable[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    rows = list(found)
    if len(rows) > _SHORT:
        return [*rows[:_SHORT], (f"and {len(rows) - _SHORT} more", "", "")]
    return rows


def _event(line: str) -> Any:
    """Read a line of history; what is no JSON ("the end of the run") stays text."""
    try:
        return json.loads(line)
    except ValueError:
        return line


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 500 else text[:497] + "..."


def _table(*names: str | None, title: str = "") -> Table:
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        title=title or None,
        title_style="bold",
        title_justify="left",
        header_style="dim",
        show_header=names[0] is not None,
    )
    for name in names:
        table.add_column(name or "", overflow="fold")
    return table
