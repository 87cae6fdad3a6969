"""Prices of Chainlink's aggregators, read from the chain.

A feed is written when the price has moved by its threshold or its heartbeat has passed, so a price
may be an hour old; `published_ns` tells.
Source: Chainlink, "Data Feeds API Reference" (AggregatorV3Interface).
"""

from __future__ import annotations

from collections.abc import Mapping

from system.adapters.evm.abi import selector
from system.adapters.evm.rpc import JsonRpc
from system.adapters.evm.view import read_view
from system.model.units import NS
from system.ports.oracle import Observation

SOURCE = "chainlink"
LATEST_ROUND_DATA = "0x" + selector("latestRoundData()").hex()
DECIMALS = "0x" + selector("decimals()").hex()
E6 = 10**6

_ROUND_WORDS = 5
_MAX_DECIMALS = 38  # what answers with more is no aggregator


class ChainlinkOracle:
    """Implements system.ports.oracle.Oracle.

    Args:
        rpc: a node of the chain on which the aggregators are.
        feeds: asset -> address of its aggregator against USD. A USDC is taken for a dollar.
    """

    def __init__(self, rpc: JsonRpc, feeds: Mapping[str, str]) -> None:
        self._rpc = rpc
        self._feeds = feeds
        self._scales: dict[str, int] = {}  # 10 ** decimals() by asset; an aggregator's never change

    def latest(self, asset: str) -> list[Observation]:
        """Return the newest complete round; empty when there is no feed, no round, or no price above 0.

        Raises:
            Unavailable: the node does not answer.
        """
        feed = self._feeds.get(asset)
        scale = self._scale(asset, feed) if feed else 0
        words = read_view(self._rpc, feed, LATEST_ROUND_DATA) if feed and scale else []
        if len(words) < _ROUND_WORDS:
            return []
        round_id, answer, _, updated_s, answered_in = (
            int.from_bytes(word, signed=place == 1) for place, word in enumerate(words[:_ROUND_WORDS])
        )
        price_e6 = answer * E6 // scale  # rounded down; feeds have eight decimals or more
        if price_e6 <= 0 or updated_s == 0 or answered_in < round_id:
            return []
        return [Observation(SOURCE, price_e6, updated_s * NS)]

    def _scale(self, asset: str, feed: str) -> int:
        """Return what stands for 1.0 in a feed's answers, 0 when it does not tell."""
        if asset not in self._scales:
            words = read_view(self._rpc, feed, DECIMALS)
            decimals = int.from_bytes(words[0]) if words else _MAX_DECIMALS + 1
            if decimals > _MAX_DECIMALS:
                return 0
            self._scales[asset] = 10**decimals
        return self._scales[asset]
