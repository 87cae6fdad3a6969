"""Steps 3 and 4 of the walk: accept an order and pre-pay it, in one transaction.

Nothing is written unless everything holds: the order row, the money it reserves, the nonce that
the chain will count, and the stored answer of the idempotency key stand or fall together.
"""

from __future__ import annotations

from system.api.auth import account_of, refuse_stranger, separator_of
from system.api.bodies import ORDER, Body, FutureBody, LimitBody, MarketBody, OptionBody, PerpBody
from system.api.http import Request, Response, answer, decode
from system.api.idempotency import IdempotencyKey, key_of, said_before
from system.api.markets import Market, MarketCache
from system.api.rate_limit import RateLimit
from system.config import Config
from system.model import keys
from system.model.errors import ConditionFailed, Rejected, RejectReason
from system.model.keys import Key
from system.model.market import MarketKind, MarketSpec
from system.model.order import TERMINAL, Order, OrderType, TimeInForce, trader_of
from system.model.signing import order_digest
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update
from system.risk import checks, holds

# Places of the actions in the transaction, and so of the reasons when it is refused.
_BALANCE, _NONCE, _KEY = 1, 2, 3

_UINT64 = 1 << 64


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
        self.separator = separator_of(config)

    def __call__(self, request: Request) -> Response | Rejected:
        body = decode(request, ORDER)
        if isinstance(body, Rejected):
            return body
        account = account_of(body.account)
        if isinstance(account, Rejected):
            return account
        trader = trader_of(account)
        key = key_of(request, trader)
        if isinstance(key, Rejected):
            return key
        now_ns = self.clock.now_ns()
        said = self._accept(body, account, request, key, now_ns)
        return said_before(said, key, self.store, now_ns) if isinstance(said, Rejected) else said

    def _accept(
        self, body: Body, account: str, request: Request, key: IdempotencyKey | None, now_ns: int
    ) -> Response | Rejected:
        """Step 3: every check, the cheap ones first, the one that counts the caller's requests last.

        A request that the account has not signed must not use up the account's tokens.
        """
        rejected = _misfit(body) or (_misfit_stop(body) if body.trigger_e6 else None)
        if rejected is not None:
            return rejected
        market = self.markets.get(body.symbol)
        if market is None:
            return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"no market {body.symbol!r}")
        spec = market.spec
        if type(body) not in _ANY_INSTRUMENT and (rejected := _other_instrument(body, spec)):
            return rejected
        order = self._order(body, account, market, request.received_ns, now_ns)
        rejected = checks.accept(order, spec, market.state, market.mark_e6, now_ns)
        if rejected is None and self.config.signature_due(order.nonce):
            digest = order_digest(order, spec, self.separator)
            rejected = refuse_stranger(account, digest, order.signature)
        if rejected is None and not self.limit.allows(account, now_ns):
            rejected = Rejected(RejectReason.RATE_LIMITED, "account", "too many orders; wait and send again")
        if rejected is None and order.replaces:
            rejected = self._check_replaced(order)
        if rejected is not None:
            return rejected
        return self._pre_pay(order, spec, key)

    def _order(self, body: Body, account: str, market: Market, received_ns: int, now_ns: int) -> Order:
        order_type: OrderType = "MARKET"
        tif: TimeInForce = "IOC"
        post_only, replaces = False, ""
        if isinstance(body, LimitBody) and getattr(body, "execution", "limit") == "limit":
            order_type, tif, post_only, replaces = "LIMIT", body.tif, body.post_only, body.replaces
        return Order(
            symbol=body.symbol,
            uuid=self.ids.uuid7(),
            trader=trader_of(account),
            account=account,
            subaccount=body.subaccount,
            order_type=order_type,
            side=body.side,
            tif=tif,
            post_only=post_only,
            reduce_only=body.reduce_only,
            qty_e8=body.qty_e8,
            limit_price_e6=body.limit_price_e6,
            expire_ns=body.expire_s * NS,
            nonce=body.nonce,
            max_fee_bps=body.max_fee_bps,
            signature=body.signature,
            client_order_id=body.client_order_id,
            replaces=replaces,
            stp=body.stp,
            trade_group=body.trade_group,
            trigger_e6=body.trigger_e6,
            trigger_on=body.trigger_on,
            accepted_ns=now_ns,
            received_ns=received_ns,
            worst_price_e6=holds.worst_price(body.side, body.limit_price_e6, market.mark_e6, market.spec),
            leaves_e8=body.qty_e8,
            updated_ns=now_ns,
        )

    def _check_replaced(self, order: Order) -> Rejected | None:
        key = keys.order_key(order.replaces)
        item = self.store.get(keys.ORDERS, key) if key else None
        if item is None or item["symbol"] != order.symbol or item["orderType"] not in ("LIMIT", "MARKET"):
            return Rejected(
                RejectReason.UNKNOWN_ORDER, "replaces", f"no order {order.replaces!r} in this market"
            )
        if item["account"] != order.account:
            return Rejected(RejectReason.NOT_OWNER, "replaces", "expected an order of the same account")
        if item["status"] in TERMINAL:
            detail = f"expected a live order, {order.replaces} is {item['status']}"
            return Rejected(RejectReason.TOO_LATE_TO_CANCEL, "replaces", detail)
        return None

    def _pre_pay(self, order: Order, spec: MarketSpec, key: IdempotencyKey | None) -> Response | Rejected:
        """Write the order and take its hold, all or nothing. Rules: HOLD-001 to HOLD-003, IDEM-001."""
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
        nonce = {"PK": trader, "SK": f"NONCE#{order.nonce}", "order_id": order.id}
        actions: list[Put | Update] = [
            Put(keys.ORDERS, order.to_item(), NOT_EXISTS),
            _take(Key(trader, keys.asset_sk(order.hold_asset)), hold, spec),
            Put(keys.IDEMPOTENCY, nonce, NOT_EXISTS),
        ]
        if key is not None:
            actions.append(key.put(said, order.accepted_ns))
        try:
            self.store.transact(actions)
        except ConditionFailed as lost:
            if key is None or not lost.reasons[_KEY]:
                return self._lost(lost, order)
        else:
            return said
        return self._under_used_key(order, key, said, actions)

    def _under_used_key(
        self, order: Order, key: IdempotencyKey, said: Response, actions: list[Put | Update]
    ) -> Response | Rejected:
        """The key has a row: give its answer, or take its place when its time is over."""
        if before := key.first_answer(self.store, order.accepted_ns):
            return before
        actions[_KEY] = key.put(said, order.accepted_ns, expired=True)
        try:
            self.store.transact(actions)
        except ConditionFailed as lost:
            return self._lost(lost, order)
        return said

    def _lost(self, lost: ConditionFailed, order: Order) -> Rejected:
        """Say which condition of the transaction did not hold."""
        reasons = lost.reasons
        if reasons[_NONCE]:
            detail = f"nonce {order.nonce} was used already; the chain counts fills by account and nonce"
            return Rejected(RejectReason.DUPLICATE_ORDER, "nonce", detail)
        if reasons[_BALANCE]:
            key = Key(keys.trader_pk(order.trader), keys.asset_sk(order.hold_asset))
            row = self.store.get(keys.BALANCES, key)
            available = row["available"] if row else 0
            detail = f"expected {order.hold} of {order.hold_asset} available, was {available}"
            if available >= order.hold and row:
                detail += f", and {row.get('backed', 0)} of it on chain, where this market settles"
            return Rejected(RejectReason.INSUFFICIENT_FUNDS, "qty_e8", detail)
        if len(reasons) > _KEY and reasons[_KEY]:
            detail = "another request took this key at the same time; send the request again"
            return Rejected(RejectReason.IDEMPOTENCY_CONFLICT, "idempotency-key", detail)
        return Rejected(RejectReason.DUPLICATE_ORDER, "order_id", f"{order.id} exists already")


