"""Step 9 of docs/walk.md, second half: a batch is signed, stored, sent, in this order.

Whoever dies in between leaves a batch that somebody else can bring on: what is sent is always
stored before, the chain takes a batch number only once, and sending again is no error.
"""

from __future__ import annotations

from typing import Any

from system.config import Config
from system.model import keys, trade, typed_data
from system.model.errors import ChainReverted, ConditionFailed, ConfigError, Throttled, TimedOut, Unavailable
from system.model.keys import ORDERS, SETTLEMENTS, TRADES, Item, Key
from system.model.market import spec_from_item
from system.model.order import order_from_item
from system.model.signing import instrument_id, side_code, tif_code
from system.model.units import NS
from system.ports.chain import Chain, ChainFill, PreparedTx, SignedOrder
from system.ports.clock import Clock
from system.ports.store import Clause, Store, Update
from system.settlement.batching import (
    CONFIRMED,
    PREPARED,
    SIGNED,
    SUBMITTED,
    Batching,
    batch_key,
    read_trades,
)

_GET_MANY = 100


class Submitting:
    """Signs batches and sends them, strictly one after the other."""

    def __init__(self, store: Store, chain: Chain, clock: Clock) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock
        self._instruments: dict[str, bytes] = {}  # by symbol; the terms of a market never change

    def read(self, number: int) -> Item:
        """Return a batch."""
        batch = self._store.get(SETTLEMENTS, batch_key(number))
        assert batch is not None, f"batch {number}: the head counts it, but there is none"
        return batch

    def sign(self, batch: Item) -> Item:
        """Sign a PREPARED batch and store the transaction before anybody sends it. Rule: SETL-003."""
        if batch["status"] != PREPARED:
            return batch  # somebody else was faster
        number = batch["number"]
        before = self.read(number - 1) if number > 1 else None
        prev_hash = self._prev_hash(batch, before)
        nonce = self._chain.next_nonce()
        if before is not None and before["status"] in {SIGNED, SUBMITTED}:
            # The pool may have forgotten the batch before (a reorg); its number is still its own.
            nonce = max(nonce, before["nonce"] + 1)
        orders, fills = self._contents(batch)
        tx, head = self._chain.prepare_batch(number, prev_hash, orders, fills, nonce)
        put = {
            "status": SIGNED,
            "tx_hash": tx.tx_hash,
            "raw": tx.raw,
            "nonce": nonce,
            "prev_hash": prev_hash.hex(),
            "head": head.hex(),
            "signed_ns": self._clock.now_ns(),
        }
        return self._change(batch, put)

    def send(self, batch: Item) -> Item:
        """Send a SIGNED or SUBMITTED batch; its trades become SUBMITTED with the first sending.

        Raises:
            ChainReverted: the node refuses the transaction; the batch is PREPARED again.
        """
        if batch["status"] not in {SIGNED, SUBMITTED}:
            return batch  # somebody else was faster
        try:
            self._chain.send(PreparedTx(batch["tx_hash"], batch["raw"], batch["nonce"]))
        except ChainReverted as refusal:
            self.reopen(batch, str(refusal.args[0]))
            raise
        if batch["status"] == SUBMITTED:
            return batch
        put = {"status": SUBMITTED, "submitted_ns": self._clock.now_ns()}
        submitted = {"settlementStatus": trade.SUBMITTED}
        sent_before = "submitted_ns" in batch
        rest = [] if sent_before else [Update(TRADES, Key(*key), put=submitted) for key in batch["trades"]]
        return self._change(batch, put, rest)

    def reopen(self, batch: Item, error: str) -> Item:
        """Let a batch be signed anew, because its transaction was refused or reverted. Rule: SETL-005.

        The transactions that it had are kept in mind: each of them may still be mined, but only one
        of all can ever succeed, as the contract counts batches.
        """
        superseded = list(dict.fromkeys([*batch.get("superseded", ()), batch["tx_hash"]]))
        put = {"status": PREPARED, "error": error, "superseded": superseded}
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
        if "prev_hash" in batch:
            return bytes.fromhex(batch["prev_hash"])
        if before is not None:
            assert "head" in before, f"batch {before['number']}: expected signed before the one after it"
            return bytes.fromhex(before["head"])
        last, head = self._chain.settled_head()
        if last:
            raise ConfigError(
                "settlement", f"expected a contract without batches, as the table has none; it has {last}"
            )
        return head

    def _contents(self, batch: Item) -> tuple[list[SignedOrder], list[ChainFill]]:
        """Return the batch as the contract takes it: each order once, fills in the order of the trades."""
        trades = self._store.get_many(TRADES, [Key(*key) for key in batch["trades"]])
        assert len(trades) == len(batch["trades"]), f"batch {batch['number']}: some of its trades are gone"
        places: dict[str, int] = {}
        for row in trades:
            places.setdefault(row["maker_order_id"], len(places))
            places.setdefault(row["taker_order_id"], len(places))
        fills = [
            ChainFill(
                places[row["maker_order_id"]],
                places[row["taker_order_id"]],
                row["qty_e8"],
                row["maker_fee"],
                row["taker_fee"],
            )
            for row in trades
        ]
        return [self._signed(row) for row in self._orders(list(places))], fills

    def _orders(self, order_ids: list[str]) -> list[Item]:
        found: list[Item] = []
        wanted = [keys.order_key(order_id) for order_id in order_ids]
        for start in range(0, len(wanted), _GET_MANY):
            chunk = [key for key in wanted[start : start + _GET_MANY] if key is not None]
            found += self._store.get_many(ORDERS, chunk)
        assert len(found) == len(order_ids), f"orders of trades: expected {len(order_ids)}, was {len(found)}"
        return found

    def _signed(self, row: Item) -> SignedOrder:
        """Return the terms of an Orders row that its account signed."""
        order = order_from_item(row)
        return SignedOrder(
            account=order.account,
            subaccount=order.subaccount,
            instrument_id=self._instrument(order.symbol),
            side=side_code(order),
            tif=tif_code(order),
            qty=order.qty_e8,
            limit_price=order.limit_price_e6,
            expiry=order.expire_ns // NS,
            nonce=order.nonce,
            max_fee_bps=order.max_fee_bps,
            signature=typed_data.signature_bytes(order.signature),
        )

    def _instrument(self, symbol: str) -> bytes:
        if symbol not in self._instruments:
            market = self._store.get(keys.MARKETS, Key(keys.market_pk(symbol), keys.META))
            assert market is not None, f"{symbol}: has trades, but no row in Markets"
            self._instruments[symbol] = instrument_id(spec_from_item(market))
        return self._instruments[symbol]


class Settle:
    """The function behind the Trades stream: batches what is new and sends it at once when it can."""

    def __init__(self, store: Store, chain: Chain, clock: Clock, config: Config) -> None:
        self._batching = Batching(store, clock)
        self._submitting = Submitting(store, chain, clock)

    def handle(self, event: dict[str, Any], context: Any = None) -> None:
        """Take one batch of stream records; only trades that could not be batched fail it."""
        for number in self._batching.form(read_trades(event)):
            # From here on the trades are safe in their batch. Whatever fails now, the watch does a
            # minute later; failing the event instead would only deliver it again, for nothing.
            try:
                if not self._bring_on(number):
                    return
            except (ChainReverted, Throttled, TimedOut, Unavailable):
                return

    def _bring_on(self, number: int) -> bool:
        """Sign and send a batch when the one before is on its way; False when it has to wait."""
        if number > 1 and self._submitting.read(number - 1)["status"] not in {SUBMITTED, CONFIRMED}:
            return False
        batch = self._submitting.read(number)
        if batch["status"] in {PREPARED, SIGNED}:
            self._submitting.send(self._submitting.sign(batch))
        return True
