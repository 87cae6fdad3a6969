"""Traders who use every word of the door at random, and some that they may not use.

Where the others trade to earn, these try what there is: every flag and time in force, replacements,
cancels of one and of all, stop orders, margin in and out, money into funds, into CXPT and out of the
Vault, the same request twice, another's name. Whatever they try, everything must hold; so a swarm has some
of them nearly always.
Source: swarm testing (Groce et al., ISSTA 2012): what is tried at random finds what nobody thought of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sim.agents.base import Agent, Life, poisson_gap_ns, wait_for_prices
from sim.client.requests import Draft
from sim.client.vault import insure, mint, redeem, withdraw
from sim.scenario.units import Rate, mean_gap_ns
from system.model.market import MarketKind
from system.model.order import BUY, SELL
from system.model.units import NS, PPM
from system.risk.redemption import CXPT

if TYPE_CHECKING:
    from sim.client import Desk

_AWAY_PPM = (-60_000, -49_000, -5_000, -500, 0, 0, 500, 5_000, 49_000, 60_000)
_LOTS = (1, 7, 100, 1_000)
_STP = ("", "", "NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")


class Explorer(Agent):
    """Tries whatever a request may say."""

    kind: Literal["explorer"]
    rate: Rate
    """How many requests each sends."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        desk.listen(*symbols)
        priced = tuple(s for s in symbols if desk.market(s).spec.kind is not MarketKind.OPTION)
        yield from wait_for_prices(desk, priced)
        gap_ns = mean_gap_ns(self.rate)
        while True:
            yield desk.sleep(poisson_gap_ns(desk.dice, gap_ns))
            _act(desk, desk.dice.choice(symbols), desk.dice.random())


def _act(desk: Desk, symbol: str, beat: float) -> None:
    mine = [order.order_id for order in desk.open_orders.values() if order.symbol == symbol]
    draft = _draft(desk, symbol)
    if draft is None:
        return
    if mine and beat < 0.1:
        desk.known_orders.append(desk.dice.choice(mine))
        desk.cancel(desk.dice.choice(mine))
    elif mine and beat < 0.14:
        nonces = sorted(order.nonce for order in desk.open_orders.values())
        desk.cancel_all(symbol, desk.dice.choice((None, *nonces)))
    elif mine and beat < 0.3:
        desk.submit(draft._replace(replaces=desk.dice.choice(mine)))
    elif beat < 0.36:
        desk.send_twice(draft, same_key=beat < 0.34)
    elif beat < 0.39:
        desk.send_in_name_of(desk.dice.choice(desk.known_accounts), draft)
    elif beat < 0.41 and (others := [each for each in desk.known_orders if each not in desk.open_orders]):
        desk.cancel_of_another(desk.dice.choice(others))
    elif beat < 0.43 and (other := _draft(desk, symbol)) is not None:
        desk.send_under_one_key(draft, other)
    elif beat < 0.48 and desk.market(symbol).spec.liquidates:
        desk.move_margin(symbol, desk.dice.choice((-50, -1, 5, 50)) * 10**6)
    elif beat < 0.52:
        _move_money(desk, symbol)
    else:
        desk.submit(draft)


def _move_money(desk: Desk, symbol: str) -> None:
    """Pay into a fund, convert to CXPT and back, or withdraw: a little, or more than there is."""
    spec = desk.market(symbol).spec
    amount = desk.dice.choice((1, 20, 300, 10**6)) * 10**6
    chance = desk.dice.random()
    if spec.liquidates and chance < 0.5:
        insure(desk, symbol, amount)
    elif spec.base == CXPT and chance < 0.7:
        (mint if chance < 0.4 else redeem)(desk, symbol, amount)
    else:
        withdraw(desk, amount, as_cxpt=chance < 0.8)


def _draft(desk: Desk, symbol: str) -> Draft | None:
    dice, view = desk.dice, desk.market(symbol)
    spec = view.spec
    reference_e6 = spec.max_payoff_e6 // 10 if spec.kind is MarketKind.OPTION else view.reference_e6
    if reference_e6 is None:
        return None
    price_e6 = view.tick_down(reference_e6 + reference_e6 * dice.choice(_AWAY_PPM) // PPM)
    if dice.random() < 0.02:
        price_e6 += 1  # off the tick
    side = dice.choice((BUY, SELL))
    words: dict[str, Any] = {"reduce_only": dice.random() < 0.25, "stp": dice.choice(_STP)}
    if words["reduce_only"] and dice.random() < 0.3:
        words |= {"tif": "IOC", "trigger_e6": price_e6, "trigger_on": dice.choice(("MARK", "LAST"))}
    elif dice.random() < 0.2:
        words["market"] = True
    else:
        words["tif"] = dice.choice(("GTC", "GTC", "IOC", "FOK", "GTT"))
        words["post_only"] = dice.random() < 0.2
        if words["tif"] == "GTT":
            words["expire_s"] = desk.now_ns // NS + dice.randrange(0, 6)
    return Draft(symbol, side, spec.lot_e8 * dice.choice(_LOTS), max(spec.tick_e6, price_e6), **words)
