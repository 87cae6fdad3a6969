"""The storage of Vault, Settlement and Clearing in Python, their deposits and their cancels.

With `model_settlement` the reference that the contracts are compared with (`tests/contracts`).
Left out: deposits of CXPT, ERC-1271 wallets, pausing, upgrades, and overflows that no legal price and
quantity can reach. Every change is journalled, and a reorganisation plays the journal backwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Literal, NamedTuple

from system.model.typed_data import Domain, domain_separator

VIRTUAL_SHARES = 10**6
VIRTUAL_ASSETS = 1

Journal = list[tuple[MutableMapping[Any, Any], Any, Any]]
_MISSING: Any = object()


class Revert(Exception):
    """The whole transaction failed: (error name, arguments)."""


class Instrument(NamedTuple):
    """A listed market. `asset` is the base of a spot market; `house` a derivative's own account.

    `strike`, `cap` and `escrow` (the most that one option pays) are uUSDC per 1.0 base.
    """

    kind: int
    im_ppm: int
    asset: str
    house: str
    expiry_s: int = 0
    option_type: Literal["CALL", "PUT"] = "CALL"
    strike: int = 0
    cap: int = 0
    escrow: int = 0


Position = tuple[int, int, int]
"""(size in 1e-8 base, cost, margin in uUSDC); size and cost are signed."""
NO_POSITION: Position = (0, 0, 0)


Counter = tuple[str, int]
"""(account, nonce), or (account, -1 - lane) of a recycled nonce."""
RECYCLED = 1 << 63
"""Nonces from here on share 256 lanes; a newer one of a lane takes the place of the older."""
_LANE_MASK = 0xFF
_QTY_BITS = 64
_QTY_MASK = (1 << _QTY_BITS) - 1


def counter_of(account: str, nonce: int) -> tuple[Counter, int]:
    """Return where a nonce is counted, and its generation: 0 outside of the lanes (Authority._counter)."""
    if nonce < RECYCLED:
        return (account, nonce), 0
    return (account, -1 - (nonce & _LANE_MASK)), nonce >> 8


def filled_in(value: int, generation: int) -> int:
    """Return what is filled of a nonce, -1 when its lane counts a newer one (Authority._filledOf)."""
    if not generation:
        return value
    counted = value >> _QTY_BITS
    if counted == generation:
        return value & _QTY_MASK
    return -1 if counted > generation else 0


def counted(qty: int, generation: int) -> int:
    """Return the value of a counter (Authority._setFilled)."""
    return generation << _QTY_BITS | qty


class Cancels(NamedTuple):
    """Below which nonce an account's orders are void: now, and from when on (Unix seconds)."""

    floor: int
    next_floor: int
    next_floor_at: int


_NO_CANCELS = Cancels(0, 0, 0)


