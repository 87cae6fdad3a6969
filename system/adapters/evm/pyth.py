"""Pyth's prices as they lie on the chain, and the sources of an index together.

Somebody has to bring Pyth's prices to the chain; `published_ns` tells when that was, and
system/risk/feeds.py whether it is too long ago.
Source: Pyth EVM SDK, IPyth.getPriceUnsafe and PythStructs.Price.
"""

from __future__ import annotations

from collections.abc import Mapping

from system.adapters.evm.abi import selector
from system.adapters.evm.rpc import JsonRpc
from system.adapters.evm.view import read_view
from system.model.units import NS, fixed_point
from system.ports.oracle import Observation, Oracle

SOURCE = "pyth"
GET_PRICE_UNSAFE = "0x" + selector("getPriceUnsafe(bytes32)").hex()
_PRICE_WORDS = 4
_MOST_EXPONENT = 38  # what answers with more is not Pyth


class PythOracle:
    """Implements system.ports.oracle.Oracle.

    Args:
        rpc: a node of the chain on which the contract is.
        contract: Pyth's address there.
        feeds: asset -> 0x and the 64 hex digits of its price feed against USD.
    """

    def __init__(self, rpc: JsonRpc, contract: str, feeds: Mapping[str, str]) -> None:
        self._rpc = rpc
        self._contract = contract
        self._feeds = feeds

    def latest(self, asset: str) -> list[Observation]:
        """Return the price that was brought last; empty when there is no feed or no price above 0.

        Raises:
            Unavailable: the node does not answer.
        """
        feed = self._feeds.get(asset)
        if feed is None:
            return []
        words = read_view(self._rpc, self._contract, GET_PRICE_UNSAFE + feed.removeprefix("0x"))
        if len(words) != _PRICE_WORDS:
            return []
        price, conf, exponent, published_s = (
            int.from_bytes(word, signed=place in (0, 2)) for place, word in enumerate(words)
        )
        if abs(exponent) > _MOST_EXPONENT:
            return []
        price_e6 = fixed_point(price, exponent)
        if price_e6 <= 0 or published_s == 0:
            return []
        return [Observation(SOURCE, price_e6, published_s * NS, fixed_point(conf, exponent))]


class Sources:
    """Several oracles as one, in the order of their rank."""

    def __init__(self, *oracles: Oracle) -> None:
        self._oracles = oracles

    def latest(self, asset: str) -> list[Observation]:
        """Return what every one of them has; empty when none has anything."""
        return [seen for oracle in self._oracles for seen in oracle.latest(asset)]
