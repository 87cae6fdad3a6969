"""The settlement tier's chain, spoken in raw JSON-RPC (steps 9 and 10 of the walk).

Nothing is asked before signing: nonce, gas and fees are given, so a batch is signed once, stored, and
may be sent any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from system.adapters.evm import abi
from system.adapters.evm.keeper import Keeper
from system.adapters.evm.operator_key import OperatorKey
from system.adapters.evm.pricing import FIRST_OFFER, MOST_WE_PAY, offer_above
from system.adapters.evm.rpc import JsonRpc, RpcError, result_of
from system.adapters.evm.transaction import sign_transaction
from system.model.errors import ChainReverted, Unavailable
from system.model.typed_data import Domain
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

# How nodes say that they have this transaction already (geth, erigon, nethermind, anvil).
_KNOWN = ("already known", "already imported", "already exists", "known transaction")
# How they refuse another bid or nonce for it would be taken. The replacement is asked about first: geth says
# "replacement transaction underpriced" of the one and "transaction underpriced" of the other.
_REFUSALS = {
    "NonceTooLow": ("nonce too low", "nonce is too low", "nonce_too_low", "old nonce"),
    "NonceTaken": ("replacement",),
    "FeeTooLow": ("less than block base fee", "fee cap", "fee too low", "feetoolow", "underpriced"),
}
CASH = "USDC"
_CALLS_GAS = 1 << 24  # a preflight may use what a transaction may (EIP-7825)


class Contracts(NamedTuple):
    """Where things are on one chain. `assets` maps the address of USDC and of every synth to its name."""

    chain_id: int
    settlement: str
    vault: str
    clearing: str
    assets: Mapping[str, str]


class EvmChain:
    """Implements system.ports.chain.Chain for one operator.

    Args:
        rpc: a node.
        operator_key: reads the operator's key; called when it is needed, and again once it has no role.
        keeper_key: reads the key of who publishes prices at expiry and claims; one of Clearing's signers.
        contracts: where they are.
        most: the ceiling of all offers.
    """

    def __init__(
        self,
        rpc: JsonRpc,
        operator_key: Callable[[], bytes],
        keeper_key: Callable[[], bytes],
        contracts: Contracts,
        most: Fees = MOST_WE_PAY,
    ) -> None:
        self._rpc = rpc
        self._operator_key = OperatorKey(operator_key)
        self._contracts = contracts
        self._most = most
        domain = Domain(contracts.chain_id, contracts.settlement)
        self._keeper = Keeper(rpc, keeper_key, domain, contracts.clearing)

    def block_number(self) -> int:
        """Return the height of the head."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def operator(self) -> str:
        """Return the address that signs now."""
        return self._operator_key.address()

    def next_nonce(self) -> int:
        """Return the operator's next transaction nonce, pending ones included."""
        return int(self._rpc.call("eth_getTransactionCount", self.operator(), "pending"), 16)

    def settled_head(self) -> tuple[int, bytes]:
        """Return (last batch id, head of the hash chain), both as of one block."""
        height = self._rpc.call("eth_blockNumber")
        settlement = self._contracts.settlement
        calls = [
            ("eth_call", ({"to": settlement, "data": "0x" + name.hex()}, height))
            for name in (abi.LAST_BATCH_ID, abi.HEAD)
        ]
        last_batch_id, head = self._rpc.batch(calls)
        return int(last_batch_id, 16), bytes.fromhex(head[2:])

    def fees(self, above: Fees | None = None) -> Fees:
        """Return what to offer; `above` is an offer that did not suffice. Asks only then."""
        if above is None:
            return FIRST_OFFER
        head = self._rpc.call("eth_getBlockByNumber", "latest", False)
        return offer_above(above, int(head.get("baseFeePerGas", "0x0"), 16), self._most)

    def preflight(
        self, batch_id: int, prev_hash: bytes, orders: list[SignedOrder], fills: list[ChainFill]
    ) -> Preflight:
        """Try a batch on top of the head without sending it.

        Raises:
            ChainReverted: ("Refused", message) when the node, and no contract, said no.
        """
        call = self._trial(self._contracts.settlement, abi.encode_batch(batch_id, prev_hash, orders, fills))
        try:
            self._rpc.call("eth_call", call, "latest")
            return Preflight("", int(self._rpc.call("eth_estimateGas", call, "latest"), 16))
        except RpcError as refusal:
            return Preflight(self._refusal(refusal), 0)

    def preflight_withdrawal(self, wanted: SignedWithdrawal) -> str:
        """Try a withdrawal on top of the head without sending it; return its error, "" when there is none.

        Raises:
            ChainReverted: ("Refused", message) when the node, and no contract, said no.
        """
        try:
            self._rpc.call(
                "eth_call", self._trial(self._contracts.vault, abi.encode_withdrawal(wanted)), "latest"
            )
        except RpcError as refusal:
            return self._refusal(refusal)
        return ""

    def _trial(self, contract: str, calldata: bytes) -> dict[str, str]:
        said = {"from": self.operator(), "to": contract, "data": "0x" + calldata.hex()}
        return {**said, "gas": hex(_CALLS_GAS)}

    def _refusal(self, refusal: RpcError) -> str:
        """Return the contract's error of a trial."""
        data = _revert_data(refusal)
        if not data:
            raise ChainReverted("Refused", (str(refusal.args[1]),)) from None
        return self._operator_key.noted(abi.decode_error(data)[0])

    def prepare_batch(
        self,
        batch_id: int,
        prev_hash: bytes,
        orders: list[SignedOrder],
        fills: list[ChainFill],
        nonce: int,
        bid: Bid,
    ) -> tuple[PreparedTx, bytes]:
        """Encode and sign a settleBatch transaction; returns it and the hash-chain head after it."""
        calldata = abi.encode_batch(batch_id, prev_hash, orders, fills)
        tx = self._signed(self._contracts.settlement, calldata, nonce, bid)
        return tx, abi.head_after(prev_hash, batch_id, calldata)

    def prepare_withdrawal(self, wanted: SignedWithdrawal, nonce: int, bid: Bid) -> PreparedTx:
        """Encode and sign a withdrawBySig transaction."""
        return self._signed(self._contracts.vault, abi.encode_withdrawal(wanted), nonce, bid)

    def _signed(self, contract: str, calldata: bytes, nonce: int, bid: Bid) -> PreparedTx:
        return sign_transaction(
            self._operator_key.key(),
            chain_id=self._contracts.chain_id,
            nonce=nonce,
            fees=bid.fees,
            gas=bid.gas,
            to=contract,
            data=calldata,
        )

    def send(self, tx: PreparedTx) -> bool:
        """Send a prepared transaction; False when the node had it already.

        Raises:
            ChainReverted: the node refuses it, see the port; ("Refused", message) for its own reason.
        """
        try:
            self._rpc.call("eth_sendRawTransaction", "0x" + tx.raw.hex())
        except RpcError as refusal:
            message = str(refusal.args[1]).lower()
            if any(words in message for words in _KNOWN) or self._is_known(tx.tx_hash):
                return False
            for name, phrases in _REFUSALS.items():
                if any(words in message for words in phrases):
                    raise ChainReverted(name, (tx.nonce,)) from None
            raise ChainReverted("Refused", (message,)) from None
        return True

    def _is_known(self, tx_hash: str) -> bool:
        return self._rpc.call("eth_getTransactionByHash", tx_hash) is not None

    def receipt(self, tx_hash: str) -> Receipt | None:
        """Return the receipt when mined on the canonical chain, else None."""
        found = self._rpc.call("eth_getTransactionReceipt", tx_hash)
        if found is None or found["blockNumber"] is None:
            return None
        success = int(found["status"], 16) == 1
        return Receipt(
            tx_hash=tx_hash,
            block_number=int(found["blockNumber"], 16),
            block_hash=found["blockHash"],
            success=success,
            error="" if success else self._operator_key.noted(self._revert_reason(tx_hash, found)[0]),
            gas_used=int(found["gasUsed"], 16),
            skipped=self._skipped(found["logs"]),
        )

    def _skipped(self, logs: list[dict[str, Any]]) -> tuple[tuple[int, str], ...]:
        skipped = []
        for log in logs:
            if log["topics"][0] == abi.FILL_SKIPPED and log["address"].lower() == self._contracts.settlement:
                data = bytes.fromhex(log["data"][2:])
                skipped.append((int.from_bytes(data[:32]), abi.error_name(data[32:36])))
        return tuple(skipped)

    def _revert_reason(self, tx_hash: str, receipt: dict[str, Any]) -> tuple[str, tuple[int | str, ...]]:
        """Name the error of a mined transaction: receipts do not carry it, so it is run again.

        A trace runs it exactly where it stood. A node that does not trace runs it on top of the block before,
        which is the same unless an earlier transaction of its block mattered.
        """
        try:
            trace = self._rpc.call("debug_traceTransaction", tx_hash, {"tracer": "callTracer"})
            return abi.decode_error(bytes.fromhex(trace.get("output", "0x")[2:]))
        except RpcError:
            pass
        tx = self._rpc.call("eth_getTransactionByHash", tx_hash)
        before = hex(int(receipt["blockNumber"], 16) - 1)
        call = {"from": tx["from"], "to": tx["to"], "data": tx["input"], "gas": tx["gas"]}
        try:
            self._rpc.call("eth_call", call, before)
        except RpcError as refusal:
            return abi.decode_error(_revert_data(refusal))
        return "Reverted", ()

    def deposits(self, from_block: int, to_block: int) -> list[DepositSeen]:
        """Return the Vault's deposits in these blocks, inclusive, in order.

        Raises:
            Unavailable: this node does not know all of these blocks yet. Many nodes then answer with what
                they have, and behind one URL there may be several: a deposit would be missed.
        """
        if from_block > to_block:
            return []
        found = [self._deposit(log) for log in self._vault_logs([abi.DEPOSIT], from_block, to_block)]
        found.sort(key=lambda deposit: (deposit.block_number, deposit.log_index))
        return found

    def exits(self, from_block: int, to_block: int) -> list[ExitSeen]:
        """Return the exits that the Vault queued and paid in these blocks, inclusive, in order.

        Raises:
            Unavailable: this node does not know all of these blocks yet.
        """
        if from_block > to_block:
            return []
        topics = [abi.WITHDRAW, abi.WITHDRAW_SYNTH, abi.EXIT_QUEUED]
        found = [self._exit(log) for log in self._vault_logs(topics, from_block, to_block)]
        found.sort(key=lambda seen: (seen.block_number, seen.log_index))
        return found

    def ending(self, instrument_id: bytes) -> int:
        """Return the price at which a derivative has ended, 0 while it has not."""
        return self._keeper.ending(instrument_id)

    def sizes(self, instrument_id: bytes, accounts: list[str], at_block: int) -> list[int]:
        """Return accounts' positions as a block left them, signed."""
        return self._keeper.sizes(instrument_id, accounts, at_block)

    def prepare_ending(
        self, instrument_id: bytes, price_e6: int, at_s: int, raises: int = 0
    ) -> list[PreparedTx]:
        """Sign the price at an expiry, and the transaction that publishes it."""
        return self._keeper.publish(instrument_id, price_e6, at_s, raises)

    def prepare_claims(self, instrument_id: bytes, accounts: list[str], raises: int = 0) -> list[PreparedTx]:
        """Sign a claim for each account."""
        return self._keeper.claim(instrument_id, accounts, raises)

    def _vault_logs(self, topics: list[str], from_block: int, to_block: int) -> list[dict[str, Any]]:
        query = {
            "address": self._contracts.vault,
            "topics": [topics],
            "fromBlock": hex(from_block),
            "toBlock": hex(to_block),
        }
        height, logs = self._rpc.answers([("eth_blockNumber", ()), ("eth_getLogs", (query,))])
        if int(result_of(height), 16) < to_block:
            raise Unavailable(f"logs up to block {to_block}: the node is at {int(result_of(height), 16)}")
        return [log for log in result_of(logs) if not log.get("removed", False)]

    def _exit(self, log: dict[str, Any]) -> ExitSeen:
        """Read one of the three events; what is queued of USDC is in shares."""
        topic, paid = log["topics"][0], log["topics"][0] != abi.EXIT_QUEUED
        data = bytes.fromhex(log["data"][2:])
        amount, nonce, as_cxpt = int.from_bytes(data[: abi.WORD]), 0, False
        asset = CASH
        if topic == abi.WITHDRAW:  # assets, shares, asCxpt, nonce
            as_cxpt, nonce = bool(data[3 * abi.WORD - 1]), int.from_bytes(data[3 * abi.WORD :])
        if topic != abi.WITHDRAW:
            token = "0x" + log["topics"][2][-40:].lower()
            asset = self._contracts.assets.get(token, token)
        if not paid and asset == CASH and amount:
            ask = "0x" + (abi.TO_ASSETS + amount.to_bytes(abi.WORD)).hex()
            amount = int(self._rpc.call("eth_call", {"to": self._contracts.vault, "data": ask}, "latest"), 16)
        return ExitSeen(
            block_number=int(log["blockNumber"], 16),
            block_hash=log["blockHash"],
            log_index=int(log["logIndex"], 16),
            kind="PAID" if paid else "QUEUED",
            account="0x" + log["topics"][1][-40:].lower(),
            asset=asset,
            amount=amount,
            nonce=nonce,
            as_cxpt=as_cxpt,
        )

    def _deposit(self, log: dict[str, Any]) -> DepositSeen:
        token = "0x" + log["topics"][2][-40:].lower()
        return DepositSeen(
            block_number=int(log["blockNumber"], 16),
            block_hash=log["blockHash"],
            log_index=int(log["logIndex"], 16),
            account="0x" + log["topics"][1][-40:].lower(),
            asset=self._contracts.assets.get(token, token),
            amount=int(log["data"][2:66], 16),
        )


def _revert_data(refusal: RpcError) -> bytes:
    """Return the revert data of an eth_call; nodes put it in `data` or one level deeper."""
    data = refusal.args[2]
    if isinstance(data, dict):
        data = data.get("data", "")
    return bytes.fromhex(data[2:]) if isinstance(data, str) and data[:2] == "0x" else b""
