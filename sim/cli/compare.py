"""`dexsim compare`."""

from __future__ import annotations

from pathlib import Path

from rich.padding import Padding
from rich.table import Table

from sim.cli.exits import Exit, escape, fail, out
from sim.cli.summary import print_sides
from sim.compare import Comparison, compare
from sim.report.folder import Run

_DIGEST_SHOWN = 16


def compare_command(left: Path, right: Path, *, business: bool) -> None:
    """Print the comparison; exit 0 when equal, else 7."""
    found = compare(Run(left), Run(right), business=business)
    _print_rows(found, str(left), str(right))
    what = "business" if business else "whole history"
    if found.equal:
        out.print(f"[bold green]✓[/] The {what} of both runs is equal.")
        return
    parting = found.parting
    if parting is not None:
        kind = "business event (transaction)" if business else "event"
        numbers = f"{parting.left_number or 'none'} and {parting.right_number or 'none'}"
        out.print(f"[bold]The first {kind} that differs:[/] number {numbers}")
        print_sides(str(left), str(right), parting.left, parting.right)
    elif business:
        out.print("All transactions agree; the tables differ in what was there before the first one.")
    if not business and found.left.record.business_digest == found.right.record.business_digest:
        out.print("Their business is equal: `--business` compares only that.")
    flag = " --business" if business else ""
    line = f"dexsim compare{flag} {left} {right}"
    raise fail(Exit.DIFFERS, f"The {what} of the two runs differs.", reproduce=line)


def _print_rows(found: Comparison, left: str, right: str) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column(escape(left), justify="right")
    table.add_column(escape(right), justify="right")
    for row in found.rows:
        one, other = row.left, row.right
        if "digest" in row.name:
            one, other = one[:_DIGEST_SHOWN], other[:_DIGEST_SHOWN]
        style = "dim" if row.equal else "bold"
        table.add_row(row.name, escape(one), escape(other), style=style)
    out.print(Padding(table, (1, 0, 1, 2)))
