"""What the adapter makes of answers that Anvil never gives: slow, confused, refusing and other nodes."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from system.adapters.evm import abi
from system.adapters.evm.chain import Contracts, EvmChain
from system.adapters.evm.rpc import JsonRpc, RpcError
from system.model.errors import ChainReverted, Throttled, Unavailable
from system.ports.chain import PreparedTx

Answer = Callable[[Any], tuple[int, bytes]]
SETTLEMENT, VAULT, USDC = "0x" + "5e" * 20, "0x" + "fa" * 20, "0x" + "cc" * 20
CLEARING = "0x" + "c1" * 20
TX = PreparedTx("0x" + "ab" * 32, b"\x02raw", 4)


class Node:
    """An HTTP server on this machine that answers what a test wants."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: (200, b"{}")
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, body = node.answer(request)
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.rpc = JsonRpc(f"http://127.0.0.1:{self.server.server_port}/v3/key", timeout_s=5)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def chain(self) -> EvmChain:
        contracts = Contracts(1, SETTLEMENT, VAULT, CLEARING, {USDC: "USDC"})
        return EvmChain(self.rpc, lambda: b"\x01" * 32, lambda: b"\x02" * 32, contracts)

    def says(self, **answers: Any) -> None:
        """Answer each method with a result, or with an error when it is an RpcError."""

        def one(request: dict[str, Any]) -> dict[str, Any]:
            said = answers[request["method"]]
            if isinstance(said, RpcError):
                code, message, data = said.args
                return {"id": request["id"], "error": {"code": code, "message": message, "data": data}}
            return {"id": request["id"], "result": said}

        def answer(request: Any) -> tuple[int, bytes]:
            said = [one(each) for each in request][::-1] if isinstance(request, list) else one(request)
            return 200, json.dumps(said).encode()

        self.answer = answer


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.rpc.close()
    node.server.shutdown()
    node.server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, b"slow down", Throttled),
        (503, b"", Unavailable),
        (200, b"<html>", Unavailable),
        (200, b'{"id": 0, "error": {"code": -1, "message": "no"}}', RpcError),
        (200, b'{"id": 0, "error": {}}', RpcError),
    ],
)
def test_bad_answers(node: Node, status: int, body: bytes, error: type[Exception]) -> None:
    node.answer = lambda _: (status, body)
    with pytest.raises(error):
        node.rpc.call("eth_blockNumber")


def test_a_batch_in_any_order(node: Node) -> None:
    node.says(eth_blockNumber="0x7", eth_chainId="0x1")
    assert node.rpc.batch([("eth_blockNumber", ()), ("eth_chainId", ())]) == ["0x7", "0x1"]
    assert node.rpc.batch([]) == []
    node.answer = lambda _: (200, b'[{"id": 0, "result": 1}]')
    with pytest.raises(Unavailable):
        node.rpc.batch([("eth_blockNumber", ()), ("eth_chainId", ())])
    node.answer = lambda _: (200, b'{"error": {"message": "no batches here"}}')
    with pytest.raises(Unavailable):
        node.rpc.batch([("eth_blockNumber", ())])


@pytest.mark.parametrize(
    "message", ["already known", "AlreadyKnown: already imported", "known transaction: ab"]
)
def test_nodes_words_for_known(node: Node, message: str) -> None:
    node.says(eth_sendRawTransaction=RpcError(-32000, message, None))
    node.chain().send(TX)


def test_a_mined_transaction_is_known_by_its_hash(node: Node) -> None:
    node.says(
        eth_sendRawTransaction=RpcError(-32000, "nonce too low", None),
        eth_getTransactionByHash={"hash": "0x"},
    )
    node.chain().send(TX)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Nonce too low: next nonce 9, tx nonce 4", ("NonceTooLow", (4,))),
        ("replacement transaction underpriced", ("NonceTaken", (4,))),
        ("insufficient funds for gas", ("Refused", ("insufficient funds for gas",))),
    ],
)
def test_refusals(node: Node, message: str, said: tuple[Any, ...]) -> None:
    node.says(eth_sendRawTransaction=RpcError(-32000, message, None), eth_getTransactionByHash=None)
    with pytest.raises(ChainReverted) as refusal:
        node.chain().send(TX)
    assert refusal.value.args == said


