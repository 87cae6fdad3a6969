"""`dexsim run` and `report`."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

import typer

from sim.cli.exits import Exit, err, escape, fail, failures, out
from sim.cli.progress import showing
from sim.cli.scenarios import find, load
from sim.cli.summary import print_summary
from sim.report.folder import LAKE, REPORT, Run
from sim.report.record import FILE, RunRecord
from sim.run import RunResult
from sim.run import run as run_scenario
from sim.scenario.schema import Scenario

RUNS = Path("runs")
LATEST = "latest"


class RunOptions(NamedTuple):
    """What decides the course of a run; two runs with equal options are equal."""

    scenario: str
    backend: str | None
    chain: str | None
    seed: int | None
    until: str | None
    settings: list[str]

    def overrides(self) -> list[str]:
        """Return them as `path=value`; an option of its own beats --set."""
        given = {"backend": self.backend, "chain": self.chain, "seed": self.seed, "duration": self.until}
        return [*self.settings, *(f"{path}={value}" for path, value in given.items() if value is not None)]

    def load(self) -> Scenario:
        """Read the scenario with these options. Raises ScenarioError."""
        return load(find(self.scenario), self.overrides())

    def line(self, scenario: Scenario) -> str:
        """Return the command that does the same again, whatever the file's defaults become."""
        words = ["dexsim", "run", self.scenario, "--backend", scenario.backend, "--chain", scenario.chain]
        words += ["--seed", str(scenario.seed)]
        words += ["--until", self.until] if self.until is not None else []
        for setting in self.settings:
            words += ["--set", setting]
        return shlex.join(words)


def run_command(
    options: RunOptions, folder: Path | None, *, as_json: bool, quiet: bool, report: bool
) -> None:
    """Run, write the folder, print the summary, exit with the verdict's code."""
    scenario = options.load()
    reproduce = options.line(scenario)
    with failures(reproduce):
        target = _make_folder(scenario, folder)
        title = f"{scenario.scenario} · seed {scenario.seed} · {scenario.backend} · {scenario.chain}"
        with showing(title, scenario.duration, quiet=quiet) as progress:
            result = run_scenario(scenario, out=target, progress=progress, reproduce=reproduce)
        _point_latest_to(target)
        if report:
            from sim.report.page import write_page

            write_page(Run(target))
    _finish(result, target, as_json=as_json, report=report)


def report_command(folder: Path) -> None:
    """Write the page again from what the folder has."""
    from sim.report.page import write_page

    path = write_page(Run(folder))
    out.print(f"{escape(str(path))}  [dim]({path.stat().st_size / 1e6:.1f} MB, needs no network)[/]")


HISTORY = "history.jsonl.zst"
KEPT = frozenset({"scenario.yaml", HISTORY, "tables", FILE, REPORT, LAKE})
"""All that a run's folder holds."""


def _make_folder(scenario: Scenario, folder: Path | None) -> Path:
    """Return an empty folder; a run that was kept under the same name makes room for the new one."""
    try:
        return _new_folder(scenario) if folder is None else _cleared(folder)
    except OSError as error:
        lines = (("where", str(folder or RUNS)), ("was", str(error)), ("remedy", "name a folder to write to"))
        raise fail(Exit.USAGE, "The run's folder cannot be made.", *lines) from None


def _new_folder(scenario: Scenario) -> Path:
    # the wall clock names the folder and nothing else
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    base = RUNS / scenario.scenario / f"{stamp}-seed{scenario.seed}"
    base.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = base if number == 1 else base.with_name(f"{base.name}-{number}")
        try:
            folder.mkdir()  # not `exists` first: two runs may begin in one second
        except FileExistsError:
            continue
        return folder
    raise AssertionError("unreachable: there is always another number")


def _cleared(folder: Path) -> Path:
    """Remove an earlier run's own files; whatever else is there makes it nobody's to clear."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.name for path in folder.iterdir()}
    if not there:
        return folder
    tables = folder / "tables"
    foreign = there - KEPT | {path.name for path in tables.glob("*") if path.suffix != ".parquet"}
    if foreign or HISTORY not in there:
        lines = (
            ("where", str(folder)),
            ("was", ", ".join(sorted(foreign or there))),
            ("remedy", "name a new folder, or one that holds a run and nothing else"),
        )
        raise fail(Exit.USAGE, "The folder holds something else than a run; it stays as it is.", *lines)
    for path in (*tables.glob("*.parquet"), *(folder / name for name in KEPT - {"tables"})):
        path.unlink(missing_ok=True)
    return folder


def _point_latest_to(folder: Path) -> None:
    """Let runs/latest lead to the newest run below runs/."""
    if RUNS.resolve() not in folder.resolve().parents:
        return
    link = RUNS / LATEST
    fresh = RUNS / f".{LATEST}-{folder.name}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.resolve().relative_to(RUNS.resolve()), target_is_directory=True)
    fresh.replace(link)


def _finish(result: RunResult, folder: Path, *, as_json: bool, report: bool) -> None:
    record: RunRecord = result.record
    if as_json:
        typer.echo(record.to_json(), nl=False)
    else:
        print_summary(record)
        out.print(f"  [dim]folder  [/] {escape(str(folder))}")
        if report:
            out.print(f"  [dim]report  [/] {escape(str(folder / REPORT))}")
    if record.exit_code:
        for failure in record.failures[:-1]:
            fail_line(failure.what, failure.where, failure.expected, failure.was)
        last = record.failures[-1]
        lines = (("where", last.where), ("expected", last.expected), ("was", last.was))
        raise fail(Exit(record.exit_code), last.what, *lines, reproduce=record.reproduce)


def fail_line(what: str, where: str, expected: str, was: str) -> None:
    """Print one of several failures; the last one is printed by `fail`."""
    err.print(f"[bold red]✗ {escape(what)}[/]")
    for label, text in (("where", where), ("expected", expected), ("was", was)):
        err.print(f"  [dim]{label:<9}[/]  {escape(text)}", soft_wrap=True)
