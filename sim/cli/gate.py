"""`dexsim gate SUITE`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sim.cli.exits import Exit, err, escape, fail, out
from sim.gate.judge import Baseline, Fault, Judgement, judge, read_baseline, write_baseline
from sim.gate.junit import junit, markdown
from sim.gate.page import page
from sim.gate.play import ROOT, Played, play
from sim.gate.suite import Cell, Profile, ProfileRule, baseline_file, cells, read_suite

FOLDER = Path("runs") / "gate"
BENCHMARKS = ROOT / "benchmarks" / "run.py"


class GateOptions(NamedTuple):
    """What was asked for on the command line."""

    suite: Path
    profile: Profile | None
    baseline: Path | None
    accept: bool
    junit: Path | None
    jobs: int | None
    window: int | None
    out: Path | None
    quiet: bool


def gate_command(options: GateOptions) -> None:
    """Play a suite and judge it; exit 4 when the gate is closed."""
    since = time.monotonic()
    suite = read_suite(options.suite)
    profile = options.profile or suite.profile
    rule = suite.profiles.get(profile, ProfileRule())
    if options.accept and rule.fresh:
        raise fail(
            Exit.USAGE,
            f"Profile {profile} plays fresh seeds, which nobody commits.",
            ("remedy", "use pr or release"),
        )
    window = options.window if options.window is not None else _window()
    todo = cells(options.suite, suite, rule, window)
    file = baseline_file(options.suite, suite, options.baseline)
    baseline = read_baseline(file)
    folder = options.out or FOLDER / suite.suite

    def told(number: int, of: int, one: Played) -> None:
        if one.exit_code:
            err.print(
                f"[bold red]✗[/] {one.scenario} seed {one.seed}  {escape('; '.join(one.failures)[-300:])}"
            )
        elif not options.quiet:
            err.print(
                f"  {number:,} of {of:,}  {one.scenario} seed {one.seed}  {one.seconds:.1f} s",
                highlight=False,
            )

    jobs = options.jobs or os.cpu_count() or 1
    played = play(todo, folder / "cells", jobs, told)
    found = judge(suite, todo, played, baseline, datetime.now(UTC).date())
    if rule.performance:
        found = found._replace(faults=[*found.faults, *_performance()])
    _write(suite.suite, folder, todo, played, baseline, found, options.junit)
    out.print(markdown(suite.suite, todo, found), markup=False, highlight=False)
    took = time.monotonic() - since
    out.print(f"{len(todo)} runs in {took:,.0f} s on {jobs} processes; {folder}/gate.html", highlight=False)
    if options.accept:
        write_baseline(file, played)
        out.print(
            f"Accepted into {file}: {len(found.moved)} digests moved, {len(found.unknown)} are new.",
            highlight=False,
        )
        found = found._replace(faults=[f for f in found.faults if f.what not in ("digest", "metric")])
    if found.faults:
        first = found.faults[0]
        lines = (
            ("what", first.what),
            ("where", first.where),
            ("was", first.said),
            ("plot", f"{folder}/gate.html"),
        )
        raise fail(
            Exit.THRESHOLD,
            f"The gate is closed: {len(found.faults)} faults.",
            *lines,
            reproduce=first.reproduce,
        )


def _window() -> int:
    """Return a window of seeds that nobody has used: the CI's run number, else the day."""
    number = os.environ.get("GITHUB_RUN_NUMBER") or os.environ.get("CI_PIPELINE_IID") or ""
    return int(number) if number.isdigit() else datetime.now(UTC).toordinal()


def _performance() -> list[Fault]:
    """Measure throughput against the committed ratios to the yardstick."""
    command = [sys.executable, str(BENCHMARKS), "--check", "--quick"]
    if not BENCHMARKS.is_file():
        return [Fault("performance", "benchmarks", "there is no checkout with benchmarks here", "make bench")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if said.returncode == 0:
        return []
    tail = " ".join((said.stdout + said.stderr).split()[-60:])
    return [Fault("performance", "benchmarks", tail, "python benchmarks/run.py --check --quick")]


def _write(
    name: str,
    folder: Path,
    todo: list[Cell],
    played: Mapping[str, Played],
    baseline: Baseline,
    found: Judgement,
    junit_file: Path | None,
) -> None:
    (folder / "summary.md").write_text(markdown(name, todo, found), encoding="utf-8")
    (folder / "gate.html").write_text(page(name, todo, played, baseline, found), encoding="utf-8")
    xml = junit(name, todo, played, found)
    for file in (folder / "junit.xml", *([junit_file] if junit_file else [])):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(xml, encoding="utf-8")
