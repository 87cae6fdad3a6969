"""Instances of a function: memory and ports of their own, and a death that drops both.

Every port call of an instance passes through `Instance.cross`: that is where faults stand, where a
dead instance is refused, and where the bridge (sim/kernel/bridge.py) lets time pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sim.kernel.interference import Around, Crossing, Interference, Offset
from system.model.keys import Item, Key
from system.ports.chain import (
    Bid,
    Chain,
    ChainFill,
    DepositSeen,
    ExitSeen,
    Fees,
    Preflight,
    PreparedTx,
    Receipt,
    SignedOrder,
    SignedWithdrawal,
)
from system.ports.clock import Clock
from system.ports.lake import Lake
from system.ports.oracle import Observation, Oracle
from system.ports.queue import Queue, Sockets, Topic
from system.ports.store import Action, Delete, Page, Put, Store, Update
from system.wiring import Ports

Handler = Callable[[dict[str, Any], Any], Any]


class Crash(BaseException):
    """An instance died here: (function, number, why). No handler may catch it: none survives its process."""


class Instance:
    """One running copy of a function.

    Attributes:
        number: counted from 0 for each function, never used twice.
        dead: it crashed; no port takes a call of it any more.
        free: the harness itself calls, before the run begins: nothing stands in the way.
    """

    __slots__ = ("arounds", "dead", "free", "function", "handler", "number")

    def __init__(self, function: str, number: int, arounds: Mapping[str, tuple[Around, ...]]) -> None:
        self.function = function
        self.number = number
        self.arounds = arounds
        self.dead = False
        self.free = False
        self.handler: Handler = _unbuilt

    def crash(self, why: str) -> Crash:
        """Die, and return what to raise."""
        self.dead = True
        return Crash(self.function, self.number, why)

    def pause(self, name: str) -> None:
        """Let the time of a port call pass; here, where invocations are atomic, none does."""

    def sleep(self, delay_ns: int) -> None:
        """Let this much time pass, where time can."""

    def cross(self, name: str, call: Callable[..., Any], *args: Any, **how: Any) -> Any:
        """Carry out one port call, with all that stands around it."""
        if self.free:
            return call(*args, **how)
        if self.dead:
            raise self.crash("a dead instance has no ports")
        around = self.arounds.get(name)
        if around is None:
            self.pause(name)
            return call(*args, **how)

        def proceed() -> Any:
            self.pause(name)
            return call(*args, **how)

        crossing = Crossing(self, name, args, how)
        for each in around:
            proceed = partial(each, crossing, proceed)
        return proceed()


def _unbuilt(_event: dict[str, Any], _context: Any) -> Any:
    raise AssertionError("an instance is called before its handler was built")


def crossed(ports: Ports, instance: Instance, interference: Interference) -> Ports:
    """Return the ports with every call through `instance.cross`."""
    cross = instance.cross
    offsets = interference.offsets(instance.function)
    return Ports(
        clock=ShiftedClock(ports.clock, offsets) if offsets else ports.clock,
        ids=ports.ids,
        store=CrossedStore(ports.store, cross),
        queue=CrossedQueue(ports.queue, cross),
        topic=CrossedTopic(ports.topic, cross),
        sockets=CrossedSockets(ports.sockets, cross),
        lake=CrossedLake(ports.lake, cross),
        oracle=CrossedOracle(ports.oracle, cross),
        chain=CrossedChain(ports.chain, cross),
    )


class ShiftedClock:
    """The clock of one function, ahead of the others or behind."""

    def __init__(self, inner: Clock, offsets: Sequence[Offset]) -> None:
        self.inner = inner
        self.offsets = offsets

    def now_ns(self) -> int:
        return self.inner.now_ns() + sum(offset() for offset in self.offsets)


Cross = Callable[..., Any]


class CrossedStore:
    def __init__(self, inner: Store, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def get(self, table: str, key: Key) -> Item | None:
        item: Item | None = self.cross("store.get", self.inner.get, table, key)
        return item

    def get_many(self, table: str, keys: Sequence[Key]) -> list[Item]:
        items: list[Item] = self.cross("store.get_many", self.inner.get_many, table, keys)
        return items

    def query(self, table: str, pk: str, **how: Any) -> Page:
        page: Page = self.cross("store.query", self.inner.query, table, pk, **how)
        return page

    def write(self, action: Put | Update | Delete) -> None:
        self.cross("store.write", self.inner.write, action)

    def count(self, table: str, attribute: str, by: Mapping[Key, int]) -> list[int]:
        sums: list[int] = self.cross("store.count", self.inner.count, table, attribute, by)
        return sums

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        self.cross("store.transact", self.inner.transact, actions, token)


class CrossedQueue:
    def __init__(self, inner: Queue, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def send(self, body: str, group: str, dedup_id: str) -> None:
        self.cross("queue.send", self.inner.send, body, group, dedup_id)


class CrossedTopic:
    def __init__(self, inner: Topic, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def publish(self, message: str) -> None:
        self.cross("topic.publish", self.inner.publish, message)


class CrossedSockets:
    def __init__(self, inner: Sockets, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def post(self, connection_id: str, data: bytes) -> bool:
        there: bool = self.cross("sockets.post", self.inner.post, connection_id, data)
        return there


class CrossedLake:
    def __init__(self, inner: Lake, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def put(self, key: str, body: bytes) -> None:
        self.cross("lake.put", self.inner.put, key, body)

    def get(self, key: str) -> bytes | None:
        body: bytes | None = self.cross("lake.get", self.inner.get, key)
        return body

    def list(self, prefix: str) -> list[str]:
        keys: list[str] = self.cross("lake.list", self.inner.list, prefix)
        return keys


class CrossedOracle:
    def __init__(self, inner: Oracle, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def latest(self, asset: str) -> list[Observation]:
        seen: list[Observation] = self.cross("oracle.latest", self.inner.latest, asset)
        return seen


class CrossedChain:
    def __init__(self, inner: Chain, cross: Cross) -> None:
        self.inner = inner
        self.cross = cross

    def block_number(self) -> int:
        height: int = self.cross("chain.block_number", self.inner.block_number)
        return height

    def operator(self) -> str:
        operator: str = self.cross("chain.operator", self.inner.operator)
        return operator

    def next_nonce(self) -> int:
        nonce: int = self.cross("chain.next_nonce", self.inner.next_nonce)
        return nonce

    def settled_head(self) -> tuple[int, bytes]:
        head: tuple[int, bytes] = self.cross("chain.settled_head", self.inner.settled_head)
        return head

    def fees(self, above: Fees | None = None) -> Fees:
        fees: Fees = self.cross("chain.fees", self.inner.fees, above)
        return fees

    def preflight(
        self, batch_id: int, prev_hash: bytes, orders: list[SignedOrder], fills: list[ChainFill]
    ) -> Preflight:
        args = (batch_id, prev_hash, orders, fills)
        tried: Preflight = self.cross("chain.preflight", self.inner.preflight, *args)
        return tried

    def prepare_batch(
        self,
        batch_id: int,
        prev_hash: bytes,
        orders: list[SignedOrder],
        fills: list[ChainFill],
        nonce: int,
        bid: Bid,
    ) -> tuple[PreparedTx, bytes]:
        args = (batch_id, prev_hash, orders, fills, nonce, bid)
        prepared: tuple[PreparedTx, bytes] = self.cross(
            "chain.prepare_batch", self.inner.prepare_batch, *args
        )
        return prepared

    def preflight_withdrawal(self, wanted: SignedWithdrawal) -> str:
        error: str = self.cross("chain.preflight_withdrawal", self.inner.preflight_withdrawal, wanted)
        return error

    def prepare_withdrawal(self, wanted: SignedWithdrawal, nonce: int, bid: Bid) -> PreparedTx:
        prepared: PreparedTx = self.cross(
            "chain.prepare_withdrawal", self.inner.prepare_withdrawal, wanted, nonce, bid
        )
        return prepared

    def send(self, tx: PreparedTx) -> bool:
        is_news: bool = self.cross("chain.send", self.inner.send, tx)
        return is_news

    def receipt(self, tx_hash: str) -> Receipt | None:
        receipt: Receipt | None = self.cross("chain.receipt", self.inner.receipt, tx_hash)
        return receipt

    def deposits(self, from_block: int, to_block: int) -> list[DepositSeen]:
        seen: list[DepositSeen] = self.cross("chain.deposits", self.inner.deposits, from_block, to_block)
        return seen

    def exits(self, from_block: int, to_block: int) -> list[ExitSeen]:
        seen: list[ExitSeen] = self.cross("chain.exits", self.inner.exits, from_block, to_block)
        return seen

    def ending(self, instrument_id: bytes) -> int:
        price_e6: int = self.cross("chain.ending", self.inner.ending, instrument_id)
        return price_e6

    def sizes(self, instrument_id: bytes, accounts: list[str], at_block: int) -> list[int]:
        sizes: list[int] = self.cross("chain.sizes", self.inner.sizes, instrument_id, accounts, at_block)
        return sizes

    def prepare_ending(
        self, instrument_id: bytes, price_e6: int, at_s: int, raises: int = 0
    ) -> list[PreparedTx]:
        args = (instrument_id, price_e6, at_s, raises)
        prepared: list[PreparedTx] = self.cross("chain.prepare_ending", self.inner.prepare_ending, *args)
        return prepared

    def prepare_claims(self, instrument_id: bytes, accounts: list[str], raises: int = 0) -> list[PreparedTx]:
        args = (instrument_id, accounts, raises)
        prepared: list[PreparedTx] = self.cross("chain.prepare_claims", self.inner.prepare_claims, *args)
        return prepared
