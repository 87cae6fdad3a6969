"""The model chain as the settlement tier sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.world.deploy import KEEPER
from sim.world.model_claims import Claim, Publication
from sim.world.model_contracts import NO_POSITION, as_before
from sim.world.model_pool import Call, batch_of
from system.adapters.evm import abi
from system.adapters.evm.keeper import encode_claim, encode_publish
from system.adapters.evm.operator_key import OperatorKey
from system.adapters.evm.pricing import FIRST_OFFER, MOST_WE_PAY, offer_above, offer_for
from system.model.errors import Unavailable
from system.ports.chain import (
    Bid,
    ChainFill,
    DepositSeen,
    ExitSeen,
    Fees,
    Preflight,
    PreparedTx,
    Receipt,
    SignedOrder,
    SignedWithdrawal,
)

if TYPE_CHECKING:
    from sim.world.model_chain import ModelChain


class ModelPort:
    """Implements system.ports.chain.Chain over a ModelChain, for one operator."""

    def __init__(self, world: ModelChain, operator_key: OperatorKey) -> None:
        self._world = world
        self._operator_key = operator_key

    def block_number(self) -> int:
        blocks, _, _ = self._world.seen()
        return len(blocks) - 1

    def operator(self) -> str:
        return self._operator_key.address()

    def next_nonce(self) -> int:
        self._world.seen()
        return self._world.pool.pending_nonce(self.operator())

    def settled_head(self) -> tuple[int, bytes]:
        _, _, books = self._world.seen()
        return books.totals["batch"], books.heads["head"]

    def fees(self, above: Fees | None = None) -> Fees:
        self._world.seen()
        return FIRST_OFFER if above is None else offer_above(above, self._world.pool.base_fee, MOST_WE_PAY)

    def preflight(
        self, batch_id: int, prev_hash: bytes, orders: list[SignedOrder], fills: list[ChainFill]
    ) -> Preflight:
        self._world.seen()
        batch, _ = batch_of(batch_id, prev_hash, orders, fills)
        return Preflight(self._operator_key.noted(self._world.try_out(self.operator(), batch)), 0)

    def prepare_batch(
        self,
        batch_id: int,
        prev_hash: bytes,
        orders: list[SignedOrder],
        fills: list[ChainFill],
        nonce: int,
        bid: Bid,
    ) -> tuple[PreparedTx, bytes]:
        batch, calldata = batch_of(batch_id, prev_hash, orders, fills)
        return self._world.pool.prepare(self.operator(), nonce, bid.fees, batch, calldata), batch.head

    def preflight_withdrawal(self, wanted: SignedWithdrawal) -> str:
        self._world.seen()
        return self._operator_key.noted(self._world.try_out(self.operator(), wanted))

    def prepare_withdrawal(self, wanted: SignedWithdrawal, nonce: int, bid: Bid) -> PreparedTx:
        calldata = abi.encode_withdrawal(wanted)
        return self._world.pool.prepare(self.operator(), nonce, bid.fees, wanted, calldata)

    def send(self, tx: PreparedTx) -> bool:
        self._world.seen()
        return self._world.accept(tx)

    def receipt(self, tx_hash: str) -> Receipt | None:
        _, receipts, _ = self._world.seen()
        found = receipts.get(tx_hash)
        if found is not None:
            self._operator_key.noted(found.error)
        return found

    def deposits(self, from_block: int, to_block: int) -> list[DepositSeen]:
        blocks, _, _ = self._world.seen()
        if from_block > to_block:
            return []
        if to_block >= len(blocks):
            raise Unavailable(f"deposits up to block {to_block}: the chain is at {len(blocks) - 1}")
        return [deposit for block in blocks[from_block : to_block + 1] for deposit in block.deposits]

    def exits(self, from_block: int, to_block: int) -> list[ExitSeen]:
        blocks, _, _ = self._world.seen()
        if from_block > to_block:
            return []
        if to_block >= len(blocks):
            raise Unavailable(f"exits up to block {to_block}: the chain is at {len(blocks) - 1}")
        return [seen for block in blocks[from_block : to_block + 1] for seen in block.exits]

    def ending(self, instrument_id: bytes) -> int:
        _, _, books = self._world.seen()
        found = books.endings.get(instrument_id)
        return 0 if found is None else found.told

    def sizes(self, instrument_id: bytes, accounts: list[str], at_block: int) -> list[int]:
        blocks, _, books = self._world.seen()
        if at_block >= len(blocks):
            raise Unavailable(f"positions at block {at_block}: the chain is at {len(blocks) - 1}")
        positions = as_before(books.positions, (block.journal for block in reversed(blocks[at_block + 1 :])))
        return [positions.get((account, instrument_id), NO_POSITION)[0] for account in accounts]

    def prepare_ending(
        self, instrument_id: bytes, price_e6: int, at_s: int, raises: int = 0
    ) -> list[PreparedTx]:
        calldata = encode_publish(instrument_id, price_e6, at_s, b"")
        return self._of_the_keeper([(Publication(instrument_id, price_e6, at_s), calldata)], raises)

    def prepare_claims(self, instrument_id: bytes, accounts: list[str], raises: int = 0) -> list[PreparedTx]:
        calls = [
            (Claim(instrument_id, account), encode_claim(instrument_id, account)) for account in accounts
        ]
        return self._of_the_keeper(calls, raises)

    def _of_the_keeper(self, calls: Sequence[tuple[Call, bytes]], raises: int) -> list[PreparedTx]:
        self._world.seen()
        pool = self._world.pool
        first, fees = pool.next_nonce(KEEPER), offer_for(pool.base_fee, raises)
        return [
            pool.prepare(KEEPER, first + place, fees, call, calldata)
            for place, (call, calldata) in enumerate(calls)
        ]
