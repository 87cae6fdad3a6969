"""Cross margin, an experiment: a trader's positions share their equity, and fall together. Rule: LIQJ-002.

No matcher sees more than its market. So once a minute all positions in `cross` markets are read beside
their marks. Where one is below its own maintenance margin, others give it of theirs (LEVEL); where an
account is short as a whole, all its positions are called. Decision 0058.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from system.model import keys
from system.model.errors import ConditionFailed
from system.model.keys import Item, Key
from system.model.market import MarketSpec
from system.model.messages import scheduled_command
from system.model.units import MINUTE_NS
from system.ports.store import NOT_EXISTS, Put, Store, query_all
from system.risk.cross import Leg, account_of, cover_ppm, levelled

INVENTORY = "inventory"
_GET_MANY = 100


class CrossMargin:
    """Judges accounts and levels them; what it returns is for the markets to carry out."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def look(self, markets: Sequence[tuple[MarketSpec, Item]], now_ns: int) -> dict[str, list[str]]:
        """Level what has to be, and return by market the traders who are called.

        Args:
            markets: all that are `cross`, with their Markets rows.
        """
        called: dict[str, list[str]] = defaultdict(list)
        accounts: dict[str, list[Leg]] = defaultdict(list)
        blind = {spec.symbol for spec, row in markets if not row.get("index_valid") or not row.get("mark_e6")}
        for spec, row in markets:
            mark_e6 = row.get("mark_e6", 0)
            for at in query_all(self.store, keys.POSITIONS, keys.market_pk(spec.symbol), index="market"):
                if at["size_e8"] and at["trader"] != INVENTORY:
                    leg = Leg(spec.symbol, at["size_e8"], at["cost"], at["margin"], mark_e6, spec.mm_ppm)
                    accounts[at["trader"]].append(leg)
        for trader, legs in sorted(accounts.items()):
            if any(leg.is_short for leg in legs) and not any(leg.symbol in blind for leg in legs):
                for symbol in self._judge(trader, legs, now_ns):
                    called[symbol].append(trader)
        return called

    def _judge(self, trader: str, legs: Sequence[Leg], now_ns: int) -> Iterator[str]:
        """Level an account of which a position is short; yield its markets when all of it is to be closed.

        An account that is short as a whole is levelled first, so that each position carries its share of
        the loss; then, or a minute later at the latest, because prices move on, it is called.
        """
        short = account_of(legs).is_liquidatable
        if short and (all(leg.is_short for leg in legs) or self._was_levelled(trader, legs, now_ns)):
            yield from (leg.symbol for leg in legs)
            return
        keeps_ppm = cover_ppm(legs)
        for giver, taker, amount in levelled(legs):
            label = _label(trader, taker, now_ns // MINUTE_NS)
            terms: dict[str, int | str] = {
                "trader": trader,
                "to": taker,
                "amount": amount,
                "keeps_ppm": keeps_ppm,
            }
            command = scheduled_command("LEVEL", giver, label, now_ns, **terms)
            try:
                self.store.write(Put(keys.ORDERS, command, NOT_EXISTS))
            except ConditionFailed:
                continue  # asked before

    def _was_levelled(self, trader: str, legs: Sequence[Leg], now_ns: int) -> bool:
        before = now_ns // MINUTE_NS - 1
        wanted = [
            Key(
                keys.market_pk(giver.symbol),
                keys.event_sk(f"level-{giver.symbol}-{_label(trader, taker.symbol, before)}"),
            )
            for giver in legs
            for taker in legs
            if giver is not taker
        ]
        return any(
            self.store.get_many(keys.ORDERS, wanted[start : start + _GET_MANY])
            for start in range(0, len(wanted), _GET_MANY)
        )


def _label(trader: str, taker: str, minute: int) -> str:
    return f"{trader}-{taker}-{minute}"
