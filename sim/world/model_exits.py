"""Vault.withdraw in Python: the queue, the delay, and the door that opens when no batch has come for a day.

Left out: exits as CXPT, and those that the operator signs.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from sim.world.deploy import EXIT_DELAY_S, HEARTBEAT_S
from sim.world.model_contracts import VIRTUAL_ASSETS, VIRTUAL_SHARES, Books, Revert


class Exit(NamedTuple):
    """What the Vault told: uUSDC or units of a synth, queued or paid."""

    kind: Literal["QUEUED", "PAID"]
    account: str
    asset: str
    amount: int


def is_abandoned(books: Books, now_s: int) -> bool:
    """Vault.isAbandoned: no batch has come for a day."""
    return now_s >= books.totals["batch_at"] + HEARTBEAT_S


def to_assets(books: Books, shares: int) -> int:
    """Vault.toAssets."""
    totals = books.totals
    return shares * (totals["assets"] + VIRTUAL_ASSETS) // (totals["shares"] + VIRTUAL_SHARES)


def withdraw(books: Books, account: str, asset: str, amount: int, now_s: int) -> Exit:
    """Vault.withdraw: `amount` is in shares for USDC.

    Raises:
        Revert: ExitPending, NothingToExit.
    """
    place = (account, asset)
    of_cash = asset == "USDC"
    queued, ready_at = books.exits.get(place, (0, 0))
    abandoned = is_abandoned(books, now_s)
    if amount == 0 or (not abandoned and queued != amount):
        books.set(books.exits, place, (amount, now_s + EXIT_DELAY_S if amount else 0))
        return Exit("QUEUED", account, asset, to_assets(books, amount) if of_cash else amount)
    if not abandoned and now_s < ready_at:
        raise Revert("ExitPending", (ready_at,))
    books.set(books.exits, place, (0, 0))
    held = books.shares.get(account, 0) if of_cash else books.assets.get((asset, account), 0)
    paid = min(amount, held)
    if of_cash:
        paid = _pay(books, account, to_assets(books, paid))
    elif paid:
        books.set(books.assets, (asset, account), held - paid)
    else:
        raise Revert("NothingToExit", ())
    books.set(books.wallets, place, books.wallets.get(place, 0) + paid)
    return Exit("PAID", account, asset, paid)


def _pay(books: Books, account: str, assets: int) -> int:
    if assets == 0:
        raise Revert("NothingToExit", ())
    totals = books.totals
    # rounded up: what is paid is what the shares cost, and dust stays with its owner
    shares = -(-assets * (totals["shares"] + VIRTUAL_SHARES) // (totals["assets"] + VIRTUAL_ASSETS))
    held = books.shares.get(account, 0)
    if shares > held:
        raise Revert("InsufficientShares", (account,))
    books.set(books.shares, account, held - shares)
    books.set(totals, "shares", totals["shares"] - shares)
    books.set(totals, "assets", totals["assets"] - assets)
    books.set(totals, "usdc", totals["usdc"] - assets)
    return assets