def _take(balance: Key, hold: int, spec: MarketSpec) -> Update:
    """Return what takes a hold. Where fills settle on chain, the chain must have it, too. Rule: HOLD-010."""
    add = {"available": -hold, "reserved": hold}
    when: tuple[Clause, ...] = (Clause("available", ">=", hold),)
    if spec.settlement == "chain":
        add["backed"] = -hold
        when = (*when, Clause("backed", ">=", hold))
    return Update(keys.BALANCES, balance, add=add, when=when)


def _misfit_stop(body: Body) -> Rejected | None:
    """A stop order closes a position and never rests: so it needs no money and no place. Rule: MATC-050."""
    if not 0 < body.trigger_e6 < _UINT64:
        detail = f"expected 1 or more, below 2**64, was {body.trigger_e6}"
        return Rejected(RejectReason.BAD_REQUEST, "trigger_e6", detail)
    if not body.reduce_only:
        return Rejected(RejectReason.INCOMPATIBLE_FLAGS, "reduce_only", "expected true for a stop order")
    if isinstance(body, LimitBody) and getattr(body, "execution", "limit") == "limit" and body.tif != "IOC":
        return Rejected(RejectReason.INCOMPATIBLE_FLAGS, "tif", f"a stop order is IOC, was {body.tif}")
    return None


