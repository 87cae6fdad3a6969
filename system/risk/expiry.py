"""The end of options and dated futures: EXPI-001 to EXPI-010.

Settlement prices are multiples of the settlement tick, so every payment is exact; when a market is
settled its clearing account is at zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from system.model.units import QTY_SCALE, ppm_ceil
from system.risk.insurance import Fund, share_deficit

WINDOW_S = 1_800
EXTENSION_STEP_S = 60
EXTENSION_MOST_S = 4 * 3_600


class Settle(msgspec.Struct, frozen=True, tag="SETTLE"):
    """The window is good: settle at this price."""

    price_e6: int


class Extend(msgspec.Struct, frozen=True, tag="EXTEND"):
    """Too few valid seconds: look again when the window reaches this instant."""

    end_s: int


class AskAdmin(msgspec.Struct, frozen=True, tag="ASK_ADMIN"):
    """No valid average within four hours: an administrator states the price."""


def settlement_step(
    numerator: int,
    valid_s: int,
    end_s: int,
    expiry_s: int,
    settle_tick_e6: int,
    window_s: int = WINDOW_S,
) -> Settle | Extend | AskAdmin:
    """Say what the average over [expiry - window, end) allows. Rules: EXPI-001 to EXPI-003.

    `numerator / valid_s` is the average price over the seconds with a valid index. At least half
    of a window must be valid. A window of 0 takes the instant's price, valid_s is then 1 or 0.

    >>> settlement_step(108_120_000_000_000, 1_800, 1_800, 1_800, 100)
    Settle(price_e6=60066666700)
    """
    if valid_s > 0 and 2 * valid_s >= window_s:
        ticks, rest = divmod(numerator, valid_s * settle_tick_e6)
        half = 2 * rest - valid_s * settle_tick_e6
        return Settle((ticks + (half > 0 or (half == 0 and ticks % 2 == 1))) * settle_tick_e6)
    if end_s - expiry_s >= EXTENSION_MOST_S:
        return AskAdmin()
    return Extend(min(end_s + EXTENSION_STEP_S, expiry_s + EXTENSION_MOST_S))


def samples_in_window(window_s: int, interval_s: int) -> int:
    """Return how many observations an average over a window has."""
    return window_s // interval_s


def blended_mark_e6(twap_e6: int, forward_e6: int, elapsed_s: int, window_s: int = WINDOW_S) -> int:
    """Return the mark inside the window: the average so far, and the forward for the rest. EXPI-004.

    For unrealised profit only; rounded down. Source: Derive.
    """
    elapsed_s = min(max(0, elapsed_s), window_s)
    return (twap_e6 * elapsed_s + forward_e6 * (window_s - elapsed_s)) // window_s


class Holding(msgspec.Struct, frozen=True):
    """One position of an expiring market. `margin` is an option writer's lock. Units: uUSDC."""

    trader: str
    size_e8: int
    cost: int
    margin: int


class Credit(msgspec.Struct, frozen=True):
    """What a trader gets when the position ends. Units: uUSDC."""

    trader: str
    amount: int  # to available, fee already off
    realised: int  # profit, after a haircut where there was one
    fee: int
    haircut: int = 0


class Settled(msgspec.Struct, frozen=True):
    """The books of an expiry.

    Conservation: margins + clearing + fund before = credits + fees + fund after, where a fund is
    its balance less bad debt and clearing was minus the sum of costs.
    """

    credits: tuple[Credit, ...]
    fund: Fund
    insurance: int  # paid by the fund
    socialised: int  # kept back from winners, dust with it
    written_off: int  # bad debt


def writer_release(lock: int, payoff: int) -> int:
    """Return what an option's writer gets back."""
    return lock - payoff


def settle_options(holdings: Sequence[Holding], payoff_e6: int, fund: Fund) -> Settled:
    """Pay holders out of the locks of writers, exactly. Rule: EXPI-005."""
    paid = []
    for one in holdings:
        value = payoff_e6 * abs(one.size_e8) // QTY_SCALE
        amount = value if one.size_e8 > 0 else writer_release(one.margin, value)
        signed = value if one.size_e8 > 0 else -value
        paid.append(Credit(one.trader, amount, signed - one.cost, 0))
    return Settled(tuple(paid), fund, 0, 0, 0)


def settle_futures(
    holdings: Sequence[Holding],
    price_e6: int,
    fund: Fund,
    allowance: int,
    *,
    fee_ppm: int = 0,
    haircuts: bool = True,
) -> Settled:
    """Realise every position at the settlement price. Rules: EXPI-006 to EXPI-008.

    A loss beyond a margin is paid by the fund (up to `allowance`), then kept back from those who
    gained, pro rata, then bad debt. Perpetuals that close for ever end the same way.
    """
    profits = [one.size_e8 * price_e6 // QTY_SCALE - one.cost for one in holdings]
    deficit = sum(max(0, -(one.margin + profit)) for one, profit in zip(holdings, profits, strict=True))
    shared = share_deficit(fund, deficit, [max(0, profit) for profit in profits], allowance, haircuts)
    paid = []
    for one, profit, gain in zip(holdings, profits, shared.gains, strict=True):
        realised = gain if profit > 0 else max(profit, -one.margin)
        notional = price_e6 * abs(one.size_e8) // QTY_SCALE
        fee = min(ppm_ceil(notional, fee_ppm), one.margin + realised)
        cut = profit - gain if profit > 0 else 0
        paid.append(Credit(one.trader, one.margin + realised - fee, realised, fee, cut))
    return Settled(tuple(paid), shared.fund, shared.insurance, shared.socialised, shared.written_off)


def capped_settlement(size_e8: int, settle_e6: int, max_price_e6: int) -> int:
    """Return what a fully collateralised capped position gets at expiry. Source: Vega. Rule: EXPI-009.

    A long its price, a short the highest price less it: their sum is the collateral, so nothing
    is ever short.
    """
    price = min(max(0, settle_e6), max_price_e6)
    return abs(size_e8) * (price if size_e8 > 0 else max_price_e6 - price) // QTY_SCALE
