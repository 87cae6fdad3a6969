"""USDC to CXPT and back, one to one: RISK-081 to RISK-084."""

from __future__ import annotations

import msgspec

from system.model.errors import Rejected, RejectReason


class CxptMove(msgspec.Struct, frozen=True):
    """What moves when CXPT is minted or redeemed; `available + backing` is always 0. Units: 1e-6."""

    available: int  # the trader's USDC claim
    backing: int  # USDC set aside for CXPT
    supply: int  # CXPT in circulation; equal to `backing`


def withdraw_as_cxpt(amount: int, available: int) -> CxptMove | Rejected:
    """Turn a claim on USDC into CXPT, backed one to one. Rule: RISK-081."""
    if amount <= 0:
        return Rejected(RejectReason.BAD_REQUEST, "amount", f"expected above 0, was {amount}")
    if amount > available:
        return Rejected(
            RejectReason.INSUFFICIENT_FUNDS, "amount", f"expected at most {available}, was {amount}"
        )
    return CxptMove(-amount, amount, amount)


def redeem(amount: int, held_cxpt: int, backing: int, is_open: bool) -> CxptMove | Rejected:
    """Turn CXPT back into a claim on USDC. Rule: RISK-082.

    `is_open` is the switch of a run: closed, CXPT has a ceiling of 1 USDC and no floor.
    """
    if not is_open:
        return Rejected(RejectReason.FORBIDDEN, "redemption", "this exchange redeems no CXPT")
    if amount <= 0:
        return Rejected(RejectReason.BAD_REQUEST, "amount", f"expected above 0, was {amount}")
    if amount > min(held_cxpt, backing):
        most = min(held_cxpt, backing)
        return Rejected(RejectReason.INSUFFICIENT_FUNDS, "amount", f"expected at most {most}, was {amount}")
    return CxptMove(amount, -amount, -amount)


def vault_shares(deposit: int, total_shares: int, total_assets: int) -> int:
    """Return the shares of a deposit, rounded down; the first ones are one to one. Rule: RISK-083."""
    if not total_shares or not total_assets:
        return deposit
    return deposit * total_shares // total_assets


def synth_coverage_ppm(earmarked: int, supply_e8: int, index_e6: int) -> int | None:
    """Return the part of a synth's value that is set aside for it; None when nothing is owed. RISK-084."""
    liability = supply_e8 * index_e6
    return earmarked * 10**14 // liability if liability else None
