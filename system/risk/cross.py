"""Cross margin, an experiment mode: one equity answers for all positions of an account. RISK-043, RISK-044.

The venue trades isolated (decision 0050). These are the formulas of dYdX's subaccounts, on
exact fractions, rounded where a price or an amount leaves.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from system.model.units import PPM, QTY_SCALE


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
