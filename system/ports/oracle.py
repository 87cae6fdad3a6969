"""Price feeds of the world outside."""

from typing import NamedTuple, Protocol


class Observation(NamedTuple):
    """One price of one source. Units: price_e6 uUSDC per 1.0 asset, published_ns UTC."""

    source: str
    price_e6: int
    published_ns: int


class Oracle(Protocol):
    """Where the oracle job pulls from (Pyth, Chainlink)."""

    def latest(self, asset: str) -> list[Observation]:
        """Return the newest observation of every source; empty when none answers."""
