"""The watch of a desk: what was missed on the WebSocket is asked for, and the connection kept alive."""

from __future__ import annotations

from collections.abc import Generator
from itertools import count
from typing import Any

import orjson
import simpy

from sim.client.desk import Desk, Response
from sim.client.hearing import Hole
from system.model.order import PENDING
from system.model.units import NS

Waiting = Generator[simpy.Event, Any, Any]
PING = '{"action":"ping"}'
PING_EVERY = 48
"""Every so many looks it says that it is there: every four minutes, as API Gateway hangs up after ten."""
WATCH_NS = 5 * NS
"""How often it looks whether something is missing. What comes before the next look but one was only late."""
PATIENCE_NS = 10 * NS
"""How long it waits for an answer before it asks again."""


class Watch:
    """Looks after one desk: an agent's second hand."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._open: set[str] = set()  # channels with a hole that is not healed yet

    def live(self) -> Waiting:
        """Look every few seconds whether something is missing, and ask for the state if so."""
        desk = self.desk
        for look in count(1):
            yield desk.sleep(WATCH_NS)
            if look % PING_EVERY == 0 and desk.connection:
                desk.door.say(desk.connection, PING)
            for hole in desk.hearing.look():
                yield from self._heal(hole)

    def _heal(self, hole: Hole) -> Waiting:
        """Ask for the state of a channel; without an answer the next look asks again."""
        desk, channel = self.desk, hole.channel
        if hole.numbers and channel not in self._open:
            self._open.add(channel)
            desk.door.hole(desk.name, channel, list(hole.numbers), hole.new)
        family, _, name = channel.partition(".")
        known = yield from self._own() if family == "trader" else self._book(name, hole.upto)
        if known:
            desk.hearing.whole(hole)
            if channel in self._open:
                self._open.remove(channel)
                desk.door.healed(desk.name, channel)

    def _book(self, symbol: str, upto: int) -> Waiting:
        """Make a market's view whole; return whether it is."""
        desk = self.desk
        view = desk.market(symbol)
        if view.depth_seq < upto:  # else a later book has come meanwhile
            response = yield from self._answer(desk.requests.depth(symbol, desk.now_ns))
            if response["statusCode"] != 200:
                return False
            view.hear(orjson.loads(response["body"]))
        desk.look()
        return True

    def _own(self) -> Waiting:
        """Make its own orders and positions whole; return whether they are."""
        desk = self.desk
        orders = yield from self._answer(desk.requests.orders(desk.now_ns))
        positions = yield from self._answer(desk.requests.positions(desk.now_ns))
        if orders["statusCode"] != 200 or positions["statusCode"] != 200:
            return False
        for row in orjson.loads(orders["body"])["orders"]:
            if row["status"] != PENDING:
                desk.order_changed(row)
        for row in orjson.loads(positions["body"])["positions"]:
            desk.position_changed(row)
        return True

    def _answer(self, event: dict[str, Any]) -> Waiting:
        """Send a request and return its answer, 504 when none comes."""
        door = self.desk.door
        answer = door.signal()

        def heard(response: Response) -> None:
            if not answer.triggered:  # an answer may come twice
                answer.succeed(response)

        door.request(event, heard)
        yield answer | door.sleep(PATIENCE_NS)
        return answer.value if answer.triggered else {"statusCode": 504, "body": ""}
