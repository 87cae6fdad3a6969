"""`dexsim replay`, from the start or from the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from sim.cli.exits import Exit, escape, fail, out
from sim.cli.progress import showing
from sim.cli.summary import print_parting
from sim.compiled.finder import SWITCH, state
from sim.replay import NoMiddle, Replay
from sim.scenario.units import DURATION, UnitError
from system.model.errors import Divergence


def replay_command(folder: Path, *, as_json: bool, quiet: bool) -> None:
    """Run again, compare with the history, exit 0 or 7."""
    replay = Replay(folder)
    with (
        _parting(replay, f"dexsim replay {folder}"),
        showing(f"replay of {folder}", replay.scenario.duration, quiet=quiet) as progress,
    ):
        result = replay.play(progress)
    if as_json:
        typer.echo(result.record.to_json(), nl=False)
        return
    count = result.record.counts.get("events", 0)
    said = f"The replay of {escape(str(folder))} is equal in all {count:,} events."
    out.print(f"[bold green]✓[/] {said}", soft_wrap=True)
    out.print(f"  [dim]digest  [/] {result.record.digest}")
    out.print(f"  [dim]business[/] {result.record.business_digest}")


def replay_from_command(folder: Path, time: str, *, quiet: bool) -> None:
    """Run again from a snapshot, compare the rest of the history, exit 0 or 7."""
    try:
        from_ns = DURATION.parse(time)
    except UnitError as error:
        raise typer.BadParameter("; ".join(map(str, error.args)), param_hint="--from") from None
    if state() == "yes":
        _without_copies()
    replay = Replay(folder)
    with (
        _parting(replay, f"dexsim replay {folder} --from '{time}'"),
        showing(f"replay of {folder} from {time}", replay.scenario.duration, quiet=quiet) as progress,
    ):
        try:
            rest = replay.play_from(from_ns, progress)
        except NoMiddle as error:
            problem, remedy = error.args
            lines = (("where", str(folder)), ("problem", problem), ("remedy", remedy))
            raise fail(Exit.USAGE, "No replay can begin there.", *lines) from None
    began = f"from {DURATION.format(rest.from_ns)} on, after {rest.before:,} events, " if rest.before else ""
    said = f"The replay of {escape(str(folder))} {began}is equal in all {rest.events:,} events."
    out.print(f"[bold green]✓[/] {said}", soft_wrap=True)
    if rest.kept_ns is not None:
        taken = DURATION.format(rest.kept_ns)
        out.print(f"  [dim]snapshot[/] taken at {taken}; the next replay from there begins with it")
    elif not rest.before:
        out.print("  [dim]snapshot[/] none: at no instant from there on did every handler rest")


def _without_copies() -> None:
    """Do the same in a process of plain Python, and end with its code: compiled objects do not pickle."""
    again = [sys.executable, "-c", "from sim.cli import main; main()", *sys.argv[1:]]
    raise typer.Exit(subprocess.run(again, env=os.environ | {SWITCH: "0"}, check=False).returncode)


@contextmanager
def _parting(replay: Replay, line: str) -> Iterator[None]:
    """Show where a replay differs, and exit with 7."""
    try:
        yield
    except Divergence as parted:
        print_parting(parted)
        if replay.record.commit:
            out.print(f"The run was made by commit [bold]{escape(replay.record.commit)}[/].")
        raise fail(Exit.DIFFERS, "The replay differs from its history.", reproduce=line) from None
