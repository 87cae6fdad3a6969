"""The command of benchmarks/run.py: measure, print, compare with the baseline."""

from __future__ import annotations

import json
import os
import platform
import time
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import baseline
from benchmarks.measure import MeasurementFailed, load
from benchmarks.plan import ASKED_FOR, FULL, PARTS, QUICK, Job, Result, carry_out, growth, jobs, ratios_of
from benchmarks.show import show, show_changes
from sim import compiled

WORSE, FAILED = 4, 70

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
out = Console()
out.width = max(out.width, 100)  # the tables are that wide, and a pipe has no width at all
err = Console(stderr=True)


@app.command()
def bench(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of the orders; a baseline of its own.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Only this part: {', '.join((*PARTS, *ASKED_FOR))}.")
    ] = None,
    orders: Annotated[int | None, typer.Option(min=100, help="So many; nothing to compare with.")] = None,
    repeat: Annotated[int | None, typer.Option(min=1, help="Best of so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    update: Annotated[bool, typer.Option("--update-baseline", help="Write the ratios measured now.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 4 when a ratio is over 50 % worse.")] = False,
) -> None:
    """Measure the exchange, its parts, and other simulators, in CPU time; best of several."""
    parts = tuple(only or PARTS)
    known = (*PARTS, *ASKED_FOR)
    if unknown := [part for part in parts if part not in known]:
        raise typer.BadParameter(f"no part {unknown[0]!r}; there are {', '.join(known)}", param_hint="--only")
    if orders and (update or check):
        raise typer.BadParameter("the baseline is for the usual number of orders", param_hint="--orders")
    size = QUICK if quick else FULL
    if orders:
        operations, moto_orders = orders * 5, min(orders, size.moto_orders)
        size = size._replace(name="own", orders=orders, operations=operations, moto_orders=moto_orders)
    if repeat:
        size = size._replace(repeats=repeat)
    busy_before, since = load(), time.perf_counter()
    results = _measure([*jobs(size, parts), *growth(parts)])
    took_s, busy_after = time.perf_counter() - since, load()
    ratios = ratios_of(results)
    found = baseline.changes(size.name, ratios)
    worse = [change.name for change in found if change.alarming]
    if as_json:
        said: dict[str, Any] = {
            "size": size.name,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load_before": busy_before,
            "load_after": busy_after,
            "took_s": round(took_s, 1),
            "ratios": baseline.rounded(ratios),
            "worse": worse,
            "results": results,
        }
        typer.echo(json.dumps(said, indent=2))
    else:
        show(results, out, peers="peers" in parts)
        show_changes(found, size.name, out)
        _say_how_busy(busy_before, busy_after, took_s)
    if update:
        baseline.write(size.name, ratios)
        err.print(f"Written: {baseline.FILE.name}, {size.name}")
    if check and worse:
        err.print(f"[bold red]Over {baseline.WORSE_BY:.0%} worse than the baseline:[/] {', '.join(worse)}")
        raise typer.Exit(WORSE)


def _measure(todo: list[Job]) -> dict[str, Result]:
    """Carry out the plan; say where it is, and what each measurement came to."""
    since = time.perf_counter()
    with err.status("") as status:

        def before(index: int, job: Job) -> None:
            passed = f"{time.perf_counter() - since:4.0f} s"
            status.update(f"{passed}  {index + 1}/{len(todo)}  {job.name}  [dim]{job.how}[/]")

        def after(job: Job, result: Result) -> None:
            passed = f"{time.perf_counter() - since:4.0f} s"
            figures = f"{result['cpu_us_each']:10,.1f} us each, CPU {result['cpu_s']:.1f} s"
            err.print(f"{passed}  {job.name:<22}{figures}, wall {result['wall_s']:.1f} s", highlight=False)

        try:
            return carry_out(todo, before, after)
        except MeasurementFailed as failed:
            err.print(f"A measurement failed: {failed}", highlight=False, markup=False)
            raise typer.Exit(FAILED) from None


def _say_how_busy(before: tuple[float, ...], after: tuple[float, ...], took_s: float) -> None:
    cores = os.cpu_count() or 1
    words = f"{took_s:.0f} s on Python {platform.python_version()} with {cores} cores; "
    words += f"compiled copies: {compiled.state()}; "
    words += f"load (1, 5, 15 min) before {before}, after {after}."
    if max(before[0], after[0]) > cores / 2 + 1:
        words += " Others were at work: CPU time suffers less than wall time, but it suffers."
    out.print(f"[dim]{words}[/]", soft_wrap=True, highlight=False)
