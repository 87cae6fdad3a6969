"""Step 9 of docs/walk.md, second half: a batch is signed, stored, sent, in this order.

Whoever dies in between leaves a batch that somebody else can bring on: what is sent is always
stored before, the chain takes a batch number only once, and sending again is no error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from system.config import Config
from system.model import trade
from system.model.errors import ChainReverted, ConditionFailed, ConfigError, Throttled, TimedOut, Unavailable
from system.model.keys import SETTLEMENTS, TRADES, Item, Key
from system.ports.chain import Bid, Chain, Fees, PreparedTx
from system.ports.clock import Clock
from system.ports.store import Clause, Store, Update
from system.settlement.batching import (
    PREPARED,
    SIGNED,
    SUBMITTED,
    Batching,
    batch_key,
    read_trades,
)
from system.settlement.contents import Contents, Reading, sent_places
from system.settlement.gas import TX_GAS_CAP, gas_limit
from system.settlement.isolate import isolate

_CATCH_UP = 10
"""How many batches an event brings on at most; a longer queue is the watch's, which has more time."""

ABOUT_NONCE = frozenset({"NonceTooLow", "NonceTaken"})
FEE_TOO_LOW = "FeeTooLow"
ABOUT_THE_BID = ABOUT_NONCE | {FEE_TOO_LOW}
"""Refusals that say nothing about the batch: another nonce or offer mends them."""


class Draft(NamedTuple):
    """What of a batch is to be signed: after which head, what it carries, and the gas it took in a trial."""

    prev_hash: bytes
    contents: Contents
    measured: int = 0


class Offer(NamedTuple):
    """With what it is signed: the sender, his nonce, and his bid."""

    sender: str
    nonce: int
    bid: Bid


