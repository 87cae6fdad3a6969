"""The seed's oracle job, every 30 s: feeds into Prices, one index an asset, and a MARK to each market.

What is wrong with a feed, and what makes an index, is system/risk/index.py; its state is in the
rows of the asset's markets, so that the next tick goes on from it. Marks are the matchers': they
have the books, and tell of them. Only a spot market, or one that has no mark yet, gets the index as
its mark here, for the door to judge by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from system.config import Config
from system.model import keys, messages
from system.model.keys import Item
from system.model.market import LISTED, MarketKind
from system.model.units import NS, to_tick
from system.ports.clock import Clock
from system.ports.oracle import Observation, Oracle
from system.ports.queue import Queue
from system.ports.store import EXISTS, Put, Store, Update, query_all
from system.risk.feeds import FeedFault
from system.risk.index import NUMERAIRE, IndexState, IndexTerms, in_usdc, observe, terms_of

PRICE_TTL_S = 7 * 86_400


class OracleFetch:
    """Pulls every asset that an open market needs."""

    def __init__(self, store: Store, oracle: Oracle, queue: Queue, clock: Clock, config: Config) -> None:
        self.store = store
        self.oracle = oracle
        self.queue = queue
        self.clock = clock
        self.config = config

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
        for asset, markets in by_asset.items():
            terms = self._terms(asset)
            seen = self._seen(asset, now_ns)
            state, faults = observe(_newest(markets), seen, terms, now_ns)
            self.store.write(Put(keys.PRICES, _price_row(asset, state, seen, faults, now_ns)))
            for market in markets:
                put: dict[str, Any] = {
                    "index_state": msgspec.to_builtins(state),
                    "index_valid": state.valid,
                    "standing": state.standing(terms, now_ns).value,
                }
                if state.valid:
                    put |= {"index_e6": state.index_e6, "index_ns": now_ns}
                    if _is_marked_here(market):
                        put["mark_e6"] = to_tick(state.index_e6, market["tick_e6"])
                self.store.write(
                    Update(keys.MARKETS, keys.Key(market["PK"], keys.META), put=put, when=EXISTS)
                )
                self._tell(market["symbol"], state, put["standing"], now_ns)

    def _seen(self, asset: str, now_ns: int) -> list[Observation]:
        seen = self.oracle.latest(asset)
        if self.config.index_numeraire == NUMERAIRE and asset != NUMERAIRE:
            return in_usdc(seen, self.oracle.latest(NUMERAIRE), now_ns)
        return seen

    def _tell(self, symbol: str, state: IndexState, standing: str, now_ns: int) -> None:
        command = messages.mark_command(symbol, now_ns, state.index_e6, valid=state.valid, standing=standing)
        self.queue.send(messages.command_body(command), symbol, f"{symbol}:mark:{now_ns}")

    def _terms(self, asset: str) -> IndexTerms:
        config = self.config
        return terms_of(asset, config.index_guard_ppm, config.index_volatility_ppm, config.index_jump_ppm)


def _is_marked_here(market: Item) -> bool:
    """Tell whether the index is a market's mark: always of spot, else until its matcher knows one."""
    if market["kind"] == MarketKind.OPTION.value:
        return False  # its premium has no reference price
    return market["kind"] == MarketKind.SPOT.value or "mark_e6" not in market


def _newest(markets: list[Item]) -> IndexState:
    """Return what the asset's markets know; one that was listed just now knows nothing yet."""
    states = [msgspec.convert(row["index_state"], IndexState) for row in markets if "index_state" in row]
    return max(states, key=lambda state: state.seen_ns, default=IndexState())


def _price_row(
    asset: str, state: IndexState, seen: list[Observation], faults: dict[str, FeedFault], now_ns: int
) -> Item:
    """Return the Prices row: the index, held where there is none, and what every source said."""
    return {
        "PK": keys.asset_pk(asset),
        "SK": "TS#" + _iso(now_ns),
        "asset": asset,
        "price_e6": state.index_e6,
        "fault": state.fault.value,
        "degraded": state.degraded,
        "sources": [
            {
                "source": one.source,
                "price_e6": one.price_e6,
                "published_ns": one.published_ns,
                "conf_e6": one.conf_e6,
                "fault": faults[one.source].value,
            }
            for one in seen
        ],
        "ts_ns": now_ns,
        "ttl": now_ns // NS + PRICE_TTL_S,
    }


def _iso(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // NS, UTC):%Y-%m-%dT%H:%M:%S}.{ts_ns % NS:09d}Z"
