"""What the judges may see of a run: the ledger's tables, the chain, the lake and the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from sim.kernel.history import HistoryReader
from system.model.keys import Item
from system.model.market import MarketSpec
from system.ports.lake import Lake


class ChainPosition(NamedTuple):
    """A position as the Clearing contract holds it. Units: size_e8 1e-8 base; cost, margin uUSDC."""

    size_e8: int
    cost: int
    margin: int


class ChainView(Protocol):
    """The contracts' own books, read without sending anything."""

    def vault_usdc(self) -> int:
        """Return the USDC that all claims on the Vault add up to, in uUSDC."""

    def usdc_of(self, account: str) -> int:
        """Return an account's claim on the Vault in uUSDC."""

    def asset_of(self, account: str, asset: str) -> int:
        """Return an account's synthetic asset in 1e-8."""

    def position_of(self, account: str, symbol: str) -> ChainPosition:
        """Return an account's position."""

    def filled_of(self, account: str, nonce: int) -> int:
        """Return how much of an account's order is filled, in 1e-8 base."""

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
        """Return the claim of the treasury, where fees go, in uUSDC."""

    def clearing_usdc(self) -> int:
        """Return the claim of the Clearing contract, where margins are, in uUSDC."""


class State(Protocol):
    """One instant of a run, read only."""

    @property
    def final(self) -> bool:
        """Tell whether the run has drained: from then on everything must have arrived."""

    @property
    def now_ns(self) -> int:
        """Return virtual UTC in ns."""

    @property
    def start_ns(self) -> int:
        """Return the virtual UTC at which the run began, in ns."""

    @property
    def specs(self) -> Mapping[str, MarketSpec]:
        """Return the terms of every market by symbol."""

    @property
    def accounts(self) -> Mapping[str, str]:
        """Return every trader's wallet address by trader uuid."""

    @property
    def deposited(self) -> Mapping[tuple[str, str], int]:
        """Return credited deposits less withdrawals by (trader uuid, asset)."""

    @property
    def paid_in(self) -> Mapping[tuple[str, str], int]:
        """Return what wallets have paid into the Vault by (trader uuid, asset)."""

    @property
    def abandoned(self) -> bool:
        """Tell whether the operator has gone for good and everybody has taken out what is theirs."""

    @property
    def confirmations(self) -> int:
        """Return how many blocks have to follow on a settlement before it counts."""

    @property
    def lake(self) -> Lake:
        """Return the lake."""

    @property
    def chain(self) -> ChainView:
        """Return the chain."""

    @property
    def history(self) -> HistoryReader | None:
        """Return the history; None while it is still being written."""

    def items(self, table: str) -> list[Item]:
        """Return all rows of a table, sorted by (PK, SK)."""

    def ask(self, route: str, **query: str) -> Any:
        """Return what the door answers now to a GET; `symbol` goes into the path of a route that has it."""
