"""Prices of the world outside: one file a process, registered here, and the oracle that reads them."""

from __future__ import annotations

from sim.world.prices.bates import Bates
from sim.world.prices.correlation import Correlation
from sim.world.prices.garch_t import GarchT
from sim.world.prices.gbm import Gbm
from sim.world.prices.hawkes_mid import HawkesMid
from sim.world.prices.heston import Heston
from sim.world.prices.merton_jump import MertonJump
from sim.world.prices.oracle import OraclePrices
from sim.world.prices.process import PricePath, PriceProcess
from sim.world.prices.regime_switching import RegimeSwitching
from sim.world.prices.series import Series
from sim.world.prices.shape import Shape
from sim.world.prices.steps import SteppedProcess

PROCESSES: tuple[type[PriceProcess], ...] = (
    Gbm,
    MertonJump,
    Heston,
    Bates,
    GarchT,
    RegimeSwitching,
    HawkesMid,
    Shape,
    Series,
)
"""Every process a scenario may name; a new one is added to this line."""

__all__ = ["PROCESSES", "Correlation", "Gbm", "OraclePrices", "PricePath", "PriceProcess", "SteppedProcess"]
