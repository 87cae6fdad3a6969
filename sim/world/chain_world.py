"""The chain as the harness holds it: the same handles on the model and on Anvil.

The system sees only `chain()`, its port. The rest belongs to the world outside: contracts are
deployed, wallets pay in, blocks appear, judges look at balances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sim.invariants.state import ChainPosition
from sim.world.deploy import Deployment
from system.model.errors import ScenarioError
from system.model.market import MarketSpec
from system.model.typed_data import Domain
from system.ports.chain import Chain

Funding = tuple[bytes, str, Mapping[str, int]]
"""(private key, account, {asset: amount in its smallest unit})."""


class ChainWorld(Protocol):
    """A chain of our own. Accounts are lower-case addresses, amounts smallest units, times Unix seconds."""

    name: str

    def deploy(self, markets: Sequence[MarketSpec], synths: Sequence[str] = ()) -> Deployment:
        """Put all contracts on the fresh chain, list the markets and their synths (and more `synths`)."""

    def list_market(self, market: MarketSpec) -> None:
        """List one more market, and its synth when that is new; mines a block."""

    def fund(self, accounts: Sequence[Funding]) -> None:
        """Give every account its assets and let it deposit them all in the Vault; mines two blocks."""

    def cancel(self, private_key: bytes, nonce: int) -> None:
        """Send an account's own on-chain cancel of one nonce; it is mined with the next block."""

    def cancel_up_to(self, private_key: bytes, min_nonce: int) -> None:
        """Send an account's own on-chain cancel of all nonces below; it is mined with the next block."""

    def exit(self, private_key: bytes) -> None:
        """Let an account withdraw all that it has in the Vault; it is mined with the next block.

        The first call queues, one after the delay pays. When no batch has come for a day, the first pays.
        """

    def close_out(self, private_key: bytes) -> None:
        """Let an account end every derivative, in the next block: it may when no batch has come for a day."""

    def record_deficits(self, private_key: bytes) -> None:
        """Let an account say in the next block which of its positions lost more than their margin.

        Anybody may say it of anybody in the hour after a derivative has ended; the losers have no cause to.
        """

    def claim(self, private_key: bytes) -> None:
        """Let an account turn all its positions into USDC in the Vault, in the next block.

        It may from an hour after the derivative has ended.
        """

    def mine(self, timestamp_s: int) -> int:
        """Mine one block with all that waits; returns how many transactions it has.

        Raises:
            ValueError: the timestamp is before the last block's.
        """

    def mine_next(self) -> int:
        """Mine one block at the last block's timestamp."""

    def reorg(self, depth: int) -> None:
        """Replace the last blocks by as many empty ones.

        Their transactions are gone, and so are those that waited: who sent them must send again.

        Raises:
            ValueError: there are not so many blocks.
        """

    def spike(self, base_fee: int) -> None:
        """Let every block cost this much a gas, in wei, until told otherwise; 0 ends it.

        Whoever offers less is refused, and what waits with a lower offer is dropped.
        """

    def withhold(self) -> None:
        """Let no miner take what waits now; a better offer for the same nonce is taken."""

    def release(self) -> None:
        """Let miners take whatever waits."""

    def set_operator(self, operator_key: bytes) -> None:
        """Give the role to this key and take it from the one before, in the next block.

        The secret holds the new key at once. A reorganisation does not undo it: the admin sends again.
        """

    def lose_operator(self) -> None:
        """Take the role from the operator, in the next block, until there is another."""

    def chain(self, operator_key: bytes = b"") -> Chain:
        """Return the port of the system, for the operator of the secret, or for another."""

    def domain(self) -> Domain:
        """Return the domain in which orders are signed."""

    def vault_usdc(self) -> int:
        """Return the USDC that lies in the Vault: USDC.balanceOf(vault)."""

    def usdc_of(self, account: str) -> int:
        """Return an account's claim on the Vault."""

    def asset_of(self, account: str, asset: str) -> int:
        """Return an account's units of a synth in the Vault."""

    def position_of(self, account: str, symbol: str) -> ChainPosition:
        """Return an account's position in a perp."""

    def filled_of(self, account: str, nonce: int) -> int:
        """Return the quantity settled under an order nonce."""

    def wallet_of(self, account: str, asset: str) -> int:
        """Return what an account has outside of the Vault."""

    def cxpt_of(self, account: str) -> int:
        """Return the CXPT in an account's wallet, in 1e-6."""

    def cxpt_reserve(self) -> int:
        """Return the USDC that lies in the Vault behind CXPT, in uUSDC."""

    def last_batch(self) -> int:
        """Return the number of the last batch that the contracts settled."""

    def ending_of(self, symbol: str) -> int:
        """Return the price at which a derivative has ended, 0 while it has not."""

    def skipped_in(self, batch: int) -> tuple[int, ...]:
        """Return which fills of a batch the contracts have skipped, by their place in it."""

    def treasury_usdc(self) -> int:
        """Return what the treasury got in fees."""

    def clearing_usdc(self) -> int:
        """Return what lies with Clearing: margins less what positions cost."""

    def close(self) -> None:
        """Give the chain back; from then on every port call raises Unavailable. Twice is fine."""


def open_chain(kind: str, start_s: int, *, verify_signatures: bool = True) -> ChainWorld:
    """Open a fresh chain whose block 0 is at `start_s`.

    Args:
        kind: "model" or "anvil".
        start_s: Unix seconds.
        verify_signatures: only the model can do without.

    Raises:
        ScenarioError: no such kind.
        ProvisionError: Anvil is not there or does not start.
    """
    if kind == "model":
        from sim.world.model_chain import ModelChain

        return ModelChain(start_s, verify_signatures=verify_signatures)
    if kind == "anvil":
        from sim.world.anvil_world import AnvilWorld

        return AnvilWorld(start_s)
    raise ScenarioError("chain", f"unknown kind {kind!r}", "use model or anvil")