_ANY_INSTRUMENT = (LimitBody, MarketBody)
_KIND_OF_BODY = {PerpBody: MarketKind.PERP, FutureBody: MarketKind.FUTURE, OptionBody: MarketKind.OPTION}


def _other_instrument(body: Body, spec: MarketSpec) -> Rejected | None:
    """Return which term of the instrument its trader believes in and the market has otherwise (RISK-029)."""
    kind = _KIND_OF_BODY[type(body)]
    if spec.kind is not kind:
        return Rejected(
            RejectReason.WRONG_INSTRUMENT, "type", f"{spec.symbol} is a {spec.kind}, not a {kind}"
        )
    said: dict[str, int | str] = {}
    if isinstance(body, FutureBody):
        said["expiry_s"] = body.future_expiry_s
    if isinstance(body, OptionBody):
        said |= {"strike_e6": body.strike_e6, "option_type": body.option_type, "cap_e6": body.cap_e6}
    for name, value in said.items():
        if value != getattr(spec, name):
            detail = f"expected {getattr(spec, name)}, as {spec.symbol} has it, was {value}"
            return Rejected(RejectReason.WRONG_INSTRUMENT, name, detail)
    return None


def _misfit(body: Body) -> Rejected | None:
    """Return which number does not fit the type it is signed as; the market's own limits come later.

    Nonce 0 is refused because a signed Cancel says with it that it names no nonce.
    """
    if (
        0 < body.nonce < _UINT64
        and 0 < body.qty_e8 < _UINT64
        and 0 < body.limit_price_e6 < _UINT64
        and 0 <= body.subaccount < 1 << 32
        and 0 <= body.max_fee_bps < 1 << 16
        and 0 <= body.expire_s < 1 << 40
    ):
        return None
    for name, value, low, bits in (
        ("nonce", body.nonce, 1, 64),
        ("qty_e8", body.qty_e8, 1, 64),
        ("limit_price_e6", body.limit_price_e6, 1, 64),
        ("subaccount", body.subaccount, 0, 32),
        ("max_fee_bps", body.max_fee_bps, 0, 16),
        ("expire_s", body.expire_s, 0, 40),
    ):
        if not low <= value < 1 << bits:
            detail = f"expected {low} or more, below 2**{bits}, was {value}"
            return Rejected(RejectReason.BAD_REQUEST, name, detail)
    raise AssertionError(body)
