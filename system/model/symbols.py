"""What a symbol says by itself: kind, underlying, expiry, strike. Rule: MARK-003.

Source: the design document's `BTC-PERP`; dates and strikes as Deribit writes them, `d` for a decimal point.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple


class MarketKind(StrEnum):
    """SPOT pays in full and delivers; PERP and FUTURE hold margin; OPTION locks its largest payoff."""

    SPOT = "SPOT"
    PERP = "PERP"
    FUTURE = "FUTURE"
    OPTION = "OPTION"


MARGINED = (MarketKind.PERP, MarketKind.FUTURE)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATED = rf"[A-Z0-9]{{2,10}}-([1-9]|[12]\d|3[01])({'|'.join(_MONTHS)})(\d{{2}})"
PATTERNS = {
    MarketKind.SPOT: re.compile(r"[A-Za-z][A-Za-z0-9]{1,10}-USDC"),
    MarketKind.PERP: re.compile(r"[A-Z0-9]{2,10}-PERP"),
    MarketKind.FUTURE: re.compile(_DATED),
    MarketKind.OPTION: re.compile(_DATED + r"-(\d+)(?:d(\d{1,6}))?-([CP])"),
}
EXPIRY_HOUR = 8
"""Contracts expire at 08:00:00 UTC of their day."""

_DECIMALS = 6


class Terms(NamedTuple):
    """What a symbol names. Units: expiry_s Unix seconds, strike_e6 uUSDC per base; 0 where there is none."""

    kind: MarketKind
    base: str
    expiry_s: int = 0
    strike_e6: int = 0
    option_type: str = ""  # CALL or PUT


def read_symbol(symbol: str) -> Terms | None:
    """Take a symbol apart; None when it has no known shape or names a day that does not exist.

    >>> read_symbol("BTC-27JUN25-60000-C")[1:]
    ('BTC', 1751011200, 60000000000, 'CALL')
    >>> read_symbol("BTC-31JUN25"), read_symbol("BTC-07JUN25")
    (None, None)
    """
    for kind, pattern in PATTERNS.items():
        match = pattern.fullmatch(symbol)
        if match is None:
            continue
        base = symbol.partition("-")[0]
        if kind not in (MarketKind.FUTURE, MarketKind.OPTION):
            return Terms(kind, base)
        day, month, year, *option = match.groups()
        try:
            expires = datetime(2000 + int(year), _MONTHS.index(month) + 1, int(day), EXPIRY_HOUR, tzinfo=UTC)
        except ValueError:
            return None
        expiry_s = timegm(expires.utctimetuple())
        if kind is MarketKind.FUTURE:
            return Terms(kind, base, expiry_s)
        whole, fraction, letter = option
        strike_e6 = int(whole + (fraction or "").ljust(_DECIMALS, "0"))
        return Terms(kind, base, expiry_s, strike_e6, "CALL" if letter == "C" else "PUT")
    return None
