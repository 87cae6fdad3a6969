"""Price contracts of fixed words, assembled by hand and put on Anvil without a transaction."""

from collections.abc import Sequence

from system.adapters.evm.abi import selector
from system.adapters.evm.rpc import JsonRpc

FEED = "0x" + "fe" * 20
ROUND = 18_446_744_073_709_562_776  # phase 1, round 11160: real ones look so
UPDATED_S = 1_746_315_000
REVERT = bytes.fromhex("60006000fd")  # PUSH1 0, PUSH1 0, REVERT

PYTH = "0x" + "fd" * 20
PYTH_FEED = "0x" + "ab" * 32

_WORD = 32
_LATEST_ROUND_DATA = selector("latestRoundData()")


def round_of(
    answer: int, updated_s: int = UPDATED_S, round_id: int = ROUND, answered_in: int = ROUND
) -> list[int]:
    """What latestRoundData() returns: roundId, answer, startedAt, updatedAt, answeredInRound."""
    return [round_id, answer, updated_s, updated_s, answered_in]


def aggregator_code(words: Sequence[int], decimals: int = 8) -> bytes:
    """Code that answers latestRoundData() with these words, and every other call with `decimals`."""
    data = b"".join((word % 2**256).to_bytes(_WORD) for word in words)
    # PUSH1 0, CALLDATALOAD, PUSH1 224, SHR, PUSH4 selector, EQ, PUSH1 round, JUMPI
    head = bytes.fromhex("60003560e01c63") + _LATEST_ROUND_DATA + bytes.fromhex("1460")
    # PUSH32 decimals, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN
    other = b"\x7f" + decimals.to_bytes(_WORD) + bytes.fromhex("60005260206000f3")
    place = len(head) + 2 + len(other)
    # JUMPDEST, PUSH1 size, PUSH1 from, PUSH1 0, CODECOPY, PUSH1 size, PUSH1 0, RETURN
    size = len(data).to_bytes(1)
    start = (place + 13).to_bytes(1)
    answer = b"\x5b\x60" + size + b"\x60" + start + bytes.fromhex("60003960") + size + bytes.fromhex("6000f3")
    return head + place.to_bytes(1) + b"\x57" + other + answer + data


def pyth_code(price: int, conf: int, exponent: int, published_s: int) -> bytes:
    """Code that answers every call with a price as Pyth does: price, confidence, exponent, time."""
    return answering((price, conf, exponent, published_s))


def answering(words: Sequence[int]) -> bytes:
    """Code that answers every call with these words."""
    data = b"".join((word % 2**256).to_bytes(_WORD) for word in words)
    size = len(data).to_bytes(1)
    # PUSH1 size, PUSH1 from, PUSH1 0, CODECOPY, PUSH1 size, PUSH1 0, RETURN
    return b"\x60" + size + bytes.fromhex("600c600039") + b"\x60" + size + bytes.fromhex("6000f3") + data


def put_feed(rpc: JsonRpc, code: bytes, feed: str = FEED) -> None:
    """Make this the code at the feed's address."""
    rpc.call("anvil_setCode", feed, "0x" + code.hex())
