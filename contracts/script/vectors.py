"""Writes test/vectors/orders.json with eth_account, an implementation of EIP-712 that is not ours.

Needs eth_account; run it only when the signed types change: python script/vectors.py
"""

import json
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

U16, U32, U40, U64, U256 = (2**bits - 1 for bits in (16, 32, 40, 64, 256))
YEAR_2030 = 1_893_456_000
EXPIRY = 1_766_736_000

DOMAIN = {
    "name": "Hybrid DEX",
    "version": "1",
    "chainId": 31337,
    "verifyingContract": "0x5e771e0417100000000000000000000000000001",
}


def fields(text: str) -> list[dict]:
    return [dict(zip(("type", "name"), field.split(), strict=True)) for field in text.split(",")]


TYPES = {
    "EIP712Domain": fields("string name,string version,uint256 chainId,address verifyingContract"),
    "Instrument": fields(
        "uint8 kind,string symbol,uint64 expiry,uint64 strike,bool isCall,uint64 multiplier"
    ),
    "Order": fields(
        "address account,uint32 subaccount,Instrument instrument,uint8 side,uint8 tif,uint64 qty,"
        "uint64 limitPrice,uint40 expiry,uint64 nonce,uint16 maxFeeBps"
    ),
    "Cancel": fields("address account,uint64 minNonce,uint64 nonce,uint40 deadline"),
    "Withdrawal": fields("address account,uint256 amount,bool asCxpt,uint64 nonce,uint40 deadline"),
}


def instrument(kind, symbol, expiry=0, strike=0, is_call=False, multiplier=1):
    return {
        "kind": kind,
        "symbol": symbol,
        "expiry": expiry,
        "strike": strike,
        "isCall": is_call,
        "multiplier": multiplier,
    }


def order(instrument, side, tif, qty, price, expiry, nonce, max_fee_bps=50, subaccount=0):  # noqa: PLR0913 - the signed fields
    return {
        "subaccount": subaccount,
        "instrument": instrument,
        "side": side,
        "tif": tif,
        "qty": qty,
        "limitPrice": price,
        "expiry": expiry,
        "nonce": nonce,
        "maxFeeBps": max_fee_bps,
    }


SPOT = instrument(0, "BTC-USDC")
PERP = instrument(1, "BTC-PERP")
FUTURE = instrument(2, "BTC-20251226", EXPIRY)
CALL = instrument(3, "BTC-20251226-60000-C", EXPIRY, 60_000_000_000, True)
PUT = instrument(3, "ETH-20251226-2500-P", EXPIRY, 2_500_000_000)
LARGEST = instrument(255, "", U64, U64, True, U64)
ZEROS = instrument(0, "", multiplier=0)
LONG_NAME = instrument(0, "ÄÖ-€-" + "x" * 40)

IOC, FOK, GTT, POST_ONLY, REDUCE_ONLY, MARKET = 1, 2, 3, 8, 16, 32

# name, primary type, which key, message without its account
VECTORS = [
    ("spot buy GTC", "Order", 0, order(SPOT, 0, 0, 100_000_000, 60_000_000_000, 0, 1)),
    ("spot sell post-only", "Order", 1, order(SPOT, 1, POST_ONLY, 10_000, 60_000_100_000, 0, 1)),
    ("spot sell GTT", "Order", 1, order(SPOT, 1, GTT, 10_000, 60_000_100_000, YEAR_2030, 2)),
    (
        "perp buy market IOC",
        "Order",
        2,
        order(PERP, 0, IOC | MARKET, 2_500_000, 63_000_000_000, 0, 7, subaccount=1),
    ),
    (
        "perp sell reduce-only IOC",
        "Order",
        2,
        order(PERP, 1, IOC | REDUCE_ONLY, 2_500_000, 57_000_000_000, YEAR_2030, 8, 100),
    ),
    ("future sell FOK", "Order", 3, order(FUTURE, 1, FOK, 50_000_000, 61_000_000_000, EXPIRY, 3)),
    ("call buy GTC", "Order", 3, order(CALL, 0, 0, 100_000_000, 1_250_000_000, EXPIRY, 4)),
    (
        "put sell post-only GTT",
        "Order",
        0,
        order(PUT, 1, GTT | POST_ONLY, 300_000_000, 75_000_000, EXPIRY, 5, 0),
    ),
    ("largest values", "Order", 1, order(LARGEST, 255, 255, U64, U64, U40, U64, U16, U32)),
    ("zeros", "Order", 1, order(ZEROS, 0, 0, 0, 0, 0, 0, 0)),
    ("long non-ASCII symbol", "Order", 2, order(LONG_NAME, 0, 0, 1, 1, 0, 9)),
    ("cancel one nonce", "Cancel", 0, {"minNonce": 0, "nonce": 1, "deadline": YEAR_2030}),
    ("cancel all below", "Cancel", 1, {"minNonce": U64, "nonce": 0, "deadline": U40}),
    (
        "withdraw USDC",
        "Withdrawal",
        0,
        {"amount": 1_000_000, "asCxpt": False, "nonce": 1, "deadline": YEAR_2030},
    ),
    (
        "withdraw as CXPT, largest amount",
        "Withdrawal",
        3,
        {"amount": U256, "asCxpt": True, "nonce": U64, "deadline": U40},
    ),
]

KEYS = ["0x" + keccak(text=f"dexsim vector {i}").hex() for i in range(4)]


def encode(primary_type: str, message: dict):
    nested = ("Instrument",) if primary_type == "Order" else ()
    types = {name: TYPES[name] for name in ("EIP712Domain", primary_type, *nested)}
    return encode_typed_data(
        full_message={
            "types": types,
            "primaryType": primary_type,
            "domain": DOMAIN,
            "message": message,
        }
    )


def to_hex(data: bytes) -> str:
    return "0x" + bytes(data).hex()


def vector(name: str, primary_type: str, key: str, message: dict) -> dict:
    account = Account.from_key(key)
    message = {"account": account.address, **message}
    encoded = encode(primary_type, message)
    signature = account.sign_message(encoded).signature
    shown = {k: str(v) if k == "amount" else v for k, v in message.items()}
    result = {"name": name, "primary_type": primary_type, "message": shown}
    if primary_type == "Order":
        result["instrument_id"] = to_hex(encode("Instrument", message["instrument"]).body)
    return result | {
        "struct_hash": to_hex(encoded.body),
        "digest": to_hex(keccak(b"\x19\x01" + encoded.header + encoded.body)),
        "private_key": key,
        "signature": to_hex(signature),
    }


def main() -> None:
    document = {
        "about": "EIP-712 vectors made with eth_account by script/vectors.py."
        " The keys are public and worthless. amount is a decimal string, since it exceeds 64 bits.",
        "domain": DOMAIN,
        "domain_separator": to_hex(
            encode("Cancel", {"account": DOMAIN["verifyingContract"], **VECTORS[11][3]}).header
        ),
        "types": TYPES,
        "count": len(VECTORS),
        "vectors": [vector(name, kind, KEYS[key], message) for name, kind, key, message in VECTORS],
    }
    path = Path(__file__).parent.parent / "test" / "vectors" / "orders.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
