"""An entry of `events`: a time, and what happens then."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from sim.events.market_action import MarketAction
from sim.events.oracle_shock import OracleShock
from sim.scenario.part import Misfit, Part
from sim.scenario.units import Duration


class Event(Part):
    """What happens at a time; exactly one kind is given."""

    at: Duration
    """When, since the start."""
    oracle_shock: OracleShock | None = None
    """An outside price leaps and stays there."""
    market: MarketAction | None = None
    """An administrator changes the state of a market, or of all."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("oracle_shock", "market") if getattr(self, name) is not None]
        if len(given) != 1:
            was = " and ".join(given) or "none"
            raise Misfit((), f"expected one of oracle_shock, market, was {was}", "give one entry each")
        return self
