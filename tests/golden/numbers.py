"""Exact numbers for adapters: decimals as text in the case, integers with a unit in the product."""

from __future__ import annotations

from fractions import Fraction
from typing import Any


def exact(value: Any) -> Fraction:
    """Read a number of a case: an int, or a decimal as text."""
    if isinstance(value, bool) or not isinstance(value, int | str | Fraction):
        raise TypeError(f"expected a number, was {value!r}")
    return Fraction(value)


def units(value: Any, decimals: int) -> int:
    """Return a decimal in units of 10**-decimals; it must be a whole number of them.

    >>> units("0.0025", 6), units(7000, 6)
    (2500, 7000000000)
    """
    scaled: Fraction = exact(value) * 10**decimals
    if scaled.denominator != 1:
        raise ValueError(f"expected at most {decimals} decimals, was {value}")
    return int(scaled)


def whole(value: Any) -> int:
    """Return a number that must be a whole one.

    >>> whole("-1001999")
    -1001999
    """
    return units(value, 0)


def decimal(whole: int, decimals: int) -> Fraction:
    """Return an integer in units of 10**-decimals as the number that it stands for."""
    return Fraction(whole, 10**decimals)
