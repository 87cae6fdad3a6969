"""An administrator acts: POST /admin/markets, through the door like every other request."""

from __future__ import annotations

from typing import Literal

from sim.scenario.part import Part


class MarketAction(Part):
    """A change of a market's state; it is sequenced with the orders, and may be lost like any request."""

    action: Literal["post_only", "cancel_only", "pause", "resume", "delete"]
    """What the administrator asks for."""
    symbol: str = ""
    """Which market; every one when left out."""
