"""DELETE /orders/{id} and DELETE /orders: cancels are sequenced commands on the orders' road."""

from __future__ import annotations

from typing import Any, NamedTuple

from system.api.auth import account_of, refuse_stranger, separator_of
from system.api.bodies import CANCEL_MANY, CANCEL_ONE, CancelManyBody, CancelOneBody
from system.api.http import Request, Response, answer, decode
from system.api.idempotency import key_of, said_before
from system.api.rate_limit import RateLimit
from system.config import Config
from system.model import keys, typed_data
from system.model.errors import ConditionFailed, Rejected, RejectReason
from system.model.order import PENDING, TERMINAL, trader_of
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Put, Store

MAX_ID_LENGTH = 80


class _Command(NamedTuple):
    """A CANCEL command about to be written: of one order (`target`), or of all nonces below a floor."""

    symbol: str
    target: str = ""
    nonce_floor: int = 0


class CancelOrders:
    """Both cancels; the caller proves to be the account by an EIP-712 Cancel."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, config: Config) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.config = config
        self.limit = RateLimit(config.rate_per_s, config.rate_burst)
        self.separator = separator_of(config)

    def one(self, request: Request) -> Response | Rejected:
        """DELETE /orders/{id}."""
        body = decode(request, CANCEL_ONE)
        if isinstance(body, Rejected):
            return body
        account = account_of(body.account)
        if isinstance(account, Rejected):
            return account
        order_id = request.path.get("id", "")
        return self._said(request, account, self._one(order_id, body, account), {"order_id": order_id})

    def many(self, request: Request) -> Response | Rejected:
        """DELETE /orders?symbol=SYM."""
        body = decode(request, CANCEL_MANY)
        if isinstance(body, Rejected):
            return body
        account = account_of(body.account)
        if isinstance(account, Rejected):
            return account
        symbol = request.query.get("symbol", "")
        return self._said(request, account, self._many(symbol, body, account), {"symbol": symbol})

    def _one(self, order_id: str, body: CancelOneBody, account: str) -> _Command | Rejected:
        key = keys.order_key(order_id) if len(order_id) <= MAX_ID_LENGTH else None
        item = self.store.get(keys.ORDERS, key) if key else None
        if item is None or item["orderType"] not in ("LIMIT", "MARKET"):
            return Rejected(RejectReason.UNKNOWN_ORDER, "id", f"no order {order_id[:MAX_ID_LENGTH]!r}")
        if item["account"] != account or item["nonce"] != body.nonce:
            return Rejected(RejectReason.NOT_OWNER, "account", "expected the account and nonce of the order")
        if rejected := self._check(account, 0, body.nonce, body.deadline, body.signature):
            return rejected
        if item["status"] in TERMINAL:
            return Rejected(RejectReason.TOO_LATE_TO_CANCEL, "id", f"the order is {item['status']} already")
        return _Command(item["symbol"], target=order_id)

    def _many(self, symbol: str, body: CancelManyBody, account: str) -> _Command | Rejected:
        key = keys.Key(keys.market_pk(symbol), keys.META)
        if len(symbol) > MAX_ID_LENGTH or self.store.get(keys.MARKETS, key) is None:
            return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"no market {symbol[:MAX_ID_LENGTH]!r}")
        if body.min_nonce < 1:
            detail = f"expected 1 or more, was {body.min_nonce}"
            return Rejected(RejectReason.BAD_REQUEST, "min_nonce", detail)
        if rejected := self._check(account, body.min_nonce, 0, body.deadline, body.signature):
            return rejected
        return _Command(symbol, nonce_floor=body.min_nonce)

    def _check(
        self, account: str, min_nonce: int, nonce: int, deadline: int, signature: str
    ) -> Rejected | None:
        """Rules: SIGN-002, RATE-001."""
        if not 0 <= min_nonce < 2**64:
            return Rejected(RejectReason.BAD_REQUEST, "min_nonce", f"expected 64 bits, was {min_nonce}")
        if not 0 <= deadline < 2**40:
            return Rejected(
                RejectReason.BAD_REQUEST, "deadline", f"expected Unix seconds of 40 bits, was {deadline}"
            )
        now_ns = self.clock.now_ns()
        if deadline * NS <= now_ns:
            return Rejected(
                RejectReason.EXPIRED, "deadline", f"expected after {now_ns // NS}, was {deadline}"
            )
        if self.config.signature_due(min_nonce or nonce):
            digest = typed_data.cancel_digest(self.separator, account, min_nonce, nonce, deadline)
            if rejected := refuse_stranger(account, digest, signature):
                return rejected
        # behind the signature: nobody can use up what is another's
        if self.limit.allows(account, now_ns):
            return None
        return Rejected(RejectReason.RATE_LIMITED, "account", "too many cancels; wait and send again")

    def _said(
        self, request: Request, account: str, command: _Command | Rejected, about: dict[str, str]
    ) -> Response | Rejected:
        """Write the command and its answer, or repeat what was said to the same key. Rule: IDEM-001."""
        trader = trader_of(account)
        key = key_of(request, trader)
        if isinstance(key, Rejected):
            return key
        now_ns = self.clock.now_ns()
        if isinstance(command, Rejected):
            return said_before(command, key, self.store, now_ns)
        said = answer(202, {**about, "status": "CANCEL_REQUESTED"})
        row = Put(keys.ORDERS, self._row(command, trader, now_ns), NOT_EXISTS)
        if key is None:
            self.store.write(row)
            return said
        try:
            self.store.transact([row, key.put(said, now_ns)])
        except ConditionFailed:
            if before := key.first_answer(self.store, now_ns):
                return before
            self.store.transact([row, key.put(said, now_ns, expired=True)])
        return said

    def _row(self, command: _Command, trader: str, now_ns: int) -> dict[str, Any]:
        uuid = self.ids.uuid7()
        return {
            "PK": keys.market_pk(command.symbol),
            "SK": keys.event_sk(uuid),
            "trader_key": keys.trader_pk(trader),
            "orderType": "CANCEL",
            "symbol": command.symbol,
            "uuid": uuid,
            "trader": trader,
            "target": command.target,
            "nonce_floor": command.nonce_floor,
            "status": PENDING,
            "accepted_ns": now_ns,
        }
