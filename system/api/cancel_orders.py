"""DELETE /orders/{id} and DELETE /orders: cancels are sequenced commands on the orders' road."""

from __future__ import annotations

from typing import Any

import msgspec

from system.api.http import Request, Response, answer, decode
from system.config import Config
from system.model import keys, typed_data
from system.model.errors import Rejected, RejectReason
from system.model.order import TERMINAL, trader_of
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Put, Store


class CancelOneBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of DELETE /orders/{id}; `deadline` in Unix seconds ends the signature's life."""

    account: str
    nonce: int
    deadline: int
    signature: str = ""


class CancelManyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of DELETE /orders?symbol=: every order of the account with a nonce below `min_nonce`."""

    account: str
    min_nonce: int
    deadline: int
    signature: str = ""


class CancelOrders:
    """Both cancels; the caller proves to be the account by an EIP-712 Cancel."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, config: Config) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.config = config
        self.separator = (
            typed_data.domain_separator(typed_data.Domain(config.chain_id, config.settlement_address))
            if config.settlement_address
            else b""
        )

    def one(self, request: Request) -> Response | Rejected:
        """DELETE /orders/{id}."""
        body = decode(request, CancelOneBody)
        if isinstance(body, Rejected):
            return body
        order_id = request.path.get("id", "")
        key = keys.order_key(order_id)
        item = self.store.get(keys.ORDERS, key) if key else None
        if item is None or item["orderType"] not in ("LIMIT", "MARKET"):
            return Rejected(RejectReason.UNKNOWN_ORDER, "id", f"no order {order_id!r}")
        account = body.account.lower()
        if item["account"] != account or item["nonce"] != body.nonce:
            return Rejected(RejectReason.NOT_OWNER, "account", "expected the account and nonce of the order")
        if rejected := self._check(account, 0, body.nonce, body.deadline, body.signature):
            return rejected
        if item["status"] in TERMINAL:
            return Rejected(RejectReason.TOO_LATE_TO_CANCEL, "id", f"the order is {item['status']} already")
        self._sequence(item["symbol"], account, target=order_id, nonce_floor=0)
        return answer(202, {"order_id": order_id, "status": "CANCEL_REQUESTED"})

    def many(self, request: Request) -> Response | Rejected:
        """DELETE /orders?symbol=SYM."""
        body = decode(request, CancelManyBody)
        if isinstance(body, Rejected):
            return body
        symbol = request.query.get("symbol", "")
        if self.store.get(keys.MARKETS, keys.Key(keys.market_pk(symbol), keys.META)) is None:
            return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"no market {symbol!r}")
        account = body.account.lower()
        if rejected := self._check(account, body.min_nonce, 0, body.deadline, body.signature):
            return rejected
        self._sequence(symbol, account, target="", nonce_floor=body.min_nonce)
        return answer(202, {"symbol": symbol, "status": "CANCEL_REQUESTED"})

    def _check(
        self, account: str, min_nonce: int, nonce: int, deadline: int, signature: str
    ) -> Rejected | None:
        """Rule: SIGN-002."""
        if not (0 <= min_nonce < 2**64 and 0 <= nonce < 2**64 and 0 <= deadline < 2**40):
            return Rejected(
                RejectReason.BAD_REQUEST, "nonce", "expected nonces of 64 bits and a deadline of 40"
            )
        if deadline * NS <= self.clock.now_ns():
            return Rejected(RejectReason.EXPIRED, "deadline", f"{deadline} has passed")
        if not self.config.signature_due(min_nonce or nonce):
            return None
        digest = typed_data.cancel_digest(self.separator, account, min_nonce, nonce, deadline)
        signer = typed_data.recover(digest, signature)
        if signer == account:
            return None
        detail = f"expected a signature by {account}, was by {signer or 'nobody'}"
        return Rejected(RejectReason.BAD_SIGNATURE, "signature", detail)

    def _sequence(self, symbol: str, account: str, *, target: str, nonce_floor: int) -> None:
        uuid = self.ids.uuid7()
        trader = trader_of(account)
        row: dict[str, Any] = {
            "PK": keys.market_pk(symbol),
            "SK": keys.event_sk(uuid),
            "trader_key": keys.trader_pk(trader),
            "orderType": "CANCEL",
            "symbol": symbol,
            "uuid": uuid,
            "trader": trader,
            "target": target,
            "nonce_floor": nonce_floor,
            "status": "PENDING",
            "accepted_ns": self.clock.now_ns(),
        }
        self.store.write(Put(keys.ORDERS, row, NOT_EXISTS))
