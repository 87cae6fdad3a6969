"""The list of invariants. One file each; importing the package fills the list."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import NamedTuple

from sim.invariants.state import State
from sim.invariants.verdict import Violation

Found = Generator[Violation, None, int]
"""What a check gives: its violations, and in the end how many things it compared."""

Check = Callable[[State], Found]


class Invariant(NamedTuple):
    """A registered rule. `at_end_only`: it speaks about what must have arrived after the drain."""

    name: str
    check: Check
    at_end_only: bool

    @property
    def about(self) -> str:
        """Return the docstring, with its Source."""
        return inspect.getdoc(self.check) or ""

    @property
    def summary(self) -> str:
        """Return the docstring's first line."""
        return self.about.partition("\n")[0]


INVARIANTS: dict[str, Invariant] = {}


def invariant(name: str, *, at_end_only: bool = False) -> Callable[[Check], Check]:
    """Register a check."""

    def register(check: Check) -> Check:
        if name in INVARIANTS:
            raise ValueError(f"invariant {name} is registered twice")
        INVARIANTS[name] = Invariant(name, check, at_end_only)
        # the numbered identities first, whatever the order of imports
        rules = sorted(INVARIANTS.items(), key=lambda each: place_of(each[0]))
        INVARIANTS.clear()
        INVARIANTS.update(rules)
        return check

    return register


def place_of(name: str) -> tuple[bool, int, str]:
    """Return where a name stands: I9 before I10 before the others."""
    number = name.partition("_")[0].removeprefix("I")
    return not number.isdigit(), int(number) if number.isdigit() else 0, name
