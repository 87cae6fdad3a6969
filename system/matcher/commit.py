"""The second half of step 6: everything a batch changed becomes one transaction.

Each item appears once, with its net change (DynamoDB refuses two actions on one item). Of an order
only what can change is set; other rows that only this matcher writes are put whole; Balances, which
the door writes too, are added to. The lease row carries the fencing token and the watermark: a
matcher that lost its lease, or that missed a commit, cannot write anything.
Rules: COMM-001 to COMM-006 (docs/rules/commit.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from system.matcher.steps import (
    Accounts,
    Done,
    Fill,
    Forced,
    Moved,
    Posting,
    Reduced,
    Rested,
    StateChanged,
    Step,
)
from system.model import keys
from system.model.keys import Item, Key
from system.model.order import PENDING, Order
from system.model.position import Position
from system.model.trade import Trade
from system.ports.store import MAX_TRANSACTION_ACTIONS, NOT_EXISTS, Action, Clause, Put, Update
from system.risk.redemption import CXPT, issue

FIXED_ACTIONS = 4  # lease, market account, StatsIntraday, StatsLifetime
ACTIONS_PER_FILL = 9  # trade, two orders, two positions, four balances
ACTIONS_PER_END = 3  # order, balance, position
ROOM = MAX_TRANSACTION_ACTIONS - FIXED_ACTIONS - ACTIONS_PER_FILL - ACTIONS_PER_END
"""As long as no more actions are gathered than this, an order's end and a fill still fit."""

_WAS_PENDING = (Clause("status", "=", PENDING),)


class Changes:
    """What the steps since the last commit changed, merged per item."""

    __slots__ = (
        "balances",
        "clearing",
        "commands",
        "fees",
        "fund",
        "funding",
        "issued",
        "market",
        "orders",
        "passed",
        "positions",
        "risk",
        "trades",
    )

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Position] = {}
        self.balances: dict[tuple[str, str], list[int]] = {}
        self.commands: dict[str, tuple[Key, str, int]] = {}  # CANCEL and STATE rows: key, outcome, seq
        self.trades: list[Trade] = []
        self.fees = 0
        self.clearing = 0
        self.issued = 0  # CXPT, in uUSDC behind it
        self.market: dict[str, int | str] = {}  # attributes of the Markets row that have changed
        self.risk: Item = {}  # what the clearing house remembers, when it has changed
        self.fund = [0, 0]  # ADD insurance, bad_debt of the market's account
        self.funding: list[Item] = []  # synthetic trades
        self.passed: list[Item] = []  # commands to other markets, which bring them what is reserved for them

    @property
    def size(self) -> int:
        """Number of actions gathered, without the fixed ones."""
        return (
            len(self.orders)
            + len(self.positions)
            + len(self.balances)
            + len(self.commands)
            + len(self.trades)
            + len(self.funding)
            + len(self.passed)
            + (1 if self.market else 0)
            + (1 if self.risk else 0)
            + (2 if self.issued else 0)
        )

    def __bool__(self) -> bool:
        return self.size > 0

    def add(self, step: Step) -> None:
        """Take up one step's effects."""
        for order in step.orders:
            self.orders[order.uuid] = order
        self._post(step.postings)
        if type(step) is Fill:
            self.positions[step.maker.trader] = step.maker_position
            self.positions[step.taker.trader] = step.taker_position
            self.fees += step.fees
            self.clearing += step.clearing
            self.issued += step.issued
        elif type(step) is Rested or type(step) is Done or type(step) is Reduced:
            if step.position is not None:
                self.positions[step.position.trader] = step.position
        elif type(step) is StateChanged:
            self.market |= {"status": step.state.value, "reopens_ns": step.reopens_ns}
        elif type(step) is Moved:
            if step.position is not None:
                self.positions[step.position.trader] = step.position
            self._account(step.accounts)
        elif type(step) is Forced:
            for position in step.positions:
                self.positions[position.trader] = position
            self._account(step.accounts)

    def _account(self, accounts: Accounts) -> None:
        self.fees += accounts.fees
        self.clearing += accounts.clearing
        self.fund[0] += accounts.insurance
        self.fund[1] += accounts.bad_debt
        self.issued += accounts.issued

    def _post(self, postings: tuple[Posting, ...]) -> None:
        balances = self.balances
        for posting in postings:
            key = (posting.trader, posting.asset)
            sums = balances.get(key)
            if sums is None:
                balances[key] = [posting.available, posting.reserved]
            else:
                sums[0] += posting.available
                sums[1] += posting.reserved


class Watermark:
    """The lease row of a market as its holder knows it.

    applied_seq counts the commands that are wholly applied. One that takes several transactions
    counts with its last, so that a successor gives it the same number again.
    """

    __slots__ = ("admin_seq", "applied_seq", "feed_seq", "minute", "owner", "token", "trade_no")

    def __init__(
        self,
        owner: str,
        token: int,
        applied_seq: int,
        trade_no: int,
        feed_seq: int,
        admin_seq: int,
        minute: str,
    ) -> None:
        self.owner = owner
        self.token = token
        self.applied_seq = applied_seq
        self.trade_no = trade_no
        self.feed_seq = feed_seq  # of the last message on market.<symbol>
        self.admin_seq = admin_seq  # and on admin.<symbol>
        self.minute = minute  # of the last MINUTE command, which has no row to say that it was applied

    def copy(self) -> Watermark:
        """Return the same mark, to go on from."""
        return Watermark(
            self.owner,
            self.token,
            self.applied_seq,
            self.trade_no,
            self.feed_seq,
            self.admin_seq,
            self.minute,
        )