WRONG_BATCH = "0x" + (abi.selector("WrongBatch(uint64,uint64)") + (3).to_bytes(32) + (4).to_bytes(32)).hex()
FAILED = {"blockNumber": "0x10", "blockHash": "0xbb", "status": "0x0", "gasUsed": "0x5", "logs": []}
SENT = {"from": SETTLEMENT, "to": SETTLEMENT, "input": "0x", "gas": "0x1"}
NO_TRACES = RpcError(-32601, "method not found", None)


@pytest.mark.parametrize(
    ("trace", "again", "name"),
    [
        ({"output": WRONG_BATCH}, None, "WrongBatch"),
        ({"error": "out of gas"}, None, "Reverted"),
        (NO_TRACES, RpcError(3, "execution reverted", WRONG_BATCH), "WrongBatch"),
        (NO_TRACES, RpcError(-32000, "execution reverted", {"data": WRONG_BATCH}), "WrongBatch"),
        (NO_TRACES, RpcError(-32000, "out of gas", None), "Reverted"),
        (NO_TRACES, "0x", "Reverted"),
    ],
)
def test_the_reason_of_a_revert(node: Node, trace: Any, again: Any, name: str) -> None:
    node.says(
        eth_getTransactionReceipt=FAILED,
        debug_traceTransaction=trace,
        eth_getTransactionByHash=SENT,
        eth_call=again,
    )
    receipt = node.chain().receipt(TX.tx_hash)
    assert receipt is not None
    assert (receipt.success, receipt.error, receipt.block_number) == (False, name, 16)


def test_a_receipt_that_is_still_pending(node: Node) -> None:
    node.says(eth_getTransactionReceipt=FAILED | {"blockNumber": None})
    assert node.chain().receipt(TX.tx_hash) is None


def test_skipped_fills_of_this_settlement_only(node: Node) -> None:
    data = "0x" + (5).to_bytes(32).hex() + (abi.selector("Overfill()") + bytes(28)).hex()
    ours = {"address": SETTLEMENT.upper().replace("0X", "0x"), "topics": [abi.FILL_SKIPPED], "data": data}
    logs = [ours, ours | {"address": VAULT}, ours | {"topics": ["0x00"]}]
    node.says(eth_getTransactionReceipt=FAILED | {"status": "0x1", "logs": logs})
    receipt = node.chain().receipt(TX.tx_hash)
    assert receipt is not None
    assert receipt.skipped == ((5, "Overfill"),)


def test_deposits_in_order_and_not_removed(node: Node) -> None:
    def log(block: int, index: int, token: str, *, removed: bool = False) -> dict[str, Any]:
        return {
            "blockNumber": hex(block),
            "blockHash": "0xbb",
            "logIndex": hex(index),
            "topics": [abi.DEPOSIT, "0x" + "0" * 24 + "AA" * 20, "0x" + "0" * 24 + token[2:]],
            "data": "0x" + (7).to_bytes(32).hex() + (8).to_bytes(32).hex(),
            "removed": removed,
        }

    unknown = "0x" + "dd" * 20
    node.says(
        eth_blockNumber="0x9",
        eth_getLogs=[log(9, 1, unknown), log(8, 3, USDC), log(8, 1, USDC, removed=True)],
    )
    found = node.chain().deposits(8, 9)
    assert [(d.block_number, d.log_index, d.asset, d.amount) for d in found] == [
        (8, 3, "USDC", 7),
        (9, 1, unknown, 7),
    ]
    assert found[0].account == "0x" + "aa" * 20
    with pytest.raises(Unavailable):
        node.chain().deposits(8, 10)
