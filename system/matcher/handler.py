"""Step 6 of the walk: a batch of commands in, one commit per market, news out.

The book lives in this instance's memory only while commits succeed. Whenever one fails, the
market is dropped and read anew from the store by the next batch: there is no repair path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson

from system.config import Config
from system.matcher import steps
from system.matcher.commit import ROOM, Changes, Watermark, transaction
from system.matcher.matching import Engine
from system.matcher.recovery import load_bucket, load_position, rebuild, take_lease
from system.metrics.buckets import MinuteBucket
from system.model import keys, messages
from system.model.errors import PortError
from system.model.keys import Key
from system.model.market import MarketState
from system.model.messages import Command, Message, read_command
from system.model.order import PENDING, order_from_item
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.queue import Topic
from system.ports.store import Store

REMEMBERED = 20_000  # applied commands a seat remembers, to skip a redelivery without a read


class Seat:
    """One market as its present owner holds it: engine, watermark, minute."""

    def __init__(self, symbol: str, engine: Engine, mark: Watermark, bucket: MinuteBucket) -> None:
        self.symbol = symbol
        self.engine = engine
        self.mark = mark  # as of the next commit
        self.committed = Watermark(mark.owner, mark.token, mark.applied_seq, mark.trade_no, mark.feed_seq)
        self.bucket = bucket
        self.fresh = True  # nothing applied yet: check every command against the store
        self.applied: deque[str] = deque()
        self.applied_set: set[str] = set()

    def remember(self, uuids: Iterable[str]) -> None:
        for uuid in uuids:
            self.applied.append(uuid)
            self.applied_set.add(uuid)
        while len(self.applied) > REMEMBERED:
            self.applied_set.discard(self.applied.popleft())


class Matcher:
    """The Matcher function; one instance may own several markets."""

    def __init__(self, store: Store, topic: Topic, clock: Clock, ids: Ids, config: Config) -> None:
        self.store = store
        self.topic = topic
        self.clock = clock
        self.ids = ids
        self.config = config
        self.seats: dict[str, Seat] = {}

    def handle(self, event: dict[str, Any], _context: Any) -> dict[str, Any]:
        """Serve one SQS batch; what could not be committed is returned for redelivery."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for record in event["Records"]:
            groups.setdefault(record["attributes"]["MessageGroupId"], []).append(record)
        failed: list[str] = []
        for symbol, records in groups.items():
            try:
                self._serve(symbol, [read_command(record["body"]) for record in records])
            except PortError:
                # The group's order must hold, so the whole group comes again.
                self.seats.pop(symbol, None)
                failed += [record["messageId"] for record in records]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _serve(self, symbol: str, commands: list[Command]) -> None:
        now_ns = self.clock.now_ns()
        seat = self.seats.get(symbol)
        if seat is None:
            seat = self.seats[symbol] = self._sit_down(symbol, now_ns)
        if seat.fresh:
            commands = self._still_pending(commands)
            seat.fresh = False
        else:
            commands = [command for command in commands if command.item["uuid"] not in seat.applied_set]
        batch = _Batch(self, seat, now_ns)
        for command in commands:
            batch.apply(command)
        batch.commit(last=True)
        batch.publish()

    def _sit_down(self, symbol: str, now_ns: int) -> Seat:
        mark, open_interest_e8 = take_lease(
            self.store, symbol, self.config.matcher_id, now_ns, self.config.lease_ns
        )
        engine = rebuild(self.store, symbol, open_interest_e8)
        return Seat(symbol, engine, mark, load_bucket(self.store, symbol, now_ns))

    def _still_pending(self, commands: list[Command]) -> list[Command]:
        """Drop what an earlier owner applied; go on with what it began (rows as the store has them)."""
        with_row = [command for command in commands if command.kind != "MINUTE"]
        wanted = [Key(command.item["PK"], command.item["SK"]) for command in with_row]
        rows = {row["uuid"]: row for row in self.store.get_many(keys.ORDERS, list(dict.fromkeys(wanted)))}
        still: list[Command] = []
        for command in commands:
            if command.kind == "MINUTE":
                still.append(command)
                continue
            row = rows.pop(command.item["uuid"], None)
            if row is not None and row["status"] == PENDING:
                still.append(Command(command.kind, row))
        return still


