"""How positions end without an operator, in Python: Clearing.closeOut, recordDeficit and claim.

Left out: marks and insurance, which nobody brings to the chain of a run, so the last fill is the price.
"""

from __future__ import annotations

from typing import NamedTuple

from sim.world.deploy import CLAIM_DELAY_S
from sim.world.model_contracts import (
    NO_POSITION,
    VIRTUAL_ASSETS,
    VIRTUAL_SHARES,
    Books,
    Position,
    Revert,
)
from sim.world.model_exits import is_abandoned
from system.model.typed_data import KIND_OPTION, KIND_PERP, KIND_SPOT
from system.model.units import QTY_SCALE
from system.risk.options import payoff_e6

_MOST = (1 << 62) - 1
"""Of a published price: type(uint64).max >> 2."""


class Ending(NamedTuple):
    """An instrument that has ended, at a price; of an option, at what one unit pays.

    Of what is `owed`, `recovered` is there; zero until claims begin.
    """

    price: int
    at_s: int
    told: int  # the price that was published, or at which it was closed out
    deficit: int = 0
    recovered: int = 0
    owed: int = 0


class Publication(NamedTuple):
    """Clearing.publish of a price at expiry."""

    instrument: bytes
    price: int
    at_s: int


class Claim(NamedTuple):
    """Clearing.claim."""

    instrument: bytes
    account: str


def publish(books: Books, told: Publication, now_s: int) -> None:
    """Clearing.publish of a price at expiry.

    Raises:
        Revert: UnknownBook, StaleObservation, InstrumentExpired, WrongKind, NotExpired, BadValue.
    """
    listed = books.instruments.get(told.instrument)
    if listed is None or listed.kind == KIND_SPOT:
        raise Revert("UnknownBook", (told.instrument,))
    if told.at_s > now_s:
        raise Revert("StaleObservation", ())
    if told.instrument in books.endings:
        raise Revert("InstrumentExpired", ())
    if listed.kind == KIND_PERP:
        raise Revert("WrongKind", ())
    if told.at_s < listed.expiry_s:
        raise Revert("NotExpired", ())
    if not 0 < told.price <= _MOST:
        raise Revert("BadValue", ())
    pays = (
        payoff_e6(listed.option_type, listed.strike, told.price, listed.cap) if listed.escrow else told.price
    )
    books.set(books.endings, told.instrument, Ending(pays, now_s, told.price))


def close_out(books: Books, instrument: bytes, now_s: int) -> None:
    """Clearing.closeOut.

    Raises:
        Revert: InstrumentExpired, NotAbandoned.
    """
    if instrument in books.endings:
        raise Revert("InstrumentExpired", ())
    if not is_abandoned(books, now_s):
        raise Revert("NotAbandoned", ())
    price = last = books.last_prices.get(instrument, 0)
    if _is_option(books, instrument):  # its price is its premium, and it is worth no more than its escrow
        price = min(price, books.instruments[instrument].escrow)
    books.set(books.endings, instrument, Ending(price, now_s, last))


def record_deficit(books: Books, instrument: bytes, account: str, _now_s: int) -> None:
    """Clearing.recordDeficit.

    Raises:
        Revert: NotExpired, ClaimsNotOpen, Healthy.
    """
    ending = _ending(books, instrument)
    if _is_option(books, instrument):
        raise Revert("NotExpired", ())
    if ending.owed:
        raise Revert("ClaimsNotOpen", (0,))
    worth = _worth(books.positions.get((account, instrument), NO_POSITION), ending.price)
    if worth >= 0:
        raise Revert("Healthy", (account,))
    books.set(books.positions, (account, instrument), NO_POSITION)
    books.set(books.endings, instrument, ending._replace(deficit=ending.deficit - worth))


def claim(books: Books, instrument: bytes, account: str, now_s: int) -> None:
    """Clearing.claim.

    Raises:
        Revert: NotExpired, NothingToClaim, ClaimsNotOpen, InsufficientShares.
    """
    ending = _ending(books, instrument)
    position = books.positions.get((account, instrument), NO_POSITION)
    if not position[0]:
        raise Revert("NothingToClaim", ())
    house = books.instruments[instrument].house
    if _is_option(books, instrument):  # its cost counts nothing: the premium was paid
        worth = position[0] * ending.price // QTY_SCALE + position[2]
    else:
        ending = _opened(ending, books.usdc_of(house), now_s)
        worth = max(0, _worth(position, ending.price))
        if ending.deficit:
            worth = worth * ending.recovered // ending.owed
    totals, shares = books.totals, books.shares
    paid = worth * (totals["shares"] + VIRTUAL_SHARES) // (totals["assets"] + VIRTUAL_ASSETS)
    left = shares.get(house, 0) - paid
    if left < 0:
        raise Revert("InsufficientShares", (house,))
    books.set(books.endings, instrument, ending)
    books.set(books.positions, (account, instrument), NO_POSITION)
    books.set_all(shares, ((house, left), (account, shares.get(account, 0) + paid)))


def _opened(ending: Ending, recovered: int, now_s: int) -> Ending:
    """Open the claims of a perpetual or a future, after the hour in which losses are recorded."""
    if now_s < ending.at_s + CLAIM_DELAY_S:
        raise Revert("ClaimsNotOpen", (ending.at_s + CLAIM_DELAY_S,))
    if ending.owed:
        return ending
    return ending._replace(recovered=recovered, owed=recovered + ending.deficit or 1)


def _is_option(books: Books, instrument: bytes) -> bool:
    return books.instruments[instrument].kind == KIND_OPTION


def is_short(books: Books, instrument: bytes, account: str) -> bool:
    """Tell whether an account has lost more than its margin in an instrument that has ended."""
    ending = books.endings.get(instrument)
    position = books.positions.get((account, instrument), NO_POSITION)
    if _is_option(books, instrument):
        return False
    return ending is not None and not ending.owed and _worth(position, ending.price) < 0


def _ending(books: Books, instrument: bytes) -> Ending:
    ending: Ending | None = books.endings.get(instrument)
    if ending is None:
        raise Revert("NotExpired", ())
    return ending


def _worth(position: Position, price: int) -> int:
    size, cost, margin = position
    return size * price // QTY_SCALE - cost + margin
