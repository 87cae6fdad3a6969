"""The desk: everything an agent holds of the exchange.

It sends requests through the door, listens on one WebSocket, and keeps what a careful trader
would: open orders, positions, and an estimate of free funds. All of it comes from responses and
messages, so it is late and can be wrong exactly as a real trader's books are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Protocol

import orjson
import simpy

from sim.client.hearing import Hearing
from sim.client.records import TERMINAL_STATES, OpenOrder, Position
from sim.client.requests import Draft, Requests
from sim.client.view import MarketView, parse
from sim.world.purse import Purse
from system.api.idempotency import HEADER
from system.model.market import MarketKind, MarketSpec
from system.model.messages import market_channel, trader_channel
from system.model.order import BUY, REJECTED, SELL

Response = dict[str, Any]
Outside = Callable[[str, int], int]
Written = Callable[[Requests, int, int], Response]


class Door(Protocol):
    """How a desk reaches the exchange; the kernel plays it, with the delays of the links."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds."""

    def sleep(self, delay_ns: int) -> simpy.Event:
        """Return an event that comes after a delay, and never after the run's end."""

    def request(self, event: dict[str, Any], on_response: Callable[[Response], None] | None) -> None:
        """Send an HTTP event; the response arrives later."""

    def connect(self, connection_id: str, on_message: Callable[[bytes], None]) -> None:
        """Open a WebSocket."""

    def say(self, connection_id: str, body: str) -> None:
        """Send text on an open WebSocket, after what was said before."""

    def signal(self) -> simpy.Event:
        """Return an event that comes when it is told to."""

    def hole(self, who: str, channel: str, numbers: list[int], new: bool) -> None:
        """Take note that a reader has missed messages of a channel."""

    def healed(self, who: str, channel: str) -> None:
        """Take note that a reader knows the state again."""


