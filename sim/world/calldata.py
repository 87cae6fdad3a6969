"""Reads the exchange's transactions back from calldata, as the contracts do: reverses adapters.evm.abi."""

from __future__ import annotations

from sim.world.model_claims import Claim, Publication
from sim.world.model_settlement import Batch
from system.adapters.evm import abi
from system.ports.chain import ChainFill, SignedOrder, SignedWithdrawal


def decode_batch(calldata: bytes) -> Batch:
    """Read settleBatch's arguments back from its calldata."""
    _, batch_id, prev_hash, _, _ = abi.BATCH_HEAD.unpack_from(calldata)
    place = abi.BATCH_HEAD.size
    instrument_count, account_count, order_count, fill_count = abi.COUNTS.unpack_from(calldata, place)
    place += abi.COUNTS.size
    instruments = _column(calldata, place, instrument_count, abi.INSTRUMENT_BYTES)
    place += instrument_count * abi.INSTRUMENT_BYTES
    accounts = ["0x" + each.hex() for each in _column(calldata, place, account_count, abi.ACCOUNT_BYTES)]
    place += account_count * abi.ACCOUNT_BYTES
    orders = []
    for _ in range(order_count):
        account, instrument, side, tif, subaccount, qty, price, high, low, nonce, bps = abi.ORDER.unpack_from(
            calldata, place
        )
        signature, place = _signature(calldata, place + abi.ORDER.size)
        orders.append(
            SignedOrder(
                accounts[account],
                subaccount,
                instruments[instrument],
                side,
                tif,
                qty,
                price,
                high << 32 | low,
                nonce,
                bps,
                signature,
            )
        )
    end = place + fill_count * abi.FILL.size
    fills = [ChainFill._make(row) for row in abi.FILL.iter_unpack(calldata[place:end])]
    return Batch(batch_id, prev_hash, orders, fills, abi.head_after(prev_hash, batch_id, calldata))


def decode_withdrawal(calldata: bytes) -> SignedWithdrawal:
    """Read withdrawBySig's arguments back from its calldata."""
    _, account, amount, as_cxpt, nonce, deadline, _, size = abi.WITHDRAWAL.unpack_from(calldata)
    first = abi.WITHDRAWAL.size
    signature = calldata[first : first + int.from_bytes(size)]
    return SignedWithdrawal("0x" + account.hex(), int.from_bytes(amount), as_cxpt, nonce, deadline, signature)


def decode_publication(calldata: bytes) -> Publication:
    """Read publish's arguments back from its calldata; who signed it is not looked at."""
    at = [int.from_bytes(word) for word in _column(calldata, 4 + abi.WORD, 3, abi.WORD)]
    return Publication(calldata[4 : 4 + abi.WORD], at[1], at[2])


def decode_claim(calldata: bytes) -> Claim:
    """Read claim's arguments back from its calldata."""
    return Claim(calldata[4 : 4 + abi.WORD], "0x" + calldata[-abi.ACCOUNT_BYTES :].hex())


def _column(calldata: bytes, place: int, count: int, size: int) -> list[bytes]:
    return [calldata[at : at + size] for at in range(place, place + count * size, size)]


def _signature(calldata: bytes, place: int) -> tuple[bytes, int]:
    """Return the signature at this place, in its usual form, and where it ends."""
    if calldata[place] == 0:
        _, r, s = abi.COMPACT.unpack_from(calldata, place)
        v = 27 + (s[0] >> 7)
        return r + bytes((s[0] & 0x7F,)) + s[1:] + bytes((v,)), place + abi.COMPACT.size
    _, size = abi.OTHER.unpack_from(calldata, place)
    first = place + abi.OTHER.size
    return calldata[first : first + size], first + size
