"""Playing the cells of a gate: in several processes, each result kept in a file, so that it can go on."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from sim.gate.suite import Cell

ROOT = Path(__file__).parents[2]
Told = Callable[[int, int, "Played"], None]


class Played(msgspec.Struct, frozen=True):
    """What one cell left. Times in virtual ms, money in uUSDC, shares in ppm."""

    scenario: str
    seed: int
    exit_code: int
    digest: str
    business_digest: str
    metrics: dict[str, float]
    failures: list[str]
    seconds: float


class _Task(NamedTuple):
    cell: Cell
    file: Path


def play(todo: Sequence[Cell], folder: Path, jobs: int, told: Told) -> dict[str, Played]:
    """Play every cell that `folder` does not hold yet, and return all of them by name.

    A cell's file is kept under a name that has the code's and the scenario's content in it, so that a
    gate that was stopped goes on, and changed code begins anew.
    """
    code = code_digest()
    tasks = [_Task(cell, folder / f"{cell.name}-{_content(code, cell)}.json") for cell in todo]
    folder.mkdir(parents=True, exist_ok=True)
    done: dict[str, Played] = {}
    left = []
    for task in tasks:
        if task.file.is_file():
            done[task.cell.name] = msgspec.json.decode(task.file.read_bytes(), type=Played)
        else:
            left.append(task)
    number = len(done)
    if left:
        # forked children of a big process would copy what is never used; spawned ones import it once
        with multiprocessing.get_context("spawn").Pool(min(jobs, len(left))) as pool:
            for name, played in pool.imap_unordered(_play, left):
                number += 1
                done[name] = played
                told(number, len(tasks), played)
    return {task.cell.name: done[task.cell.name] for task in tasks}


def _play(task: _Task) -> tuple[str, Played]:
    """Run one cell in a worker; a defect of the harness is a failure of the cell, not of the gate."""
    from sim.run import run
    from sim.scenario.schema import Scenario

    cell = task.cell
    try:
        scenario = Scenario.load(cell.path, [f"seed={cell.seed}", *cell.settings])
        record = run(scenario, reproduce=cell.reproduce).record
    except Exception:  # reported with its traceback by the gate
        return cell.name, Played(cell.scenario, cell.seed, 70, "", "", {}, [traceback.format_exc()], 0.0)
    metrics: dict[str, float] = {name: float(value) for name, value in record.counts.items()}
    metrics |= {name: float(value) for name, value in record.facts.items()}
    for hop, quantiles in record.latency_ms.items():
        metrics[f"{hop}_p50"], metrics[f"{hop}_p95"] = quantiles.p50, quantiles.p95
    played = Played(
        scenario=cell.scenario,
        seed=cell.seed,
        exit_code=record.exit_code,
        digest=record.digest,
        business_digest=record.business_digest,
        metrics=metrics,
        failures=[f"{f.what} {f.where}: expected {f.expected}, was {f.was}" for f in record.failures],
        seconds=round(sum(record.timings.values()), 3),
    )
    part = task.file.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(played))
    part.replace(task.file)
    return cell.name, played


def code_digest() -> str:
    """Return a digest of everything that decides what a run does: the code and the contracts' artifacts."""
    hashed = sha256()
    for room in ("system", "sim", "contracts/artifacts"):
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".py", ".yaml", ".json") and path.is_file():
                hashed.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def _content(code: str, cell: Cell) -> str:
    from sim.scenario.schema import Scenario

    scenario = Scenario.load(cell.path, [f"seed={cell.seed}", *cell.settings])
    return sha256((code + scenario.resolved_yaml()).encode()).hexdigest()[:12]
