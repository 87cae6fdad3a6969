"""Sends a hound after each planted defect, and gathers what they bring."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sim.attempt import ENDLESS
from sim.hunt.bugs import ROOT, Bug, PatchRefused, apply, compile_contracts, copy_tree

RUNS = 200
SHRINK_S = 30.0
LIMIT_S = 1_800.0
LIMIT_OF_CONTRACTS_S = 7_200.0  # a run on Anvil takes some twenty times as long
MOST_BYTES = 8 * 2**30
"""Address space of a hound: a defect that only ever grows ends there, not with the machine."""
_LINES_OF_ERROR = 6
_BEGIN = f"""\
import faulthandler, resource, runpy, sys
faulthandler.dump_traceback_later(float(sys.argv[-1]), exit=True)
resource.setrlimit(resource.RLIMIT_AS, ({MOST_BYTES}, resource.getrlimit(resource.RLIMIT_AS)[1]))
runpy.run_module("sim.hunt.hound", run_name="__main__")
"""
"""What a hound does first, before it imports anything that may be planted: it sees to it that it ends."""
_GAVE_UP = "Timeout ("  # as faulthandler writes it


NOWHERE = -1
"""In place of a seed: it ended before the first run."""


class Catch(NamedTuple):
    """What came of one defect; `broken` is empty where it got away, and `problem` says more.

    One that could not be planted did not get away, and nobody caught it.
    """

    bug: Bug
    broken: tuple[str, ...] = ()
    was: str = ""
    seed: int = 0
    runs: int = 0
    commands: int | None = None
    took_s: float = 0.0
    problem: str = ""
    planted: bool = True

    @property
    def caught(self) -> bool:
        return bool(self.broken)


class Plan(NamedTuple):
    """How long a hound may search: swarm runs from a first seed, seconds to shrink a catch, and to begin."""

    seed: int = 0
    runs: int = RUNS
    shrink_s: float = SHRINK_S
    begins_within_s: float = 60.0


Told = Callable[[int, int, Catch], None]
"""Called after each defect: number from 1, of how many, and what came of it."""


def hunt(bugs: Sequence[Bug], plan: Plan, *, workers: int = 1, told: Told | None = None) -> list[Catch]:
    """Hunt all defects; returns what came of each, in their order."""
    found: dict[str, Catch] = {}
    with ThreadPoolExecutor(workers) as pool:  # each waits for a process of its own
        try:
            for number, catch in enumerate(_each(pool, bugs, plan), start=1):
                found[catch.bug.name] = catch
                if told is not None:
                    told(number, len(bugs), catch)
        except BaseException:  # Ctrl-C: none goes on searching for nobody
            pool.shutdown(wait=False, cancel_futures=True)
            for pid in list(_OUT):
                _call_off(pid)
            raise
    return [found[bug.name] for bug in bugs]


_OUT: set[int] = set()
"""Hounds that are searching, by process."""


def _call_off(pid: int) -> None:
    """End a hound, and whatever it has started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


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
            return Catch(bug, problem=str(refused), planted=False)
        return _heard(bug, tree, chain, plan)


def _heard(bug: Bug, tree: Path, chain: str, plan: Plan) -> Catch:
    since = time.monotonic()
    first, left = plan.seed, plan.runs
    while True:
        catch = _brought(bug, tree, chain, plan._replace(seed=first, runs=left))
        if not catch.caught or catch.seed < first or not _breaks_anyway(catch, chain):
            break
        # the sound tree fails with this seed, too: it says nothing about what was planted
        left -= catch.runs
        first += catch.runs
        if left <= 0:
            catch = Catch(bug, runs=0, problem="whatever broke does so without it, too")
            break
    runs = catch.runs + first - plan.seed
    problem = catch.problem or ("" if catch.caught else f"nothing broke in {runs} runs")
    return catch._replace(runs=runs, problem=problem, took_s=round(time.monotonic() - since, 1))


def _breaks_anyway(catch: Catch, chain: str) -> bool:
    again = _brought(catch.bug, ROOT, chain, Plan(catch.seed, 1, 0))
    return again.caught


def _brought(bug: Bug, tree: Path, chain: str, plan: Plan) -> Catch:
    """Let a hound search a tree; what it said, or how it ended when it could not say."""
    limit_s = LIMIT_OF_CONTRACTS_S if chain == "anvil" else LIMIT_S
    asked = [str(plan.seed), str(plan.runs), chain, str(plan.shrink_s), str(plan.begins_within_s)]
    # the planted source is what runs, not a copy that was compiled from a sound one
    environment = os.environ | {"PYTHONPATH": str(tree), "DEXSIM_COMPILED": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", _BEGIN, *asked],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as hound:
        _OUT.add(hound.pid)
        try:
            out, errors = hound.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return Catch(bug, problem=f"no answer within {limit_s:,.0f} s")
        finally:
            _call_off(hound.pid)
            _OUT.discard(hound.pid)
    said = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    last: dict[str, Any] = said[-1] if said else {}
    if hound.returncode:
        return _ended(bug, last, errors)
    return Catch(
        bug,
        tuple(last.get("broken", ())),
        last.get("was", ""),
        last.get("seed", plan.seed),
        last["runs"],
        last.get("commands"),
        problem=last.get("problem", ""),
    )


def _ended(bug: Bug, last: dict[str, Any], errors: str) -> Catch:
    """Tell what became of a hound that was ended: it hung, it does not start, or it was killed."""
    runs, seed = last.get("runs", 1), last.get("seed", NOWHERE)
    if errors.startswith(_GAVE_UP) or f"\n{_GAVE_UP}" in errors:
        return Catch(bug, (ENDLESS,), "it hangs", seed, runs)
    was = " | ".join(errors.strip().splitlines()[-_LINES_OF_ERROR:])
    # it does not even start: whoever starts the exchange knows at once
    return Catch(bug, ("does not start" if seed == NOWHERE else "is killed",), was, seed, runs)
