"""Reads a batch back from its calldata, as the contract does: the counterpart of adapters.evm.abi."""

from __future__ import annotations

import struct
from typing import Any

from sim.world.model_settlement import Batch
from system.adapters.evm import abi
from system.ports.chain import ChainFill, SignedOrder


def decode_batch(calldata: bytes) -> Batch:
    """Read settleBatch's arguments back from its calldata."""
    _, batch_id, prev_hash, *places = abi.BATCH_HEAD.unpack_from(calldata)
    orders_at, signatures_at, fills_at = (place + 4 for place in places)
    order_rows = _rows(calldata, orders_at, abi.ORDER)
    orders = [
        SignedOrder._make(("0x" + row[0].hex(), *row[1:], signature))
        for row, signature in zip(order_rows, _signatures(calldata, signatures_at), strict=True)
    ]
    fills = [ChainFill(*row) for row in _rows(calldata, fills_at, abi.FILL)]
    return Batch(batch_id, prev_hash, orders, fills, abi.head_after(prev_hash, batch_id, calldata))


def _number(calldata: bytes, place: int) -> int:
    return int.from_bytes(calldata[place : place + abi.WORD])


def _rows(calldata: bytes, place: int, row: struct.Struct) -> list[tuple[Any, ...]]:
    count = _number(calldata, place)
    first = place + abi.WORD
    return list(row.iter_unpack(calldata[first : first + count * row.size]))


def _signatures(calldata: bytes, place: int) -> list[bytes]:
    first = place + abi.WORD
    found = []
    for index in range(_number(calldata, place)):
        at = first + _number(calldata, first + index * abi.WORD)
        found.append(calldata[at + abi.WORD : at + abi.WORD + _number(calldata, at)])
    return found