class Advance(NamedTuple):
    """From which watermark to which a commit takes its market."""

    symbol: str
    before: Watermark
    after: Watermark
    expires_ns: int  # until when the lease is renewed
    open_interest_e8: int
    depth: str = ""  # the book after this commit, as it is published; "" when it is not told
    on_chain: bool = True  # this market's fills settle there


def transaction(
    changes: Changes, advance: Advance, first_time: Mapping[str, int], position_rows: list[Item]
) -> list[Action]:
    """Return the actions of one commit, without the statistics.

    Args:
        first_time: by uuid, orders that this commit takes from PENDING, and what of each was
            filled by earlier commits. It is the condition that applies every command once, even
            where a message older than the row is read.
        position_rows: the rows of `changes.positions`.
    """
    symbol = advance.symbol
    actions: list[Action] = [_lease_update(advance)]
    for uuid, order in changes.orders.items():
        when: tuple[Clause, ...] = ()
        if uuid in first_time:
            when = (*_WAS_PENDING, Clause("cum_qty_e8", "=", first_time[uuid]))
        actions.append(Update(keys.ORDERS, order.key, put=order.progress(), when=when))
    for key, outcome, seq in changes.commands.values():
        put = {"status": outcome, "seq": seq}
        actions.append(Update(keys.ORDERS, key, put=put, when=_WAS_PENDING))
    actions += [Put(keys.TRADES, trade.to_item(), NOT_EXISTS) for trade in changes.trades]
    actions += [Put(keys.TRADES, row, NOT_EXISTS) for row in changes.funding]
    actions += [Put(keys.ORDERS, row, NOT_EXISTS) for row in changes.passed]
    actions += [Put(keys.POSITIONS, row) for row in position_rows]
    actions += _postings(changes, on_chain=advance.on_chain)
    if changes.market:
        key = Key(keys.market_pk(symbol), keys.META)
        actions.append(Update(keys.MARKETS, key, put=changes.market))
    if changes.risk:
        actions.append(Put(keys.MARKETS, {"PK": keys.market_pk(symbol), "SK": keys.RISK, **changes.risk}))
    insurance, bad_debt = changes.fund
    if changes.fees or changes.clearing or insurance or bad_debt:
        key = Key(keys.market_pk(symbol), keys.asset_sk("USDC"))
        add = {"fees": changes.fees, "clearing": changes.clearing}
        if insurance or bad_debt:
            add |= {"insurance": insurance, "bad_debt": bad_debt}
        actions.append(Update(keys.BALANCES, key, add=add))
    if changes.issued:
        for asset, amount in zip(("USDC", CXPT), issue(changes.issued), strict=True):
            key = Key(keys.ISSUER_PK, keys.asset_sk(asset))
            actions.append(
                Update(keys.BALANCES, key, add={"available": amount if asset == "USDC" else -amount})
            )
    return actions


def _postings(changes: Changes, *, on_chain: bool) -> list[Update]:
    """Return what traders' balances gain. What a market in the ledger moves, the chain has not: HOLD-010."""
    updates = []
    for (trader, asset), (available, reserved) in changes.balances.items():
        if available or reserved:
            add = {"available": available, "reserved": reserved}
            if on_chain:
                add["backed"] = available
            key = Key(keys.trader_pk(trader), keys.asset_sk(asset))
            updates.append(Update(keys.BALANCES, key, add=add))
    return updates


def _lease_update(advance: Advance) -> Update:
    before, after = advance.before, advance.after
    put: dict[str, int | str] = {
        "applied_seq": after.applied_seq,
        "trade_no": after.trade_no,
        "feed_seq": after.feed_seq,
        "minute": after.minute,
        "expires_ns": advance.expires_ns,
        "open_interest_e8": advance.open_interest_e8,
    }
    if after.admin_seq != before.admin_seq:
        put["admin_seq"] = after.admin_seq
    if advance.depth:
        put["depth"] = advance.depth
    return Update(
        keys.MATCHER_LEASES,
        Key(keys.market_pk(advance.symbol), keys.LEASE),
        put=put,
        when=(
            Clause("token", "=", before.token),
            Clause("applied_seq", "=", before.applied_seq),
            Clause("trade_no", "=", before.trade_no),
        ),
    )


def lease_row(symbol: str, mark: Watermark, expires_ns: int) -> Item:
    """Return the first lease row of a market."""
    row: dict[str, Any] = {
        "PK": keys.market_pk(symbol),
        "SK": keys.LEASE,
        "owner": mark.owner,
        "token": mark.token,
        "expires_ns": expires_ns,
        "applied_seq": mark.applied_seq,
        "trade_no": mark.trade_no,
        "feed_seq": mark.feed_seq,
        "admin_seq": mark.admin_seq,
        "minute": mark.minute,
        "open_interest_e8": 0,
    }
    return row
