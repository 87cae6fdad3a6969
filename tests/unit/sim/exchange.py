"""A door with a tiny exchange behind it: rests limits, fills IOC and market orders at their price.

Hand-written, for desks and agents alone; the real exchange plays in tests/simulation.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import orjson
import simpy

from sim.client import Desk, Requests, Signing
from sim.world.purse import purse_of
from system.model import messages
from system.model.market import MarketKind, MarketSpec
from system.model.order import Order, trader_of
from system.model.position import Position
from system.model.units import notional, ppm_ceil
from system.risk.positions import fill_effect

START_NS = 1_746_000_000 * 10**9
THERE_NS = 20_000_000
MARK_E6 = 60_000_000_000
PERP = MarketSpec(
    symbol="BTC-PERP", kind=MarketKind.PERP, base="BTC", underlying="BTC", tick_e6=100_000, lot_e8=10_000
)
SPOT = MarketSpec(
    symbol="sBTC-USDC", kind=MarketKind.SPOT, base="sBTC", underlying="BTC", tick_e6=100_000, lot_e8=10_000
)
SPECS: Mapping[str, MarketSpec] = {spec.symbol: spec for spec in (PERP, SPOT)}
OFF = Signing("off", b"")
FUNDS = {"USDC": 200_000_000_000, "sBTC": 83_330_000}
Response = dict[str, Any]


class TinyExchange:
    """Implements sim.client.Door. `refuse` may name a reason for an order's body; `quiet` drops messages."""

    def __init__(self, refuse: Callable[[dict[str, Any]], str] = lambda _body: "") -> None:
        self.env = simpy.Environment()
        self.refuse = refuse
        self.mark_e6 = MARK_E6
        self.free = FUNDS["USDC"]  # what everybody is told to have available
        self.sent: list[dict[str, Any]] = []
        self.said: list[tuple[str, str]] = []
        self.noted: list[tuple[Any, ...]] = []
        self.listeners: list[Callable[[bytes], None]] = []
        self.resting: dict[str, Order] = {}
        self.positions: dict[tuple[str, str], Position] = {}

    def desk(self, name: str, funds: Mapping[str, int], signing: Signing = OFF, seed: int = 1) -> Desk:
        purse = purse_of(seed, name)
        requests = Requests(name, purse, SPECS, signing)
        return Desk(purse, SPECS, funds, Random(f"{seed}:agent:{name}"), self, requests)

    def orders(self) -> list[dict[str, Any]]:
        """The bodies of all orders sent so far."""
        return [orjson.loads(event["body"]) for event in self.sent if event["routeKey"] == "POST /orders"]

    # the door

    def now_ns(self) -> int:
        return START_NS + int(self.env.now)

    def sleep(self, delay_ns: int) -> simpy.Event:
        return self.env.timeout(delay_ns)

    def request(self, event: dict[str, Any], on_response: Callable[[Response], None] | None) -> None:
        self.sent.append(event)
        self.later(THERE_NS, lambda: self._serve(event, on_response))

    def connect(self, connection_id: str, on_message: Callable[[bytes], None]) -> None:
        self.listeners.append(on_message)

    def say(self, connection_id: str, body: str) -> None:
        self.said.append((connection_id, body))

    def signal(self) -> simpy.Event:
        return self.env.event()

    def hole(self, who: str, channel: str, numbers: list[int], new: bool) -> None:
        self.noted.append(("hole", who, channel, numbers, new))

    def healed(self, who: str, channel: str) -> None:
        self.noted.append(("healed", who, channel))

    # the exchange

    def later(self, delay_ns: int, call: Callable[[], None]) -> None:
        self.env.timeout(delay_ns).callbacks.append(lambda _event: call())

    def tell(self, message: dict[str, Any]) -> None:
        """Post one message to every listener, a while later."""
        raw = orjson.dumps(message)
        for listener in self.listeners:
            self.later(THERE_NS, lambda listener=listener: listener(raw))  # type: ignore[misc]

    def _serve(self, event: dict[str, Any], on_response: Callable[[Response], None] | None) -> None:
        status, body = getattr(self, "_" + event["routeKey"].partition(" ")[0].lower())(event)
        if on_response is not None:
            response = {"statusCode": status, "headers": {}, "body": orjson.dumps(body).decode()}
            self.later(THERE_NS, lambda: on_response(response))

    def _get(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if event["routeKey"] == "GET /positions":
            return 200, {"positions": [], "balances": [{"asset": "USDC", "available": str(self.free)}]}
        rows = [
            {"symbol": symbol, "mark_e6": str(self.mark_e6), "index_ns": str(self.now_ns())}
            for symbol in SPECS
        ]
        return 200, {"markets": rows if self.mark_e6 else [{"symbol": symbol} for symbol in SPECS]}

    def _post(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        body = orjson.loads(event["body"])
        if event["routeKey"] == "POST /vault/withdraw":
            self.free -= int(body["amount"])
            return 202, {"withdrawal_id": "1", "status": "PENDING"}
        reason = self.refuse(body)
        if reason:
            return 422, {"reason": reason}
        order = self._order(body)
        order.hold_asset, order.hold = self._hold(order)
        if body["type"] == "market" or body["tif"] == "IOC":
            self._fill(order)
        else:
            order.status = "OPEN"
            self.resting[order.id] = order
            self._end(order.replaces, "CANCELED")
            self.tell(messages.order_update(order, self.now_ns()))
        return 201, {"order_id": order.id, "status": "PENDING", "hold": str(order.hold), "hold_asset": "USDC"}

    def _delete(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        body = orjson.loads(event["body"])
        if "pathParameters" in event:
            order_id = event["pathParameters"]["id"]
            if order_id not in self.resting:
                return 409, {"reason": "TOO_LATE_TO_CANCEL"}
            self._end(order_id, "CANCELED")
        else:
            symbol = event["queryStringParameters"]["symbol"]
            for order in list(self.resting.values()):
                if order.symbol == symbol and order.nonce < body["min_nonce"]:
                    self._end(order.id, "CANCELED")
        return 202, {"status": "CANCEL_REQUESTED"}

    def fill(self, order_id: str) -> None:
        """Fill a resting order as a whole."""
        self._fill(self.resting.pop(order_id))

    def _order(self, body: dict[str, Any]) -> Order:
        return Order(
            symbol=body["symbol"],
            uuid=f"uuid-{len(self.sent)}-{body['nonce']}",
            trader=trader_of(body["account"]),
            account=body["account"],
            subaccount=0,
            order_type="MARKET" if body["type"] == "market" else "LIMIT",
            side=body["side"],
            tif=body.get("tif", "IOC"),
            post_only=False,
            reduce_only=False,
            qty_e8=body["qty_e8"],
            limit_price_e6=body["limit_price_e6"],
            expire_ns=0,
            nonce=body["nonce"],
            max_fee_bps=50,
            signature=body["signature"],
            client_order_id=body["client_order_id"],
            replaces=body.get("replaces", ""),
            leaves_e8=body["qty_e8"],
        )

    def _hold(self, order: Order) -> tuple[str, int]:
        if order.symbol == SPOT.symbol and order.side == "SELL":
            return SPOT.base, order.qty_e8
        worth = notional(order.limit_price_e6, order.qty_e8)
        return "USDC", worth + ppm_ceil(worth, 5_000)

    def _fill(self, order: Order) -> None:
        worth = notional(order.limit_price_e6, order.leaves_e8)
        order.cum_qty_e8, order.leaves_e8, order.status = order.qty_e8, 0, "FILLED"
        order.cum_notional, order.fee_paid = worth, ppm_ceil(worth, 5_000)
        position = self.positions.setdefault(
            (order.trader, order.symbol), Position(trader=order.trader, symbol=order.symbol)
        )
        signed_e8 = order.qty_e8 if order.side == "BUY" else -order.qty_e8
        position.version += 1
        if order.symbol == SPOT.symbol:
            position.size_e8 += signed_e8
            position.cost += worth if order.side == "BUY" else -worth
        else:
            effect = fill_effect(position, signed_e8, order.limit_price_e6, PERP.im_ppm)
            assert effect is not None
            position.size_e8, position.cost, position.margin = effect.size_e8, effect.cost, effect.margin
            position.realised += effect.realised
        self.tell(messages.order_update(order, self.now_ns()))
        self.tell(messages.position_update(position.to_item(), self.now_ns()))

    def _end(self, order_id: str, status: str) -> None:
        order = self.resting.pop(order_id, None)
        if order is not None:
            order.status = status
            self.tell(messages.order_update(order, self.now_ns()))
