"""The pool of the model chain: what was sent and waits, by sender and nonce, and what a gas costs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sim.world.calldata import decode_batch, decode_claim, decode_publication, decode_withdrawal
from sim.world.model_claims import Claim, Publication
from sim.world.model_settlement import Batch
from system.adapters.evm import abi, keeper
from system.model.errors import ChainReverted
from system.model.typed_data import address_bytes, keccak
from system.ports.chain import ChainFill, Fees, PreparedTx, SignedOrder, SignedWithdrawal

PREPARED_KEPT = 1024
"""Decoded batches kept between signing and mining; others are decoded again from their bytes."""

_ENVELOPE = struct.Struct(">6s20sQQQ32s")
_MAGIC = b"model\0"

Call = Batch | SignedWithdrawal | Publication | Claim
"""What the exchange's transactions do: the operator's, then the keeper's."""


class Waiting(NamedTuple):
    """A transaction that was signed."""

    tx_hash: str
    sender: str
    fees: Fees
    call: Call


class Pool:
    """Transactions between signing and mining.

    Args:
        nonces: next nonce of every sender; the chain keeps it.
    """

    def __init__(self, nonces: dict[str, int]) -> None:
        self.base_fee = 0  # wei a gas while prices are spiking, else 0
        self._nonces = nonces
        self._pool: dict[str, dict[int, Waiting]] = {}
        self._prepared: dict[str, Waiting] = {}
        self._withheld: set[str] = set()  # hashes of transactions that no miner takes

    def prepare(self, sender: str, nonce: int, fees: Fees, call: Call, calldata: bytes) -> PreparedTx:
        """Put a call in an envelope; its name covers the calldata, a batch's by the hash chain's head."""
        envelope = _ENVELOPE.pack(_MAGIC, address_bytes(sender), nonce, *fees, _seal(call, calldata))
        tx = PreparedTx("0x" + keccak(envelope).hex(), envelope + calldata, nonce)
        if len(self._prepared) >= PREPARED_KEPT:
            del self._prepared[next(iter(self._prepared))]
        self._prepared[tx.tx_hash] = Waiting(tx.tx_hash, sender, fees, call)
        return tx

    def accept(self, tx: PreparedTx) -> bool:
        """Take a transaction, as a node does; False when it is there already."""
        waiting = self._prepared.get(tx.tx_hash) or _unpack(tx)
        if tx.nonce < self._nonces.get(waiting.sender, 0):
            raise ChainReverted("NonceTooLow", (tx.nonce,))
        senders = self._pool.setdefault(waiting.sender, {})
        known = senders.get(tx.nonce)
        if known is not None and known.tx_hash == tx.tx_hash:
            return False
        if waiting.fees.max_fee < self.base_fee:
            raise ChainReverted("FeeTooLow", (tx.nonce,))
        if known is not None and not _outbids(waiting.fees, known.fees):
            raise ChainReverted("NonceTaken", (tx.nonce,))
        senders[tx.nonce] = waiting
        return True

    def next_nonce(self, sender: str) -> int:
        """Return the sender's next nonce after everything that is mined."""
        return self._nonces.get(sender, 0)

    def pending_nonce(self, sender: str) -> int:
        """Return the sender's next nonce after everything that waits without a gap."""
        nonce = self._nonces.get(sender, 0)
        waiting = self._pool.get(sender, {})
        while nonce in waiting:
            nonce += 1
        return nonce

    def withhold(self) -> None:
        """Let no miner take what waits now."""
        self._withheld.update(tx.tx_hash for waiting in self._pool.values() for tx in waiting.values())

    def release(self) -> None:
        """Let miners take whatever waits."""
        self._withheld.clear()

    def clear(self) -> None:
        """Forget all that waits."""
        self._pool.clear()

    def take(self) -> Iterator[tuple[int, Waiting]]:
        """Take what the next block holds, with its nonce: a gap keeps the rest of a sender waiting."""
        for sender, waiting in self._pool.items():
            for cheap in [nonce for nonce, tx in waiting.items() if tx.fees.max_fee < self.base_fee]:
                del waiting[cheap]
            nonce = self._nonces.get(sender, 0)
            while nonce in waiting and waiting[nonce].tx_hash not in self._withheld:
                tx = waiting.pop(nonce)
                self._prepared.pop(tx.tx_hash, None)
                yield nonce, tx
                nonce += 1


def batch_of(
    batch_id: int, prev_hash: bytes, orders: Sequence[SignedOrder], fills: Sequence[ChainFill]
) -> tuple[Batch, bytes]:
    """Return a batch as the contracts see it, and its calldata."""
    calldata = abi.encode_batch(batch_id, prev_hash, orders, fills)
    head = abi.head_after(prev_hash, batch_id, calldata)
    return Batch(batch_id, prev_hash, [_lower(order) for order in orders], list(fills), head), calldata


_READERS: dict[bytes, Callable[[bytes], Call]] = {
    abi.SETTLE_BATCH: decode_batch,
    abi.WITHDRAW_BY_SIG: decode_withdrawal,
    keeper.PUBLISH: decode_publication,
    keeper.CLAIM: decode_claim,
}


def _seal(call: Call, calldata: bytes) -> bytes:
    return call.head if isinstance(call, Batch) else keccak(calldata)


def _outbids(offer: Fees, known: Fees) -> bool:
    """Nodes replace a transaction when both fees are a tenth higher."""
    return all(new * 10 >= old * 11 for new, old in zip(offer, known, strict=True))


def _lower(order: SignedOrder) -> SignedOrder:
    """Addresses are keys here, and a checksummed one is the same account."""
    return order if order.account.islower() else order._replace(account=order.account.lower())


def _unpack(tx: PreparedTx) -> Waiting:
    """Read a transaction from its bytes alone, as a node does."""
    magic, sender, nonce, max_fee, priority_fee, _ = _ENVELOPE.unpack_from(tx.raw)
    calldata = tx.raw[_ENVELOPE.size :]
    if magic != _MAGIC or nonce != tx.nonce:
        raise ChainReverted("Refused", ("not a transaction of the model chain",))
    call: Call = _READERS[calldata[:4]](calldata)
    fees = Fees(max_fee, priority_fee)
    envelope = _ENVELOPE.pack(_MAGIC, sender, nonce, *fees, _seal(call, calldata))
    return Waiting("0x" + keccak(envelope).hex(), "0x" + sender.hex(), fees, call)
