"""Steps 3 and 4 of the walk: accept an order and pre-pay it, in one transaction.

Nothing is written unless everything holds: the order row, the money it reserves, the nonce that
the chain will count, and the stored answer of the idempotency key stand or fall together.
"""

from __future__ import annotations

import hashlib

import msgspec

from system.api.http import JSON_HEADERS, Request, Response, answer, decode
from system.api.markets import Market, MarketCache
from system.api.rate_limit import RateLimit
from system.config import Config
from system.model import keys, typed_data
from system.model.errors import ConditionFailed, Rejected, RejectReason
from system.model.market import MarketSpec
from system.model.order import Order, OrderType, Side, TimeInForce, trader_of
from system.model.signing import order_digest
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update
from system.risk import checks, holds

IDEMPOTENCY_TTL_S = 86_400


class _Body(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """What every order says; amounts in base units, as in model/order.py."""

    symbol: str
    side: Side
    qty_e8: int
    limit_price_e6: int  # MARKET: the worst price the trader signs
    account: str
    nonce: int
    signature: str = ""
    subaccount: int = 0
    max_fee_bps: int = 50
    reduce_only: bool = False
    expire_s: int = 0
    client_order_id: str = ""


class LimitBody(_Body, tag="limit"):
    """POST /orders, `"type": "limit"`."""

    tif: TimeInForce = "GTC"
    post_only: bool = False
    replaces: str = ""


class MarketBody(_Body, tag="market"):
    """POST /orders, `"type": "market"`: an IOC order at the signed worst price."""


class SubmitOrder:
    """POST /orders."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, markets: MarketCache, limit: RateLimit, config: Config
    ) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.markets = markets
        self.limit = limit
        self.config = config
        self.separator = (
            typed_data.domain_separator(typed_data.Domain(config.chain_id, config.settlement_address))
            if config.settlement_address
            else b""
        )

    def __call__(self, request: Request) -> Response | Rejected:
        body = decode(request, LimitBody | MarketBody)  # type: ignore[arg-type]
        if isinstance(body, Rejected):
            return body
        account = body.account.lower()
        if len(account) != 42 or not account.startswith("0x"):
            return Rejected(
                RejectReason.BAD_REQUEST, "account", f"expected 0x and 40 hex, was {body.account!r}"
            )
        if not 0 <= body.nonce < 2**64 or not 0 <= body.subaccount < 2**32:
            return Rejected(
                RejectReason.BAD_REQUEST, "nonce", "expected 64 bits of nonce and 32 of subaccount"
            )
        now_ns = self.clock.now_ns()
        if not self.limit.allows(account, now_ns):
            return Rejected(RejectReason.RATE_LIMITED, "account", "too many orders; wait and send again")
        market = self.markets.get(body.symbol)
        if market is None:
            return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"no market {body.symbol!r}")
        order = self._order(body, account, market, request.received_ns, now_ns)
        spec = market.spec
        rejected = checks.accept(order, spec, market.state, market.mark_e6, now_ns)
        if rejected is None:
            rejected = self._check_signature(order, market)
        if rejected is None and order.replaces:
            rejected = self._check_replaced(order)
        if rejected is not None:
            return rejected
        return self._pre_pay(order, spec, request)

    def _order(
        self, body: LimitBody | MarketBody, account: str, market: Market, received_ns: int, now_ns: int
    ) -> Order:
        limit = isinstance(body, LimitBody)
        order_type: OrderType = "LIMIT" if limit else "MARKET"
        return Order(
            symbol=body.symbol,
            uuid=self.ids.uuid7(),
            trader=trader_of(account),
            account=account,
            subaccount=body.subaccount,
            order_type=order_type,
            side=body.side,
            tif=body.tif if isinstance(body, LimitBody) else "IOC",
            post_only=body.post_only if isinstance(body, LimitBody) else False,
            reduce_only=body.reduce_only,
            qty_e8=body.qty_e8,
            limit_price_e6=body.limit_price_e6,
            expire_ns=body.expire_s * NS,
            nonce=body.nonce,
            max_fee_bps=body.max_fee_bps,
            signature=body.signature,
            client_order_id=body.client_order_id,
            replaces=body.replaces if isinstance(body, LimitBody) else "",
            accepted_ns=now_ns,
            received_ns=received_ns,
            worst_price_e6=holds.worst_price(body.side, body.limit_price_e6, market.mark_e6, market.spec),
            leaves_e8=body.qty_e8,
            updated_ns=now_ns,
        )

    def _check_signature(self, order: Order, market: Market) -> Rejected | None:
        """Rule: SIGN-001."""
        if not self.config.signature_due(order.nonce):
            return None
        try:
            digest = order_digest(order, market.spec, self.separator)
        except ValueError as error:
            return Rejected(RejectReason.BAD_REQUEST, "order", str(error))
        signer = typed_data.recover(digest, order.signature)
        if signer == order.account:
            return None
        detail = f"expected a signature by {order.account}, was by {signer or 'nobody'}"
        return Rejected(RejectReason.BAD_SIGNATURE, "signature", detail)

    def _check_replaced(self, order: Order) -> Rejected | None:
        key = keys.order_key(order.replaces)
        item = self.store.get(keys.ORDERS, key) if key else None
        if item is None or item["symbol"] != order.symbol or item["orderType"] not in ("LIMIT", "MARKET"):
            return Rejected(
                RejectReason.UNKNOWN_ORDER, "replaces", f"no order {order.replaces!r} in this market"
            )
        if item["account"] != order.account:
            return Rejected(RejectReason.NOT_OWNER, "replaces", "expected an order of the same account")
        return None

    def _pre_pay(self, order: Order, spec: MarketSpec, request: Request) -> Response | Rejected:
        """Write the order and take its hold, all or nothing. Rules: HOLD-001, IDEM-001."""
        order.hold_asset = holds.hold_asset(order, spec)
        order.hold = holds.hold_before_match(order, spec)
        hold = order.hold
        trader = keys.trader_pk(order.trader)
        said = answer(
            201,
            {
                "order_id": order.id,
                "status": order.status,
                "accepted_ns": str(order.accepted_ns),
                "hold": str(hold),
                "hold_asset": order.hold_asset,
            },
        )
        actions: list[Put | Update] = [
            Put(keys.ORDERS, order.to_item(), NOT_EXISTS),
            Update(
                keys.BALANCES,
                keys.Key(trader, keys.asset_sk(order.hold_asset)),
                add={"available": -hold, "reserved": hold},
                when=(Clause("available", ">=", hold),),
            ),
            Put(
                keys.IDEMPOTENCY,
                {"PK": trader, "SK": f"NONCE#{order.nonce}", "order_id": order.id},
                NOT_EXISTS,
            ),
        ]
        header = request.headers.get("idempotency-key")
        if header:
            actions.append(Put(keys.IDEMPOTENCY, _stored(trader, header, request, said, order), NOT_EXISTS))
        try:
            self.store.transact(actions)
        except ConditionFailed as lost:
            return self._lost(lost, order, header, request)
        return said

    def _lost(
        self, lost: ConditionFailed, order: Order, header: str | None, request: Request
    ) -> Response | Rejected:
        reasons = lost.reasons
        trader = keys.trader_pk(order.trader)
        if header and reasons[3]:
            stored = self.store.get(keys.IDEMPOTENCY, keys.Key(trader, "KEY#" + header))
            if stored is not None:
                return _replayed(stored, request)
        if reasons[2]:
            detail = f"nonce {order.nonce} was used already; the chain counts fills by account and nonce"
            return Rejected(RejectReason.DUPLICATE_ORDER, "nonce", detail)
        if reasons[1]:
            row = self.store.get(keys.BALANCES, keys.Key(trader, keys.asset_sk(order.hold_asset)))
            available = row["available"] if row else 0
            detail = f"expected {order.hold} of {order.hold_asset} available, was {available}"
            return Rejected(RejectReason.INSUFFICIENT_FUNDS, "qty_e8", detail)
        return Rejected(RejectReason.DUPLICATE_ORDER, "order_id", f"{order.id} exists already")


def _stored(trader: str, header: str, request: Request, said: Response, order: Order) -> dict[str, object]:
    return {
        "PK": trader,
        "SK": "KEY#" + header,
        "request": hashlib.sha256(request.body).hexdigest(),
        "status": said["statusCode"],
        "body": said["body"],
        "ttl": order.accepted_ns // NS + IDEMPOTENCY_TTL_S,
    }


def _replayed(stored: dict[str, object], request: Request) -> Response | Rejected:
    """Give the first answer again; the same key on another body is an error, not an order."""
    if stored["request"] != hashlib.sha256(request.body).hexdigest():
        detail = "this key was used with another body; use a new key for a new order"
        return Rejected(RejectReason.IDEMPOTENCY_CONFLICT, "idempotency-key", detail)
    return {"statusCode": stored["status"], "headers": JSON_HEADERS, "body": stored["body"]}
