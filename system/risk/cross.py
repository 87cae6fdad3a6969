"""Cross margin, an experiment mode: one equity answers for all positions of an account. RISK-043, RISK-044.

The venue trades isolated (decision 0050). These are the formulas of dYdX's subaccounts, on
exact fractions, rounded where a price or an amount leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import msgspec

from system.model.units import PPM, QTY_SCALE
from system.risk.margin import equity_e8


class Holding(msgspec.Struct, frozen=True):
    """One position of a cross account at its mark. Units as everywhere."""

    symbol: str
    size_e8: int
    mark_e6: int
    mm_ppm: int

    @property
    def value(self) -> Fraction:
        """Signed value at the mark in uUSDC."""
        return Fraction(self.size_e8 * self.mark_e6, QTY_SCALE)

    @property
    def maintenance(self) -> Fraction:
        """Maintenance margin at the mark in uUSDC."""
        return Fraction(abs(self.value) * self.mm_ppm, PPM)


class CrossAccount(msgspec.Struct, frozen=True):
    """USDC (negative when owed) and positions that stand for each other."""

    usdc: int
    holdings: tuple[Holding, ...]

    @property
    def equity(self) -> Fraction:
        """USDC and all positions at their marks."""
        return self.usdc + sum((one.value for one in self.holdings), Fraction())

    @property
    def maintenance(self) -> Fraction:
        """The maintenance margins of all positions together."""
        return sum((one.maintenance for one in self.holdings), Fraction())

    @property
    def is_liquidatable(self) -> bool:
        """Equity is below the maintenance margins; at them it is not. Rule: RISK-043."""
        return self.equity < self.maintenance

    def holding(self, symbol: str) -> Holding:
        """Return the position in a market."""
        return next(one for one in self.holdings if one.symbol == symbol)


def cross_liquidation_price_e6(account: CrossAccount, symbol: str) -> int:
    """Return the last safe price of one market while all others stand still. Rule: RISK-043.

    0 when no price of this market can liquidate a long.
    """
    one = account.holding(symbol)
    rest = account.equity - one.value - (account.maintenance - one.maintenance)
    slope = Fraction(abs(one.size_e8) * one.mm_ppm, PPM) - one.size_e8
    edge = Fraction(rest * QTY_SCALE, slope)
    return max(0, -(-edge.numerator // edge.denominator) if one.size_e8 > 0 else int(edge // 1))


def bankruptcy_quote(account: CrossAccount, symbol: str, delta_e8: int) -> int:
    """Return the USDC that closing `delta_e8` must bring so that nothing is owed. Rule: RISK-044.

    Positive when selling, negative when buying; each position carries its share of the equity by
    its maintenance margin, and the amount is rounded up, against the trader. Source: dYdX.
    """
    one = account.holding(symbol)
    notional = Fraction(delta_e8 * one.mark_e6, QTY_SCALE)
    share = Fraction(abs(notional) * one.mm_ppm, PPM * account.maintenance)
    due = -notional - account.equity * share
    return -(-due.numerator // due.denominator)


class Leg(msgspec.Struct, frozen=True):
    """One position of an account whose positions have margins of their own. Units as in `Position`."""

    symbol: str
    size_e8: int
    cost: int
    margin: int
    mark_e6: int
    mm_ppm: int

    @property
    def equity_e8(self) -> int:
        """Margin and unrealised profit at the mark, in 1e-8 uUSDC."""
        return equity_e8(self.size_e8, self.cost, self.margin, self.mark_e6)

    @property
    def maintenance_e14(self) -> int:
        """Maintenance margin at the mark, in 1e-14 uUSDC."""
        return abs(self.size_e8) * self.mark_e6 * self.mm_ppm

    @property
    def is_short(self) -> bool:
        """Below its own maintenance margin."""
        return PPM * self.equity_e8 < self.maintenance_e14


class Transfer(NamedTuple):
    """Margin that one position gives another. Unit: uUSDC."""

    giver: str
    taker: str
    amount: int


def account_of(legs: Sequence[Leg]) -> CrossAccount:
    """Return the account that positions with margins of their own are together."""
    usdc = sum(leg.margin - leg.cost for leg in legs)
    return CrossAccount(
        usdc, tuple(Holding(leg.symbol, leg.size_e8, leg.mark_e6, leg.mm_ppm) for leg in legs)
    )


def cover_ppm(legs: Sequence[Leg]) -> int:
    """Return which share of the maintenance margins the equity of all covers, rounded down; never below 0.

    >>> cover_ppm([Leg("A", 10**8, 100, 40, 90, 500_000), Leg("B", -(10**8), -50, 20, 60, 500_000)])
    533333
    """
    maintenance_e14 = sum(leg.maintenance_e14 for leg in legs)
    equity = sum(leg.equity_e8 for leg in legs) * PPM
    return max(0, equity * PPM // maintenance_e14) if maintenance_e14 else PPM


def spare(leg: Leg, keeps_ppm: int) -> int:
    """Return the equity beyond `keeps_ppm` of the maintenance margin, rounded down. Rule: RISK-046."""
    beyond = PPM * PPM * leg.equity_e8 - keeps_ppm * leg.maintenance_e14
    return max(0, beyond // (PPM * PPM * QTY_SCALE))


def levelled(legs: Sequence[Leg], least: int = PPM) -> list[Transfer]:
    """Return what positions give each other so that each carries its share of the equity. Rule: RISK-046.

    The share is that of its maintenance margin (RISK-044): afterwards every position is below its own
    exactly when the account is below all of them. Transfers below `least` are left.
    """
    keeps_ppm = cover_ppm(legs)
    spares = {leg.symbol: spare(leg, keeps_ppm) for leg in legs}
    transfers = []
    for leg in legs:
        wanted = _missing(leg, keeps_ppm)
        for giver, spared in spares.items():
            amount = min(wanted, spared)
            if amount >= least and giver != leg.symbol:
                transfers.append(Transfer(giver, leg.symbol, amount))
                spares[giver] -= amount
                wanted -= amount
    return transfers


def _missing(leg: Leg, keeps_ppm: int) -> int:
    short = keeps_ppm * leg.maintenance_e14 - PPM * PPM * leg.equity_e8
    return max(0, -(-short // (PPM * PPM * QTY_SCALE)))
