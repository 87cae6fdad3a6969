"""Settlement.settleBatch and Clearing.fill in Python, check by check in the contracts' order.

So a fill is skipped here for the reason it is skipped there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sim.world.model_contracts import (
    NO_POSITION,
    VIRTUAL_ASSETS,
    VIRTUAL_SHARES,
    Books,
    Instrument,
    Position,
    Revert,
    counted,
    counter_of,
    filled_in,
)
from system.model import typed_data
from system.model.trade import MAKER_FLOOR, TAKER_FLOOR
from system.model.typed_data import (
    KIND_OPTION,
    KIND_SPOT,
    MARKET_BIT,
    POST_ONLY_BIT,
    REDUCE_ONLY_BIT,
    TIF_MASK,
)
from system.model.units import PPM, QTY_SCALE
from system.ports.chain import ChainFill, SignedOrder

SETTLE_GRACE_S = 86_400
BPS = 10_000
_IMMEDIATE = (typed_data.TIF_IOC, typed_data.TIF_FOK)


class Batch(NamedTuple):
    """Arguments of settleBatch, and the head of the hash chain after it."""

    batch_id: int
    prev_hash: bytes
    orders: Sequence[SignedOrder]
    fills: Sequence[ChainFill]
    head: bytes


def settle(books: Books, batch: Batch, now_s: int) -> list[tuple[int, str]]:
    """Settlement.settleBatch; returns (fill index, error name) of the skipped fills.

    Raises:
        Revert: the batch is not the next one; nothing has changed.
    """
    last, head = books.totals["batch"], books.heads["head"]
    if batch.batch_id != last + 1:
        raise Revert("WrongBatch", (last + 1, batch.batch_id))
    if batch.prev_hash != head:
        raise Revert("WrongHead", (head, batch.prev_hash))
    settling = _Settling(books, batch.orders, now_s)
    skipped = []
    for index, fill in enumerate(batch.fills):
        reason = settling.settle(fill)
        if reason:
            skipped.append((index, reason))
    settling.apply()
    if skipped:
        books.set(books.skipped, batch.batch_id, tuple(index for index, _ in skipped))
    books.set(books.totals, "batch_at", now_s)  # a batch of nothing but skipped fills is a sign of life, too
    books.set(books.totals, "batch", batch.batch_id)
    books.set(books.heads, "head", batch.head)
    return skipped


class _Line:
    """USDC of one account in a batch; `funds` is what it could spend at the start."""

    __slots__ = ("funds", "net")

    def __init__(self, funds: int) -> None:
        self.funds = funds
        self.net = 0


class _Party:
    """An order of the batch, judged once, with all that its fills will look up."""

    __slots__ = (
        "account",
        "bps",
        "buys",
        "counter",
        "generation",
        "instrument_id",
        "limit",
        "line",
        "qty",
        "reason",
        "side",
        "tif",
    )

    def __init__(self, order: SignedOrder, reason: str, line: _Line) -> None:
        account, _, self.instrument_id, side, self.tif, self.qty, self.limit, _, nonce, self.bps, _ = order
        self.account = account
        self.side = side
        self.buys = side == typed_data.SIDE_BUY
        self.counter, self.generation = counter_of(account, nonce)
        self.line = line
        self.reason = reason


class _Settling:
    """One batch: what changes is collected here and reaches the books at the end, netted."""

    __slots__ = (
        "_assets",
        "_books",
        "_filled",
        "_houses",
        "_lines",
        "_now_s",
        "_parties",
        "_positions",
        "_prices",
    )

    def __init__(self, books: Books, orders: Sequence[SignedOrder], now_s: int) -> None:
        self._books = books
        self._now_s = now_s
        self._lines: dict[str, _Line] = {}
        self._houses: dict[bytes, _Line] = {}
        self._assets: dict[tuple[str, str], int] = {}
        self._positions: dict[tuple[str, bytes], Position] = {}
        self._prices: dict[bytes, int] = {}
        judge, line = self._judge, self._line
        self._parties = [_Party(order, judge(order), line(order.account)) for order in orders]
        filled = books.filled
        self._filled = {party.counter: filled.get(party.counter, 0) for party in self._parties}

    def _line(self, account: str) -> _Line:
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = _Line(self._books.usdc_of(account))
        return line

    def _house(self, instrument_id: bytes) -> _Line:
        line = self._houses.get(instrument_id)
        if line is None:
            house = self._books.instruments[instrument_id].house
            line = self._houses[instrument_id] = _Line(self._books.usdc_of(house))
        return line

    def _judge(self, order: SignedOrder) -> str:
        books = self._books
        if order.instrument_id not in books.instruments:
            return "UnknownInstrument"
        if books.verify_signatures:
            digest = typed_data.order_digest(books.separator, *order[:10])
            if not typed_data.is_signed_by(order.account, digest, order.signature):
                return "BadSignature"
        if order.expiry and self._now_s >= order.expiry + SETTLE_GRACE_S:
            return "OrderExpired"
        if books.any_cancel and books.is_cancelled(order.account, order.nonce, self._now_s):
            return "OrderCancelled"
        return ""

    def settle(self, fill: ChainFill) -> str:
        """Settle one fill, or return why not and change nothing."""
        maker_index, taker_index, qty, maker_fee, taker_fee, _ = fill
        parties = self._parties
        if maker_index >= len(parties) or taker_index >= len(parties):
            return "BadIndex"
        maker, taker = parties[maker_index], parties[taker_index]
        notional, rest = divmod(maker.limit * qty, QTY_SCALE)
        makers_filled = filled_in(self._filled[maker.counter], maker.generation)
        takers_filled = filled_in(self._filled[taker.counter], taker.generation)
        reason = (
            maker.reason
            or taker.reason
            or _check_terms(maker, taker)
            or _check_quantity(maker, taker, qty, makers_filled, takers_filled)
            or ("InexactNotional" if rest else _check_fees(maker, taker, maker_fee, taker_fee, notional))
        )
        if reason:
            return reason
        instrument = self._books.instruments[maker.instrument_id]
        if instrument.kind == KIND_SPOT:
            reason = self._settle_spot(instrument.asset, maker, taker, fill, notional)
        else:
            reason = self._settle_derivative(instrument, maker, taker, fill)
        if reason:
            return reason
        self._filled[maker.counter] = counted(makers_filled + qty, maker.generation)
        self._filled[taker.counter] = counted(takers_filled + qty, taker.generation)
        return ""

    def _settle_spot(self, asset: str, maker: _Party, taker: _Party, fill: ChainFill, notional: int) -> str:
        _, _, qty, maker_fee, taker_fee, _ = fill
        buyer, seller, paid = (maker, taker, -notional) if maker.buys else (taker, maker, notional)
        makers, takers = maker.line, taker.line
        makers_gain, takers_gain = paid - maker_fee, -paid - taker_fee
        if makers.funds + makers.net + makers_gain < 0 or takers.funds + takers.net + takers_gain < 0:
            return "InsufficientFunds"
        assets, stored = self._assets, self._books.assets
        buyers, sellers = (asset, buyer.account), (asset, seller.account)
        held = assets[sellers] if sellers in assets else stored.get(sellers, 0)
        # Units received within the batch may be sold again, as in the contract.
        if held < qty:
            return "InsufficientAsset"
        assets[sellers] = held - qty
        assets[buyers] = (assets[buyers] if buyers in assets else stored.get(buyers, 0)) + qty
        makers.net += makers_gain
        takers.net += takers_gain
        return ""

    def _settle_derivative(
        self, instrument: Instrument, maker: _Party, taker: _Party, fill: ChainFill
    ) -> str:
        _, _, qty, maker_fee, taker_fee, floors = fill
        if maker.instrument_id in self._books.endings:
            return "InstrumentExpired"
        makers, takers, house = maker.line, taker.line, self._house(maker.instrument_id)
        positions, stored = self._positions, self._books.positions
        makers_key = (maker.account, maker.instrument_id)
        takers_key = (taker.account, taker.instrument_id)
        before = positions.get(makers_key) or stored.get(makers_key, NO_POSITION)
        available = makers.funds + makers.net - maker_fee
        reason, makers_position, makers_gain = _moved(
            before, maker, qty, maker.limit, instrument, available, floors & MAKER_FLOOR
        )
        if reason:
            return reason
        before = positions.get(takers_key) or stored.get(takers_key, NO_POSITION)
        available = takers.funds + takers.net - taker_fee
        reason, takers_position, takers_gain = _moved(
            before, taker, qty, maker.limit, instrument, available, floors & TAKER_FLOOR
        )
        if reason:
            return reason
        paid_out = makers_gain + takers_gain
        if house.funds + house.net - paid_out < 0:
            return "ClearingShort"
        positions[makers_key] = makers_position
        positions[takers_key] = takers_position
        self._prices[maker.instrument_id] = maker.limit
        makers.net += makers_gain - maker_fee
        takers.net += takers_gain - taker_fee
        house.net -= paid_out
        return ""

    def apply(self) -> None:
        """Write the netted lines: traders' shares are rounded down, houses' up, the treasury takes the rest.

        A treasury without a share cannot pay the dust: then the last house does.
        """
        books = self._books
        totals, shares = books.totals, books.shares
        all_shares, all_assets = totals["shares"] + VIRTUAL_SHARES, totals["assets"] + VIRTUAL_ASSETS
        moves = [
            (account, line.net * all_shares // all_assets)  # toward minus infinity: against the account
            for account, line in self._lines.items()
            if line.net
        ]
        moves += [
            (books.instruments[instrument_id].house, -(-line.net * all_shares // all_assets))
            for instrument_id, line in sorted(self._houses.items(), key=_first)
            if line.net
        ]
        rest = -sum(delta for _, delta in moves)
        if rest > 0 or (rest < 0 and shares.get(books.treasury, 0) >= -rest):
            moves.append((books.treasury, rest))
        elif rest < 0:
            house, delta = moves[-1]
            moves[-1] = (house, delta + rest)
        after: dict[str, int] = {}
        for account, delta in moves:
            balance = after.get(account, shares.get(account, 0)) + delta
            if balance < 0:
                raise Revert("InsufficientShares", (account,))
            after[account] = balance
        books.set_all(shares, after.items())
        books.set_all(books.filled, (entry for entry in self._filled.items() if entry[1]))
        books.set_all(books.assets, self._assets.items())
        books.set_all(books.positions, self._positions.items())
        books.set_all(books.last_prices, self._prices.items())


def _first(entry: tuple[bytes, _Line]) -> bytes:
    return entry[0]


def _check_quantity(maker: _Party, taker: _Party, qty: int, makers_filled: int, takers_filled: int) -> str:
    if qty == 0:
        return "ZeroQty"
    if makers_filled < 0 or takers_filled < 0:
        return "NonceRecycled"
    if makers_filled + qty > maker.qty or takers_filled + qty > taker.qty:
        return "Overfill"
    return ""


def _check_terms(maker: _Party, taker: _Party) -> str:
    """Return what two orders say against each other, whatever the quantity."""
    if maker.account == taker.account:
        return "SelfTrade"
    if maker.instrument_id != taker.instrument_id:
        return "InstrumentMismatch"
    if maker.side + taker.side != 1:
        return "SameSide"
    if taker.tif & POST_ONLY_BIT or maker.tif & MARKET_BIT or maker.tif & TIF_MASK in _IMMEDIATE:
        return "WrongRole"
    crossing = taker.limit <= maker.limit if maker.buys else taker.limit >= maker.limit
    return "" if crossing else "NotCrossing"


def _check_fees(maker: _Party, taker: _Party, maker_fee: int, taker_fee: int, notional: int) -> str:
    # fee > ceil(bps * notional / BPS), without the division
    if maker_fee * BPS >= maker.bps * notional + BPS or taker_fee * BPS >= taker.bps * notional + BPS:
        return "FeeAboveBound"
    return ""


_Moved = tuple[str, Position, int]
"""(reason or "", position after, uUSDC that the account gets)."""


def _moved(
    position: Position,
    party: _Party,
    qty: int,
    price: int,
    instrument: Instrument,
    available: int,
    floor: int,
) -> _Moved:
    """Apply one side of a fill to its position. Source: contracts/src/Clearing.sol."""
    if instrument.kind == KIND_OPTION:
        return _moved_option(position, party, qty, price, instrument.escrow, available)
    im_ppm = instrument.im_ppm
    size, cost, margin = position
    k = 1 if party.buys else -1
    held = abs(size)
    closing = min(qty, held) if size * k < 0 else 0
    opening = qty - closing
    if opening and party.tif & REDUCE_ONLY_BIT:
        return "ReduceOnlyViolated", position, 0
    closed = price * closing // QTY_SCALE
    opened = price * qty // QTY_SCALE - closed
    gain = 0
    if closing:
        released = -(-cost * closing // held)  # the ceiling, of negative numbers too
        freed = margin * closing // held
        gain = freed - released - k * closed
        size += k * closing
        cost -= released
        margin -= freed
        if gain < 0:  # paid by the margin that stays, not by the free balance
            margin += gain
            gain = 0
            if margin < 0:
                return "WouldBeBankrupt", position, 0
    if opening:
        locked = opened * im_ppm // PPM if floor else -(-opened * im_ppm // PPM)
        size += k * opening
        cost += k * opened
        margin += locked
        gain -= locked
    if available + gain < 0:
        return "InsufficientFunds", position, 0
    return "", (size, cost, margin), gain


def _moved_option(
    position: Position, party: _Party, qty: int, price: int, escrow: int, available: int
) -> _Moved:
    """The premium moves at once; whoever is short then has the largest payoff in escrow, as margin."""
    size, cost, margin = position
    k = 1 if party.buys else -1
    if party.tif & REDUCE_ONLY_BIT and (size * k >= 0 or qty > abs(size)):
        return "ReduceOnlyViolated", position, 0
    size += k * qty
    locked, rest = divmod(escrow * max(0, -size), QTY_SCALE)
    if rest:
        return "InexactEscrow", position, 0
    gain = -k * (price * qty // QTY_SCALE) - (locked - margin)
    if available + gain < 0:
        return "InsufficientFunds", position, 0
    return "", (size, cost, locked), gain
