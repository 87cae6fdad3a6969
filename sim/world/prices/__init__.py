"""Prices of the world outside: one file a process, registered here, and the oracle that reads them."""

from __future__ import annotations

from sim.world.prices.gbm import Gbm
from sim.world.prices.oracle import OraclePrices
from sim.world.prices.process import PricePath, PriceProcess

PROCESSES: tuple[type[PriceProcess], ...] = (Gbm,)
"""Every process a scenario may name; a new one is added to this line."""

__all__ = ["PROCESSES", "Gbm", "OraclePrices", "PricePath", "PriceProcess"]
