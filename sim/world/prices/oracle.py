"""The oracle networks as the oracle job finds them: Pyth at once, Chainlink when it moved enough.

All read the same path. Pyth publishes every second, a median of exchanges every three.
A Chainlink round is written when the price
has left the last round by the deviation threshold, or the heartbeat has passed; between rounds it
repeats the old price with its old time, as on chain.
Source: docs.pyth.network/price-feeds/best-practices; data.chain.link BTC / USD (0.5 %, 3600 s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sim.scenario.units import SECOND_NS
from sim.world.prices.process import PricePath
from system.model.units import PPM
from system.ports.oracle import Observation

PYTH_PERIOD_NS = SECOND_NS
EXCHANGES_PERIOD_NS = 3 * SECOND_NS
CHAINLINK_PERIOD_NS = 10 * SECOND_NS
CHAINLINK_HEARTBEAT_NS = 3_600 * SECOND_NS
CHAINLINK_DEVIATION_PPM = 5_000


class OraclePrices:
    """Implements system.ports.oracle.Oracle over drawn price paths."""

    def __init__(
        self,
        paths: Mapping[str, PricePath],
        start_ns: int,
        now_ns: Callable[[], int],
        confidence_ppm: Mapping[str, int] | None = None,
        feeds: Sequence[str] = ("pyth", "chainlink"),
    ) -> None:
        self._feeds = tuple(feeds)
        self._paths = dict(paths)
        self._confidence_ppm = dict(confidence_ppm or {})
        self._start_ns = start_ns
        self._now_ns = now_ns
        self._rounds = {asset: _Rounds(path, start_ns) for asset, path in self._paths.items()}

    def price_e6(self, asset: str) -> int:
        """Return the true price now, as no one inside the exchange sees it."""
        return self._paths[asset].at(self._now_ns())

    def was_e6(self, asset: str, ago_ns: int) -> int:
        """Return the price on other venues so long ago: how traders with a line to them see it."""
        return self._paths[asset].at(self._now_ns() - ago_ns)

    def latest(self, asset: str) -> list[Observation]:
        path = self._paths.get(asset)
        if path is None:
            return []
        now_ns = self._now_ns()
        return [self._said(source, asset, path, now_ns) for source in self._feeds]

    def _said(self, source: str, asset: str, path: PricePath, now_ns: int) -> Observation:
        if source == "chainlink":
            return self._rounds[asset].at(now_ns)
        period_ns = PYTH_PERIOD_NS if source == "pyth" else EXCHANGES_PERIOD_NS
        published_ns = now_ns - (now_ns - self._start_ns) % period_ns
        price_e6 = path.at(published_ns)
        conf_e6 = price_e6 * self._confidence_ppm.get(asset, 0) // PPM if source == "pyth" else 0
        return Observation(source, price_e6, published_ns, conf_e6)


class _Rounds:
    """Chainlink's rounds of one feed, found by looking at the path at a fixed cadence."""

    __slots__ = ("_looked_ns", "_path", "_price_e6", "_written_ns")

    def __init__(self, path: PricePath, start_ns: int) -> None:
        self._path = path
        self._looked_ns = start_ns
        self._written_ns = start_ns
        self._price_e6 = path.at(start_ns)

    def at(self, now_ns: int) -> Observation:
        while self._looked_ns + CHAINLINK_PERIOD_NS <= now_ns:
            self._looked_ns += CHAINLINK_PERIOD_NS
            price_e6 = self._path.at(self._looked_ns)
            moved = abs(price_e6 - self._price_e6) * 10**6 >= CHAINLINK_DEVIATION_PPM * self._price_e6
            if moved or self._looked_ns - self._written_ns >= CHAINLINK_HEARTBEAT_NS:
                self._price_e6, self._written_ns = price_e6, self._looked_ns
        return Observation("chainlink", self._price_e6, self._written_ns)
