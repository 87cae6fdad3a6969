"""A chain in this process: blocks, a pool of waiting transactions, receipts, reorganisations.

It executes the Python reference of the contracts and is the default chain of sweeps: settling a
fill costs some ten microseconds here and four hundred on Anvil. Addresses, calldata, the hash
chain of batches, block heights and receipts are those of Anvil; block hashes, transaction hashes
and gas are not, and no business depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from sim.invariants.state import ChainPosition
from sim.world import deploy
from sim.world.chain_world import Funding
from sim.world.deploy import OPERATOR, OPERATOR_KEY, Deployment
from sim.world.model_claims import (
    Claim,
    Publication,
    claim,
    close_out,
    is_short,
    publish,
    record_deficit,
)
from sim.world.model_contracts import NO_POSITION, Books, Instrument, Journal, Revert, play_back
from sim.world.model_exits import CXPT_TOKEN, Exit, withdraw, withdraw_by_sig
from sim.world.model_pool import Call, Pool
from sim.world.model_port import ModelPort
from sim.world.model_settlement import Batch, settle
from system.adapters.evm.operator_key import NO_ROLE, OperatorKey
from system.model.errors import Unavailable
from system.model.market import MarketKind, MarketSpec
from system.model.signing import instrument, instrument_id
from system.model.typed_data import KIND_SPOT, Domain, address_of
from system.ports.chain import (
    Chain,
    DepositSeen,
    ExitSeen,
    PreparedTx,
    Receipt,
)

REORG_DEPTH = 128
"""How many blocks back a reorganisation can go."""


class _Block(NamedTuple):
    hash: str
    timestamp_s: int
    tx_hashes: list[str]
    deposits: list[DepositSeen]
    exits: list[ExitSeen]
    journal: Journal


class ModelChain:
    """Implements ChainWorld without contracts.

    Args:
        start_s: timestamp of block 0, Unix seconds.
        verify_signatures: whether Settlement checks them; off for runs whose orders are not signed.
    """

    name = "model"

    def __init__(self, start_s: int, *, verify_signatures: bool = True) -> None:
        self._verify_signatures = verify_signatures
        self._timestamp_s = start_s
        self._where = deploy.predict(())
        self._books = self._new_books()
        self._instruments: dict[str, bytes] = {}
        self._nonces: dict[str, int] = {}
        self._pool = Pool(self._nonces)
        self._errands: list[Callable[[int], None]] = []  # the traders' own transactions
        self._exits: list[Exit] = []  # of the block that is being mined
        self._operators: dict[str, bool] = {OPERATOR: True}  # who has the role
        self._appointed = {OPERATOR: True}  # who is to have it
        self._secret = OPERATOR_KEY
        self._receipts: dict[str, Receipt] = {}
        self._generation = 0  # counts reorganisations, so that a block mined anew has a new hash
        self._closed = False
        self._blocks = [_Block(self._block_hash("", 0, start_s), start_s, [], [], [], [])]

    def _new_books(self) -> Books:
        where = self._where
        return Books(where.treasury, where.domain, verify_signatures=self._verify_signatures)

    # ---- set-up

    def deploy(self, markets: Sequence[MarketSpec], synths: Sequence[str] = ()) -> Deployment:
        """Know all addresses and list the markets, in one block."""
        self._where = deploy.predict(deploy.synths_of(markets, synths))
        self._books = self._new_books()
        self._books.set(self._books.totals, "batch_at", self._timestamp_s)
        for market in markets:
            self._list(market)
        self.mine_next()
        return self._where

    def list_market(self, market: MarketSpec) -> None:
        """List one more market, and its synth when that is new."""
        self._where.synths.update(deploy.predict(deploy.synths_of([market])).synths)
        self._list(market)
        self.mine_next()

    def _list(self, market: MarketSpec) -> None:
        named = instrument_id(market)
        is_option = market.kind is MarketKind.OPTION
        listed = Instrument(
            kind=instrument(market)[0],
            im_ppm=market.im_ppm if market.margined else 0,
            asset=market.base if market.kind is MarketKind.SPOT else "",
            house=deploy.house_of(named),
            expiry_s=market.expiry_s,
            option_type=market.payoff_type,
            strike=market.strike_e6,
            cap=market.cap_e6,
            escrow=market.max_payoff_e6 if is_option else 0,
        )
        self._books.set(self._books.instruments, named, listed)
        self._instruments[market.symbol] = named

    def fund(self, accounts: Sequence[Funding]) -> None:
        """Mint and approve in one block, of which nothing is seen; deposit in the next."""
        self.mine_next()
        deposits = [
            (account, asset, amount) for _, account, funds in accounts for asset, amount in funds.items()
        ]
        for account, asset, amount in deposits:
            if asset not in self._where.tokens:
                raise KeyError(asset)
            self._books.deposit(account, asset, amount)
        self._mine(self._timestamp_s, deposits)

    def cancel(self, private_key: bytes, nonce: int) -> None:
        """Let an account cancel one nonce in the next block."""
        account = address_of(private_key)
        self._errands.append(lambda now_s: self._books.cancel(account, nonce, now_s + deploy.CANCEL_DELAY_S))

    def cancel_up_to(self, private_key: bytes, min_nonce: int) -> None:
        """Let an account raise its floor in the next block."""
        account = address_of(private_key)
        self._errands.append(
            lambda now_s: self._books.cancel_up_to(account, min_nonce, now_s, now_s + deploy.CANCEL_DELAY_S)
        )

    def exit(self, private_key: bytes) -> None:
        """Let an account withdraw all that it has, in the next block."""
        account, books = address_of(private_key), self._books
        for asset in self._where.tokens:
            is_cash = asset == "USDC"
            amount = books.shares.get(account, 0) if is_cash else books.assets.get((asset, account), 0)
            if amount:
                self._errands.append(partial(self._withdraw, account, asset, amount))

    def _withdraw(self, account: str, asset: str, amount: int, now_s: int) -> None:
        try:
            self._exits.append(withdraw(self._books, account, asset, amount, now_s))
        except Revert:
            return  # the transaction is mined, and nothing has changed

    def close_out(self, private_key: bytes) -> None:
        """Let an account end every derivative in the next block; whose account does not matter."""
        self._try_each(partial(close_out, self._books, each) for each in self._derivatives())

    def record_deficits(self, private_key: bytes) -> None:
        """Let an account say which of its positions lost more than their margin, in the next block."""
        account, books = address_of(private_key), self._books
        short = [each for each in self._derivatives() if is_short(books, each, account)]
        self._try_each(partial(record_deficit, books, each, account) for each in short)

    def claim(self, private_key: bytes) -> None:
        """Let an account turn all its positions into USDC, in the next block."""
        account, books = address_of(private_key), self._books
        held = [each for each in self._derivatives() if books.positions.get((account, each), NO_POSITION)[0]]
        self._try_each(partial(claim, books, each, account) for each in held)

    def _derivatives(self) -> list[bytes]:
        listed = self._books.instruments
        return [each for each in self._instruments.values() if listed[each].kind != KIND_SPOT]

    def _try_each(self, calls: Iterable[Callable[[int], None]]) -> None:
        """Let each of these transactions be in the next block, and change nothing if it reverts."""

        def tried(call: Callable[[int], None], now_s: int) -> None:
            with suppress(Revert):
                call(now_s)

        self._errands += [partial(tried, call) for call in calls]

    # ---- the operator and the market for gas

    def spike(self, base_fee: int) -> None:
        """Let every block cost this much a gas; 0 ends it."""
        self._pool.base_fee = base_fee

    def withhold(self) -> None:
        """Let no miner take what waits now."""
        self._pool.withhold()

    def release(self) -> None:
        """Let miners take whatever waits."""
        self._pool.release()

    def set_operator(self, operator_key: bytes) -> None:
        """Give the role to this key and take it from the one before."""
        self._secret = operator_key
        self._appoint(dict.fromkeys(self._appointed, False) | {address_of(operator_key): True})

    def lose_operator(self) -> None:
        """Take the role from the operator."""
        self._appoint(dict.fromkeys(self._appointed, False))

    def _appoint(self, roles: dict[str, bool]) -> None:
        self._appointed = roles
        self._errands.append(lambda _now_s: self._books.set_all(self._operators, roles.items()))

    # ---- blocks

    def mine(self, timestamp_s: int) -> int:
        """Mine one block; returns how many transactions it has."""
        return self._mine(timestamp_s, ())

    def mine_next(self) -> int:
        """Mine one block at the last block's timestamp."""
        return self.mine(self._timestamp_s)

    def _mine(self, timestamp_s: int, deposits: Sequence[tuple[str, str, int]]) -> int:
        if timestamp_s < self._timestamp_s:
            raise ValueError(f"timestamp: expected at least {self._timestamp_s}, was {timestamp_s}")
        self._timestamp_s = timestamp_s
        number = len(self._blocks)
        block_hash = self._block_hash(self._blocks[-1].hash, number, timestamp_s)
        for errand in self._errands:
            errand(timestamp_s)
        count = len(self._errands) + len(deposits)
        self._errands = []
        tx_hashes = self._execute_pool(number, block_hash, timestamp_s)
        exits = [ExitSeen(number, block_hash, place, *each) for place, each in enumerate(self._exits)]
        self._exits = []
        # On Anvil each deposit logs the token's Transfer first.
        seen = [
            DepositSeen(number, block_hash, 2 * place + 1, account, asset, amount)
            for place, (account, asset, amount) in enumerate(deposits)
        ]
        journal = self._books.take_journal()
        self._blocks.append(_Block(block_hash, timestamp_s, tx_hashes, seen, exits, journal))
        if number > REORG_DEPTH:
            self._blocks[number - REORG_DEPTH].journal.clear()
        return count + len(tx_hashes)

    def _block_hash(self, parent: str, number: int, timestamp_s: int) -> str:
        text = f"{parent}:{number}:{timestamp_s}:{self._generation}"
        return "0x" + blake2b(text.encode(), digest_size=32).hexdigest()

    def _execute_pool(self, number: int, block_hash: str, timestamp_s: int) -> list[str]:
        tx_hashes: list[str] = []
        for nonce, tx in self._pool.take():
            error, skipped = self._execute(tx.sender, tx.call, timestamp_s)
            self._receipts[tx.tx_hash] = Receipt(tx.tx_hash, number, block_hash, not error, error, 0, skipped)
            tx_hashes.append(tx.tx_hash)
            self._books.set(self._nonces, tx.sender, nonce + 1)
        return tx_hashes

    def _execute(self, sender: str, call: Call, timestamp_s: int) -> tuple[str, tuple[tuple[int, str], ...]]:
        if not isinstance(call, Publication | Claim) and not self._operators.get(sender):
            return NO_ROLE, ()
        try:
            if isinstance(call, Publication):
                publish(self._books, call, timestamp_s)
                return "", ()
            if isinstance(call, Claim):
                claim(self._books, *call, timestamp_s)
                return "", ()
            if isinstance(call, Batch):
                return "", tuple(settle(self._books, call, timestamp_s))
            self._exits.append(withdraw_by_sig(self._books, call, timestamp_s))
        except Revert as revert:
            return revert.args[0], ()
        return "", ()

    def reorg(self, depth: int) -> None:
        """Replace the last blocks by empty ones, and empty the pool."""
        if not 0 < depth < len(self._blocks) or depth > REORG_DEPTH:
            raise ValueError(f"depth: expected 1 to {min(len(self._blocks) - 1, REORG_DEPTH)}, was {depth}")
        self._generation += 1
        self._pool.clear()
        self._errands.clear()
        for _ in range(depth):
            block = self._blocks.pop()
            play_back(block.journal)
            for tx_hash in block.tx_hashes:
                del self._receipts[tx_hash]
        parent = self._blocks[-1]
        for _ in range(depth):
            number = len(self._blocks)
            parent = _Block(
                self._block_hash(parent.hash, number, parent.timestamp_s), parent.timestamp_s, [], [], [], []
            )
            self._blocks.append(parent)
        if any(self._operators.get(who, False) != has for who, has in self._appointed.items()):
            self._appoint(self._appointed)

    # ---- the port

    def chain(self, operator_key: bytes = b"") -> Chain:
        """Return the port of the system."""
        return ModelPort(self, OperatorKey(lambda: operator_key or self._secret))

    def accept(self, tx: PreparedTx) -> bool:
        """Take a transaction into the pool, as a node does; False when it is known already."""
        return tx.tx_hash not in self._receipts and self._pool.accept(tx)

    def try_out(self, sender: str, call: Call) -> str:
        """Return the error that a call would end with on top of the head; nothing changes."""
        journal, exits = self._books.journal, self._exits
        mark, told = len(journal), len(exits)
        try:
            return self._execute(sender, call, self._timestamp_s)[0]
        finally:
            play_back(journal[mark:])
            del journal[mark:], exits[told:]

    @property
    def pool(self) -> Pool:
        """Return what waits."""
        return self._pool

    def seen(self) -> tuple[list[_Block], dict[str, Receipt], Books]:
        """Return what a node can be asked about; raises Unavailable when the chain is closed."""
        if self._closed:
            raise Unavailable("the model chain is closed")
        return self._blocks, self._receipts, self._books

    # ---- views

    def domain(self) -> Domain:
        """Return the domain in which orders are signed."""
        return self._where.domain

    def vault_usdc(self) -> int:
        """Return USDC.balanceOf(vault)."""
        return self._books.totals["usdc"]

    def usdc_of(self, account: str) -> int:
        """Return an account's claim on the Vault."""
        return self._books.usdc_of(account)

    def asset_of(self, account: str, asset: str) -> int:
        """Return an account's units of a synth."""
        return self._books.assets.get((asset, account), 0)

    def position_of(self, account: str, symbol: str) -> ChainPosition:
        """Return (size, cost, margin)."""
        return ChainPosition(*self._books.positions.get((account, self._instruments[symbol]), NO_POSITION))

    def filled_of(self, account: str, nonce: int) -> int:
        """Return the quantity settled under an order nonce."""
        return self._books.filled_of(account, nonce)

    def wallet_of(self, account: str, asset: str) -> int:
        """Return what the Vault has paid an account."""
        return self._books.wallets.get((account, asset), 0)

    def cxpt_of(self, account: str) -> int:
        """Return the CXPT that the Vault has minted to an account."""
        return self._books.wallets.get((account, CXPT_TOKEN), 0)

    def cxpt_reserve(self) -> int:
        """Return the USDC behind CXPT."""
        return self._books.totals["cxpt_reserve"]

    def last_batch(self) -> int:
        """Return Settlement.lastBatchId."""
        return self._books.totals["batch"]

    def ending_of(self, symbol: str) -> int:
        """Return the price at which a derivative has ended, 0 while it has not."""
        return self.chain().ending(self._instruments[symbol])

    def skipped_in(self, batch: int) -> tuple[int, ...]:
        """Return which fills of a batch were skipped."""
        return self._books.skipped.get(batch, ())

    def treasury_usdc(self) -> int:
        """Return what the treasury got in fees."""
        return self.usdc_of(self._where.treasury)

    def clearing_usdc(self) -> int:
        """Return what lies in the accounts of all derivatives."""
        return sum(self.usdc_of(deploy.house_of(instrument)) for instrument in self._instruments.values())

    def close(self) -> None:
        """From now on nobody answers."""
        self._closed = True
