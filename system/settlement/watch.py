"""Step 10 of docs/walk.md: every minute, whatever is on its way to the chain is brought on.

Batches are looked at in their order. What was not sent is sent, what a reorganisation threw away is
sent again, what waits too long offers more, what was reverted is signed anew, what is deep enough is
final.
"""

from __future__ import annotations

from typing import Any

from system.config import Config
from system.model import trade
from system.model.errors import ChainReverted, ConditionFailed, Throttled, TimedOut, Unavailable
from system.model.keys import SETTLEMENTS, TRADES, Item, Key
from system.ports.chain import Chain, Receipt
from system.ports.clock import Clock
from system.ports.store import Action, Clause, Store, Update
from system.settlement.batching import CONFIRMED, HEAD_KEY, PREPARED, batch_key
from system.settlement.contents import refusals
from system.settlement.deposits import credit_deposits
from system.settlement.endings import end_markets
from system.settlement.exits import follow_exits
from system.settlement.reasons import reason_of
from system.settlement.submit import ABOUT_THE_BID, Submitting
from system.settlement.withdrawals import Withdrawals


class Watch:
    """The function of the minute schedule of settlement."""

    def __init__(self, store: Store, chain: Chain, clock: Clock, config: Config) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock
        self._config = config
        self._submitting = Submitting(store, chain, clock)
        self._withdrawals = Withdrawals(store, chain, clock, config)

    def handle(self, event: dict[str, Any], context: Any = None) -> None:
        """Credit deposits, follow exits, bring on batches, withdrawals and endings; the rest waits."""
        bring_on = (self._bring_on, self._withdrawals.bring_on, self._end_markets)
        for step in (self._credit, self._follow_exits, *bring_on):
            try:
                step()
            except (ChainReverted, Throttled, TimedOut, Unavailable):
                continue  # nothing is half done: the next watch starts from what is stored

    def _credit(self) -> None:
        credit_deposits(self._store, self._chain, self._config)

    def _follow_exits(self) -> None:
        follow_exits(self._store, self._chain, self._config)

    def _end_markets(self) -> None:
        end_markets(self._store, self._chain, self._clock, self._config)

    def _bring_on(self) -> None:
        head = self._store.get(SETTLEMENTS, HEAD_KEY)
        if head is None or head["confirmed"] + 1 == head["next_batch"]:
            return
        # The height is read before the receipts, so that no batch looks deeper than it is.
        height = self._chain.block_number()
        may_confirm = True
        for number in range(head["confirmed"] + 1, head["next_batch"]):
            batch = self._submitting.read(number)
            if batch["status"] == CONFIRMED:
                continue  # by another watch, since the head was read
            receipt = self._receipt(batch)
            if receipt is None or not receipt.success:
                may_confirm = False
                self._push(batch, receipt)
                continue
            deep = height - receipt.block_number >= self._config.confirmations
            may_confirm = may_confirm and deep and self._confirm(batch, receipt)

    def _receipt(self, batch: Item) -> Receipt | None:
        """Return what became of a batch: the success among its transactions, or the fate of the newest.

        Rule: SETL-005.
        """
        hashes = list(batch.get("superseded", ()))
        if batch["status"] != PREPARED:
            hashes.append(batch["tx_hash"])
        newest: Receipt | None = None
        for place, tx_hash in enumerate(reversed(hashes)):
            receipt = self._chain.receipt(tx_hash)
            if receipt is not None and receipt.success:
                return receipt
            if place == 0 and batch["status"] != PREPARED:
                newest = receipt
        return newest

    def _push(self, batch: Item, reverted: Receipt | None) -> None:
        """Bring on a batch that is not on chain: sent again, with a better offer, or signed anew.

        Rules: SETL-004, SETL-005, SETL-012.
        """
        if reverted is not None:
            batch = self._submitting.reopen(batch, reverted.error)
        try:
            batch, is_news = self._submitting.send(self._submitting.sign(batch))
            if not is_news and self._waits_too_long(batch):
                self._submitting.send(self._submitting.outbid(batch))
        except ChainReverted as refusal:
            if refusal.args[0] not in ABOUT_THE_BID:
                raise
            batch = self._submitting.read(batch["number"])
            # Most often the nonce went to another transaction, and that may have been our own earlier one.
            # A second refusal ends this watch.
            if self._receipt(batch) is None:
                self._submitting.send(self._submitting.sign(batch))

    def _waits_too_long(self, batch: Item) -> bool:
        return self._clock.now_ns() - int(batch.get("signed_ns", 0)) >= self._config.stuck_ns

    def _confirm(self, batch: Item, receipt: Receipt) -> bool:
        """Make a batch and its trades final, in one transaction; False when somebody else has.

        Rules: SETL-006, SETL-007.
        """
        number = batch["number"]
        reasons = refusals(batch, receipt.tx_hash, receipt.skipped)
        put = {
            "status": CONFIRMED,
            "tx_hash": receipt.tx_hash,
            "block_number": receipt.block_number,
            "block_hash": receipt.block_hash,
            "gas_used": receipt.gas_used,
            "skipped": [[*batch["trades"][place], reason] for place, reason in sorted(reasons.items())],
            "confirmed_ns": self._clock.now_ns(),
        }
        open_still = (Clause("status", "<>", CONFIRMED),)
        is_next = (Clause("confirmed", "=", number - 1),)
        actions: list[Action] = [
            Update(TRADES, Key(*key), put=_fate(reasons.get(place)))
            for place, key in enumerate(batch["trades"])
        ]
        # The signed bytes are the bulk of the row, and nobody needs them any more.
        remove = ("raw", "error", "excluded", "left_out")
        actions.append(Update(SETTLEMENTS, batch_key(number), put=put, remove=remove, when=open_still))
        actions.append(Update(SETTLEMENTS, HEAD_KEY, put={"confirmed": number}, when=is_next))
        try:
            self._store.transact(actions)
        except ConditionFailed:
            return False
        return True


def _fate(error: str | None) -> dict[str, Any]:
    """Return what becomes of a trade of a final batch; `error` is why it did not settle."""
    if error is None:
        return {"settlementStatus": trade.CONFIRMED}
    return {"settlementStatus": trade.SKIPPED, "settlementReason": reason_of(error)}
