"""Scenarios that are played on several backends, cut to what a slow one can carry."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sim.compare import compare, differences
from sim.report.folder import Run
from sim.run import run
from sim.scenario.schema import Scenario

SCENARIOS = Path(__file__).parent.parent / "scenarios"
CUT = "20 s"
WHOLE = ("infra-instances", "infra-messages", "infra-prices", "infra-store", "matcher-crash", "reorg-storm")
"""Whose faults come late; they last some minutes and have few orders."""
LEFT_OUT = {
    "eight-o-clock": "its first event is after eight minutes and 700 orders",
    "operator-gone": "28 hours, and nothing happens in the first",
    "stale-oracle": "its fault begins after ten minutes and 900 orders",
    "testnet": "in real time, on Anvil",
    "throughput": "a load, which is measured on memory",
}
FILES = tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml") if path.stem not in LEFT_OUT))
ONE_MARKET = ("clustered-flow", "liquidity-withdrawal", "funding-squeeze", "toxic-flow")


def scenario(file: str, backend: str) -> Scenario:
    """Return a scenario on a backend, with the model of the chain."""
    cut = [] if file in WHOLE else [f"duration={CUT}"]
    return Scenario.load(SCENARIOS / f"{file}.yaml", [f"backend={backend}", "chain=model", *cut])


def played(backend: str, file: str, folder: Path) -> Run:
    """Run a scenario on a backend; what it expects of a whole run is not asked of a part."""
    run(scenario(file, backend), out=folder)
    return Run(folder)


_KEPT = TemporaryDirectory(prefix="dexsim-parity-")


@cache
def on_memory(file: str) -> Run:
    """Return the run of reference, made once a process."""
    return played("memory", file, Path(_KEPT.name) / file)


def told_apart(left: Run, right: Run, *, business: bool = True) -> str:
    """Say where two runs part: nothing when they do not, else the first event that differs, by field."""
    found = compare(left, right, business=business)
    if found.equal:
        return ""
    parting = found.parting
    if parting is None:
        return "the tables differ, and no transaction does"
    fields = list(differences(parting.left, parting.right))
    return f"event {parting.left_number} and {parting.right_number}: {fields[:5]}"
