"""`dexsim shrink`."""

from __future__ import annotations

from pathlib import Path

from sim.cli.exits import Exit, err, escape, fail, out
from sim.replay import Replay
from sim.shrink import NothingToShrink, Shrinker, Shrunk, targets_of, write


def shrink_command(
    folder: Path, *, broken: str | None, within_s: float, to: Path | None, quiet: bool
) -> None:
    """Make a kept run small and write what is left."""
    replay = Replay(folder)
    found = targets_of(replay.record)
    if not found or (broken is not None and broken not in found):
        lines = (("where", str(folder)), ("was", ", ".join(found) or "everything held"))
        raise fail(Exit.USAGE, "There is nothing to shrink.", *lines)
    target = broken or found[0]

    def told(without: str, runs: int, events: int) -> None:
        if not quiet:
            err.print(f"  run {runs:>4}  {events:>9,} events  without {without}", highlight=False)

    try:
        shrunk = Shrinker(replay.scenario, target, within_s=within_s, told=told).play()
    except NothingToShrink as nothing:
        raise fail(Exit.DIFFERS, str(nothing), reproduce=f"dexsim replay {folder}") from None
    _say(shrunk, *write(shrunk, to or folder / "shrunk"))


def _say(shrunk: Shrunk, scenario: Path, test: Path) -> None:
    events = shrunk.events
    out.print(
        f"[bold green]✓[/] {escape(shrunk.broken)} breaks with {shrunk.commands:,} commands: "
        f"{shrunk.events_before:,} events became {events:,} in {shrunk.runs:,} runs."
    )
    out.print(f"  [dim]scenario[/] {escape(str(scenario))}", soft_wrap=True)
    out.print(f"  [dim]test    [/] {escape(str(test))}", soft_wrap=True)
