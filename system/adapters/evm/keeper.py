"""How options end on chain: the price at expiry is signed and published, and what it is worth is claimed.

Anyone may send both, so this account needs no role and no place in the operator's queue of nonces; the
observation is what is signed by one of Clearing's signers. Nothing is stored: whatever a block did not
take is sent again, and Clearing takes each only once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from system.adapters.evm.abi import WORD, selector
from system.adapters.evm.pricing import offer_for
from system.adapters.evm.rpc import JsonRpc
from system.adapters.evm.transaction import sign_transaction
from system.model import typed_data
from system.model.typed_data import Domain, address_bytes, address_of
from system.ports.chain import PreparedTx

PUBLISH_SIGNATURE = "publish(bytes32,uint8,int256,uint40,bytes[])"
CLAIM_SIGNATURE = "claim(bytes32,address)"
BOOK_SIGNATURE = "bookOf(bytes32)"
POSITION_SIGNATURE = "positionOf(address,bytes32)"
EXPIRY_PRICE_WORD, EXPIRED_AT_WORD = 12, 16
"""Places in Oracle.Book, of which each field is a word."""

EXPIRY = 2
"""Oracle.EXPIRY."""
_GAS = 400_000
_AT_ONCE = 100
"""Calls in one request; many nodes take no more than some hundred."""
PUBLISH = selector(PUBLISH_SIGNATURE)
CLAIM = selector(CLAIM_SIGNATURE)
_BOOK = selector(BOOK_SIGNATURE)
_POSITION = selector(POSITION_SIGNATURE)


def encode_publish(instrument: bytes, price_e6: int, at_s: int, signature: bytes) -> bytes:
    """Return the calldata of Clearing.publish of an expiry price with one signature."""
    words = (EXPIRY, price_e6, at_s, 5 * WORD, 1, WORD, len(signature))
    packed = b"".join((instrument, *(word.to_bytes(WORD) for word in words), signature))
    return PUBLISH + packed + bytes(-len(packed) % WORD)


def encode_claim(instrument: bytes, account: str) -> bytes:
    """Return the calldata of Clearing.claim."""
    return CLAIM + instrument + address_bytes(account).rjust(WORD, b"\0")


class Keeper:
    """Ends instruments in Clearing and claims for their holders.

    Args:
        key: reads the private key, when something is to be sent.
        domain: Settlement's, in which observations are signed.
    """

    def __init__(self, rpc: JsonRpc, key: Callable[[], bytes], domain: Domain, clearing: str) -> None:
        self._rpc = rpc
        self._key = key
        self._domain = domain
        self._clearing = clearing

    def ending(self, instrument: bytes) -> int:
        """Return the price at which an instrument has ended, 0 while it has not."""
        book = self._views([_BOOK + instrument])[0]
        return book[EXPIRY_PRICE_WORD] if book[EXPIRED_AT_WORD] else 0

    def sizes(self, instrument: bytes, accounts: Sequence[str], at_block: int) -> list[int]:
        """Return the accounts' positions as a block left them, signed, in 1e-8 base."""
        asked = [_POSITION + address_bytes(account).rjust(WORD, b"\0") + instrument for account in accounts]
        half = 1 << (8 * WORD - 1)
        return [said[0] - (said[0] >= half) * 2 * half for said in self._views(asked, hex(at_block))]

    def publish(self, instrument: bytes, price_e6: int, at_s: int, raises: int = 0) -> list[PreparedTx]:
        """Sign the price at expiry, and a transaction that brings it."""
        key = self._key()
        digest = typed_data.observation_digest(self._domain, instrument, EXPIRY, price_e6, at_s)
        return self._signed(
            [encode_publish(instrument, price_e6, at_s, typed_data.sign(digest, key))], raises
        )

    def claim(self, instrument: bytes, accounts: Sequence[str], raises: int = 0) -> list[PreparedTx]:
        """Sign a claim for each account."""
        return self._signed([encode_claim(instrument, account) for account in accounts], raises)

    def _views(self, calls: Sequence[bytes], block: str = "latest") -> list[list[int]]:
        asked = [("eth_call", ({"to": self._clearing, "data": "0x" + data.hex()}, block)) for data in calls]
        parts = [asked[start : start + _AT_ONCE] for start in range(0, len(asked), _AT_ONCE)]
        answers = [answer for part in parts for answer in self._rpc.batch(part)]
        words = 2 * WORD
        return [
            [int(said[at : at + words], 16) for at in range(2, len(said) - words + 1, words)]
            for said in answers
        ]

    def _signed(self, calls: Sequence[bytes], raises: int) -> list[PreparedTx]:
        """Sign calls from the account's next nonce on; what waits in the pool is replaced or known."""
        key = self._key()
        first, head = self._rpc.batch(
            [
                ("eth_getTransactionCount", (address_of(key), "latest")),
                ("eth_getBlockByNumber", ("latest", False)),
            ]
        )
        return [
            sign_transaction(
                key,
                chain_id=self._domain.chain_id,
                nonce=int(first, 16) + place,
                fees=offer_for(int(head.get("baseFeePerGas", "0x0"), 16), raises),
                gas=_GAS,
                to=self._clearing,
                data=data,
            )
            for place, data in enumerate(calls)
        ]
