"""`dexsim hunt`."""

from __future__ import annotations

import time
from pathlib import Path

from rich.table import Table

from sim.cli.exits import Exit, err, escape, fail, out
from sim.hunt.bugs import PatchRefused, bugs_in
from sim.hunt.hunt import NOWHERE, Catch, Plan, hunt


def hunt_command(folder: Path, plan: Plan, *, least: int | None, workers: int, quiet: bool) -> None:
    """Hunt every planted defect of a folder; exit 4 when fewer than `least` were caught, all by default."""
    since = time.monotonic()
    try:
        bugs = bugs_in(folder)
    except PatchRefused as refused:
        raise fail(Exit.USAGE, "There is nothing to hunt.", ("was", str(refused))) from None

    def told(number: int, of: int, catch: Catch) -> None:
        if not quiet:
            sign = "[green]✓[/]" if catch.caught else "[bold red]✗[/]"
            what = ", ".join(catch.broken) or catch.problem
            line = (
                f"{sign} {number:>3} of {of}  {escape(catch.bug.name)}  {escape(what)}  {catch.took_s:.0f} s"
            )
            err.print(line, soft_wrap=True)

    catches = hunt(bugs, plan, workers=workers, told=told)
    out.print(_table(catches))
    missed = [catch for catch in catches if not catch.caught]
    caught = len(catches) - len(missed)
    took_s = time.monotonic() - since
    out.print(f"{caught} of {len(catches)} defects caught within {plan.runs} runs each, in {took_s:,.0f} s.")
    for catch in missed:
        said = "missed" if catch.planted else "not planted"
        out.print(f"[bold red]{said}[/] {escape(f'{catch.bug.name}: {catch.problem}')}", soft_wrap=True)
    if caught < (len(catches) if least is None else least):
        names = ", ".join(catch.bug.name for catch in missed)
        again = f"dexsim hunt {folder} --runs {plan.runs} --seed {plan.seed}"
        raise fail(Exit.THRESHOLD, "Too many defects got away.", ("which", names), reproduce=again)


_NOBODY, _NOT_PLANTED = "[bold red]nobody[/]", "[bold red]not planted[/]"


def _table(catches: list[Catch]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("defect", "caught by", "runs", "seed", "commands left", "what is wrong"):
        number = heading in ("runs", "seed", "commands left")
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for catch in catches:
        more = f" and {len(catch.broken) - 1} more" if len(catch.broken) > 1 else ""
        nobody = _NOBODY if catch.planted else _NOT_PLANTED
        by = escape(catch.broken[0]) + more if catch.caught else nobody
        size = "" if catch.commands is None else str(catch.commands)
        seed = str(catch.seed) if catch.caught and catch.seed != NOWHERE else ""
        table.add_row(escape(catch.bug.name), by, str(catch.runs), seed, size, escape(catch.bug.about))
    return table
