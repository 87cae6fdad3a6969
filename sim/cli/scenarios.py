"""Finding and reading scenario files for the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from sim.invariants import INVARIANTS
from sim.scenario.schema import Scenario
from system.model.errors import ScenarioError

_SHIPPED = Path(__file__).parents[2] / "scenarios"


def folders() -> list[Path]:
    """Return where scenarios are looked for by name: here, then with the code."""
    here = Path("scenarios")
    return [here] if here.resolve() == _SHIPPED.resolve() else [here, _SHIPPED]


def shipped() -> dict[str, Path]:
    """Return the scenarios that have a name, by name; the nearer folder wins."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def find(name: str) -> Path:
    """Return the file of a scenario given by path or name.

    Raises:
        ScenarioError: there is none.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    known = shipped()
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    remedy = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known) or 'none'}"
    raise ScenarioError(name, "no such file, and no scenario of this name", remedy)


def load(path: Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario, and see that the invariants it names exist.

    Raises:
        ScenarioError: it is not valid.
    """
    scenario = Scenario.load(path, overrides)
    wanted = scenario.expect.invariants
    for name in () if wanted == "all" else wanted:
        if name not in INVARIANTS:
            close = [known for known in INVARIANTS if known.startswith(name)]
            close = close or get_close_matches(name, INVARIANTS, n=1)
            remedy = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(INVARIANTS)}"
            raise ScenarioError(f"{path}: expect.invariants", f"no invariant `{name}`", remedy)
    return scenario
