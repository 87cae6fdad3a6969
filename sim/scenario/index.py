"""How a scenario sets the rule that makes an index of several feeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.scenario.part import Part
from sim.scenario.units import NonNegativeAnnual, PositiveShare
from system.model.units import PPM


class IndexRule(Part):
    """Terms of the index of every asset; docs/rules/prices.md says what they do."""

    feeds: Annotated[tuple[Literal["pyth", "chainlink", "exchanges"], ...], Field(min_length=1)] = (
        "pyth",
        "chainlink",
    )
    """Which sources there are. `exchanges`, each 3 s, is a third: three make a weighted median."""
    numeraire: Literal["USD", "USDC"] = "USD"
    """What an index is told in: the feeds' dollars, or USDC by a feed of its own (`prices: {USDC: ...}`)."""
    guard: PositiveShare | None = None
    """How far two feeds of one age may differ; by itself 50 bps for BTC and ETH, 100 bps for others."""
    volatility: NonNegativeAnnual = PPM
    """By which the guard grows with the difference of ages; `0 %/y` is a fixed guard."""
    jump: PositiveShare = 100_000
    """A greater step waits for the next observation to confirm it."""
