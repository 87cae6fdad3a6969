"""What tests of a chain are played with: a market of each kind, funded traders, an operator who settles."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from sim.world.chain_world import ChainWorld, open_chain
from sim.world.purse import Purse, purse_of
from system.adapters.evm.pricing import FIRST_OFFER
from system.model import typed_data
from system.model.market import MarketKind, MarketSpec
from system.model.signing import instrument_id
from system.ports.chain import Bid, Chain, ChainFill, PreparedTx, Receipt, SignedOrder
from system.settlement.gas import TX_GAS_CAP

START_S = 1_746_315_000
BLOCK_S = 12
BUY, SELL = typed_data.SIDE_BUY, typed_data.SIDE_SELL
USDC = 10**6
COIN = 10**8
BTC_PRICE = 60_000 * USDC

TERMS = {"underlying": "BTC", "tick_e6": 100_000, "lot_e8": 10_000}
PERP = MarketSpec(symbol="BTC-PERP", kind=MarketKind.PERP, base="BTC", im_ppm=200_000, **TERMS)  # type: ignore[arg-type]
SPOT = MarketSpec(symbol="sBTC-USDC", kind=MarketKind.SPOT, base="sBTC", **TERMS)  # type: ignore[arg-type]
FUTURE = MarketSpec(
    symbol="BTC-27JUN25", kind=MarketKind.FUTURE, base="BTC", im_ppm=200_000, expiry_s=1_751_011_200, **TERMS
)  # type: ignore[arg-type]
CALL = MarketSpec(
    symbol="BTC-27JUN25-60000-C",
    kind=MarketKind.OPTION,
    base="BTC",
    option_type="CALL",
    strike_e6=60_000 * USDC,
    cap_e6=120_000 * USDC,
    expiry_s=1_751_011_200,
    **TERMS,
)  # type: ignore[arg-type]
PUT = MarketSpec(
    symbol="BTC-27JUN25-50000-P",
    kind=MarketKind.OPTION,
    base="BTC",
    option_type="PUT",
    strike_e6=50_000 * USDC + 100,  # no legal strike: the escrow of some quantities is not a whole number
    expiry_s=1_751_011_200,
    **TERMS,
)  # type: ignore[arg-type]
LISTED = (PERP, SPOT, FUTURE, CALL, PUT)
UNLISTED = MarketSpec(symbol="XXX-PERP", kind=MarketKind.PERP, base="XXX", **TERMS)  # type: ignore[arg-type]
TRADERS = [purse_of(7, f"trader-{number}") for number in range(4)]
BID = Bid(TX_GAS_CAP, FIRST_OFFER)
FUNDS = {"USDC": 100_000 * USDC, "sBTC": COIN}


def fee_of(price_e6: int, qty_e8: int, bps: int = 50) -> int:
    """The fee on one fill, rounded up, in uUSDC."""
    return -(-price_e6 * qty_e8 * bps // (COIN * 10_000))


def sign_order(world: ChainWorld, signer: Purse, order: SignedOrder) -> SignedOrder:
    """The same order, signed for this world's domain."""
    separator = typed_data.domain_separator(world.domain())
    digest = typed_data.order_digest(separator, *order[:10])
    return order._replace(signature=typed_data.sign(digest, signer.private_key))


World = TypeVar("World", bound=ChainWorld)


class Order(NamedTuple):
    """An order in the words of a test; `sign` makes the chain's of it."""

    trader: Purse
    side: int
    nonce: int
    qty: int = COIN // 100
    price: int = BTC_PRICE
    market: MarketSpec = PERP
    tif: int = 0
    expiry: int = 0
    bps: int = 50

    def sign(self, world: ChainWorld) -> SignedOrder:
        unsigned = SignedOrder(
            self.trader.account,
            0,
            instrument_id(self.market),
            self.side,
            self.tif,
            self.qty,
            self.price,
            self.expiry,
            self.nonce,
            self.bps,
            b"",
        )
        return sign_order(world, self.trader, unsigned)


def pair(
    qty: int = COIN // 100, price: int = BTC_PRICE, market: MarketSpec = PERP, nonce: int = 1
) -> tuple[list[Order], list[ChainFill]]:
    """Trader 0 sells to trader 1, in one fill."""
    orders = [
        Order(TRADERS[0], SELL, nonce, qty, price, market),
        Order(TRADERS[1], BUY, nonce, qty, price, market, tif=typed_data.TIF_IOC),
    ]
    return orders, [ChainFill(0, 1, qty, fee_of(price, qty), fee_of(price, qty))]


class Settler:
    """The settlement tier in a few lines: prepares, sends, mines, reads the receipt."""

    def __init__(self, world: ChainWorld, chain: Chain | None = None) -> None:
        self.world = world
        self.chain = chain or world.chain()
        self.time_s = START_S

    def prepare(
        self, orders: Sequence[Order], fills: Sequence[ChainFill], **instead: object
    ) -> tuple[PreparedTx, bytes]:
        """The next batch, signed by all; `instead` replaces batch_id, prev_hash, nonce or bid."""
        last, head = self.chain.settled_head()
        terms = {
            "batch_id": last + 1,
            "prev_hash": head,
            "nonce": self.chain.next_nonce(),
            "bid": BID,
        } | instead
        signed = [order.sign(self.world) for order in orders]
        return self.chain.prepare_batch(orders=signed, fills=list(fills), **terms)  # type: ignore[arg-type]

    def mine(self, seconds: int = BLOCK_S) -> int:
        self.time_s += seconds
        return self.world.mine(self.time_s)

    def settle(self, orders: Sequence[Order], fills: Sequence[ChainFill], **instead: object) -> Receipt:
        """Prepare, send and mine a batch."""
        tx, _ = self.prepare(orders, fills, **instead)
        return self.settle_prepared(tx)

    def settle_prepared(self, tx: PreparedTx) -> Receipt:
        self.chain.send(tx)
        self.mine()
        receipt = self.chain.receipt(tx.tx_hash)
        assert receipt is not None
        return receipt


def open_funded(kind: str, *, verify_signatures: bool = True) -> ChainWorld:
    """A fresh chain with every kind of market, on which every trader has deposited FUNDS."""
    return funded(open_chain(kind, START_S, verify_signatures=verify_signatures))


def funded(world: World) -> World:
    """Put every kind of market on a fresh chain, and let every trader deposit FUNDS."""
    try:
        world.deploy(LISTED)
        world.fund([(trader.private_key, trader.account, FUNDS) for trader in TRADERS])
    except BaseException:
        world.close()
        raise
    return world
