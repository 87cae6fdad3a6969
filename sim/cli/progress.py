"""The progress bar: virtual time on one line, with what has happened so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sim.cli.exits import err
from sim.run import Progress as Report

_SHOWN = {"orders": "orders", "fills": "fills", "request": "requests", "events": "events"}
_S = 1_000_000_000


@contextmanager
def showing(title: str, duration_ns: int, *, quiet: bool) -> Iterator[Report | None]:
    """Show a bar on stderr while a run goes on; nothing without a terminal."""
    if quiet or not err.console.is_terminal:
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}[/]"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[clock]}"),
        TextColumn("[dim]{task.fields[done]}[/]"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err.console, transient=True) as bar:
        task = bar.add_task(title, total=duration_ns, clock="building the world", done="")

        def report(elapsed_ns: int, counts: dict[str, int]) -> None:
            clock = f"{_clock(elapsed_ns)} of {_clock(duration_ns)}"
            if elapsed_ns >= duration_ns:
                clock = f"{_clock(elapsed_ns)}, draining"
            done = ", ".join(f"{counts[name]:,} {word}" for name, word in _SHOWN.items() if name in counts)
            bar.update(task, completed=min(elapsed_ns, duration_ns), clock=clock, done=done)

        yield report


def _clock(ns: int) -> str:
    minutes, seconds = divmod(ns // _S, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