class _Batch:
    """The commands of one market in one invocation."""

    def __init__(self, matcher: Matcher, seat: Seat, now_ns: int) -> None:
        self.matcher = matcher
        self.seat = seat
        self.now_ns = now_ns
        self.changes = Changes()
        self.first_time: set[str] = set()
        self.news: list[Message] = []
        self.done: list[str] = []
        self.book_moved = False

    def apply(self, command: Command) -> None:
        """Sequence one command and carry it out."""
        seat = self.seat
        uuid = command.item["uuid"]
        if self.changes.size > ROOM:
            self.commit()
        seat.mark.applied_seq += 1
        if command.kind == "MINUTE":
            self._steps(steps.Tick(), "")
            self.book_moved = True
            seat.bucket.gauge(seat.engine.book, seat.engine.open_interest_e8, self.now_ns)
        elif command.kind == "CANCEL":
            item = command.item
            target = item["target"]
            cancel: steps.Command
            if target:
                cancel = steps.Cancel(target.rpartition(":")[2], item["trader"])
            else:
                cancel = steps.CancelBelow(item["trader"], item["nonce_floor"])
            outcome = self._steps(cancel, "")
            self.changes.commands[uuid] = (Key(item["PK"], item["SK"]), outcome)
            self.done.append(uuid)
        elif command.kind == "STATE":
            item = command.item
            state = MarketState(item["state"])
            outcome = self._steps(steps.SetState(state), "")
            self.changes.commands[uuid] = (Key(item["PK"], item["SK"]), outcome)
            self.changes.state = state.value
            self.done.append(uuid)
            self._say(messages.state_change(seat.symbol, seat.mark.applied_seq, self.now_ns, state.value))
        else:
            order = order_from_item(command.item)
            order.sequenced_ns = order.sequenced_ns or self.now_ns
            load_position(self.matcher.store, seat.engine, order.trader)
            self.first_time.add(uuid)
            self._steps(order, uuid)
            self.done.append(uuid)

    def _steps(self, command: steps.Command, taker: str) -> str:
        """Run one command; where a sweep is too long for one transaction, commit on the way."""
        seat, changes = self.seat, self.changes
        outcome = "DONE"
        for step in seat.engine.run(command, self.now_ns, seat.mark.applied_seq):
            if changes.size > ROOM:
                self.commit(unfinished=taker)
                changes = self.changes
            changes.add(step)
            if type(step) is steps.Fill:
                seat.mark.trade_no += 1
                trade = step.to_trade(self.matcher.ids.uuid7(), seat.mark.trade_no, self.now_ns)
                changes.trades.append(trade)
                seat.bucket.add_trade(trade)
                seat.bucket.open_interest(seat.engine.open_interest_e8, self.now_ns)
                self._print(trade.price_e6, trade.qty_e8, trade.aggressor_side)
            elif type(step) is steps.Refused:
                outcome = step.reason.value
            self.book_moved = True
        return outcome

    def _print(self, price_e6: int, qty_e8: int, side: str) -> None:
        mark = self.seat.mark
        mark.feed_seq += 1
        self._say(
            messages.trade(
                self.seat.symbol, mark.feed_seq, self.now_ns, price_e6, qty_e8, side, mark.trade_no
            )
        )

    def _say(self, message: Message) -> None:
        self.news.append(message)

    def commit(self, *, unfinished: str = "", last: bool = False) -> None:
        """Write what has gathered. Raises PortError; the caller then drops the seat."""
        seat, changes, config = self.seat, self.changes, self.matcher.config
        if seat.mark.applied_seq == seat.committed.applied_seq and not changes:
            return
        for position in changes.positions.values():
            position.version += 1
        if last and self.book_moved:
            seat.mark.feed_seq += 1  # the depth message that publish() sends
        mark = seat.mark
        actions = transaction(
            seat.symbol,
            changes,
            mark,
            seat.committed,
            unfinished,
            self.first_time,
            seat.bucket,
            self.now_ns + config.lease_ns,
            seat.engine.open_interest_e8,
        )
        self.matcher.store.transact(actions)
        seat.committed = Watermark(mark.owner, mark.token, mark.applied_seq, mark.trade_no, mark.feed_seq)
        seat.bucket.committed()
        seat.remember(self.done)
        self.done = []
        self._tell(changes, unfinished)
        self.first_time = {unfinished} if unfinished else set()
        self.changes = Changes()

    def _tell(self, changes: Changes, unfinished: str) -> None:
        for uuid, order in changes.orders.items():
            if uuid != unfinished:
                self._say(messages.order_update(order, self.now_ns))
        for position in changes.positions.values():
            self._say(messages.position_update(position.to_item(), self.now_ns))

    def publish(self) -> None:
        """Send the news of the batch, the book's top last."""
        seat = self.seat
        if self.book_moved:
            book, levels = seat.engine.book, self.matcher.config.depth_levels
            self._say(
                messages.depth(
                    seat.symbol,
                    seat.committed.feed_seq,
                    self.now_ns,
                    book.bids.depth(levels),
                    book.asks.depth(levels),
                )
            )
        if self.news:
            self.matcher.topic.publish(orjson.dumps(self.news).decode())