class Submitting:
    """Signs batches and sends them, strictly one after the other."""

    def __init__(self, store: Store, chain: Chain, clock: Clock) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock
        self._reading = Reading(store)

    def read(self, number: int) -> Item:
        """Return a batch."""
        batch = self._store.get(SETTLEMENTS, batch_key(number))
        assert batch is not None, f"batch {number}: the head counts it, but there is none"
        return batch

    def sign(self, batch: Item) -> Item:
        """Sign a PREPARED batch and store the transaction before anybody sends it. Rule: SETL-003.

        Raises:
            ChainReverted: it reverted before, and still nothing of it would settle. Rule: SETL-013.
        """
        if batch["status"] != PREPARED:
            return batch  # somebody else was faster
        before = self.read(batch["number"] - 1) if batch["number"] > 1 else None
        batch, draft = self._drafted(batch, before)
        if batch["status"] != PREPARED:
            return batch  # somebody else was faster
        sender, nonce = self._chain.operator(), self._chain.next_nonce()
        if before is not None and before["status"] in {SIGNED, SUBMITTED} and before["sender"] == sender:
            # The pool may have forgotten the batch before (a reorg); its number is still its own.
            nonce = max(nonce, before["nonce"] + 1)
        # The limit by size, or a quarter more than what a trial took when that is greater.
        limit = gas_limit(len(draft.contents.orders), len(draft.contents.fills))
        gas = min(TX_GAS_CAP, max(limit, draft.measured * 5 // 4))
        refused = _fees_of(batch) if batch.get("error") == FEE_TOO_LOW else None
        return self._put_signed(batch, draft, Offer(sender, nonce, Bid(gas, self._chain.fees(refused))))

    def outbid(self, batch: Item) -> Item:
        """Sign a batch that waits too long again, with its own nonce and a better offer. Rule: SETL-012.

        The stored transaction is the new one before it is sent, and the old one is kept in mind.
        """
        fees = self._chain.fees(_fees_of(batch))
        if fees == _fees_of(batch) or self._chain.operator() != batch["sender"]:
            return batch  # at the ceiling, or the nonce is another sender's: waiting is all that is left
        draft = Draft(bytes.fromhex(batch["prev_hash"]), self._reading.contents(batch))
        return self._put_signed(batch, draft, Offer(batch["sender"], batch["nonce"], Bid(batch["gas"], fees)))

    def send(self, batch: Item) -> tuple[Item, bool]:
        """Send a SIGNED or SUBMITTED batch; its trades become SUBMITTED with the first sending.

        Returns:
            The batch, and whether the node did not have its transaction before.

        Raises:
            ChainReverted: the node refuses the transaction; the batch is PREPARED again.
        """
        if batch["status"] not in {SIGNED, SUBMITTED}:
            return batch, True  # somebody else was faster
        try:
            is_news = self._chain.send(PreparedTx(batch["tx_hash"], batch["raw"], batch["nonce"]))
        except ChainReverted as refusal:
            name, details = refusal.args
            self.reopen(batch, name if name in ABOUT_THE_BID else f"{name}: {details[0]}")
            raise
        if batch["status"] == SUBMITTED:
            return batch, is_news
        put = {"status": SUBMITTED, "submitted_ns": self._clock.now_ns()}
        submitted = {"settlementStatus": trade.SUBMITTED}
        sent_before = "submitted_ns" in batch
        rest = [] if sent_before else [Update(TRADES, Key(*key), put=submitted) for key in batch["trades"]]
        return self._change(batch, put, rest), is_news

    def reopen(self, batch: Item, error: str) -> Item:
        """Let a batch be signed anew, because its transaction was refused or reverted. Rule: SETL-005.

        The transactions that it had are kept in mind: each of them may still be mined, but only one
        of all can ever succeed, as the contract counts batches.
        """
        return self._change(batch, {"status": PREPARED, "error": error, "superseded": _superseded(batch)})

    def _drafted(self, batch: Item, before: Item | None) -> tuple[Item, Draft]:
        """Return what to sign; a batch that failed and is the next on chain is tried first.

        A batch further on most often failed because the one before it did, and that is being mended.
        """
        draft = Draft(self._prev_hash(batch, before), self._reading.contents(batch))
        if batch.get("error", FEE_TOO_LOW) in ABOUT_THE_BID:
            return batch, draft
        last, head = self._chain.settled_head()
        number = batch["number"]
        if last + 1 != number:
            return batch, draft
        orders, fills = draft.contents
        bad, gas = isolate(fills, lambda some: self._chain.preflight(number, head, orders, list(some)))
        if bad:
            places = sent_places(batch)
            excluded = [[places[index], error] for index, error in bad.items()]
            batch = self._change(batch, {"excluded": batch.get("excluded", []) + excluded})
        return batch, Draft(head, self._reading.contents(batch) if bad else draft.contents, gas)

    def _put_signed(self, batch: Item, draft: Draft, offer: Offer) -> Item:
        number, (sender, nonce, bid) = batch["number"], offer
        tx, head = self._chain.prepare_batch(number, draft.prev_hash, *draft.contents, nonce, bid)
        put = {
            "status": SIGNED,
            "tx_hash": tx.tx_hash,
            "raw": tx.raw,
            "sender": sender,
            "nonce": nonce,
            "gas": bid.gas,
            "max_fee": bid.fees.max_fee,
            "priority_fee": bid.fees.priority_fee,
            "prev_hash": draft.prev_hash.hex(),
            "head": head.hex(),
            "signed_ns": self._clock.now_ns(),
        }
        if "tx_hash" in batch:
            put["superseded"] = _superseded(batch)
        if "excluded" in batch:
            put["left_out"] = [*batch.get("left_out", ()), [tx.tx_hash, batch["excluded"]]]
        return self._change(batch, put)

    def _change(self, batch: Item, put: dict[str, Any], rest: list[Update] | None = None) -> Item:
        """Move a batch on, unless somebody else has: then return what he made of it."""
        key = batch_key(batch["number"])
        when = [Clause("status", "=", batch["status"])]
        if "tx_hash" in batch:
            when.append(Clause("tx_hash", "=", batch["tx_hash"]))
        try:
            self._store.transact([Update(SETTLEMENTS, key, put=put, when=tuple(when)), *(rest or ())])
        except ConditionFailed:
            return self.read(batch["number"])
        return {**batch, **put}

    def _prev_hash(self, batch: Item, before: Item | None) -> bytes:
        """Return the head of the contract's hash chain before this batch."""
        if before is not None:
            assert "head" in before, f"batch {before['number']}: expected signed before the one after it"
            return bytes.fromhex(before["head"])
        if "prev_hash" in batch:
            return bytes.fromhex(batch["prev_hash"])
        last, head = self._chain.settled_head()
        if last:
            raise ConfigError(
                "settlement", f"expected a contract without batches, as the table has none; it has {last}"
            )
        return head


def _fees_of(batch: Item) -> Fees:
    return Fees(batch["max_fee"], batch["priority_fee"])


def _superseded(batch: Item) -> list[str]:
    return list(dict.fromkeys([*batch.get("superseded", ()), batch["tx_hash"]]))


class Settle:
    """The function behind the Trades stream: batches what is new and sends it at once when it can."""

    def __init__(self, store: Store, chain: Chain, clock: Clock, config: Config) -> None:
        self._batching = Batching(store, clock)
        self._submitting = Submitting(store, chain, clock)

    def handle(self, event: dict[str, Any], context: Any = None) -> None:
        """Take one batch of stream records; only trades that could not be batched fail it."""
        for number in self._batching.form(read_trades(event)):
            # From here on the trades are safe in their batch. Whatever fails now, the next event or the
            # watch does; failing the event instead would only deliver it again, for nothing.
            try:
                if not self._bring_on(number):
                    return
            except (ChainReverted, Throttled, TimedOut, Unavailable):
                return

    def _bring_on(self, number: int) -> bool:
        """Sign and send a batch, after those before it that are not on their way; False when too many wait.

        Rule: SETL-015.
        """
        waiting = []
        for each in range(number, max(0, number - _CATCH_UP), -1):
            batch = self._submitting.read(each)
            if batch["status"] not in {PREPARED, SIGNED}:
                break
            waiting.append(each)
        else:
            if number > _CATCH_UP:
                return False
        for each in reversed(waiting):
            self._submitting.send(self._submitting.sign(self._submitting.read(each)))
        return True
