"""Price feeds of the world outside."""

from typing import NamedTuple, Protocol


class Observation(NamedTuple):
    """One price of one source. Units: price_e6 and conf_e6 uUSDC per 1.0 asset, published_ns UTC.

    `conf_e6` is half the interval within which the source places the price; 0 when it states none.
    """

    source: str
    price_e6: int
    published_ns: int
    conf_e6: int = 0


class Oracle(Protocol):
    """Where the oracle job pulls from (Pyth, Chainlink)."""

    def latest(self, asset: str) -> list[Observation]:
        """Return the newest observation of every source; empty when none answers."""
