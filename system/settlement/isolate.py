"""Finds the fills that make a whole batch revert, so that the others can settle.

The contract skips a bad fill by itself; this is for what it did not foresee. A batch that reverted
is tried again without sending it. When it still fails, the shortest beginning that fails ends with
a culprit: a handful of free calls for each instead of fees for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from system.model.errors import ChainReverted
from system.ports.chain import ChainFill, Preflight

Try = Callable[[Sequence[ChainFill]], Preflight]

NOBODYS_FAULT = frozenset(
    {
        *("EnforcedPause", "AccessControlUnauthorizedAccount"),
        *("WrongBatch", "WrongHead", "MalformedBatch", "NotAscending"),
    }
)
"""No fill can cause these: a paused Vault, an operator without a role, a batch out of turn or ill packed."""


def isolate(fills: Sequence[ChainFill], attempt: Try) -> tuple[dict[int, str], int]:
    """Return the places of the fills that spoil a batch, each with the error, and the gas of the rest.

    Raises:
        ChainReverted: no fill is to blame, or even an empty batch fails; waiting is all that helps.
    """
    bad: dict[int, str] = {}
    while True:
        good = [place for place in range(len(fills)) if place not in bad]
        whole = attempt([fills[place] for place in good])
        if not whole.error:
            return bad, whole.gas_used
        if whole.error in NOBODYS_FAULT or (not bad and attempt([]).error):
            raise ChainReverted(whole.error, ())
        passing, failing, error = 0, len(good), whole.error
        while failing - passing > 1:
            middle = (passing + failing) // 2
            tried = attempt([fills[place] for place in good[:middle]])
            if tried.error:
                failing, error = middle, tried.error
            else:
                passing = middle
        bad[good[failing - 1]] = error
