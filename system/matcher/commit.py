"""The second half of step 6: everything a batch changed becomes one transaction.

Each item appears once, with its net change (DynamoDB refuses two actions on one item). Rows that
only this matcher writes are put whole; Balances, which the door writes too, are added to. The
lease row carries the fencing token and the watermark: a matcher that lost its lease, or that
missed a commit, cannot write anything. Rules: COMM-001 to COMM-006 (docs/rules/commit.md).
"""

from __future__ import annotations

from typing import Any

from system.matcher.steps import Fill, Posting, Step
from system.metrics.buckets import MinuteBucket
from system.model import keys
from system.model.keys import Item, Key
from system.model.order import PENDING, Order
from system.model.position import Position
from system.model.trade import Trade
from system.ports.store import Action, Clause, Put, Update

FIXED_ACTIONS = 4  # lease, market account, StatsIntraday, StatsLifetime
MAX_ACTIONS_PER_STEP = 9  # trade, two orders, two positions, four balances
ROOM = 100 - FIXED_ACTIONS - MAX_ACTIONS_PER_STEP
"""As long as no more actions are gathered than this, one more step still fits."""

_WAS_PENDING = (Clause("status", "=", PENDING),)


class Changes:
    """What the steps since the last commit changed, merged per item."""

    __slots__ = (
        "balances",
        "clearing",
        "commands",
        "fees",
        "fills",
        "orders",
        "positions",
        "state",
        "trades",
    )

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Position] = {}
        self.balances: dict[tuple[str, str], list[int]] = {}
        self.commands: dict[str, tuple[Key, str]] = {}  # CANCEL and STATE rows: key, outcome
        self.trades: list[Trade] = []
        self.fills: list[Fill] = []
        self.fees = 0
        self.clearing = 0
        self.state = ""  # the market's new state, "" when unchanged

    @property
    def size(self) -> int:
        """Number of actions gathered, without the fixed ones."""
        return (
            len(self.orders)
            + len(self.positions)
            + len(self.balances)
            + len(self.commands)
            + len(self.trades)
            + (1 if self.state else 0)
        )

    def __bool__(self) -> bool:
        return self.size > 0

    def add(self, step: Step) -> None:
        """Take up one step's effects."""
        for order in step.orders:
            self.orders[order.uuid] = order
        self._post(step.postings)
        if type(step) is Fill:
            self.fills.append(step)
            self.positions[step.maker.trader] = step.maker_position
            self.positions[step.taker.trader] = step.taker_position
            self.fees += step.fees
            self.clearing += step.clearing

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
    """The lease row of a market as its holder knows it."""

    __slots__ = ("applied_seq", "feed_seq", "owner", "token", "trade_no")

    def __init__(self, owner: str, token: int, applied_seq: int, trade_no: int, feed_seq: int) -> None:
        self.owner = owner
        self.token = token
        self.applied_seq = applied_seq
        self.trade_no = trade_no
        self.feed_seq = feed_seq


def transaction(
    symbol: str,
    changes: Changes,
    mark: Watermark,
    committed: Watermark,
    unfinished: str,
    first_time: frozenset[str] | set[str],
    bucket: MinuteBucket,
    expires_ns: int,
    open_interest_e8: int,
) -> list[Action]:
    """Return the actions of one commit.

    Args:
        mark: the watermark after this commit; `committed` the one before it.
        unfinished: uuid of the taker whose sweep goes on in the next transaction, "" when none;
            its row stays PENDING, so that a successor resumes it.
        first_time: uuids whose rows must still be PENDING: each command is applied once.
    """
    actions: list[Action] = [
        Update(
            keys.MATCHER_LEASES,
            Key(keys.market_pk(symbol), "LEASE"),
            put={
                "applied_seq": mark.applied_seq,
                "trade_no": mark.trade_no,
                "feed_seq": mark.feed_seq,
                "expires_ns": expires_ns,
                "open_interest_e8": open_interest_e8,
            },
            when=(
                Clause("token", "=", committed.token),
                Clause("applied_seq", "=", committed.applied_seq),
                Clause("trade_no", "=", committed.trade_no),
            ),
        )
    ]
    for uuid, order in changes.orders.items():
        when = _WAS_PENDING if uuid in first_time else ()
        progress = order.progress()
        if uuid == unfinished:
            progress["status"] = PENDING
        actions.append(Update(keys.ORDERS, order.key, put=progress, when=when))
    for key, outcome in changes.commands.values():
        put = {"status": outcome, "seq": mark.applied_seq}
        actions.append(Update(keys.ORDERS, key, put=put, when=_WAS_PENDING))
    actions += [Put(keys.TRADES, trade.to_item()) for trade in changes.trades]
    actions += [Put(keys.POSITIONS, position.to_item()) for position in changes.positions.values()]
    for (trader, asset), (available, reserved) in changes.balances.items():
        if available or reserved:
            key = Key(keys.trader_pk(trader), keys.asset_sk(asset))
            actions.append(Update(keys.BALANCES, key, add={"available": available, "reserved": reserved}))
    if changes.state:
        key = Key(keys.market_pk(symbol), keys.META)
        actions.append(Update(keys.MARKETS, key, put={"status": changes.state}))
    if changes.fees or changes.clearing:
        key = Key(keys.market_pk(symbol), keys.asset_sk("USDC"))
        actions.append(Update(keys.BALANCES, key, add={"fees": changes.fees, "clearing": changes.clearing}))
    actions += bucket.actions()
    return actions


def lease_row(symbol: str, mark: Watermark, expires_ns: int) -> Item:
    """Return the first lease row of a market."""
    row: dict[str, Any] = {
        "PK": keys.market_pk(symbol),
        "SK": "LEASE",
        "owner": mark.owner,
        "token": mark.token,
        "expires_ns": expires_ns,
        "applied_seq": mark.applied_seq,
        "trade_no": mark.trade_no,
        "feed_seq": mark.feed_seq,
        "open_interest_e8": 0,
    }
    return row
