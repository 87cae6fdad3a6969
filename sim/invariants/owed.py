"""What the contracts owe to whom when the operator has gone: reckoned from the trades that they have settled.

The arithmetic is the ledger's, so contracts that take from a position what they should not are found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sim.invariants.ledger import USDC
from sim.invariants.state import State
from system.model import keys
from system.model.keys import Item
from system.model.market import MarketKind, MarketSpec
from system.model.position import Position
from system.model.trade import MAKER_FLOOR, SKIPPED, TAKER_FLOOR
from system.model.units import PPM, QTY_SCALE, ppm_ceil
from system.risk.options import payoff_e6
from system.risk.positions import fill_effect
from system.settlement.batching import CONFIRMED
from system.settlement.contents import sent_places

Owed = dict[tuple[str, str], int]
"""By (trader uuid, asset), in its smallest unit."""


def owed(state: State) -> Owed:
    """Return what was paid in, changed by settled trades, with each position ended.

    An option whose price at expiry the contracts have got pays its payoff, everything else its last price.
    """
    sums: Owed = defaultdict(int, state.paid_in)
    books: dict[str, _Book | _Option] = {}
    for trade in sorted(_settled(state), key=_place):
        spec, floors = state.specs[trade["symbol"]], trade.get("margin_floors", 0)
        sides = [
            (trade["maker"], trade["maker_fee"], floors & MAKER_FLOOR),
            (trade["taker"], trade["taker_fee"], floors & TAKER_FLOOR),
        ]
        if trade["aggressor_side"] == "BUY":
            sides.reverse()  # the buyer first
        for sign, (trader, fee, floor) in zip((1, -1), sides, strict=True):
            sums[trader, USDC] -= fee
            if spec.kind is MarketKind.SPOT:
                sums[trader, USDC] -= sign * trade["notional"]
                sums[trader, spec.base] += sign * trade["qty_e8"]
            else:
                kind = _Option if spec.kind is MarketKind.OPTION else _Book
                book = books.setdefault(spec.symbol, kind(spec))
                sums[trader, USDC] += book.fill(trader, trade, sign, floor)
    for symbol, book in books.items():
        for trader, worth in book.ended(_settled_at(state, symbol)):
            sums[trader, USDC] += worth
    return sums


class _Book:
    """All positions of one perpetual."""

    def __init__(self, spec: MarketSpec) -> None:
        self._spec = spec
        self._positions: dict[str, Position] = {}
        self._last_price = 0

    def fill(self, trader: str, trade: Item, sign: int, floor: int) -> int:
        """Move one side's position; returns what its account gets (uUSDC), fee aside.

        Whether margin is rounded down is the fill's own word, as for the contracts: what an order has
        traded before is not the same for them, once they have skipped a fill.
        """
        symbol, price = self._spec.symbol, trade["price_e6"]
        position = self._positions.setdefault(trader, Position(trader=trader, symbol=symbol))
        before, im_ppm = position.size_e8 * sign, self._spec.im_ppm  # below 0: this fill closes
        effect = fill_effect(position, sign * trade["qty_e8"], price, im_ppm)
        assert effect is not None, f"{symbol}: a settled fill would have bankrupted {trader}"
        opened = trade["notional"]
        if before < 0:
            opened = abs(effect.cost) if effect.size_e8 * sign > 0 else 0
        locked = opened * im_ppm // PPM if floor else ppm_ceil(opened, im_ppm)
        position.size_e8, position.cost = effect.size_e8, effect.cost
        position.margin = effect.margin - effect.margin_in + locked
        self._last_price = price
        return effect.pay_out - locked

    def ended(self, _settled_at: int) -> Iterator[tuple[str, int]]:
        """Iterate what each position is worth at the last price; losses above margins are shared."""
        held = self._positions.values()
        worth = {
            each.trader: each.size_e8 * self._last_price // QTY_SCALE - each.cost + each.margin
            for each in held
        }
        there = sum(each.margin - each.cost for each in held)
        deficit = -sum(value for value in worth.values() if value < 0)
        for trader, value in worth.items():
            gain = max(0, value)
            yield trader, gain * there // (there + deficit) if deficit else gain


class _Option:
    """All positions of one option: premiums are paid at once, writers have locked the most they can owe."""

    def __init__(self, spec: MarketSpec) -> None:
        self._spec = spec
        self._sizes: dict[str, int] = defaultdict(int)
        self._last_price = 0

    def fill(self, trader: str, trade: Item, sign: int, _floor: int) -> int:
        """Move one side's position; returns what its account gets (uUSDC), fee aside."""
        before = self._locked(trader)
        self._sizes[trader] += sign * trade["qty_e8"]
        self._last_price = trade["price_e6"]
        return before - self._locked(trader) - sign * int(trade["notional"])

    def ended(self, settled_at: int) -> Iterator[tuple[str, int]]:
        """Iterate what each position is worth; nobody's loss is above what is locked."""
        spec = self._spec
        pays_e6 = min(self._last_price, spec.max_payoff_e6)
        if settled_at:
            pays_e6 = payoff_e6(spec.payoff_type, spec.strike_e6, settled_at, spec.cap_e6)
        for trader, size in self._sizes.items():
            yield trader, size * pays_e6 // QTY_SCALE + self._locked(trader)

    def _locked(self, trader: str) -> int:
        return self._spec.max_payoff_e6 * max(0, -self._sizes[trader]) // QTY_SCALE


def _settled_at(state: State, symbol: str) -> int:
    """Return the ledger's settlement price of a market, when the contracts have the same; else 0."""
    prices = [
        int(row.get("settle_e6", 0))
        for row in state.items(keys.MARKETS)
        if row["SK"] == keys.META and row["symbol"] == symbol
    ]
    ended_at = state.chain.ending_of(symbol)
    return ended_at if ended_at in prices else 0


def _settled(state: State) -> Iterator[Item]:
    """Iterate the trades of the batches that the contracts have settled, as the contracts say.

    What they skipped is in the ledger only of batches that settlement lived to see final.
    """
    last = state.chain.last_batch()
    refused: set[tuple[str, str]] = set()
    for row in state.items(keys.SETTLEMENTS):
        if not row["PK"].startswith("BATCH#") or row["number"] > last:
            continue
        if row["status"] == CONFIRMED:
            refused.update((pk, sk) for pk, sk, _ in row["skipped"])
            continue
        trades, sent = [(pk, sk) for pk, sk in row["trades"]], sent_places(row)
        settled = set(sent).difference(sent[index] for index in state.chain.skipped_in(row["number"]))
        refused.update(key for place, key in enumerate(trades) if place not in settled)
    for trade in state.items(keys.TRADES):
        if 0 < trade.get("batch", 0) <= last and (trade["PK"], trade["SK"]) not in refused:
            assert trade["settlementStatus"] != SKIPPED
            yield trade


def _place(trade: Item) -> tuple[str, int]:
    return trade["symbol"], trade["trade_no"]
