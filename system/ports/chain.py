"""The EVM chain as the settlement tier needs it."""

from typing import Literal, NamedTuple, Protocol


class SignedOrder(NamedTuple):
    """An order as the Settlement contract takes it (docs: contracts/README.md).

    Units: qty 1e-8 base, limit_price 1e-6 USDC per base, expiry Unix seconds (0 never);
    side 0 BUY 1 SELL; tif bits as in model/typed_data.py; instrument_id and signature bytes.
    """

    account: str
    subaccount: int
    instrument_id: bytes
    side: int
    tif: int
    qty: int
    limit_price: int
    expiry: int
    nonce: int
    max_fee_bps: int
    signature: bytes


class SignedWithdrawal(NamedTuple):
    """A withdrawal as its account signed it; the operator agrees by sending it. Units: uUSDC, Unix s."""

    account: str
    amount: int
    as_cxpt: bool
    nonce: int
    deadline: int
    signature: bytes


class ChainFill(NamedTuple):
    """One fill of a batch; maker and taker are indexes into the batch's orders. Fees in uUSDC.

    `floors` is Trade.margin_floors: for which side initial margin of the opened part was rounded down.
    """

    maker: int
    taker: int
    qty: int
    maker_fee: int
    taker_fee: int
    floors: int = 0


class Fees(NamedTuple):
    """What the sender pays at most. Units: wei per gas."""

    max_fee: int
    priority_fee: int


class Bid(NamedTuple):
    """What a transaction may use and what it offers for it; another bid for the same nonce replaces it."""

    gas: int
    fees: Fees


class PreparedTx(NamedTuple):
    """A transaction that is signed but not sent: it can be stored first, and sent again."""

    tx_hash: str
    raw: bytes
    nonce: int


class Preflight(NamedTuple):
    """What a batch would do on top of the head: error "" when it would succeed; gas as a receipt tells it."""

    error: str
    gas_used: int


class Receipt(NamedTuple):
    """What became of a sent transaction. `skipped` are (fill index, error name) of refused fills."""

    tx_hash: str
    block_number: int
    block_hash: str
    success: bool
    error: str
    gas_used: int
    skipped: tuple[tuple[int, str], ...]


class DepositSeen(NamedTuple):
    """A Deposit event of the Vault. amount in the asset's smallest unit."""

    block_number: int
    block_hash: str
    log_index: int
    account: str
    asset: str
    amount: int


class ExitSeen(NamedTuple):
    """An exit that the Vault told of, in the smallest unit; a QUEUED one of nothing was called off.

    `nonce` is that of the signed withdrawal that was paid, 0 for an exit by the account itself. With
    `as_cxpt` the USDC stayed in the Vault, behind as much new CXPT.
    """

    block_number: int
    block_hash: str
    log_index: int
    kind: Literal["QUEUED", "PAID"]
    account: str
    asset: str
    amount: int
    nonce: int = 0
    as_cxpt: bool = False


class Chain(Protocol):
    """The settlement tier's view of the chain. Raises Unavailable when the RPC does not answer."""

    def block_number(self) -> int:
        """Return the height of the head."""

    def operator(self) -> str:
        """Return the address that signs now; it changes when the operator's key is rotated."""

    def next_nonce(self) -> int:
        """Return the operator's next transaction nonce, pending ones included."""

    def settled_head(self) -> tuple[int, bytes]:
        """Return (last batch id, head of the hash chain) of the Settlement contract."""

    def fees(self, above: Fees | None = None) -> Fees:
        """Return what to offer; `above` is an offer that did not suffice, and is returned at the ceiling."""

    def preflight(
        self, batch_id: int, prev_hash: bytes, orders: list[SignedOrder], fills: list[ChainFill]
    ) -> Preflight:
        """Try a batch on top of the head without sending it.

        Raises:
            ChainReverted: it was not the contracts that said no.
        """

    def prepare_batch(
        self,
        batch_id: int,
        prev_hash: bytes,
        orders: list[SignedOrder],
        fills: list[ChainFill],
        nonce: int,
        bid: Bid,
    ) -> tuple[PreparedTx, bytes]:
        """Encode and sign a settleBatch transaction; returns it and the hash-chain head after it."""

    def preflight_withdrawal(self, wanted: SignedWithdrawal) -> str:
        """Try a withdrawal on top of the head without sending it; return its error, "" when there is none.

        Raises:
            ChainReverted: it was not the contracts that said no.
        """

    def prepare_withdrawal(self, wanted: SignedWithdrawal, nonce: int, bid: Bid) -> PreparedTx:
        """Encode and sign a withdrawBySig transaction."""

    def send(self, tx: PreparedTx) -> bool:
        """Send a prepared transaction; False when the node had it already.

        Raises:
            ChainReverted: the node refuses it; ("FeeTooLow", nonce), ("NonceTooLow", nonce) and
                ("NonceTaken", nonce) are the refusals that another bid or nonce mends.
        """

    def receipt(self, tx_hash: str) -> Receipt | None:
        """Return the receipt when mined on the canonical chain, else None."""

    def deposits(self, from_block: int, to_block: int) -> list[DepositSeen]:
        """Return the Vault's deposits in these blocks, inclusive, in order."""

    def exits(self, from_block: int, to_block: int) -> list[ExitSeen]:
        """Return the exits that the Vault queued and paid in these blocks, inclusive, in order."""

    def ending(self, instrument_id: bytes) -> int:
        """Return the price at which a derivative has ended, uUSDC per 1.0 base; 0 while it has not."""

    def sizes(self, instrument_id: bytes, accounts: list[str], at_block: int) -> list[int]:
        """Return accounts' positions as a block of the canonical chain left them, signed, in 1e-8 base."""

    def prepare_ending(
        self, instrument_id: bytes, price_e6: int, at_s: int, raises: int = 0
    ) -> list[PreparedTx]:
        """Sign the price at an expiry, and the transaction that publishes it; see `prepare_claims`."""

    def prepare_claims(self, instrument_id: bytes, accounts: list[str], raises: int = 0) -> list[PreparedTx]:
        """Sign a transaction for each account that claims what its position was worth at the end.

        Each of the `raises` doubles the offer, up to the ceiling.

        They come from an account of their own, from its next nonce on: what a block did not take is
        prepared again, as the same transaction or a better offer.
        """
