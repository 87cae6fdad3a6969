"""Reading Balances and Positions as a ledger: sums by account, asset and market."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sim.invariants.state import State
from system.model import keys
from system.model.funding import FUNDING
from system.model.keys import Item
from system.model.market import MarketKind
from system.risk.redemption import CXPT

USDC = "USDC"


class Balance(NamedTuple):
    """What a trader has of an asset, in its smallest unit."""

    trader: str
    asset: str
    available: int
    reserved: int
    exiting: int  # put aside for an exit that the Vault has queued

    @property
    def total(self) -> int:
        """Return all of it."""
        return self.available + self.reserved + self.exiting


class MarketAccount(NamedTuple):
    """The accounts of a market, in uUSDC: fees, clearing (signed), the fund, and what is owed to it."""

    symbol: str
    fees: int
    clearing: int
    insurance: int
    bad_debt: int

    @property
    def total(self) -> int:
        """Return all together; bad debt is missing."""
        return self.fees + self.clearing + self.insurance - self.bad_debt


def balances(state: State) -> Iterator[Balance]:
    """Iterate the traders' rows of Balances."""
    for row in state.items(keys.BALANCES):
        if row["PK"].startswith("TRADER#"):
            trader, asset = row["PK"][7:], row["SK"][6:]
            yield Balance(
                trader, asset, row.get("available", 0), row.get("reserved", 0), row.get("exiting", 0)
            )


class Issued(NamedTuple):
    """CXPT in circulation, in 1e-8, and the uUSDC set aside for it."""

    backing: int
    supply_e8: int


def issued(state: State) -> Issued:
    """Return what was minted and not redeemed."""
    amounts = {
        row["SK"][6:]: int(row["available"])
        for row in state.items(keys.BALANCES)
        if row["PK"] == keys.ISSUER_PK
    }
    return Issued(amounts.get(USDC, 0), -amounts.get(CXPT, 0))


def conversions(state: State) -> Iterator[tuple[str, int]]:
    """Iterate (trader, uUSDC into CXPT) of all that was minted, and with a minus redeemed."""
    for row in state.items(keys.ORDERS):
        if row["orderType"] in ("MINT", "REDEEM") and row["status"] == "DONE":
            yield row["trader"], row["amount"]


def market_accounts(state: State) -> Iterator[MarketAccount]:
    """Iterate the markets' rows of Balances."""
    for row in state.items(keys.BALANCES):
        if row["PK"].startswith("MARKET#"):
            amounts = (row.get(name, 0) for name in ("fees", "clearing", "insurance", "bad_debt"))
            yield MarketAccount(row["PK"][7:], *amounts)


def open_positions(state: State, *kinds: MarketKind) -> Iterator[Item]:
    """Iterate the rows of Positions that are contracts; a spot market's rows only count."""
    wanted = kinds or (MarketKind.PERP, MarketKind.FUTURE, MarketKind.OPTION)
    for row in state.items(keys.POSITIONS):
        if state.specs[row["symbol"]].kind in wanted:
            yield row


def margins(state: State) -> dict[str, int]:
    """Return what is locked per market, in uUSDC: margins, and the locks of option writers."""
    sums: dict[str, int] = defaultdict(int)
    for row in open_positions(state):
        sums[row["symbol"]] += row["margin"]
    return sums


def cash_of(row: Item, kind: MarketKind) -> int:
    """Return what a position has moved into its trader's account since it began, in uUSDC."""
    if kind is MarketKind.SPOT:
        return -int(row["cost"]) - int(row["fees"])
    paid = row["cost"] if kind is MarketKind.OPTION else 0
    cash: int = row["realised"] - paid - row["margin"] - row["fees"] + row.get("adjusted", 0)
    return cash


def limit_orders(state: State) -> Iterator[Item]:
    """Iterate orders (LIMIT and MARKET rows), not the sequenced commands beside them."""
    for row in state.items(keys.ORDERS):
        if row["orderType"] in ("LIMIT", "MARKET"):
            yield row


def trades(state: State) -> list[Item]:
    """Return the rows of Trades that are trades, not ticks of funding."""
    return [row for row in state.items(keys.TRADES) if row["tradeType"] != FUNDING]


def funding_ticks(state: State) -> list[Item]:
    """Return the synthetic trades of funding."""
    return [row for row in state.items(keys.TRADES) if row["tradeType"] == FUNDING]


def named(order: Item) -> str:
    """Name an order in a violation; built only when one is found, as there are many orders."""
    return f"order {order['symbol']}:{order['uuid']} ({order['status']})"
