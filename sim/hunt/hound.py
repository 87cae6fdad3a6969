"""Searches one tree: runs drawn scenarios until one breaks something, then makes that one small.

Runs as `python -m sim.hunt.hound` inside of a copy, so that the planted defect is what it imports; says
what it found as one JSON line, the last of its output.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from sim.attempt import ENDLESS, Attempt, attempt
from sim.scenario.schema import Scenario
from sim.shrink import NothingToShrink, Shrinker
from sim.swarm import LOOK_EVERY_NS, draw

TOO_LONG_S = 40.0
MOST_WAS = 400


def search(seeds: range, chain: str, shrink_s: float) -> dict[str, Any]:
    """Run the scenarios of seeds until one breaks; say which, what broke, and how small it became."""
    since = time.monotonic()
    for runs, seed in enumerate(seeds, start=1):
        scenario = draw(seed).model_copy(update={"chain": chain})
        made = attempt(scenario, look_every_ns=LOOK_EVERY_NS, within_s=TOO_LONG_S)
        if made.failures:
            took_s = time.monotonic() - since
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
    """Read first seed, count, chain and seconds from the arguments."""
    first, count, chain, shrink_s = sys.argv[1:]
    seeds = range(int(first), int(first) + int(count))
    print(json.dumps(search(seeds, chain, float(shrink_s))))


if __name__ == "__main__":
    main()
