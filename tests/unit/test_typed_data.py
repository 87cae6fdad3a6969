"""The fast digests are a wallet's (eth_account) and the contract's (shared vectors); nothing else passes."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from system.model import typed_data as td

VECTORS = json.loads(
    (Path(__file__).parents[2] / "contracts" / "test" / "vectors" / "orders.json").read_text()
)
TYPES = VECTORS["types"]
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = b"\x07" * 32


def uint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
instruments = st.fixed_dictionaries(
    {
        "kind": st.integers(0, 3),
        "symbol": st.text(min_size=0, max_size=40),
        "expiry": uint(64),
        "strike": uint(64),
        "isCall": st.booleans(),
        "multiplier": uint(64),
    }
)
orders = st.fixed_dictionaries(
    {
        "account": addresses,
        "subaccount": uint(32),
        "instrument": instruments,
        "side": st.integers(0, 1),
        "tif": uint(8),
        "qty": uint(64),
        "limitPrice": uint(64),
        "expiry": uint(40),
        "nonce": uint(64),
        "maxFeeBps": uint(16),
    }
)
cancels = st.fixed_dictionaries(
    {"account": addresses, "minNonce": uint(64), "nonce": uint(64), "deadline": uint(40)}
)
withdrawals = st.fixed_dictionaries(
    {
        "account": addresses,
        "amount": uint(256),
        "asCxpt": st.booleans(),
        "nonce": uint(64),
        "deadline": uint(40),
    }
)
private_keys = st.integers(1, CURVE_ORDER - 1).map(lambda n: n.to_bytes(32))


def instrument_id(i: dict[str, Any]) -> bytes:
    return td.instrument_hash(i["kind"], i["symbol"], i["expiry"], i["strike"], i["isCall"], i["multiplier"])


def fast_digest(separator: bytes, primary_type: str, m: dict[str, Any]) -> bytes:
    if primary_type == "Cancel":
        return td.cancel_digest(separator, m["account"], m["minNonce"], m["nonce"], m["deadline"])
    if primary_type == "Withdrawal":
        return td.withdrawal_digest(
            separator, m["account"], int(m["amount"]), m["asCxpt"], m["nonce"], m["deadline"]
        )
    fields = [m[name] for name in ("side", "tif", "qty", "limitPrice", "expiry", "nonce", "maxFeeBps")]
    return td.order_digest(separator, m["account"], m["subaccount"], instrument_id(m["instrument"]), *fields)


def wallet_message(domain: td.Domain, primary_type: str, message: dict[str, Any]) -> Any:
    used = ["EIP712Domain", primary_type] + (["Instrument"] if primary_type == "Order" else [])
    return encode_typed_data(
        full_message={
            "domain": {
                "name": "Hybrid DEX",
                "version": "1",
                "chainId": domain.chain_id,
                "verifyingContract": domain.verifying_contract,
            },
            "types": {name: TYPES[name] for name in used},
            "primaryType": primary_type,
            "message": message,
        }
    )


def wallet_digest(domain: td.Domain, primary_type: str, message: dict[str, Any]) -> bytes:
    signable = wallet_message(domain, primary_type, message)
    return td.keccak(b"\x19" + signable.version + signable.header + signable.body)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda v: v["name"])
def test_shared_vectors(vector: dict[str, Any]) -> None:
    domain = td.Domain(VECTORS["domain"]["chainId"], VECTORS["domain"]["verifyingContract"])
    separator = td.domain_separator(domain)
    key = bytes.fromhex(vector["private_key"][2:])
    message = vector["message"]
    assert "0x" + separator.hex() == VECTORS["domain_separator"]
    if vector["primary_type"] == "Order":
        assert "0x" + instrument_id(message["instrument"]).hex() == vector["instrument_id"]
    digest = fast_digest(separator, vector["primary_type"], message)
    assert "0x" + digest.hex() == vector["digest"]
    assert "0x" + td.sign(digest, key).hex() == vector["signature"]
    assert td.recover(digest, vector["signature"]) == td.address_of(key)


@given(st.integers(1, 2**63), addresses, orders)
@settings(max_examples=60, deadline=None)
def test_an_orders_digest_is_the_wallets(chain_id: int, contract: str, order: dict[str, Any]) -> None:
    domain = td.Domain(chain_id, contract)
    assert fast_digest(td.domain_separator(domain), "Order", order) == wallet_digest(domain, "Order", order)


@given(cancels, withdrawals)
@settings(max_examples=40, deadline=None)
def test_cancels_and_withdrawals_too(cancel: dict[str, Any], withdrawal: dict[str, Any]) -> None:
    domain = td.Domain(31337, "0x" + "5e" * 20)
    separator = td.domain_separator(domain)
    assert fast_digest(separator, "Cancel", cancel) == wallet_digest(domain, "Cancel", cancel)
    assert fast_digest(separator, "Withdrawal", withdrawal) == wallet_digest(domain, "Withdrawal", withdrawal)


@given(private_keys, st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None)
def test_signatures_are_the_wallets_and_name_their_signer(key: bytes, digest: bytes) -> None:
    signature = td.sign(digest, key)
    account = Account.from_key(key)
    assert signature == bytes(account.unsafe_sign_hash(digest).signature)
    assert td.address_of(key) == account.address.lower()
    assert td.recover(digest, signature) == td.recover(digest, "0x" + signature.hex()) == td.address_of(key)
    assert td.is_signed_by(account.address, digest, signature)
    assert td.is_signed_by(account.address.lower(), digest, signature)


@given(st.integers(0, 64), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_is_another_or_nobodys_signature(position: int, flip: int) -> None:
    digest = td.keccak(b"an order")
    signature = bytearray(td.sign(digest, KEY))
    signature[position] ^= flip
    assert td.recover(digest, bytes(signature)) != td.address_of(KEY)


def test_the_other_form_of_a_signature_is_refused() -> None:
    digest = td.keccak(b"an order")
    signature = td.sign(digest, KEY)
    high_s = CURVE_ORDER - int.from_bytes(signature[32:64])
    twin = signature[:32] + high_s.to_bytes(32) + bytes([55 - signature[64]])
    assert Account._recover_hash(digest, signature=twin).lower() == td.address_of(KEY)
    assert td.recover(digest, twin) == ""


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        "",
        "0x",
        "0xzz",
        b"\x01" * 64,
        b"\x01" * 66,
        "0x" + "00" * 65,
        bytes(64) + b"\x1b",
        b"\xff" * 32 + bytes(31) + b"\x01\x1b",
        td.sign(b"\x01" * 32, KEY)[:64] + b"\x00",
        td.sign(b"\x01" * 32, KEY)[:64] + b"\x1d",
    ],
)
def test_what_is_no_signature_has_no_signer(signature: bytes | str) -> None:
    assert td.recover(b"\x01" * 32, signature) == ""
    assert not td.is_signed_by("", b"\x01" * 32, signature)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "0x12"),
        ("account", "00" * 21),
        ("account", "0x" + "zz" * 20),
        ("subaccount", 2**32),
        ("side", 256),
        ("tif", -1),
        ("qty", 2**64),
        ("limitPrice", -1),
        ("expiry", 2**40),
        ("expiry", -1),
        ("nonce", 2**64),
        ("maxFeeBps", 2**16),
    ],
)
def test_a_field_that_does_not_fit_is_named(field: str, value: int | str) -> None:
    order = dict(VECTORS["vectors"][0]["message"], **{field: value})
    with pytest.raises(ValueError):
        fast_digest(b"\x01" * 32, "Order", order)


def test_other_fields_that_do_not_fit() -> None:
    account = "0x" + "01" * 20
    for bad in ((2**64, 0, 0), (0, 2**64, 0), (0, 0, 2**40)):
        with pytest.raises(ValueError):
            td.cancel_digest(b"\x01" * 32, account, *bad)
    for bad_amount, nonce, deadline in ((2**256, 0, 0), (-1, 0, 0), (0, 2**64, 0), (0, 0, 2**40)):
        with pytest.raises(ValueError):
            td.withdrawal_digest(b"\x01" * 32, account, bad_amount, False, nonce, deadline)
    for digest, key in ((b"", KEY), (b"\x01" * 32, b""), (b"\x01" * 32, bytes(32))):
        with pytest.raises(ValueError):
            td.sign(digest, key)
    with pytest.raises(ValueError):
        td.address_of(bytes(32))


def test_tif_bits() -> None:
    assert [td.tif_bits(tif, False, False, False) for tif in ("GTC", "IOC", "FOK", "GTT")] == [0, 1, 2, 3]
    assert td.tif_bits("GTC", True, True, False) == 24
    assert td.tif_bits("IOC", False, False, True) == 33
    with pytest.raises(KeyError):
        td.tif_bits("DAY", False, False, False)
