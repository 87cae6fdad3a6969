"""What an account has signed to withdraw goes to the Vault, brought on by every watch until it is over.

A withdrawal waits until every trade of its trader from before it is final on chain, so that it takes
nothing that a fill still under way has spent. What is sent is stored before. A stored transaction is sent
until it is mined, also after the deadline, when it can only fail: its place among the operator's
transactions must not stay empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from system.config import Config
from system.model import trade
from system.model.errors import ChainReverted, ConditionFailed, RejectReason
from system.model.keys import BALANCES, SETTLEMENTS, TRADES, Item, Key, asset_sk, event_sk, trader_pk
from system.model.typed_data import signature_bytes
from system.model.units import MINUTE_NS, NS
from system.model.withdrawal import OPEN_PK, PENDING, RETURNED, SUBMITTED, key_of, open_key
from system.ports.chain import Bid, Chain, Fees, PreparedTx, SignedWithdrawal
from system.ports.clock import Clock
from system.ports.store import Clause, Delete, Store, Update, query_all
from system.settlement.submit import ABOUT_NONCE, FEE_TOO_LOW

GAS = 400_000
"""Twice and a half what an exit as CXPT to a new holder was measured to take."""
SETTLE_IN_NS = MINUTE_NS
"""How far clocks may differ, and how late an index may be: trades so much younger count as before it."""
REASONS: dict[str, str] = {
    "InsufficientShares": RejectReason.INSUFFICIENT_FUNDS,  # what only the ledger knows to be won
    "SignatureExpired": RejectReason.EXPIRED,
    "BadWithdrawalSignature": RejectReason.BAD_SIGNATURE,
    "NonceUsed": RejectReason.DUPLICATE_ORDER,
}
"""The Vault's errors in the exchange's words; others keep their name."""
_OPEN_TRADES = frozenset({trade.PENDING, trade.BATCHED, trade.SUBMITTED})


class Withdrawals:
    """Brings the open ones on. Rules: WDRW-010 to WDRW-014."""

    def __init__(self, store: Store, chain: Chain, clock: Clock, config: Config) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock
        self._config = config

    def bring_on(self) -> None:
        """Look at each that is open, in no particular order: they do not wait for each other."""
        for opened in query_all(self._store, SETTLEMENTS, OPEN_PK):
            row = self._store.get(SETTLEMENTS, key_of(opened))
            assert row is not None, f"{opened['SK']}: it is open, but there is no such withdrawal"
            if row["status"] == PENDING:
                self._begin(row)
            elif row["status"] == SUBMITTED:
                self._push(row)

    def _begin(self, row: Item) -> None:
        """Send one whose time has come; one that nobody can send any more is returned."""
        now_ns = self._clock.now_ns()
        if now_ns > row["deadline"] * NS + SETTLE_IN_NS:
            # of its transactions, one may have been mined that was thought lost
            if not self._is_paid(row):
                self._give_back(row)
            return
        if now_ns < row["accepted_ns"] + SETTLE_IN_NS or self._waits_for_trades(row):
            return
        wanted = _signed(row)
        error = self._chain.preflight_withdrawal(wanted)
        if error:
            reason = REASONS.get(error, error)
            if row.get("reason") != reason:  # it is tried again every minute
                self._change(row, {"reason": reason})
            return
        self._send(row, self._sign(row, wanted, self._chain.fees()))

    def _push(self, row: Item) -> None:
        """Send one again that is not mined, with a better offer when it waits too long."""
        if self._is_paid(row):
            return  # it ends when the block is deep enough, by the Vault's event
        failed = self._chain.receipt(row["tx_hash"])
        if failed is not None:
            self._change(row, {"status": PENDING, "reason": REASONS.get(failed.error, failed.error)})
        elif self._chain.operator() != row["sender"]:
            self._change(row, {"status": PENDING})  # the new operator sends it; the old one's can only fail
        else:
            is_news = self._send(row, PreparedTx(row["tx_hash"], row["raw"], row["tx_nonce"]))
            if is_news is False and self._clock.now_ns() - row["signed_ns"] >= self._config.stuck_ns:
                self._outbid(row)

    def _sign(
        self, row: Item, wanted: SignedWithdrawal, fees: Fees, nonce: int | None = None
    ) -> PreparedTx | None:
        """Store the transaction before anybody sends it; None when somebody else was faster."""
        sender = self._chain.operator()
        tx = self._chain.prepare_withdrawal(
            wanted, self._chain.next_nonce() if nonce is None else nonce, Bid(GAS, fees)
        )
        put = {
            "status": SUBMITTED,
            "tx_hash": tx.tx_hash,
            "raw": tx.raw,
            "sender": sender,
            "tx_nonce": tx.nonce,
            "max_fee": fees.max_fee,
            "priority_fee": fees.priority_fee,
            "signed_ns": self._clock.now_ns(),
            "hashes": [*row.get("hashes", ()), tx.tx_hash],
        }
        return tx if self._change(row, put, remove=("reason",)) else None

    def _send(self, row: Item, tx: PreparedTx | None) -> bool | None:
        """Send a stored transaction; one whose place or offer was refused is signed anew.

        Returns:
            Whether the node did not have it; None when it was not sent, or refused.
        """
        if tx is None:
            return None
        try:
            return self._chain.send(tx)
        except ChainReverted as refusal:
            current = self._store.get(SETTLEMENTS, Key(row["PK"], row["SK"]))
            assert current is not None
            if current["status"] != SUBMITTED or current["tx_hash"] != tx.tx_hash:
                return None
            if refusal.args[0] == FEE_TOO_LOW:
                self._outbid(current)
            elif refusal.args[0] in ABOUT_NONCE and not self._is_paid(current):
                self._change(current, {"status": PENDING})
            return None

    def _outbid(self, row: Item) -> None:
        """Store a better offer for the same place; the next watch sends it."""
        offered = Fees(row["max_fee"], row["priority_fee"])
        fees = self._chain.fees(offered)
        if fees != offered:
            self._sign(row, _signed(row), fees, row["tx_nonce"])

    def _is_paid(self, row: Item) -> bool:
        """Tell whether one of its transactions is in a block and has paid."""
        receipts = map(self._chain.receipt, reversed(row.get("hashes", ())))
        return any(receipt is not None and receipt.success for receipt in receipts)

    def _waits_for_trades(self, row: Item) -> bool:
        """Tell whether a trade of before it is not final on chain yet; the newest is looked at first."""
        until_ms = (row["accepted_ns"] + SETTLE_IN_NS) // 1_000_000
        sk_to = event_sk(f"{until_ms >> 16:08x}-{until_ms & 0xFFFF:04x}-~")
        for index in ("maker", "taker"):
            after: Mapping[str, Any] | None = None
            while True:
                page = self._store.query(
                    TRADES, row["PK"], index=index, sk_to=sk_to, descending=True, limit=100, after=after
                )
                if any(each.get("settlementStatus") in _OPEN_TRADES for each in page.items):
                    return True
                after = page.after
                if after is None:
                    break
        return False

    def _change(self, row: Item, put: dict[str, Any], remove: tuple[str, ...] = ()) -> bool:
        """Move one on, unless somebody else has: then False."""
        same = [Clause("status", "=", row["status"])]
        if "tx_hash" in row:
            same.append(Clause("tx_hash", "=", row["tx_hash"]))
        try:
            self._store.write(
                Update(SETTLEMENTS, Key(row["PK"], row["SK"]), put=put, remove=remove, when=tuple(same))
            )
        except ConditionFailed:
            return False
        return True

    def _give_back(self, row: Item) -> None:
        """Make the amount available again. Rule: WDRW-013."""
        unpaid = (Clause("status", "=", PENDING),)
        held = Key(trader_pk(row["trader"]), asset_sk(row["asset"]))
        amount = row["amount"]
        try:
            self._store.transact(
                [
                    Update(
                        SETTLEMENTS,
                        Key(row["PK"], row["SK"]),
                        put={"status": RETURNED},
                        remove=("raw",),
                        when=unpaid,
                    ),
                    Delete(SETTLEMENTS, open_key(row["trader"], row["nonce"])),
                    Update(BALANCES, held, add={"available": amount, "exiting": -amount, "backed": amount}),
                ]
            )
        except ConditionFailed:
            return


def _signed(row: Item) -> SignedWithdrawal:
    """Return what the account signed."""
    return SignedWithdrawal(
        row["account"],
        row["amount"],
        row["as_cxpt"],
        row["nonce"],
        row["deadline"],
        signature_bytes(row["signature"]),
    )
