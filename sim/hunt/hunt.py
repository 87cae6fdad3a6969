"""Sends a hound after each planted defect, and gathers what they bring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from sim.hunt.bugs import Bug, PatchRefused, apply, compile_contracts, copy_tree

RUNS = 200
SHRINK_S = 30.0
LIMIT_S = 1_800.0
_LINES_OF_ERROR = 6


class Catch(NamedTuple):
    """What came of one defect; `broken` is empty where it got away, and `problem` says more."""

    bug: Bug
    broken: tuple[str, ...] = ()
    was: str = ""
    seed: int = 0
    runs: int = 0
    commands: int | None = None
    took_s: float = 0.0
    problem: str = ""

    @property
    def caught(self) -> bool:
        return bool(self.broken)


class Plan(NamedTuple):
    """How long a hound may search: swarm runs from a first seed, and seconds to make what it found small."""

    seed: int = 0
    runs: int = RUNS
    shrink_s: float = SHRINK_S


Told = Callable[[int, int, Catch], None]
"""Called after each defect: number from 1, of how many, and what came of it."""


def hunt(bugs: Sequence[Bug], plan: Plan, *, workers: int = 1, told: Told | None = None) -> list[Catch]:
    """Hunt all defects; returns what came of each, in their order."""
    found: dict[str, Catch] = {}
    with ThreadPoolExecutor(workers) as pool:  # each waits for a process of its own
        for number, catch in enumerate(_each(pool, bugs, plan), start=1):
            found[catch.bug.name] = catch
            if told is not None:
                told(number, len(bugs), catch)
    return [found[bug.name] for bug in bugs]


def _each(pool: ThreadPoolExecutor, bugs: Sequence[Bug], plan: Plan) -> Iterator[Catch]:
    waiting: list[Future[Catch]] = [pool.submit(chase, bug, plan) for bug in bugs]
    for done in as_completed(waiting):
        yield done.result()


def chase(bug: Bug, plan: Plan) -> Catch:
    """Plant one defect into a fresh copy and let a hound search there."""
    with tempfile.TemporaryDirectory(prefix="dexsim-hunt-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        chain = "model"
        try:
            apply(bug, tree)
            if bug.touches_contracts:
                compile_contracts(tree)
                chain = "anvil"
        except PatchRefused as refused:
            return Catch(bug, problem=str(refused))
        return _heard(bug, tree, chain, plan)


def _heard(bug: Bug, tree: Path, chain: str, plan: Plan) -> Catch:
    asked = [str(plan.seed), str(plan.runs), chain, str(plan.shrink_s)]
    # the planted source is what runs, not a copy that was compiled from a sound one
    environment = os.environ | {"PYTHONPATH": str(tree), "DEXSIM_COMPILED": "0"}
    since = time.monotonic()
    try:
        said = subprocess.run(
            [sys.executable, "-m", "sim.hunt.hound", *asked],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return Catch(bug, took_s=LIMIT_S, problem=f"no answer within {LIMIT_S:.0f} s")
    took_s = time.monotonic() - since
    if said.returncode:
        last = said.stderr.strip().splitlines()[-_LINES_OF_ERROR:]
        # it does not even start: whoever starts the exchange knows at once
        return Catch(bug, ("does not start",), " | ".join(last), runs=1, took_s=took_s)
    brought = json.loads(said.stdout.strip().splitlines()[-1])
    broken = tuple(brought.get("broken", ()))
    problem = brought.get("problem", "") if broken else f"nothing broke in {brought['runs']} runs"
    return Catch(
        bug,
        broken,
        brought.get("was", ""),
        brought.get("seed", 0),
        brought["runs"],
        brought.get("commands"),
        round(took_s, 1),
        problem,
    )
