"""The seed's oracle job, every 30 s: feeds into Prices, and each market's index and mark.

First form: the index is the newest observation of the first source that the oracle lists (Pyth in a
simulation, Chainlink on AWS, which has no other yet), and the mark is the index.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from system.model import keys, messages
from system.model.keys import Item
from system.model.market import LISTED
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.oracle import Oracle
from system.ports.queue import Topic
from system.ports.store import EXISTS, Put, Store, Update, query_all

PRICE_TTL_S = 7 * 86_400


class OracleFetch:
    """Pulls every asset that an open market needs."""

    def __init__(self, store: Store, oracle: Oracle, topic: Topic, clock: Clock) -> None:
        self.store = store
        self.oracle = oracle
        self.topic = topic
        self.clock = clock

    def handle(self, _event: dict[str, Any], _context: Any) -> None:
        """Serve one tick."""
        now_ns = self.clock.now_ns()
        rows = [
            row
            for state in LISTED
            for row in query_all(self.store, keys.MARKETS, state.value, index="status")
        ]
        by_asset: dict[str, list[Item]] = {}
        for row in rows:
            by_asset.setdefault(row["underlying"], []).append(row)
        news: list[messages.Message] = []
        for asset, markets in by_asset.items():
            index_e6 = self._record(asset, now_ns)
            if index_e6 is None:
                continue
            for market in markets:
                mark_e6 = _to_tick(index_e6, market["tick_e6"])
                key = keys.Key(market["PK"], keys.META)
                put = {"index_e6": index_e6, "mark_e6": mark_e6, "index_ns": now_ns}
                self.store.write(Update(keys.MARKETS, key, put=put, when=EXISTS))
                news.append(messages.mark_price(market["symbol"], now_ns, mark_e6, index_e6))
        if news:
            self.topic.publish(orjson.dumps(news).decode())

    def _record(self, asset: str, now_ns: int) -> int | None:
        """Write the Prices row; None when no source answers or the first one has no price."""
        observations = self.oracle.latest(asset)
        if not observations or observations[0].price_e6 <= 0:
            return None
        row = {
            "PK": keys.asset_pk(asset),
            "SK": "TS#" + _iso(now_ns),
            "asset": asset,
            "price_e6": observations[0].price_e6,
            "sources": [
                {"source": seen.source, "price_e6": seen.price_e6, "published_ns": seen.published_ns}
                for seen in observations
            ],
            "ts_ns": now_ns,
            "ttl": now_ns // NS + PRICE_TTL_S,
        }
        self.store.write(Put(keys.PRICES, row))
        return observations[0].price_e6


def _to_tick(price_e6: int, tick_e6: int) -> int:
    """Round half-even to the tick."""
    down, rest = divmod(price_e6, tick_e6)
    up = 2 * rest > tick_e6 or (2 * rest == tick_e6 and down % 2 == 1)
    return (down + up) * tick_e6


def _iso(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // NS, UTC):%Y-%m-%dT%H:%M:%S}.{ts_ns % NS:09d}Z"