class Books:
    """All storage of the contracts, and who may write it: only through `set` and `set_all`."""

    def __init__(self, treasury: str, domain: Domain, *, verify_signatures: bool) -> None:
        self.treasury = treasury
        self.separator = domain_separator(domain)
        self.verify_signatures = verify_signatures
        self.totals = dict.fromkeys(("assets", "shares", "usdc", "cxpt_reserve", "batch", "batch_at"), 0)
        self.heads: dict[str, bytes] = {"head": bytes(32)}
        self.instruments: dict[bytes, Instrument] = {}
        self.shares: dict[str, int] = {}
        self.assets: dict[tuple[str, str], int] = {}  # (asset, account)
        self.filled: dict[Counter, int] = {}  # of a lane with the generation above the quantity
        self.positions: dict[tuple[str, bytes], Position] = {}  # (account, instrument)
        self.last_prices: dict[bytes, int] = {}  # of perps' fills
        self.endings: dict[bytes, Any] = {}  # instrument -> model_claims.Ending
        self.skipped: dict[int, tuple[int, ...]] = {}  # batch -> places of its fills
        self.cancels: dict[str, Cancels] = {}
        self.cancelled_at: dict[tuple[str, int], int] = {}  # (account, nonce) -> Unix seconds
        self.exits: dict[tuple[str, str], tuple[int, int]] = {}  # (account, asset) -> amount, ready at
        self.withdrawn: dict[tuple[str, int], bool] = {}  # (account, nonce) of signed withdrawals
        self.wallets: dict[tuple[str, str], int] = {}  # (account, asset): what the Vault has paid
        self.any_cancel = False  # spares most orders the question
        self.journal: Journal = []

    def set(self, mapping: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        """Write one slot, and remember what was there."""
        self.journal.append((mapping, key, mapping.get(key, _MISSING)))
        mapping[key] = value

    def set_all(self, mapping: MutableMapping[Any, Any], entries: Iterable[tuple[Any, Any]]) -> None:
        """Write many slots of one mapping."""
        note = self.journal.append
        for key, value in entries:
            note((mapping, key, mapping.get(key, _MISSING)))
            mapping[key] = value

    def take_journal(self) -> Journal:
        """Return what was overwritten since the last call."""
        taken, self.journal = self.journal, []
        return taken

    # ---- Vault

    def deposit(self, account: str, asset: str, amount: int) -> None:
        """Vault.deposit of USDC (buys shares) or of a synth."""
        if asset != "USDC":
            self.set(self.assets, (asset, account), self.assets.get((asset, account), 0) + amount)
            return
        totals = self.totals
        shares = amount * (totals["shares"] + VIRTUAL_SHARES) // (totals["assets"] + VIRTUAL_ASSETS)
        if shares == 0:
            raise Revert("ZeroShares", ())
        self.set(totals, "usdc", totals["usdc"] + amount)
        self.set(totals, "assets", totals["assets"] + amount)
        self.set(totals, "shares", totals["shares"] + shares)
        self.set(self.shares, account, self.shares.get(account, 0) + shares)

    def accrue(self, amount: int) -> None:
        """Vault.accrue: all shares become worth more."""
        self.set(self.totals, "usdc", self.totals["usdc"] + amount)
        self.set(self.totals, "assets", self.totals["assets"] + amount)

    def usdc_of(self, account: str) -> int:
        """Vault.usdcOf: rounded down."""
        totals = self.totals
        claim = self.shares.get(account, 0) * (totals["assets"] + VIRTUAL_ASSETS)
        return claim // (totals["shares"] + VIRTUAL_SHARES)

    def filled_of(self, account: str, nonce: int) -> int:
        """Settlement.filled."""
        counter, generation = counter_of(account, nonce)
        return max(0, filled_in(self.filled.get(counter, 0), generation))

    # ---- cancels

    def cancel(self, account: str, nonce: int, effective_at_s: int) -> None:
        """Settlement.cancel; a repeated one does not postpone the first."""
        self.any_cancel = True
        if (account, nonce) not in self.cancelled_at:
            self.set(self.cancelled_at, (account, nonce), effective_at_s)

    def cancel_up_to(self, account: str, min_nonce: int, now_s: int, effective_at_s: int) -> None:
        """Settlement.cancelUpTo; a floor that is due becomes the floor before the next one is noted."""
        self.any_cancel = True
        floor, next_floor, next_floor_at = self.cancels.get(account, _NO_CANCELS)
        if next_floor_at <= now_s:
            floor = next_floor
        if min_nonce > floor and min_nonce > next_floor:
            self.set(self.cancels, account, Cancels(floor, min_nonce, effective_at_s))

    def is_cancelled(self, account: str, nonce: int, now_s: int) -> bool:
        """Settlement.isCancelled."""
        cancels = self.cancels.get(account)
        if cancels is not None:
            floor = cancels.next_floor if cancels.next_floor_at <= now_s else cancels.floor
            if nonce < floor:
                return True
        return self.cancelled_at.get((account, nonce), now_s + 1) <= now_s


def play_back(journal: Journal) -> None:
    """Undo the changes of a journal, last first."""
    for mapping, key, before in reversed(journal):
        if before is _MISSING:
            del mapping[key]
        else:
            mapping[key] = before


def as_before(mapping: Mapping[Any, Any], journals: Iterable[Journal]) -> dict[Any, Any]:
    """Return one mapping as it was before these journals, newest first; it itself stays as it is."""
    then = dict(mapping)
    for journal in journals:
        play_back([(then, key, before) for changed, key, before in journal if changed is mapping])
    return then
