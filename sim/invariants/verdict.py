"""What a check found: single violations, and a verdict with its evidence.

A verdict is held, broken or unknown. Unknown means that the check itself failed, and is never
counted as held (Jepsen's rule).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Outcome = Literal["held", "broken", "unknown"]
_RANK: dict[Outcome, int] = {"held": 0, "unknown": 1, "broken": 2}


class Violation(NamedTuple):
    """One place where the rule does not hold.

    `size` tells how bad it is, in the unit of what is compared; the worst has the largest. `at_ns`
    is virtual UTC, filled in by the judge.
    """

    where: str
    expected: str
    was: str
    size: int = 1
    at_ns: int = 0

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, was {self.was}"


class Verdict(NamedTuple):
    """One invariant over everything that was looked at: how often it broke (`times`), first, worst and last.

    `looked_at` counts what was compared; a rule that held over nothing says so. `error` is why an
    outcome is unknown.
    """

    name: str
    outcome: Outcome = "held"
    looked_at: int = 0
    times: int = 0
    first: Violation | None = None
    worst: Violation | None = None
    last: Violation | None = None
    error: str = ""

    def then(self, later: Verdict) -> Verdict:
        """Return one verdict over this look and a later one; the worse outcome stands."""
        worst = max(
            (found for found in (self.worst, later.worst) if found is not None),
            key=lambda found: found.size,
            default=None,
        )
        return Verdict(
            self.name,
            worse(self.outcome, later.outcome),
            self.looked_at + later.looked_at,
            self.times + later.times,
            self.first or later.first,
            worst,
            later.last or self.last,
            self.error or later.error,
        )


def worse(one: Outcome, other: Outcome) -> Outcome:
    """Return the worse of two outcomes: broken before unknown before held."""
    return max(one, other, key=_RANK.__getitem__)
