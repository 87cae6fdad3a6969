"""Transactions of type 2 (EIP-1559): encoded, signed and named before anything is sent."""

from __future__ import annotations

from system.model.typed_data import address_bytes, keccak, sign
from system.ports.chain import Fees, PreparedTx

_TYPE = b"\x02"
_NO_ACCESS_LIST = b"\xc0"


def _length(size: int, short: int) -> bytes:
    """Prefix of an RLP string (short = 0x80) or list (short = 0xC0) of this many bytes."""
    if size < 56:
        return bytes((short + size,))
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((short + 55 + len(digits),)) + digits


def rlp_bytes(value: bytes) -> bytes:
    """Encode a byte string.

    >>> rlp_bytes(b"dog").hex(), rlp_bytes(b"").hex(), rlp_bytes(b"!").hex()
    ('83646f67', '80', '21')
    """
    return value if len(value) == 1 and value[0] < 0x80 else _length(len(value), 0x80) + value


def rlp_int(value: int) -> bytes:
    """Encode a number: big-endian without leading zeros."""
    return rlp_bytes(value.to_bytes((value.bit_length() + 7) // 8))


def rlp_list(*encoded: bytes) -> bytes:
    """Encode a list of items that are encoded already."""
    body = b"".join(encoded)
    return _length(len(body), 0xC0) + body


def created_address(sender: str, nonce: int) -> str:
    """Return the address of the contract that this transaction of the sender creates."""
    return "0x" + keccak(rlp_list(rlp_bytes(address_bytes(sender)), rlp_int(nonce)))[12:].hex()


def sign_transaction(
    private_key: bytes, *, chain_id: int, nonce: int, fees: Fees, gas: int, to: str, data: bytes
) -> PreparedTx:
    """Sign a transaction that moves no coins; an empty `to` creates a contract."""
    fields = (
        rlp_int(chain_id),
        rlp_int(nonce),
        rlp_int(fees.priority_fee),
        rlp_int(fees.max_fee),
        rlp_int(gas),
        rlp_bytes(address_bytes(to) if to else b""),
        rlp_int(0),
        rlp_bytes(data),
        _NO_ACCESS_LIST,
    )
    signature = sign(keccak(_TYPE + rlp_list(*fields)), private_key)
    raw = _TYPE + rlp_list(
        *fields,
        rlp_int(signature[64] - 27),
        rlp_int(int.from_bytes(signature[:32])),
        rlp_int(int.from_bytes(signature[32:64])),
    )
    return PreparedTx("0x" + keccak(raw).hex(), raw, nonce)
