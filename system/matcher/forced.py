"""Closing somebody's position by force: against the book, or by taking it over. LIQU-010 to LIQU-016."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.fills import Party, effect_of, rebate_of, settle_against
from system.matcher.forced_trade import ForcedTrade
from system.matcher.house import INVENTORY
from system.matcher.steps import Accounts, EndReason, Forced, Posting, Step
from system.model.errors import RejectReason
from system.model.order import BUY, CANCELED, SELL, Order
from system.model.position import Position
from system.model.units import QTY_SCALE
from system.risk.holds import USDC
from system.risk.insurance import receive, write_off
from system.risk.liquidation.case import Close, TakeOver
from system.risk.liquidation.close_out import CloseOut, add_inventory, close_out, cover
from system.risk.positions import closable_e8

if TYPE_CHECKING:
    from system.matcher.matching import Engine


class ForcedClose:
    """One close order of a preset, walked through the book as an IOC taker that is paid by nobody's hold."""

    def __init__(self, engine: Engine, position: Position, step: Close, now_ns: int, seq: int) -> None:
        self.engine = engine
        self.position = position
        self.step = step
        self.now_ns = now_ns
        self.order_id = f"{engine.spec.symbol}:forced-{seq}-{position.trader}"
        self.sells = position.size_e8 > 0
        self.ladder = engine.book.bids if self.sells else engine.book.asks

    def run(self) -> Iterator[Step]:
        """Trade best price first within limit and band."""
        left = min(self.step.qty_e8, abs(self.position.size_e8))
        if self.step.all_or_none and self._reachable_e8() < left:
            return
        while left:
            level = self.ladder.best()
            if level is None or not self._reaches(level.price_e6):
                return
            maker = level.front()
            qty = min(left, maker.leaves_e8)
            if maker.reduce_only:
                qty = min(qty, closable_e8(self.engine.position(maker.trader), maker.side == BUY))
            if maker.trader == self.position.trader or not qty:
                yield self.engine.end_resting(maker, CANCELED, EndReason.REDUCE_ONLY, self.now_ns)
                continue
            step = self._meet(maker, level.price_e6, qty)
            if isinstance(step, Forced):
                left -= qty
            yield step

    def _reaches(self, price_e6: int) -> bool:
        low_e6, high_e6 = self.engine.house.band
        if not low_e6 <= price_e6 <= high_e6:
            return False
        return price_e6 >= self.step.limit_e6 if self.sells else price_e6 <= self.step.limit_e6

    def _reachable_e8(self) -> int:
        return sum(level.qty_e8 for level in self.ladder if self._reaches(level.price_e6))

    def _meet(self, maker: Order, price_e6: int, qty_e8: int) -> Step:
        engine, spec, position = self.engine, self.engine.spec, self.position
        if engine.is_short(maker):
            return engine.end_resting(maker, CANCELED, EndReason.UNCOVERED, self.now_ns)
        maker_at = engine.position(maker.trader)
        effect = effect_of(maker_at, maker, price_e6, qty_e8, spec, maker.cum_notional)
        if effect is None:
            return engine.end_resting(maker, CANCELED, RejectReason.WOULD_BE_BANKRUPT, self.now_ns)
        own = position.trader == INVENTORY
        close = close_out(
            position.size_e8,
            position.cost,
            position.margin,
            qty_e8,
            price_e6,
            liq_fee_ppm=self.step.liq_fee_ppm,
            fee_ppm=0 if own else spec.fee_ppm,
            residual_to_fund=self.step.residual_to_fund,
        )
        fund = engine.house.book_fund(cover(engine.house.fund, close).fund)
        engine.count_open(maker_at.size_e8, effect.size_e8, position.size_e8, close.size_e8)
        engine.book.reduce_quantity(maker, qty_e8)
        engine.last_e6 = price_e6
        posting, maker_fee, margin, clearing = settle_against(
            spec, Party(maker, maker_at, effect), price_e6, qty_e8, self.now_ns
        )
        margin += close.margin - position.margin
        clearing += position.cost - close.cost
        write_close(position, close)
        engine.touch(maker.trader, position.trader)
        trade = ForcedTrade(
            trade_type="LIQUIDATION",
            price_e6=price_e6,
            qty_e8=qty_e8,
            notional=close.notional,
            side=SELL if self.sells else BUY,
            maker_order_id=maker.id,
            taker_order_id=self.order_id,
            maker=maker.trader,
            taker=position.trader,
            maker_fee=maker_fee,
            taker_fee=close.fee,
            liquidation_fee=close.insurance,
            deficit=close.deficit,
        )
        rebate, paid_back = rebate_of(maker, maker_fee, spec)
        fees = maker_fee + close.fee - rebate
        accounts = Accounts(fees, clearing, fund.insurance, fund.bad_debt, rebate)
        postings = (posting, *paid_out(position.trader, close.pay_out), *paid_back)
        return Forced(trade, maker, (maker_at, position), postings, margin, accounts)


def write_close(position: Position, close: CloseOut) -> None:
    """Write a forced close into a position."""
    position.size_e8, position.cost, position.margin = close.size_e8, close.cost, close.margin
    position.realised += close.realised
    position.fees += close.fee
    position.adjusted += close.deficit - close.insurance
    position.trades += 1


def paid_out(trader: str, amount: int) -> tuple[Posting, ...]:
    """Return the posting of a pay-out, if there is one."""
    return (Posting(trader, USDC, amount, 0),) if amount else ()


def take_over(engine: Engine, position: Position, step: TakeOver, seq: int) -> Iterator[Step]:
    """Let the exchange take a position at a price; its margin goes to the fund. Rule: LIQU-016."""
    stock = engine.position(INVENTORY)
    signed = step.qty_e8 if position.size_e8 > 0 else -step.qty_e8
    side = SELL if position.size_e8 > 0 else BUY
    close = close_out(
        position.size_e8, position.cost, position.margin, step.qty_e8, step.price_e6, residual_to_fund=True
    )
    taken = add_inventory(stock.size_e8, stock.cost, signed, step.price_e6)
    fund = write_off(engine.house.fund, close.deficit + max(0, -taken.realised))
    booked = engine.house.book_fund(receive(fund, close.insurance + max(0, taken.realised)))
    engine.count_open(position.size_e8, close.size_e8, stock.size_e8, taken.size_e8)
    margin = close.margin - position.margin
    clearing = position.cost - close.cost + stock.cost - taken.cost
    write_close(position, close)
    stock.size_e8, stock.cost = taken.size_e8, taken.cost
    stock.realised += taken.realised
    stock.adjusted -= taken.realised
    stock.trades += 1
    engine.touch(position.trader, INVENTORY)
    order_id = f"{engine.spec.symbol}:forced-{seq}-{position.trader}"
    trade = ForcedTrade(
        trade_type="LIQUIDATION",
        price_e6=step.price_e6,
        qty_e8=step.qty_e8,
        notional=step.price_e6 * step.qty_e8 // QTY_SCALE,
        side=side,
        maker_order_id=f"{engine.spec.symbol}:{INVENTORY}-{seq}",
        taker_order_id=order_id,
        maker=INVENTORY,
        taker=position.trader,
        maker_fee=0,
        taker_fee=0,
        liquidation_fee=close.insurance,
        deficit=close.deficit,
    )
    accounts = Accounts(0, clearing, booked.insurance, booked.bad_debt)
    yield Forced(trade, None, (stock, position), paid_out(position.trader, close.pay_out), margin, accounts)
