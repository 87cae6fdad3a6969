"""Vault.withdraw and withdrawBySig in Python.

The queue, the delay, the door that opens when no batch has come for a day, and the one that the operator
opens. Left out: exits of an account itself as CXPT.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from sim.world.deploy import EXIT_DELAY_S, HEARTBEAT_S
from sim.world.model_contracts import VIRTUAL_ASSETS, VIRTUAL_SHARES, Books, Revert
from system.model import typed_data
from system.ports.chain import SignedWithdrawal

CXPT_TOKEN = "CXPT token"
"""Name of the token itself among wallets; no asset of a market has a space in its name."""


class Exit(NamedTuple):
    """What the Vault told: uUSDC or units of a synth, queued or paid."""

    kind: Literal["QUEUED", "PAID"]
    account: str
    asset: str
    amount: int
    nonce: int = 0
    as_cxpt: bool = False


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


def withdraw_by_sig(books: Books, wanted: SignedWithdrawal, now_s: int) -> Exit:
    """Vault.withdrawBySig; who sends it is an operator.

    Raises:
        Revert: SignatureExpired, NonceUsed, BadWithdrawalSignature, NothingToExit, InsufficientShares.
    """
    account, amount, as_cxpt, nonce, deadline, signature = wanted
    if now_s > deadline:
        raise Revert("SignatureExpired", ())
    if books.withdrawn.get((account, nonce)):
        raise Revert("NonceUsed", (account, nonce))
    if books.verify_signatures:
        digest = typed_data.withdrawal_digest(books.separator, *wanted[:5])
        if not typed_data.is_signed_by(account, digest, signature):
            raise Revert("BadWithdrawalSignature", ())
    _pay(books, account, amount)
    books.set(books.withdrawn, (account, nonce), True)
    if as_cxpt:
        books.set(books.totals, "usdc", books.totals["usdc"] + amount)
        books.set(books.totals, "cxpt_reserve", books.totals["cxpt_reserve"] + amount)
    place = (account, CXPT_TOKEN if as_cxpt else "USDC")
    books.set(books.wallets, place, books.wallets.get(place, 0) + amount)
    return Exit("PAID", account, "USDC", amount, nonce, as_cxpt)


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
