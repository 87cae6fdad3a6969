"""The committed baseline: ratios to the yardstick, so that it holds on every machine.

A ratio says how many orders of the plain book cost as much as one of this. It moves by a tenth
between machines and by less on one; so only what became half as dear again is an alarm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("baseline.json")
WORSE_BY = 0.5
"""From this growth of a ratio on, `--check` fails."""

Ratios = dict[str, float]


class Change(NamedTuple):
    """One ratio, then and now; `before` is None when it is new."""

    name: str
    before: float | None
    now: float

    @property
    def growth(self) -> float | None:
        return None if self.before is None else self.now / self.before - 1

    @property
    def alarming(self) -> bool:
        return self.growth is not None and self.growth > WORSE_BY


def read(size: str, file: Path = FILE) -> Ratios:
    """Return the ratios of runs of this size ("full", "quick"); none when there are none yet."""
    if not file.is_file():
        return {}
    ratios: Ratios = json.loads(file.read_text(encoding="utf-8")).get(size, {})
    return ratios


def write(size: str, ratios: Ratios, file: Path = FILE) -> None:
    """Put these ratios in the place of the old ones; what was not measured stays."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept[size] = dict(sorted((kept.get(size, {}) | rounded(ratios)).items()))
    file.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def changes(size: str, ratios: Ratios, file: Path = FILE) -> list[Change]:
    """Compare with the baseline, in the order of measuring."""
    before = read(size, file)
    return [Change(name, before.get(name), ratio) for name, ratio in ratios.items()]


def rounded(ratios: Ratios) -> Ratios:
    """Keep three digits: the rest is noise, and would change with every update."""
    return {name: float(f"{ratio:.3g}") for name, ratio in ratios.items()}
