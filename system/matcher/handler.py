"""Step 6 of the walk: a batch of commands in, one commit per market, news out.

The book lives in this instance's memory only while commits succeed. Whenever one fails, the
market is dropped and read anew from the store: at once where a remembered book was out of date,
by the next batch otherwise. There is no repair path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson

from system.config import Config
from system.matcher import steps
from system.matcher.asked import no_cut_after, step_command
from system.matcher.commit import ROOM, Advance, Changes, Watermark, transaction
from system.matcher.gauges import market_gauges
from system.matcher.house import House
from system.matcher.matching import Engine
from system.matcher.recovery import load_bucket, load_positions, read_many, rebuild, take_lease
from system.metrics.buckets import MinuteBucket, Tiers
from system.model import keys, messages
from system.model.errors import ConditionFailed, PortError, Unavailable
from system.model.keys import Key
from system.model.messages import Command, command_of, read_command
from system.model.news import Message
from system.model.order import PENDING, Order
from system.model.trade import LEDGER, Trade
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.queue import Topic
from system.ports.store import Store

REMEMBERED = 20_000  # applied commands a seat remembers, to skip a redelivery without a read
NEWS_PER_PUBLICATION = 200  # a message of the longest kind has 900 bytes, a publication at most 256 KB
_OF_THE_HOUSE = (steps.StateChanged, steps.Forced, steps.FundingPaid, steps.Alerted, steps.Moved)
News = list[Message | orjson.Fragment]
DONE = "DONE"  # status of a CANCEL or STATE row that did what it says


class Seat:
    """One market as its present owner holds it: engine, watermark, minute."""

    def __init__(
        self, symbol: str, engine: Engine, mark: Watermark, bucket: MinuteBucket, since_ns: int
    ) -> None:
        self.symbol = symbol
        self.engine = engine
        self.mark = mark  # as of the next commit
        self.committed = mark.copy()
        self.bucket = bucket
        self.settlement = PENDING if engine.spec.settlement == "chain" else LEDGER
        self.since_ns = since_ns  # what was accepted before may have been applied by an earlier owner
        self.fresh = True  # no batch served yet: whatever the clocks say, look
        self.applied: deque[str] = deque()
        self.applied_set: set[str] = set()

    def remember(self, uuids: Iterable[str]) -> None:
        for uuid in uuids:
            self.applied.append(uuid)
            self.applied_set.add(uuid)
        while len(self.applied) > REMEMBERED:
            self.applied_set.discard(self.applied.popleft())

    def doubts(self, command: Command) -> bool:
        """Tell whether only the store knows if this command was applied; MINUTE has no row to ask."""
        if command.kind in messages.WITHOUT_ROW:
            return False
        return self.fresh or command.accepted_ns <= self.since_ns


class Matcher:
    """The Matcher function; one instance may own several markets."""

    def __init__(self, store: Store, topic: Topic, clock: Clock, ids: Ids, config: Config) -> None:
        self.store = store
        self.topic = topic
        self.clock = clock
        self.ids = ids
        self.config = config
        self.tiers = Tiers(sharded=config.lifetime == "sharded", fine=config.intraday == "both")
        self.room = ROOM - (1 if self.tiers.fine else 0)
        self.seats: dict[str, Seat] = {}
        self.unsent: dict[str, News] = {}  # by market: committed, but the topic did not answer

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
                failed += [record["messageId"] for record in records]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _serve(self, symbol: str, commands: list[Command]) -> None:
        # Out of the table while it is worked with: whatever fails, and even a defect that this
        # instance outlives, no half-applied book is left behind.
        seat = self.seats.pop(symbol, None)
        if seat is not None:
            try:
                self._serve_from(seat, commands, self.clock.now_ns())
            except ConditionFailed:
                pass  # another instance has served the market since, and the seat is out of date
            else:
                return
        now_ns = self.clock.now_ns()
        self._serve_from(self._sit_down(symbol, now_ns), commands, now_ns)

    def _serve_from(self, seat: Seat, commands: list[Command], now_ns: int) -> None:
        symbol = seat.symbol
        batch = _Batch(self, seat, now_ns)
        try:
            batch.serve(commands)
        except ConditionFailed:
            if batch.news:
                self._publish(symbol, batch.news)
            else:  # another has told later news since: what was kept would come after it
                self.unsent.pop(symbol, None)
            raise
        except PortError:
            self._publish(symbol, batch.news)  # what was committed before is news all the same
            raise
        self.seats[symbol] = seat
        self._publish(symbol, batch.news)

    def _sit_down(self, symbol: str, now_ns: int) -> Seat:
        mark, open_interest_e8 = take_lease(
            self.store, symbol, self.config.matcher_id, now_ns, self.config.lease_ns
        )
        engine = rebuild(self.store, symbol, open_interest_e8)
        return Seat(symbol, engine, mark, load_bucket(self.store, symbol, now_ns, self.tiers), now_ns)

    def _publish(self, symbol: str, news: News) -> None:
        """Send the news of committed transactions; what the topic does not take is kept for the next time."""
        if symbol in self.unsent:
            news = self.unsent.pop(symbol) + news
        for start in range(0, len(news), NEWS_PER_PUBLICATION):
            some = news[start : start + NEWS_PER_PUBLICATION]
            try:
                self.topic.publish(orjson.dumps(some).decode())
            except PortError:
                self.unsent[symbol] = news[start:]
                raise


class _Batch:
    """The commands of one market in one invocation."""

    def __init__(self, matcher: Matcher, seat: Seat, now_ns: int) -> None:
        self.matcher = matcher
        self.seat = seat
        self.now_ns = now_ns
        self.changes = Changes()
        self.first_time: dict[str, int] = {}  # orders still PENDING in the store: quantity filled there
        self.prints: list[Message] = []  # of trades not yet committed
        self.news: News = []  # of what is committed
        self.done: list[str] = []
        self.book_moved = False

    def serve(self, commands: list[Command]) -> None:
        """Apply what has not been applied, in order. Raises PortError; the seat is then lost."""
        seat = self.seat
        commands = self._unapplied(commands)
        if seat.fresh:  # what a predecessor left undone behind a sweep that it had committed
            self._run(steps.Tick(), seat.mark.applied_seq)
            seat.fresh = False
        traders = (command.order.trader for command in commands if command.order is not None)
        load_positions(self.matcher.store, seat.engine, traders)
        for command in commands:
            if self.changes.size > self.matcher.room:
                self.commit()
            self.apply(command)
        self.commit(last=True)

    def _unapplied(self, commands: list[Command]) -> list[Command]:
        """Drop what was applied before; go on with what an earlier owner began, as the store has it."""
        seat = self.seat
        new: dict[str, Command] = {}
        for command in commands:
            uuid = command.uuid
            seen = uuid <= seat.mark.minute if command.kind == "MINUTE" else uuid in seat.applied_set
            if not seen:
                new.setdefault(uuid, command)
        doubtful = [command for command in new.values() if seat.doubts(command)]
        if doubtful:
            pk = keys.market_pk(seat.symbol)
            wanted = [Key(pk, keys.event_sk(command.uuid)) for command in doubtful]
            rows = {row["uuid"]: row for row in read_many(self.matcher.store, keys.ORDERS, wanted)}
            for command in doubtful:
                uuid = command.uuid
                if uuid not in rows:
                    raise Unavailable(f"matcher: expected a row {uuid} in {keys.ORDERS}, was none")
                if rows[uuid]["status"] == PENDING:
                    new[uuid] = command_of(rows[uuid])
                else:
                    del new[uuid]
        return list(new.values())

    def apply(self, command: Command) -> None:
        """Sequence one command and carry it out."""
        seat, order, item, uuid = self.seat, command.order, command.item, command.uuid
        seq = seat.mark.applied_seq + 1
        if order is not None:
            self.first_time[uuid] = order.cum_qty_e8
            order.sequenced_ns = order.sequenced_ns or self.now_ns
            self._run(order, seq, order)
        elif command.kind == "MINUTE":
            self._run(steps.Tick(), seq)
            self.book_moved = True
            more = market_gauges(seat.engine, self.now_ns)
            seat.bucket.gauge(seat.engine.book, seat.engine.open_interest_e8, self.now_ns, more)
            seat.mark.minute = uuid
        else:
            outcome = self._run(step_command(command.kind, item), seq)
            if command.kind not in messages.WITHOUT_ROW:
                self.changes.commands[uuid] = (Key(item["PK"], item["SK"]), outcome, seq)
        seat.mark.applied_seq = seq
        self.done.append(uuid)

    def _run(self, command: steps.Command, seq: int, taker: Order | None = None) -> str:
        """Run one command; where it is too long for one transaction, commit on the way.

        The cut comes right after a step, while the engine stands still at it: before the next one
        is asked for, orders and positions are exactly what the steps so far made of them.
        """
        seat, changes = self.seat, self.changes
        outcome = DONE
        for step in seat.engine.run(command, self.now_ns, seq):
            changes.add(step)
            self.book_moved = True
            if type(step) is steps.Fill:
                self._record(
                    step.to_trade(
                        self.matcher.ids.uuid7(), seat.mark.trade_no + 1, self.now_ns, seat.settlement
                    )
                )
            elif type(step) is steps.Refused:
                outcome = step.reason.value
            elif type(step) in _OF_THE_HOUSE:
                self._note(step, seq)
            if changes.size > self.matcher.room - 2 * seat.engine.house.changed and not no_cut_after(
                command, step
            ):
                if taker is not None and taker.status != PENDING:
                    seat.mark.applied_seq = seq  # its row says how it ended: it will not be applied again
                self.commit(unfinished=taker)
                changes = self.changes
        return outcome

    def _note(self, step: steps.Step, seq: int) -> None:
        """Make rows and news of what the clearing house did."""
        seat, mark, now_ns = self.seat, self.seat.mark, self.now_ns
        if isinstance(step, steps.StateChanged):
            mark.admin_seq += 1
            self.prints.append(messages.state_change(seat.symbol, mark.admin_seq, now_ns, step.state.value))
        elif isinstance(step, steps.Forced):
            self._record(
                step.trade.to_trade(
                    seat.symbol, self.matcher.ids.uuid7(), seat.mark.trade_no + 1, seq, now_ns
                )
            )
        elif isinstance(step, steps.FundingPaid):
            row = step.to_row(seat.symbol, self.matcher.ids.uuid7(), seq, now_ns)
            mark.feed_seq += 1
            self.changes.funding.append(row)
            self.prints.append(messages.funding_rate(mark.feed_seq, now_ns, row))
        elif isinstance(step, steps.Alerted):
            alert = messages.liquidation_alert(step.position, seq, now_ns, step.mark_e6, step.stage)
            self.prints.append(alert)
        elif isinstance(step, steps.Moved) and step.to and step.position is not None:
            trader, uuid = step.position.trader, self.matcher.ids.uuid7()
            row = messages.margin_command(step.to, uuid, trader, step.passed, now_ns)
            self.changes.passed.append(row)

    def _record(self, trade: Trade) -> None:
        """Give a trade its number, its place in the minute, and its print."""
        seat, now_ns = self.seat, self.now_ns
        mark = seat.mark
        mark.trade_no += 1
        mark.feed_seq += 1
        self.changes.trades.append(trade)
        seat.bucket.add_trade(trade)
        seat.bucket.open_interest(seat.engine.open_interest_e8, now_ns)
        self.prints.append(
            messages.trade(
                seat.symbol,
                mark.feed_seq,
                now_ns,
                trade.price_e6,
                trade.qty_e8,
                trade.aggressor_side,
                mark.trade_no,
            )
        )

    def commit(self, *, unfinished: Order | None = None, last: bool = False) -> None:
        """Write what has gathered. Raises PortError; the caller then drops the seat."""
        seat, changes, mark = self.seat, self.changes, self.seat.mark
        if mark.applied_seq == seat.committed.applied_seq and not changes:
            return
        house = seat.engine.house
        if house.changed:
            self._keep(house)
        for position in changes.positions.values():
            position.version += 1
        depth = b""
        if last and self.book_moved:
            mark.feed_seq += 1
            depth = orjson.dumps(self._depth())
        position_rows = [position.to_item() for position in changes.positions.values()]
        advance = Advance(
            seat.symbol,
            seat.committed,
            mark,
            self.now_ns + self.matcher.config.lease_ns,
            seat.engine.open_interest_e8,
            depth.decode(),
            on_chain=seat.settlement == PENDING,
        )
        actions = transaction(changes, advance, self.first_time, position_rows)
        self.matcher.store.transact([*actions, *seat.bucket.actions()])
        seat.committed = mark.copy()
        seat.bucket.committed()
        seat.remember(self.done)
        self.done = []
        self._tell(position_rows)
        if depth:
            self.news.append(orjson.Fragment(depth))  # the very text that the lease row keeps
        self.first_time = {}
        if unfinished is not None and unfinished.status == PENDING:
            self.first_time[unfinished.uuid] = unfinished.cum_qty_e8
        self.changes = Changes()

    def _keep(self, house: House) -> None:
        """Put what the clearing house remembers, and the mark that the door judges by, into the commit."""
        house.changed = False
        state, mark = house.state, self.seat.mark
        self.changes.risk = house.to_row()
        told: dict[str, int | str] = {}
        if house.mark_e6:
            told |= {"mark_e6": house.mark_e6, "mark_ns": state.mark.mark_ns}
        if state.settle_e6:
            told["settle_e6"] = state.settle_e6
        self.changes.market |= told
        if house.told_ns != state.mark.mark_ns:
            house.told_ns = state.mark.mark_ns
            mark.feed_seq += 1
            said = (house.told_ns, house.mark_e6, state.index_e6)
            self.prints.append(messages.mark_price(self.seat.symbol, mark.feed_seq, *said))

    def _tell(self, position_rows: list[dict[str, Any]]) -> None:
        news, now_ns = self.news, self.now_ns
        news += self.prints
        self.prints = []
        for order in self.changes.orders.values():
            if order.status != PENDING:  # else it is in the middle of its sweep
                news.append(messages.order_update(order, now_ns))
        for row in position_rows:
            news.append(messages.position_update(row, now_ns))

    def _depth(self) -> Message:
        """Return the book as it is told, and kept for who asks: `seq` says which of both is newer."""
        seat = self.seat
        bids, asks = seat.engine.book.depth(self.matcher.config.depth_levels)
        return messages.depth(seat.symbol, seat.mark.feed_seq, self.now_ns, bids, asks)
