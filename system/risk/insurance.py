"""Who pays for a loss that nobody's margin covers: INSU-001 to INSU-008.

In order: the insurance fund, up to its cap for one event; those who gained, pro rata (haircut);
last the bad-debt account, which later income of the fund repays first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from system.model.units import PPM


class Fund(msgspec.Struct, frozen=True):
    """The insurance fund of a market and what is owed to it. Both never below 0. Units: uUSDC."""

    balance: int = 0
    bad_debt: int = 0


def receive(fund: Fund, amount: int) -> Fund:
    """Book income of the fund; it repays bad debt first. Rule: INSU-001."""
    repaid = min(amount, fund.bad_debt)
    return Fund(fund.balance + amount - repaid, fund.bad_debt - repaid)


def event_cap(balance_at_start: int, cap_ppm: int) -> int:
    """Return the most that one event may take from a fund. Rule: INSU-002."""
    return balance_at_start * cap_ppm // PPM


def pay(fund: Fund, amount: int, allowance: int) -> tuple[Fund, int]:
    """Take a loss out of the fund, up to the event's allowance: (fund, what it paid). Rule: INSU-002."""
    paid = max(0, min(amount, allowance, fund.balance))
    return Fund(fund.balance - paid, fund.bad_debt), paid


def write_off(fund: Fund, amount: int) -> Fund:
    """Book a loss that nobody else pays: what is in the fund, then a receivable. Rule: INSU-005.

    An event's cap spares the fund while others can still pay, but nothing is bad debt before the
    fund is empty.
    """
    paid = min(amount, fund.balance)
    return Fund(fund.balance - paid, fund.bad_debt + amount - paid)


class Haircut(msgspec.Struct, frozen=True):
    """What each winner gets of his gain, and the dust of rounding. Units: uUSDC."""

    paid: tuple[int, ...]
    dust: int  # goes to the fund


def haircut(gains: Sequence[int], collected: int) -> Haircut:
    """Pay gains pro rata out of what was collected. Source: Vega. Rule: INSU-003.

    Each gets `floor(gain * collected / sum of gains)`; in full when enough was collected, and then
    the dust is what is too much.

    >>> haircut([100, 50, 7], 100)
    Haircut(paid=(63, 31, 4), dust=2)
    """
    target = sum(gains)
    if target <= collected:
        return Haircut(tuple(gains), collected - target)
    paid = tuple(gain * collected // target for gain in gains)
    return Haircut(paid, collected - sum(paid))


class Shared(msgspec.Struct, frozen=True):
    """How a deficit was covered: insurance + socialised + written_off is the deficit. Units: uUSDC."""

    fund: Fund
    insurance: int  # paid by the fund
    socialised: int  # kept back from those who gained
    written_off: int  # bad debt
    gains: tuple[int, ...]  # what each winner gets
    dust: int  # rounding of the haircut, already in `fund`


def share_deficit(
    fund: Fund, deficit: int, gains: Sequence[int], allowance: int, haircuts: bool = True
) -> Shared:
    """Cover a deficit: fund, then winners, then bad debt. Rules: INSU-004, INSU-005.

    For expiries and funding, where gains are known and not yet paid out. Without haircuts (or
    beyond all gains) the rest becomes bad debt.

    >>> share_deficit(Fund(3), 9, [10, 2], 3)
    Shared(fund=Fund(balance=0, bad_debt=0), insurance=3, socialised=6, written_off=0, gains=(5, 1), dust=0)
    """
    fund, paid = pay(fund, deficit, allowance)
    left = deficit - paid
    socialised = min(left, sum(gains)) if haircuts else 0
    cut = haircut(gains, sum(gains) - socialised)
    rest = write_off(fund, left - socialised)
    written_off = rest.bad_debt - fund.bad_debt
    insurance = deficit - socialised - written_off
    return Shared(receive(rest, cut.dust), insurance, socialised, written_off, cut.paid, cut.dust)
