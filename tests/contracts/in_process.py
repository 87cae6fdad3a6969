"""The compiled contracts in this process: pyrevm behind the JSON-RPC that AnvilWorld and EvmChain speak.

A batch takes a tenth of what Anvil needs, so this is where the volume of the comparison is; Anvil
stays the chain of record. No reorganisations, no fees, no pool rules: a block takes what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple

import pyrevm
import rlp
from eth_account import Account

from sim.world.anvil_world import AnvilWorld
from sim.world.deploy import CHAIN_ID, CREATE2_PROXY
from system.adapters.evm.rpc import RpcError
from system.adapters.evm.transaction import created_address
from system.model.typed_data import keccak

PROXY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780358282"
    "34f58015156039578182fd5b8082525050506014600cf3"
)
GAS = 1 << 34
_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


class Sent(NamedTuple):
    """A transaction of type 2, as its bytes say."""

    tx_hash: str
    sender: str
    nonce: int
    to: str
    data: bytes


class State(NamedTuple):
    """What a snapshot has to bring back beside the machine's own storage."""

    height: int
    nonces: dict[str, int]
    receipts: dict[str, dict[str, Any]]
    blocks: list[list[str]]


class InProcess:
    """Stands in for both a running Anvil and its client: the methods that are asked, and no others."""

    url = "pyrevm"

    def __init__(self, genesis_s: int) -> None:
        self.rpc = self
        chain = pyrevm.CfgEnv(chain_id=CHAIN_ID)
        self._evm = pyrevm.EVM(env=pyrevm.Env(cfg=chain), spec_id="CANCUN")
        self._evm.insert_account_info(CREATE2_PROXY, pyrevm.AccountInfo(code=PROXY_CODE))
        self._timestamp_s = genesis_s
        self._state = State(0, {}, {}, [[]])
        self._waiting: list[Sent] = []
        self._snapshots: list[tuple[Any, State, int]] = []
        self._errors: dict[str, bytes] = {}
        self._enter_block(0)

    # ---- what JsonRpc offers

    def call(self, method: str, *params: Any) -> Any:
        """Answer one call."""
        answer = getattr(self, method)
        return answer(*params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Answer many calls."""
        return [self.call(method, *params) for method, params in calls]

    def answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
        """Answer many calls, each with its envelope."""
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        try:
            return {"result": self.call(method, *params)}
        except RpcError as error:
            return {"error": error}

    def close(self) -> None:
        """Nothing runs that could be stopped."""

    # ---- blocks

    def mine(self, timestamp_s: int) -> None:
        """Execute what waits, in the order of the sender's nonces."""
        self._timestamp_s = timestamp_s
        number = self._state.height + 1
        self._state = self._state._replace(height=number)
        self._enter_block(number)
        waiting, self._waiting = self._waiting, []
        log_index = 0
        hashes = []
        for tx in waiting:
            receipt = self._execute(tx, number, log_index)
            log_index += len(receipt["logs"])
            self._state.receipts[tx.tx_hash] = receipt
            hashes.append(tx.tx_hash)
        self._state.blocks.append(hashes)

    def _enter_block(self, number: int) -> None:
        block = pyrevm.BlockEnv(number=number, timestamp=self._timestamp_s, basefee=0, gas_limit=GAS * 100)
        self._evm.set_block_env(block)

    def _execute(self, tx: Sent, number: int, log_index: int) -> dict[str, Any]:
        evm = self._evm
        evm.reset_transient_storage()
        error = b""
        try:
            if tx.to:
                evm.message_call(caller=tx.sender, to=tx.to, calldata=tx.data, gas=GAS)
            else:
                address = evm.deploy(deployer=tx.sender, code=tx.data, gas=GAS)
                assert address.lower() == created_address(tx.sender, tx.nonce), "the deployer's nonces differ"
        except RuntimeError as failure:
            error = _output(failure)
            self._errors[tx.tx_hash] = error
            logs: list[dict[str, Any]] = []
            success = False
        else:
            success = True
            logs = [
                {
                    "address": log.address.lower(),
                    "topics": ["0x" + topic.removeprefix("0x") for topic in log.topics],
                    "data": "0x" + log.data[1].hex() if isinstance(log.data, tuple) else log.data,
                    "blockNumber": hex(number),
                    "blockHash": _block_hash(number),
                    "logIndex": hex(log_index + place),
                }
                for place, log in enumerate(evm.result.logs)
            ]
        return {
            "transactionHash": tx.tx_hash,
            "status": hex(success),
            "blockNumber": hex(number),
            "blockHash": _block_hash(number),
            "gasUsed": hex(evm.result.gas_used if evm.result else 0),
            "logs": logs,
        }

    # ---- methods

    def eth_sendRawTransaction(self, raw: str) -> str:
        """Take a transaction; it waits for the next block."""
        encoded = bytes.fromhex(raw[2:])
        fields = rlp.decode(encoded[1:])
        sender = Account.recover_transaction(encoded).lower()
        tx = Sent(
            "0x" + keccak(encoded).hex(),
            sender,
            int.from_bytes(fields[1]),
            "0x" + fields[5].hex() if fields[5] else "",
            fields[7],
        )
        expected = int(self.eth_getTransactionCount(sender, "pending"), 16)
        if tx.nonce != expected:
            raise RpcError(-32000, "nonce too low" if tx.nonce < expected else "nonce gap", None)
        self._state.nonces[sender] = tx.nonce + 1
        self._waiting.append(tx)
        return tx.tx_hash

    def eth_getTransactionCount(self, account: str, _block: str) -> str:
        """Return the next nonce, pending ones included."""
        return hex(self._state.nonces.get(account.lower(), 0))

    def eth_call(self, call: dict[str, str], _block: str) -> str:
        """Call a view."""
        checkpoint = self._evm.snapshot()
        try:
            said = self._evm.message_call(
                caller=call.get("from", "0x" + "00" * 20),
                to=call["to"],
                calldata=bytes.fromhex(call["data"][2:]),
                gas=GAS,
            )
        except RuntimeError as failure:
            raise RpcError(3, "execution reverted", "0x" + _output(failure).hex()) from None
        finally:
            self._evm.revert(checkpoint)
        return "0x" + bytes(said).hex()

    def eth_blockNumber(self) -> str:
        """Return the height."""
        return hex(self._state.height)

    def eth_getTransactionReceipt(self, tx_hash: str) -> dict[str, Any] | None:
        """Return a receipt."""
        return self._state.receipts.get(tx_hash)

    def eth_getLogs(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the logs of one contract with these first topics."""
        address, topics = wanted["address"], wanted["topics"]
        return [
            log
            for receipt in self._state.receipts.values()
            for log in receipt["logs"]
            if log["address"].lower() == address and log["topics"][: len(topics)] == topics
        ]

    def eth_getBlockReceipts(self, _block: str) -> list[dict[str, Any]]:
        """Return the last block's receipts."""
        return [self._state.receipts[tx_hash] for tx_hash in self._state.blocks[-1]]

    def eth_getBlockTransactionCountByNumber(self, _block: str) -> str:
        """Count the last block's transactions."""
        return hex(len(self._state.blocks[-1]))

    def debug_traceTransaction(self, tx_hash: str, _tracer: dict[str, str]) -> dict[str, str]:
        """Tell what a failed transaction returned."""
        return {"output": "0x" + self._errors[tx_hash].hex()}

    def anvil_setBalance(self, account: str, wei: str) -> None:
        """Make an account rich."""
        self._evm.set_balance(account, int(wei, 16))

    def evm_snapshot(self) -> int:
        """Remember everything."""
        state = self._state
        kept = State(state.height, copy(state.nonces), copy(state.receipts), copy(state.blocks))
        self._snapshots.append((self._evm.snapshot(), kept, self._timestamp_s))
        return len(self._snapshots) - 1

    def evm_revert(self, place: int) -> bool:
        """Bring everything back."""
        checkpoint, self._state, self._timestamp_s = self._snapshots[place]
        del self._snapshots[place:]
        self._evm.revert(checkpoint)
        return True


def _output(failure: RuntimeError) -> bytes:
    found = _OUTPUT.search(str(failure))
    return bytes.fromhex(found.group(1)) if found else b""


def _block_hash(number: int) -> str:
    return "0x" + keccak(number.to_bytes(32)).hex()


def in_process_world(start_s: int) -> AnvilWorld:
    """Return the contracts in this process, with all handles that Anvil has."""
    return AnvilWorld(start_s, InProcess(start_s))
