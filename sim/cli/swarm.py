"""`dexsim run --swarm N`."""

from __future__ import annotations

import time
from pathlib import Path

from sim.cli.exits import Exit, err, escape, fail, out
from sim.swarm import LEDGER, Outcome, Swarm, fly

FOLDER = Path("runs") / "swarm"


def swarm_command(count: int, seed: int, folder: Path | None, *, workers: int, quiet: bool) -> None:
    """Run many drawn scenarios; exit 1 when one of them failed, 0 otherwise."""
    since = time.monotonic()
    target = folder or FOLDER

    def told(number: int, of: int, outcome: Outcome) -> None:
        if not outcome.passed:
            err.print(f"[bold red]✗[/] seed {outcome.seed}  {escape(outcome.was[:300])}", soft_wrap=True)
        elif not quiet and (number % 10 == 0 or number == of):
            err.print(f"  {number:,} of {of:,}  {time.monotonic() - since:,.0f} s", highlight=False)

    swarm = fly(range(seed, seed + count), target, told, workers=workers)
    _say(swarm, time.monotonic() - since)
    if swarm.failed:
        first = swarm.failed[0]
        lines = (("where", str(target / LEDGER)), ("what", ", ".join(first.what)), ("was", first.was[:500]))
        what = f"{len(swarm.failed)} of {count} scenarios failed."
        raise fail(Exit.BROKEN, what, *lines, reproduce=first.reproduce)


def _say(swarm: Swarm, took_s: float) -> None:
    unknown = sum(outcome.verdict == "unknown" for outcome in swarm.outcomes)
    broken = sum(outcome.verdict == "broken" for outcome in swarm.outcomes)
    times = sum(swarm.struck.values())
    out.print(
        f"{len(swarm.outcomes):,} scenarios in {took_s:,.0f} s: {broken} broken, {unknown} unknown, "
        f"{len(swarm.failed)} failed. {len(swarm.struck)} kinds of faults struck {times:,} times.",
        soft_wrap=True,
    )
    if swarm.never:
        out.print(f"[yellow]Never struck:[/] {', '.join(swarm.never)}", soft_wrap=True)
