"""Searches one tree: runs drawn scenarios until one breaks something, then makes that one small.

Runs as `python -m sim.hunt.hound` inside of a copy, so that the planted defect is what it imports. Each
line of its output is JSON: before each run which it is, in the end what was found.
"""

from __future__ import annotations

import faulthandler
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from sim.attempt import ENDLESS, Attempt, attempt
from sim.scenario.schema import Scenario
from sim.shrink import NothingToShrink, Shrinker
from sim.swarm import LOOK_EVERY_NS, draw

TOO_LONG_S: Mapping[str, float] = {"model": 40.0, "anvil": 300.0}
"""Wall seconds after which a run is taken for one that never ends, by chain."""
HUNG_S = 20.0
"""So much later the process gives up: what neither a signal nor an exception can end, like a loop in C."""
MOST_WAS = 400


def search(seeds: range, chain: str, shrink_s: float) -> dict[str, Any]:
    """Run the scenarios of seeds until one breaks; say which, what broke, and how small it became."""
    since = time.monotonic()
    for runs, seed in enumerate(seeds, start=1):
        print(json.dumps({"seed": seed, "runs": runs}), flush=True)
        faulthandler.dump_traceback_later(TOO_LONG_S[chain] + HUNG_S, exit=True)
        scenario = draw(seed).model_copy(update={"chain": chain})
        made = attempt(scenario, look_every_ns=LOOK_EVERY_NS, within_s=TOO_LONG_S[chain])
        if made.failures:
            took_s = time.monotonic() - since
            faulthandler.cancel_dump_traceback_later()
            return _told(seed, runs, made, took_s) | _shrunk(scenario, made, shrink_s)
    return {"runs": len(seeds), "took_s": round(time.monotonic() - since, 1)}


def _told(seed: int, runs: int, made: Attempt, took_s: float) -> dict[str, Any]:
    return {
        "seed": seed,
        "runs": runs,
        "broken": made.broken,
        "was": made.was[:MOST_WAS],
        "events": made.events,
        "took_s": round(took_s, 1),
    }


def _shrunk(scenario: Scenario, made: Attempt, within_s: float) -> dict[str, Any]:
    target = made.broken[0]
    if target == ENDLESS or within_s <= 0:
        return {}
    try:
        shrunk = Shrinker(scenario, target, within_s=within_s).play()
    except NothingToShrink as nothing:
        return {"problem": str(nothing)}
    return {"commands": shrunk.commands, "events_after": shrunk.events, "shrink_runs": shrunk.runs}


def main() -> None:
    """Read first seed, count, chain and seconds to shrink from the arguments."""
    first, count, chain, shrink_s, _ = sys.argv[1:]
    seeds = range(int(first), int(first) + int(count))
    print(json.dumps(search(seeds, chain, float(shrink_s))), flush=True)


if __name__ == "__main__":
    main()
