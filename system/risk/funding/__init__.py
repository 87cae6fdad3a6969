"""Funding: one file a model, behind one interface, and what their results do to positions."""

from __future__ import annotations

from system.risk.funding.apply import Applied, Holding, apply_funding, funding_delta
from system.risk.funding.binance import Binance
from system.risk.funding.bitmex import Bitmex
from system.risk.funding.clock import FundingClock, boundary_after, offset_ns, open_clock
from system.risk.funding.deribit import Deribit
from system.risk.funding.drift import Drift
from system.risk.funding.dydx import Dydx
from system.risk.funding.hyperliquid import Hyperliquid
from system.risk.funding.kraken import Kraken
from system.risk.funding.model import FundingModel, FundingResult, FundingTerms, Preset, Sample, Window
from system.risk.funding.none import NoFunding
from system.risk.funding.perp_v2 import PerpV2
from system.risk.funding.premium import impact
from system.risk.funding.seed_literal import SeedLiteral
from system.risk.funding.seed_twap import SeedTwap
from system.risk.funding.vega import Vega

_ALL: tuple[type[Preset], ...] = (
    *(NoFunding, SeedLiteral, SeedTwap, Bitmex, Binance, Hyperliquid),
    *(Dydx, Drift, PerpV2, Vega, Deribit, Kraken),
)

__all__ = [
    "PRESETS",
    "Applied",
    "FundingClock",
    "FundingModel",
    "FundingResult",
    "FundingTerms",
    "Holding",
    "Preset",
    "Sample",
    "Window",
    "apply_funding",
    "boundary_after",
    "funding_delta",
    "funding_model",
    "impact",
    "offset_ns",
    "open_clock",
]

PRESETS: dict[str, type[Preset]] = {preset.name: preset for preset in _ALL}
"""Every model that a market may name; a new one is one file and one name above."""


def funding_model(name: str, terms: FundingTerms | None = None) -> FundingModel:
    """Return a market's model; an unknown name is a KeyError that lists the known ones."""
    if name not in PRESETS:
        raise KeyError(f"funding: expected one of {', '.join(PRESETS)}, was {name}")
    return PRESETS[name](terms or FundingTerms())
