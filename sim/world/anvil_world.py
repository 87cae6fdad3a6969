"""The contracts themselves on Anvil, behind the handles that the model has too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sim.invariants.state import ChainPosition
from sim.world import deploy
from sim.world.anvil import Anvil
from sim.world.chain_world import Funding
from sim.world.deploy import OPERATOR_KEY, Deployment, Step, call
from system.adapters.evm import abi
from system.adapters.evm.chain import Contracts, EvmChain
from system.adapters.evm.pricing import FIRST_OFFER, GWEI, MOST_WE_PAY
from system.adapters.evm.rpc import JsonRpc
from system.adapters.evm.transaction import sign_transaction
from system.model.errors import ProvisionError
from system.model.market import MarketKind, MarketSpec
from system.model.signing import instrument_id
from system.model.typed_data import Domain, address_of, keccak
from system.ports.chain import Chain, Fees

MAX_UINT256 = (1 << 256) - 1
AGENT_WEI = 10**20
SEND_AT_ONCE = 200  # transactions in one request


class Node(Protocol):
    """A chain that mines when told."""

    @property
    def rpc(self) -> JsonRpc:
        """Return its client."""

    def mine(self, timestamp_s: int) -> None:
        """Mine one block."""

    def close(self) -> None:
        """Stop."""


class Sending(NamedTuple):
    """A step and who takes it."""

    private_key: bytes
    step: Step


class AnvilWorld:
    """Implements ChainWorld on an Anvil of its own, or on another node that speaks as it does."""

    name = "anvil"

    def __init__(self, start_s: int, node: Node | None = None) -> None:
        self.anvil: Node = node or Anvil(start_s)
        self._rpc = self.anvil.rpc
        self._timestamp_s = start_s
        self._where = deploy.predict(())
        self._markets: dict[str, bytes] = {}
        self._derivatives: dict[str, bytes] = {}
        self._secret = OPERATOR_KEY
        self._operators = {deploy.OPERATOR: True}  # who is to have the role
        self._base_fee = 0
        self._withheld: set[str] = set()  # hashes of transactions that no miner takes

    # ---- set-up

    def deploy(self, markets: Sequence[MarketSpec], synths: Sequence[str] = ()) -> Deployment:
        """Put everything on chain in one block."""
        self._where = deploy.predict(deploy.synths_of(markets, synths))
        self._set_up([Sending(deploy.DEPLOYER_KEY, s) for s in deploy.deployment_steps(self._where, markets)])
        for market in markets:
            self._remember(market)
        return self._where

    def list_market(self, market: MarketSpec) -> None:
        """List one more market, and its synth when that is new."""
        steps: list[Step] = []
        for synth in deploy.synths_of([market]):
            if synth not in self._where.synths:
                self._where.synths[synth] = token = deploy.predict([synth]).synths[synth]
                steps += deploy.synth_steps(self._where, synth, token)
        steps.append(deploy.market_step(self._where, market))
        self._set_up([Sending(deploy.DEPLOYER_KEY, step) for step in steps])
        self._remember(market)

    def _remember(self, market: MarketSpec) -> None:
        self._markets[market.symbol] = instrument_id(market)
        if market.kind is not MarketKind.SPOT:
            self._derivatives[market.symbol] = instrument_id(market)

    def fund(self, accounts: Sequence[Funding]) -> None:
        """Mint and approve in one block, deposit in the next."""
        where = self._where
        self._rpc.batch([("anvil_setBalance", (account, hex(AGENT_WEI))) for _, account, _ in accounts])
        prepare: list[Sending] = []
        deposits: list[Sending] = []
        for private_key, account, funds in accounts:
            for asset, amount in funds.items():
                token = where.tokens[asset]
                minter = deploy.DEPLOYER_KEY if token == where.usdc else deploy.RESERVE_KEY
                mint = call("mint(address,uint256)", account, amount)
                approve = call("approve(address,uint256)", where.vault, MAX_UINT256)
                deposit = call("deposit(address,uint256)", token, amount)
                prepare.append(Sending(minter, Step(f"mint {asset} for {account}", token, mint)))
                prepare.append(Sending(private_key, Step(f"approve {asset} by {account}", token, approve)))
                deposits.append(
                    Sending(private_key, Step(f"deposit {asset} by {account}", where.vault, deposit))
                )
        self._set_up(prepare)
        self._set_up(deposits)

    def _set_up(self, sendings: Sequence[Sending]) -> None:
        """Send all, mine them into one block, and make sure that each succeeded."""
        hashes = self.send(sendings)
        self.mine_next()
        found = self._rpc.call("eth_getBlockReceipts", "latest")
        failed = {receipt["transactionHash"] for receipt in found if receipt["status"] != "0x1"}
        mined = {receipt["transactionHash"] for receipt in found}
        for tx_hash, sending in zip(hashes, sendings, strict=True):
            if tx_hash in failed or tx_hash not in mined:
                problem = "reverted" if tx_hash in failed else "was not mined"
                raise ProvisionError(sending.step.about, "transaction", "anvil", problem)

    def send(self, sendings: Sequence[Sending]) -> list[str]:
        """Sign, send, return the hashes; Anvil mines by the maximum fee, so the order is this one."""
        senders = {sending.private_key: address_of(sending.private_key) for sending in sendings}
        counts = self._rpc.batch([("eth_getTransactionCount", (who, "pending")) for who in senders.values()])
        nonces = {key: int(count, 16) for key, count in zip(senders, counts, strict=True)}
        prepared = []
        for place, (private_key, step) in enumerate(sendings):
            prepared.append(
                sign_transaction(
                    private_key,
                    chain_id=self._where.chain_id,
                    nonce=nonces[private_key],
                    fees=Fees(MOST_WE_PAY.max_fee + len(sendings) - place, FIRST_OFFER.priority_fee),
                    gas=step.gas,
                    to=step.to,
                    data=step.data,
                )
            )
            nonces[private_key] += 1
        for start in range(0, len(prepared), SEND_AT_ONCE):
            part = prepared[start : start + SEND_AT_ONCE]
            self._rpc.batch([("eth_sendRawTransaction", ("0x" + tx.raw.hex(),)) for tx in part])
        return [tx.tx_hash for tx in prepared]

    # ---- the course of things

    def cancel(self, private_key: bytes, nonce: int) -> None:
        """Send Settlement.cancel by the account itself."""
        data = call("cancel(uint64)", nonce)
        self.send([Sending(private_key, Step("cancel", self._where.settlement, data))])

    def cancel_up_to(self, private_key: bytes, min_nonce: int) -> None:
        """Send Settlement.cancelUpTo by the account itself."""
        data = call("cancelUpTo(uint64)", min_nonce)
        self.send([Sending(private_key, Step("cancelUpTo", self._where.settlement, data))])

    def spike(self, base_fee: int) -> None:
        """Let every block cost this much a gas; 0 ends it."""
        self._base_fee = base_fee
        self._rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee or GWEI))

    def withhold(self) -> None:
        """Let no miner take what waits now."""
        for waiting in self._waiting():
            self._withheld.update(waiting)

    def release(self) -> None:
        """Let miners take whatever waits."""
        self._withheld.clear()

    def _waiting(self) -> list[list[str]]:
        """Return the hashes of what waits: of each sender, by nonce."""
        pool = self._rpc.call("txpool_content")["pending"]
        return [[pool[who][nonce]["hash"] for nonce in sorted(pool[who], key=int)] for who in sorted(pool)]

    def set_operator(self, operator_key: bytes) -> None:
        """Give the role to this key and take it from the one before."""
        self._secret = operator_key
        self._rpc.call("anvil_setBalance", address_of(operator_key), hex(AGENT_WEI))
        self._appoint(address_of(operator_key))

    def lose_operator(self) -> None:
        """Take the role from the operator."""
        self._appoint("")

    def _appoint(self, operator: str) -> None:
        wanted = {account: account == operator for account in (*self._operators, operator) if account}
        changed = {who: has for who, has in wanted.items() if self._operators.get(who, False) != has}
        self._operators = wanted
        self._send_roles(changed)

    def _send_roles(self, roles: Mapping[str, bool]) -> None:
        self.send(
            [
                Sending(deploy.DEPLOYER_KEY, step)
                for account, has in roles.items()
                for step in deploy.operator_steps(self._where, account, appointed=has)
            ]
        )

    def _has_role(self, account: str) -> bool:
        role = keccak(b"OPERATOR_ROLE")
        return bool(self._number(self._where.settlement, "hasRole(bytes32,address)", role, account))

    def exit(self, private_key: bytes) -> None:
        """Send Vault.withdraw of all that the account has."""
        account, where = address_of(private_key), self._where
        amounts = {where.usdc: self._number(where.vault, "sharesOf(address)", account)}
        amounts |= {token: self.asset_of(account, asset) for asset, token in where.synths.items()}
        steps = [
            Step("withdraw", where.vault, call("withdraw(address,uint256,bool)", token, amount, False))
            for token, amount in amounts.items()
            if amount
        ]
        self.send([Sending(private_key, step) for step in steps])

    def close_out(self, private_key: bytes) -> None:
        """Send Clearing.closeOut of every derivative."""
        self._send_to_clearing(
            private_key, [call("closeOut(bytes32)", each) for each in self._derivatives.values()]
        )

    def record_deficits(self, private_key: bytes) -> None:
        """Send Clearing.recordDeficit of the account's positions for which the node says that it will do."""
        account = address_of(private_key)
        calls = [call("recordDeficit(bytes32,address)", each, account) for each in self._derivatives.values()]
        self._send_to_clearing(private_key, [data for data in calls if self._would_do(data)])

    def claim(self, private_key: bytes) -> None:
        """Send Clearing.claim of all the account's positions."""
        account = address_of(private_key)
        self._send_to_clearing(
            private_key,
            [
                call("claim(bytes32,address)", instrument, account)
                for symbol, instrument in self._derivatives.items()
                if self.position_of(account, symbol).size_e8
            ],
        )

    def _send_to_clearing(self, private_key: bytes, calls: list[bytes]) -> None:
        clearing = self._where.clearing
        self.send([Sending(private_key, Step("end a position", clearing, data)) for data in calls])

    def _would_do(self, data: bytes) -> bool:
        request = {"to": self._where.clearing, "data": "0x" + data.hex()}
        return "error" not in self._rpc.answers([("eth_call", (request, "latest"))])[0]

    def mine(self, timestamp_s: int) -> int:
        """Mine one block; returns how many transactions it has."""
        if timestamp_s < self._timestamp_s:
            raise ValueError(f"timestamp: expected at least {self._timestamp_s}, was {timestamp_s}")
        kept = self._take_withheld()
        self.anvil.mine(timestamp_s)
        self._timestamp_s = timestamp_s
        for raw in kept:
            self._rpc.call("eth_sendRawTransaction", raw)
        if self._base_fee:
            self.spike(self._base_fee)
        return int(self._rpc.call("eth_getBlockTransactionCountByNumber", "latest"), 16)

    def _take_withheld(self) -> list[str]:
        """Take out of the pool what no miner takes, and all that its senders sent after it."""
        if not self._withheld:
            return []
        held: list[str] = []
        for waiting in self._waiting():
            first = next(
                (place for place, each in enumerate(waiting) if each in self._withheld), len(waiting)
            )
            held += waiting[first:]
        kept: list[str] = self._rpc.batch([("eth_getRawTransactionByHash", (tx_hash,)) for tx_hash in held])
        for tx_hash in held:
            self._rpc.call("anvil_dropTransaction", tx_hash)
        return kept

    def mine_next(self) -> int:
        """Mine one block at the last block's timestamp."""
        return self.mine(self._timestamp_s)

    def reorg(self, depth: int) -> None:
        """Replace the last blocks by empty ones, and empty the pool.

        Anvil keeps waiting transactions whose nonces are now too high, and loses them at the next block.
        """
        height = int(self._rpc.call("eth_blockNumber"), 16)
        if not 0 < depth <= height:
            raise ValueError(f"depth: expected 1 to {height}, was {depth}")
        # Otherwise the clock on the wall dates them, and what is slow makes other blocks.
        self._rpc.call("anvil_setBlockTimestampInterval", 0)
        self._rpc.call("anvil_reorg", depth, [])
        self._rpc.call("anvil_removeBlockTimestampInterval")
        self._rpc.call("anvil_dropAllTransactions")
        if len(self._operators) > 1 or not all(self._operators.values()):  # otherwise nobody was changed
            for account in self._operators:
                self._rpc.call("anvil_setBalance", account, hex(AGENT_WEI))
            self._send_roles({who: has for who, has in self._operators.items() if self._has_role(who) != has})

    def chain(self, operator_key: bytes = b"") -> Chain:
        """Return the port over JSON-RPC."""
        where = self._where
        contracts = Contracts(where.chain_id, where.settlement, where.vault, where.clearing, where.assets)
        return EvmChain(self._rpc, lambda: operator_key or self._secret, lambda: deploy.KEEPER_KEY, contracts)

    # ---- views

    def domain(self) -> Domain:
        """Return the domain in which orders are signed."""
        return self._where.domain

    def vault_usdc(self) -> int:
        """Return USDC.balanceOf(vault)."""
        return self._number(self._where.usdc, "balanceOf(address)", self._where.vault)

    def usdc_of(self, account: str) -> int:
        """Return an account's claim on the Vault."""
        return self._number(self._where.vault, "usdcOf(address)", account)

    def asset_of(self, account: str, asset: str) -> int:
        """Return an account's units of a synth."""
        return self._number(self._where.vault, "assetOf(address,address)", account, self._where.synths[asset])

    def position_of(self, account: str, symbol: str) -> ChainPosition:
        """Return Clearing's (size, cost, margin)."""
        data = self._view(self._where.clearing, "positionOf(address,bytes32)", account, self._markets[symbol])
        size, cost, margin = (int.from_bytes(data[at : at + 32], signed=at < 64) for at in (0, 32, 64))
        return ChainPosition(size, cost, margin)

    def filled_of(self, account: str, nonce: int) -> int:
        """Return the quantity settled under an order nonce."""
        return self._number(self._where.settlement, "filled(address,uint64)", account, nonce)

    def wallet_of(self, account: str, asset: str) -> int:
        """Return what an account has outside of the Vault."""
        return self._number(self._where.tokens[asset], "balanceOf(address)", account)

    def cxpt_of(self, account: str) -> int:
        """Return an account's CXPT.balanceOf."""
        return self._number(self._where.cxpt, "balanceOf(address)", account)

    def cxpt_reserve(self) -> int:
        """Return Vault.cxptReserve."""
        return self._number(self._where.vault, "cxptReserve()")

    def last_batch(self) -> int:
        """Return Settlement.lastBatchId."""
        return self._number(self._where.settlement, "lastBatchId()")

    def ending_of(self, symbol: str) -> int:
        """Return the price at which a derivative has ended, 0 while it has not."""
        return self.chain().ending(self._markets[symbol])

    def skipped_in(self, batch: int) -> tuple[int, ...]:
        """Return the places that Settlement's FillSkipped events of a batch name."""
        topics = [abi.FILL_SKIPPED, f"0x{batch:064x}"]
        wanted = {"address": self._where.settlement, "topics": topics, "fromBlock": "0x0"}
        return tuple(int(log["data"][2:66], 16) for log in self._rpc.call("eth_getLogs", wanted))

    def treasury_usdc(self) -> int:
        """Return what the treasury got in fees."""
        return self.usdc_of(self._where.treasury)

    def clearing_usdc(self) -> int:
        """Return what lies in the accounts of all derivatives."""
        return sum(self.usdc_of(deploy.house_of(instrument)) for instrument in self._markets.values())

    def _number(self, contract: str, signature: str, *arguments: Any) -> int:
        return int.from_bytes(self._view(contract, signature, *arguments))

    def _view(self, contract: str, signature: str, *arguments: Any) -> bytes:
        request = {"to": contract, "data": "0x" + call(signature, *arguments).hex()}
        return bytes.fromhex(self._rpc.call("eth_call", request, "latest")[2:])

    def close(self) -> None:
        """Stop Anvil."""
        self.anvil.close()
