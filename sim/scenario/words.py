"""Settings that are one word of a few."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BeforeValidator

from sim.scenario.part import suggest
from sim.scenario.units import UnitError


def choice(what: str, *known: str, later: Sequence[str] = ()) -> BeforeValidator:
    """Accept the known words; name those that are planned and not built as such."""

    def read(word: object) -> object:
        if word in known:
            return word
        if word in later:
            raise UnitError(
                f"{what} `{word}` is not built yet", f"use {' or '.join(f'`{name}`' for name in known)}"
            )
        raise UnitError(f"no {what} `{word}`", suggest(str(word), known))

    return BeforeValidator(read)
