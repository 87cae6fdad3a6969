"""Money that a trader moves into and out of a market himself, and CXPT. MATC-070 to MATC-073, RISK-046."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.steps import (
    Accounts,
    Convert,
    Insure,
    Level,
    Moved,
    MoveMargin,
    Posting,
    Refused,
    Step,
)
from system.model.errors import Rejected, RejectReason
from system.risk.cross import Leg, spare
from system.risk.holds import USDC
from system.risk.insurance import receive
from system.risk.margin import realise, remove_margin
from system.risk.redemption import CXPT, issue

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def move_margin(engine: Engine, move: MoveMargin) -> Iterator[Step]:
    """Add what the door has reserved, or take out what equity has above the initial margin."""
    position = engine.position(move.trader)
    reason = _refusal(engine, move)
    if reason is not None:
        yield from _give_back(move.trader, move.amount)
        yield Refused(reason)
        return
    position.margin += move.amount
    engine.touch(move.trader)
    added = move.amount > 0
    posting = Posting(move.trader, USDC, 0 if added else -move.amount, -move.amount if added else 0)
    yield Moved(position, (posting,), move.amount, Accounts())


def level(engine: Engine, wanted: Level) -> Iterator[Step]:
    """Reserve for another market of the trader what his position here can spare. Rule: RISK-046.

    What is not margin yet is realised: cost and margin rise, and the clearing account pays (RISK-037).
    """
    position, house = engine.position(wanted.trader), engine.house
    if not engine.spec.is_cross or not engine.state.moves_margin:
        yield Refused(RejectReason.EXCHANGE_CLOSED)
        return
    if not house.mark_e6 or not house.state.valid:
        yield Refused(RejectReason.NO_REFERENCE_PRICE)
        return
    leg = Leg("", position.size_e8, position.cost, position.margin, house.mark_e6, engine.spec.mm_ppm)
    amount = min(wanted.amount, spare(leg, wanted.keeps_ppm))
    if amount <= 0:
        yield Refused(RejectReason.INSUFFICIENT_FUNDS)
        return
    profit = max(0, amount - position.margin)
    position.cost, position.margin = realise(position.cost, position.margin, profit)
    position.realised += profit
    position.margin -= amount
    engine.touch(wanted.trader)
    reserved = Posting(wanted.trader, USDC, 0, amount)
    yield Moved(position, (reserved,), profit - amount, Accounts(clearing=-profit), to=wanted.to)


def _refusal(engine: Engine, move: MoveMargin) -> RejectReason | None:
    position = engine.position(move.trader)
    if not engine.spec.margined or not engine.state.moves_margin:
        return RejectReason.EXCHANGE_CLOSED
    if engine.spec.max_price_e6:
        return RejectReason.WRONG_INSTRUMENT  # its collateral is what can be lost, no more and no less
    if not position.size_e8:
        return RejectReason.NO_POSITION
    if move.amount > 0:
        return None
    if not engine.house.mark_e6 or not engine.house.state.valid:
        return RejectReason.NO_REFERENCE_PRICE
    left = remove_margin(
        position.size_e8,
        position.cost,
        position.margin,
        -move.amount,
        engine.house.mark_e6,
        engine.spec.im_ppm,
    )
    return left.reason if isinstance(left, Rejected) else None


def insure(engine: Engine, paid: Insure) -> Iterator[Step]:
    """Pay into the fund; it repays bad debt first (INSU-001)."""
    position = engine.position(paid.trader)
    position.adjusted -= paid.amount
    accounts = engine.house.book_fund(receive(engine.house.fund, paid.amount))
    yield Moved(position, (Posting(paid.trader, USDC, 0, -paid.amount),), 0, accounts)


def convert(engine: Engine, wanted: Convert) -> Iterator[Step]:
    """Set USDC aside and mint as much CXPT, or take CXPT back; what the door has reserved moves."""
    trader, amount = wanted
    supply_e8 = issue(amount).supply_e8
    if not engine.state.moves_margin:
        yield Moved(None, (_freed(trader, amount, supply_e8),), 0, Accounts())
        yield Refused(RejectReason.EXCHANGE_CLOSED)
        return
    if amount > 0:
        postings = (Posting(trader, USDC, 0, -amount), Posting(trader, CXPT, supply_e8, 0))
    else:
        postings = (Posting(trader, CXPT, 0, supply_e8), Posting(trader, USDC, -amount, 0))
    yield Moved(None, postings, 0, Accounts(issued=amount))


def _freed(trader: str, amount: int, supply_e8: int) -> Posting:
    if amount > 0:
        return Posting(trader, USDC, amount, -amount)
    return Posting(trader, CXPT, -supply_e8, supply_e8)


def _give_back(trader: str, amount: int) -> Iterator[Step]:
    if amount > 0:
        yield Moved(None, (Posting(trader, USDC, amount, -amount),), 0, Accounts())
