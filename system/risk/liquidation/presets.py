"""Liquidation presets by name, as scenarios choose them."""

from __future__ import annotations

from system.risk.liquidation.bitmex_tiers import BitmexTiers
from system.risk.liquidation.case import LiquidationPreset
from system.risk.liquidation.dydx import Dydx
from system.risk.liquidation.hyperliquid import Hyperliquid
from system.risk.liquidation.standard import Standard
from system.risk.liquidation.vega_staged import VegaStaged

_ALL: tuple[LiquidationPreset, ...] = (Standard(), BitmexTiers(), Hyperliquid(), Dydx(), VegaStaged())
PRESETS: dict[str, LiquidationPreset] = {preset.name: preset for preset in _ALL}


def preset(name: str) -> LiquidationPreset:
    """Return the preset of this name; raise ValueError naming those there are."""
    if name not in PRESETS:
        raise ValueError(f"liquidation: expected one of {', '.join(PRESETS)}, was {name!r}")
    return PRESETS[name]
