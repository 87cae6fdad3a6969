"""What a contract's view says, as words; nothing when it refuses or is not there."""

from __future__ import annotations

from system.adapters.evm.abi import WORD
from system.adapters.evm.rpc import JsonRpc, RpcError

# How nodes say that the contract refused (geth and anvil, then nethermind).
_REVERT_CODES = (3, -32015)


def read_view(rpc: JsonRpc, contract: str, data: str) -> list[bytes]:
    """Return the words that a view answers with; none when it reverts or there is no contract.

    Raises:
        Unavailable: the node does not answer.
    """
    try:
        said: str = rpc.call("eth_call", {"to": contract, "data": data}, "latest")
    except RpcError as refusal:
        code, message, _ = refusal.args
        if code in _REVERT_CODES or "revert" in str(message).lower():
            return []
        raise
    answer = bytes.fromhex(said[2:])
    return [answer[at : at + WORD] for at in range(0, len(answer), WORD)]
