"""What only one kind of market has to measure each minute: the funding rate, the implied volatility."""

from __future__ import annotations

from system.matcher.matching import Engine
from system.metrics import definitions as names
from system.model.market import MarketKind
from system.model.units import NS
from system.risk.volatility import quoted_vol_ppm


def market_gauges(engine: Engine, now_ns: int) -> dict[str, int]:
    """Return the gauges that this market's kind has, by attribute; none without what they need."""
    spec, state = engine.spec, engine.house.state
    if spec.kind is MarketKind.PERP and spec.funding != "none":
        return {names.FUNDING_RATE: state.rate_e12}
    if spec.kind is MarketKind.OPTION and state.index_e6:
        bids, asks = engine.book.depth(1)
        if bids and asks:
            middle_e6 = (bids[0][0] + asks[0][0]) // 2
            vol = quoted_vol_ppm(spec, middle_e6, state.index_e6, spec.expiry_s * NS - now_ns)
            return {} if vol is None else {names.IMPLIED_VOL: vol}
    return {}
