"""What the tests say of orders, fills and signatures, in a few words."""

from typing import NamedTuple

from ape import chain
from eth_account.messages import encode_typed_data

from system.adapters.evm import abi
from system.model.typed_data import REDUCE_ONLY_BIT, TIF_IOC, instrument_hash
from system.ports.chain import ChainFill, SignedOrder

USDC = 10**6
BTC = 10**8
PRICE = 60_000 * USDC
BUY, SELL = 0, 1
IOC, REDUCE_ONLY = TIF_IOC, REDUCE_ONLY_BIT
SHARES = 10**6  # of one uUSDC, while nothing was accrued
SYMBOLS = {"spot": (0, "sBTC-USDC"), "perp": (1, "BTC-PERP")}


def fields(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), field.split(), strict=True)) for field in text.split(", ")]


TYPES = {
    "EIP712Domain": fields("string name, string version, uint256 chainId, address verifyingContract"),
    "Instrument": fields(
        "uint8 kind, string symbol, uint64 expiry, uint64 strike, bool isCall, uint64 multiplier"
    ),
    "Order": fields(
        "address account, uint32 subaccount, Instrument instrument, uint8 side, uint8 tif, uint64 qty, "
        "uint64 limitPrice, uint40 expiry, uint64 nonce, uint16 maxFeeBps"
    ),
    "Cancel": fields("address account, uint64 minNonce, uint64 nonce, uint40 deadline"),
    "Withdrawal": fields("address account, uint256 amount, bool asCxpt, uint64 nonce, uint40 deadline"),
    "Session": fields(
        "address account, address key, uint40 expiry, uint64 maxOrderNotional, uint32 scope, uint64 nonce"
    ),
}


class Order(NamedTuple):
    """An order; by default a plain buy of one BTC at PRICE."""

    who: object
    side: int = BUY
    qty: int = BTC
    price: int = PRICE
    nonce: int = 1
    market: str = "spot"
    tif: int = 0
    expiry: int = 0
    max_fee_bps: int = 50


def fill(maker: int = 0, taker: int = 1, qty: int = BTC) -> ChainFill:
    """A fill without fees."""
    return ChainFill(maker, taker, qty, 0, 0)


class Desk:
    """Signs for people and settles for the operator."""

    def __init__(self, exchange, operator, owner) -> None:
        self.exchange = exchange
        self.operator = operator
        self.owner = owner

    def deposit(self, who, token, amount: int):
        token.mint(who, amount, sender=self.owner)
        token.approve(self.exchange.vault, amount, sender=who)
        return self.exchange.vault.deposit(token, amount, sender=who)

    def sign(self, order: Order, signer=None) -> SignedOrder:
        """Let an order be signed by its account, or by somebody else."""
        kind, symbol = SYMBOLS[order.market]
        instrument = {
            "kind": kind,
            "symbol": symbol,
            "expiry": 0,
            "strike": 0,
            "isCall": False,
            "multiplier": 1,
        }
        message = {
            "account": order.who.address,
            "subaccount": 0,
            "instrument": instrument,
            "side": order.side,
            "tif": order.tif,
            "qty": order.qty,
            "limitPrice": order.price,
            "expiry": order.expiry,
            "nonce": order.nonce,
            "maxFeeBps": order.max_fee_bps,
        }
        return SignedOrder(
            order.who.address.lower(),
            0,
            instrument_hash(kind, symbol),
            order.side,
            order.tif,
            order.qty,
            order.price,
            order.expiry,
            order.nonce,
            order.max_fee_bps,
            self.signature(signer or order.who, "Order", message),
        )

    def signature(self, signer, kind: str, message: dict) -> bytes:
        """Return what a wallet signs for a message of this kind in the exchange's domain."""
        nested = ("Instrument",) if kind == "Order" else ()
        domain = {
            "name": "Hybrid DEX",
            "version": "1",
            "chainId": 31337,
            "verifyingContract": self.exchange.settlement.address,
        }
        types = {name: TYPES[name] for name in ("EIP712Domain", kind, *nested)}
        document = {"types": types, "primaryType": kind, "domain": domain, "message": message}
        return signer.sign_message(encode_typed_data(full_message=document)).encode_rsv()

    def settle_signed(self, orders: list[SignedOrder], fills: list[ChainFill], sender=None):
        settlement = self.exchange.settlement
        number, head = settlement.lastBatchId() + 1, bytes(settlement.head())
        calldata = abi.encode_batch(number, head, orders, fills)
        return (sender or self.operator).transfer(settlement.address, 0, data=calldata)

    def settle(
        self, maker: Order, taker: Order, qty: int | None = None, maker_fee: int = 0, taker_fee: int = 0
    ):
        """Settle one fill of two orders, of all of the maker's quantity by default."""
        fill = ChainFill(0, 1, maker.qty if qty is None else qty, maker_fee, taker_fee)
        return self.settle_signed([self.sign(maker), self.sign(taker)], [fill])

    def skipped(self, receipt) -> list[str]:
        """Return why fills were skipped, by the names of the errors."""
        logs = [event for event in receipt.events if event.event_name == "FillSkipped"]
        return [abi.error_name(bytes(event.reason)) for event in logs]

    def events(self, receipt) -> list[str]:
        return [event.event_name for event in receipt.events]

    def usdc_of(self, who) -> int:
        return self.exchange.vault.usdcOf(who)

    def later(self, seconds: int) -> None:
        chain.mine(timestamp=chain.blocks.head.timestamp + seconds)