class Desk:
    """One agent's place at the exchange.

    Attributes:
        dice: the agent's own generator; no other source of chance is allowed.
        open_orders: accepted and not yet ended, by order id, oldest first.
        positions: by symbol.
        sent, accepted, rejected: orders so far; rejected counts the door's and the matcher's refusals.
        rejects: how often each reason was given.
        outside: the price (uUSDC per 1.0) of an asset on other venues, so many ns ago: public, and as late
            as the trader's line to them is.
    """

    __slots__ = (
        "_held",
        "_live",
        "_nonce",
        "_views",
        "accepted",
        "account",
        "cash_usdc",
        "connection",
        "dice",
        "door",
        "fees_usdc",
        "fills",
        "funds",
        "hearing",
        "known_accounts",
        "known_orders",
        "name",
        "open_orders",
        "outside",
        "positions",
        "rejected",
        "rejects",
        "requests",
        "sent",
        "trader",
    )

    def __init__(
        self,
        purse: Purse,
        specs: Mapping[str, MarketSpec],
        funds: Mapping[str, int],
        dice: Random,
        door: Door,
        requests: Requests,
        outside: Outside | None = None,
    ) -> None:
        self.name = purse.name
        self.account = purse.account
        self.trader = purse.trader
        self.funds = dict(funds)
        self.dice = dice
        self.door = door
        self.outside = outside or self._index
        self.open_orders: dict[str, OpenOrder] = {}
        self.positions: dict[str, Position] = {}
        self.known_orders: list[str] = []  # ids that were overheard; one list for everybody
        self.known_accounts: tuple[str, ...] = (purse.account,)  # of everybody, as the chain shows them
        self.sent = self.accepted = self.rejected = self.fills = 0
        self.rejects: Counter[str] = Counter()
        self.cash_usdc = 0
        self.fees_usdc = 0
        self.requests = requests
        self._views = {symbol: MarketView(spec) for symbol, spec in specs.items()}
        self._live: dict[str, OpenOrder] = {}
        self._held: Counter[str] = Counter()
        self._nonce = 0
        self.connection = ""  # of its WebSocket, once it listens
        self.hearing = Hearing()

    # --- time and knowledge ---------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.door.now_ns()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every market of the exchange, in the scenario's order."""
        return tuple(self._views)

    def sleep(self, delay_ns: int) -> simpy.Event:
        """Return the event to yield for waiting."""
        return self.door.sleep(delay_ns)

    def market(self, symbol: str) -> MarketView:
        return self._views[symbol]

    def position(self, symbol: str) -> Position:
        position = self.positions.get(symbol)
        if position is None:
            position = self.positions[symbol] = Position()
        return position

    def inventory_e8(self, symbol: str) -> int:
        """Return how much of the base it has gained or lost in this market, 1e-8 base."""
        position = self.positions.get(symbol)
        return position.size_e8 if position else 0

    def available(self, asset: str) -> int:
        """Estimate free funds: what it began with, plus trading, less what its live orders hold."""
        free = self.funds.get(asset, 0) - self._held[asset]
        if asset == "USDC":
            return free + self.cash_usdc - self.fees_usdc
        for symbol, position in self.positions.items():
            spec = self._views[symbol].spec
            if spec.kind is MarketKind.SPOT and spec.base == asset:
                free += position.size_e8
        return free

    @property
    def working(self) -> int:
        """How many orders are sent and not ended, answered or not."""
        return len(self._live)

    def _index(self, asset: str, _ago_ns: int) -> int:
        """Return the published index, for who has no line to other venues; 0 before the first."""
        views = self._views.values()
        return next(
            (view.index_e6 or view.mark_e6 or 0 for view in views if view.spec.underlying == asset), 0
        )

    # --- listening ------------------------------------------------------------------------------

    def listen(self, *symbols: str) -> None:
        """Open the WebSocket: its own orders and positions, and the market channels of `symbols`."""
        self.connection = "ws-" + self.name
        self.door.connect(self.connection, self._hear)
        channels = [trader_channel(self.trader), *(market_channel(symbol) for symbol in symbols)]
        self.door.say(self.connection, orjson.dumps({"action": "subscribe", "channels": channels}).decode())

    def look(self) -> None:
        """Ask GET /markets for the marks; the views know when the answer is here."""
        self.door.request(self.requests.markets(self.now_ns), self._looked)

    def _looked(self, response: Response) -> None:
        if response["statusCode"] != 200:
            return
        for row in orjson.loads(response["body"])["markets"]:
            view = self._views.get(row["symbol"])
            if view is not None and row.get("mark_e6"):
                view.hear_mark(int(row["mark_e6"]), int(row.get("index_ns", 0)))

    def _hear(self, raw: bytes) -> None:
        message = parse(raw)
        kind = message.get("kind")
        if "seq" in message:
            self.hearing.hear(message["channel"], message["seq"])
        if kind == "orderUpdate":
            self.order_changed(message["data"])
        elif kind == "positionUpdate":
            self.position_changed(message["data"])
        elif "channel" in message:
            view = self._views.get(message["channel"].partition(".")[2])
            if view is not None:
                view.hear(message)
        elif kind == "subscribed":
            self.hearing.subscribed(message["channels"])
        elif kind == "pong":
            self.hearing.told(message["channels"])

    # --- acting ---------------------------------------------------------------------------------

    def buy(self, symbol: str, qty_e8: int, price_e6: int, **how: Any) -> OpenOrder:
        """Send a buy order; `how` as in `submit`."""
        return self.submit(Draft(symbol, BUY, qty_e8, price_e6, **how))

    def sell(self, symbol: str, qty_e8: int, price_e6: int, **how: Any) -> OpenOrder:
        """Send a sell order; `how` as in `submit`."""
        return self.submit(Draft(symbol, SELL, qty_e8, price_e6, **how))

    def submit(self, draft: Draft, pays: tuple[str, int] | None = None) -> OpenOrder:
        """Sign and send an order; the returned record changes as answers and messages arrive.

        Args:
            draft: what to send.
            pays: what `MarketView.hold` says of it, when the caller has asked already.
        """
        self._nonce += 1
        nonce = self._nonce
        client_order_id = f"{self.name}-{nonce}"
        if pays is None:
            view = self._views[draft.symbol]
            pays = view.hold(draft.side, draft.qty_e8, draft.price_e6, resting=False)
        asset, hold = pays
        order = OpenOrder(draft, nonce, client_order_id, asset, hold)
        self._live[client_order_id] = order
        self._held[asset] += hold
        self.sent += 1
        event = self.requests.order(draft, nonce, client_order_id, self.door.now_ns())
        self.door.request(event, lambda response: self._answered(order, draft.replaces, response))
        return order

    def send_twice(self, draft: Draft, *, same_key: bool) -> None:
        """Send an order and the very same again, as after a lost answer; nothing of it is kept here."""
        event = self._written(draft, self.account)
        if same_key:
            event["headers"] = {**event["headers"], HEADER: f"{self.name}-{self._nonce}"}
        self.door.request(event, None)
        self.door.request(self.requests.again(event), None)

    def send_under_one_key(self, draft: Draft, other: Draft) -> None:
        """Send two orders under one idempotency key; the second must not get the first one's answer."""
        for each in (draft, other):
            event = self._written(each, self.account)
            event["headers"] = {**event["headers"], HEADER: f"{self.name}-{self.sent // 2}"}
            self.door.request(event, None)

    def send_in_name_of(self, account: str, draft: Draft) -> None:
        """Send an order that names another's account, under one's own signature; it must be refused."""
        if self.accepted and account != self.account and self.requests.always_signs:
            self.door.request(self._written(draft, account), None)

    def _written(self, draft: Draft, account: str) -> dict[str, Any]:
        self._nonce += 1
        self.sent += 1
        client_order_id = f"{self.name}-{self._nonce}"
        return self.requests.order(draft, self._nonce, client_order_id, self.door.now_ns(), account)

    def replace(self, order_id: str, qty_e8: int, price_e6: int) -> OpenOrder:
        """Send an order that takes the place of an open one (and loses its priority)."""
        old = self.open_orders[order_id]
        old.leaving = True
        return self.submit(Draft(old.symbol, old.side, qty_e8, price_e6, replaces=order_id))

    def cancel(self, order_id: str) -> None:
        """Ask to cancel one open order; it stays in `open_orders` until the exchange says so."""
        order = self.open_orders[order_id]
        order.leaving = True
        event = self.requests.cancel(order_id, order.nonce, self.door.now_ns())
        self.door.request(event, lambda response: self._cancel_answered(order, response))

    def move_margin(self, symbol: str, amount: int) -> None:
        """Ask to add uUSDC to a position's margin, or with a minus to take some out."""
        self._nonce += 1
        self.door.request(self.requests.collateral(symbol, amount, self._nonce, self.door.now_ns()), None)

    def ask(self, write: Written, heard: Callable[[Response], None]) -> None:
        """Send what `write` makes of this account's requests, its next nonce and the time."""
        self._nonce += 1
        self.door.request(write(self.requests, self._nonce, self.now_ns), heard)

    def cancel_all(self, symbol: str, below: int | None = None) -> None:
        """Ask to cancel every order sent so far in one market, or those with a nonce below one."""
        floor = self._nonce + 1 if below is None else below
        for order in self._live.values():
            if order.symbol == symbol and order.nonce < floor:
                order.leaving = True
        self.door.request(self.requests.cancel_all(symbol, floor, self.door.now_ns()), None)

    def cancel_of_another(self, order_id: str) -> None:
        """Ask to cancel an order that is somebody else's; it must be refused."""
        self.door.request(self.requests.cancel(order_id, self._nonce or 1, self.door.now_ns()), None)

    # --- hearing back ---------------------------------------------------------------------------

    def _answered(self, order: OpenOrder, replaces: str, response: Response) -> None:
        body = orjson.loads(response["body"] or "{}")
        if response["statusCode"] != 201:
            self.rejected += 1
            self.rejects[body.get("reason", "HTTP " + str(response["statusCode"]))] += 1
            if replaces in self.open_orders:
                self.open_orders[replaces].leaving = False
            self._end(order, REJECTED)
            return
        self.accepted += 1
        order.order_id = body["order_id"]
        if order.done:
            return  # its end was told on the socket before the answer came
        if order.status == "SENT":
            order.status = body["status"]
            self._hold(order, int(body["hold"]))
        self.open_orders[order.order_id] = order

    def _cancel_answered(self, order: OpenOrder, response: Response) -> None:
        if response["statusCode"] >= 400:
            # too late is fine, its end is on the way; anything else leaves the order as it was
            order.leaving = False

    def order_changed(self, data: dict[str, Any]) -> None:
        """Take what the exchange says of an order, as news or as a row."""
        order = self._live.get(data["client_order_id"])
        if order is None:
            return  # ended already: a late or repeated message
        cum_qty_e8 = int(data["cum_qty_e8"])
        status = data["status"]
        if cum_qty_e8 < order.cum_qty_e8:
            return
        if cum_qty_e8 > order.cum_qty_e8:
            self.fills += 1
            fee_paid = int(data["fee_paid"])
            self.fees_usdc += fee_paid - order.fee_paid
            order.cum_qty_e8, order.fee_paid = cum_qty_e8, fee_paid
            order.cum_notional = int(data["cum_notional"])
        if status in TERMINAL_STATES:
            order.leaves_e8 = int(data["leaves_e8"])
            if status == REJECTED:
                self.rejected += 1
                self.rejects[data["reason"]] += 1
            self._end(order, status)
            return
        order.status = status
        order.leaves_e8 = int(data["leaves_e8"])
        view = self._views[order.symbol]
        self._hold(order, view.hold(order.side, order.leaves_e8, order.price_e6, resting=True)[1])

    def position_changed(self, data: dict[str, Any]) -> None:
        """Take what the exchange says of a position, as news or as a row."""
        symbol, version = data["symbol"], int(data["version"])
        position = self.position(symbol)
        if version <= position.version:
            return
        kind = self._views[symbol].spec.kind
        before = position.cash(kind)
        position.version = version
        position.size_e8 = int(data["size_e8"])
        position.cost = int(data["cost"])
        position.margin = int(data["margin"])
        position.realised = int(data["realised"])
        self.cash_usdc += position.cash(kind) - before

    def _hold(self, order: OpenOrder, hold: int) -> None:
        self._held[order.hold_asset] += hold - order.hold
        order.hold = hold

    def _end(self, order: OpenOrder, status: str) -> None:
        order.status = status
        self._hold(order, 0)
        self._live.pop(order.client_order_id, None)
        self.open_orders.pop(order.order_id, None)
