"""Auto-deleveraging carried out: others close what no order and no fund could. ADEL-001 to ADEL-007."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.forced import paid_out, write_close
from system.matcher.forced_trade import ForcedTrade
from system.matcher.house import INVENTORY
from system.matcher.steps import Accounts, Alerted, Forced, Step
from system.model.order import BUY, SELL
from system.model.position import Position
from system.risk.liquidation.adl import Candidate, overshoot, taken
from system.risk.liquidation.adl import deleverage as choose
from system.risk.liquidation.case import Deleverage
from system.risk.liquidation.close_out import close_out, cover
from system.risk.positions import fill_effect, settle_fill

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def deleverage(engine: Engine, position: Position, step: Deleverage, seq: int) -> Iterator[Step]:
    """Close a position against those on the other side, at the step's price and without a fee.

    Candidates are taken in the order of their trader ids, which breaks ties.
    """
    sign = 1 if position.size_e8 > 0 else -1
    others = [at for at in engine.open_positions() if at.size_e8 * sign < 0 and at.trader != INVENTORY]
    candidates = [Candidate(n, at.size_e8, at.cost, at.margin) for n, at in enumerate(others)]
    chosen = choose(
        candidates, step.qty_e8, step.price_e6, engine.house.mark_e6, step.policy, engine.spec.lot_e8
    )
    for other, qty_e8 in zip(others, chosen.closed_e8, strict=True):
        if qty_e8:
            yield _close(engine, position, other, qty_e8, step.price_e6, seq)
            yield Alerted(other, engine.house.mark_e6, "DELEVERAGED")


def _close(engine: Engine, position: Position, other: Position, qty_e8: int, price_e6: int, seq: int) -> Step:
    own = position.trader == INVENTORY
    sells = position.size_e8 > 0
    close = close_out(
        position.size_e8, position.cost, position.margin, qty_e8, price_e6, residual_to_fund=own
    )
    effect = fill_effect(other, qty_e8 if sells else -qty_e8, price_e6, engine.spec.im_ppm)
    assert effect is not None, (other, price_e6)  # ADEL-003 left out who cannot bear it
    fund = engine.house.book_fund(cover(engine.house.fund, close).fund)
    engine.count_open(position.size_e8, close.size_e8, other.size_e8, effect.size_e8)
    mark_e6 = engine.house.mark_e6
    lost = taken(qty_e8, not sells, price_e6, mark_e6)
    # at the mark the closed part would have had what it has at the price, and what the other side lost
    short_at_mark = max(0, lost - close.equity)
    margin = close.margin - position.margin + effect.margin - other.margin
    clearing = position.cost - close.cost + other.cost - effect.cost
    write_close(position, close)
    settle_fill(other, effect, 0)
    engine.touch(position.trader, other.trader)
    symbol = engine.spec.symbol
    trade = ForcedTrade(
        trade_type="ADL",
        price_e6=price_e6,
        qty_e8=qty_e8,
        notional=close.notional,
        side=SELL if sells else BUY,
        maker_order_id=f"{symbol}:adl-{seq}-{other.trader}",
        taker_order_id=f"{symbol}:forced-{seq}-{position.trader}",
        maker=other.trader,
        taker=position.trader,
        maker_fee=0,
        taker_fee=0,
        liquidation_fee=close.insurance,
        deficit=close.deficit,
        taken=lost,
        overshoot=overshoot(lost, short_at_mark - close.deficit),
    )
    postings = (*paid_out(other.trader, effect.pay_out), *paid_out(position.trader, close.pay_out))
    accounts = Accounts(0, clearing, fund.insurance, fund.bad_debt)
    return Forced(trade, None, (other, position), postings, margin, accounts)
