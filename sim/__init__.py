"""The harness: what moves the exchange in virtual time and watches it.

The verbs for notebooks, each loaded when first asked for (`dexsim --help` needs none of them):

    from sim import Scenario, run, Run
    result = run(Scenario.load("scenarios/smoke.yaml"), out=Path("runs/mine"))
    Run("runs/mine").trades()
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sim.compiled import engage

engage()  # before any module that has a compiled copy is imported

_HOMES = {"Scenario": "sim.scenario.schema", "Run": "sim.report.folder", "run": "sim.run"}

__all__ = ["Run", "Scenario", "run"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"sim has no {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(import_module(_HOMES[name]), name)
