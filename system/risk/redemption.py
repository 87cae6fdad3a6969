"""USDC to CXPT and back, one to one: RISK-081 to RISK-084."""

from __future__ import annotations

from typing import NamedTuple

CXPT = "CXPT"
_E8_PER_E6 = 100


class Issue(NamedTuple):
    """CXPT that comes into circulation (above 0) or leaves it. Units: backing uUSDC, supply 1e-8 CXPT."""

    backing: int
    supply_e8: int


def issue(amount: int) -> Issue:
    """Return what minting for `amount` uUSDC adds; a negative amount redeems. Rules: RISK-081, RISK-082.

    >>> issue(7), issue(-7)
    (Issue(backing=7, supply_e8=700), Issue(backing=-7, supply_e8=-700))
    """
    return Issue(amount, amount * _E8_PER_E6)


def vault_shares(deposit: int, total_shares: int, total_assets: int) -> int:
    """Return the shares of a deposit, rounded down; the first ones are one to one. Rule: RISK-083."""
    if not total_shares or not total_assets:
        return deposit
    return deposit * total_shares // total_assets


def synth_coverage_ppm(earmarked: int, supply_e8: int, index_e6: int) -> int | None:
    """Return the part of a synth's value that is set aside for it; None when nothing is owed. RISK-084."""
    liability = supply_e8 * index_e6
    return earmarked * 10**14 // liability if liability else None
