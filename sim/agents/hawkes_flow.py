"""Order flow that excites itself: trades bring trades, limits bring limits, and a trade its cancels.

Four kinds of events (buy, sell, limit, cancel), each with an intensity that every event raises for a while;
simulated by Ogata's thinning (1981). Source: Bacry, Mastromatteo and Muzy (2015), Hawkes processes in
finance; branching ratios of 0.6 to 0.9, about 0.8 in currencies (arXiv 1406.3967). Sizes have a Pareto
tail.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sim.agents.base import Agent, Count, Life, begin
from sim.agents.quoting import affords, cancel_oldest
from sim.agents.taking import take
from sim.scenario.units import (
    SECOND_NS,
    PositiveDuration,
    PositiveShare,
    PositiveUsdc,
    Rate,
    Share,
    mean_gap_ns,
)
from system.model.order import BUY, SELL, Side
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.client import Desk, MarketView

KINDS = ("buy", "sell", "limit", "cancel")
SHARES: tuple[tuple[float, ...], ...] = (
    # what a buy, a sell, a limit and a cancel bring about: each row adds up to 1
    (0.6, 0.05, 0.25, 0.1),
    (0.05, 0.6, 0.25, 0.1),
    (0.1, 0.1, 0.5, 0.3),
    (0.05, 0.05, 0.5, 0.4),
)


class HawkesFlow(Agent):
    """Buys, sells, limits and cancels that excite each other."""

    kind: Literal["hawkes_flow"]
    rate: Rate
    """Events that nothing excited, all kinds together."""
    branching: Annotated[Share, Field(lt=PPM)] = 800_000
    """How many events one event brings about, directly."""
    news: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    """How many buys a rise by 1 bps brings about, and how many sells a fall: volume follows volatility."""
    half_life: PositiveDuration = 5 * SECOND_NS
    """After this time half of the excitement is gone."""
    size: PositiveUsdc = 500_000_000
    """Smallest worth of an order."""
    tail: Annotated[float, Field(gt=1, le=10)] = 2.5
    """Exponent of the tail of sizes: small is wild."""
    nearest: Share = 0
    """Smallest distance of a limit from the last known price, on its own side; above the fee it can earn."""
    width: PositiveShare = 10_000
    """Limits lie evenly between the nearest and so much further."""
    reach: Share = 15_000
    """How far beyond the fair price it takes."""
    open_limit: Count = 20
    """With so many open orders, a limit becomes a cancel."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, SECOND_NS)
        base = SECOND_NS / mean_gap_ns(self.rate) / len(KINDS)
        decay = math.log(2) * SECOND_NS / self.half_life
        kick, excited, dice = self.branching / PPM * decay, [0.0] * len(KINDS), desk.dice
        seen_e6 = {symbol: desk.market(symbol).reference_e6 or 0 for symbol in symbols}
        while True:
            most = base * len(KINDS) + sum(excited)
            gap_s = dice.expovariate(most)
            yield desk.sleep(int(gap_s * SECOND_NS) + 1)
            fade = math.exp(-decay * gap_s)
            excited = [level * fade for level in excited]
            # every draw is made each time, so that one event more shifts no later draw
            chance, place, size = dice.random() * most, dice.random(), dice.paretovariate(self.tail)
            symbol = symbols[dice.randrange(len(symbols))]
            moved_bps = self._moved_bps(desk, symbol, seen_e6)
            for number, kind in enumerate(KINDS):
                chance -= base + excited[number]
                if chance < 0:
                    excited = [e + kick * share for e, share in zip(excited, SHARES[number], strict=True)]
                    self._act(desk, desk.market(symbol), kind, place, size)
                    break
            excited[0 if moved_bps > 0 else 1] += abs(moved_bps) * self.news * decay

    def _moved_bps(self, desk: Desk, symbol: str, seen_e6: dict[str, int]) -> float:
        """Return how far a market has moved since this was asked last."""
        before_e6, now_e6 = seen_e6[symbol], desk.market(symbol).reference_e6 or seen_e6[symbol]
        seen_e6[symbol] = now_e6
        return (now_e6 - before_e6) / before_e6 * 10_000 if before_e6 else 0.0

    def _act(self, desk: Desk, view: MarketView, kind: str, place: float, size: float) -> None:
        price_e6 = view.reference_e6
        if price_e6 is None:
            return
        worth = min(round(self.size * size), 1_000 * self.size)
        qty_e8 = max(view.spec.lot_e8, view.lots_for(worth, price_e6))
        symbol = view.spec.symbol
        if kind in ("buy", "sell"):
            take(desk, symbol, BUY if kind == "buy" else SELL, qty_e8, self.reach)
        elif kind == "cancel" or len(desk.open_orders) >= self.open_limit:
            cancel_oldest(desk)
        else:
            away_e6 = price_e6 * self.nearest // PPM + int(price_e6 * self.width / PPM * abs(2 * place - 1))
            side: Side = BUY if place < 0.5 else SELL
            limit_e6 = view.tick_down(price_e6 - away_e6) if side == BUY else view.tick_up(price_e6 + away_e6)
            if affords(desk, view, side, qty_e8, limit_e6):
                (desk.buy if side == BUY else desk.sell)(symbol, qty_e8, limit_e6)
