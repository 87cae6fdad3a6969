"""Step 1 of docs/walk.md: an order is drafted, signed (EIP-712) and put into an HTTP request.

The requests are API Gateway HTTP API events, payload format 2.0, so the system's door reads the
same thing from the harness and from AWS.
Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from sim.world.purse import Purse
from system.api.reading import MAX_PAGE
from system.config import SAMPLE_EVERY
from system.model import typed_data
from system.model.market import MarketSpec
from system.model.order import BUY, Side, TimeInForce
from system.model.signing import instrument_id
from system.model.units import NS

Event = dict[str, Any]
SignaturePolicy = Literal["real", "sampled", "off"]

CANCEL_LIFE_S = 60
"""A signed cancel may be used for this long."""

WITHDRAWAL_LIFE_S = 600
"""A signed withdrawal may be sent to the Vault for this long; then the money is free again."""

_PPM_PER_BPS = 100
_HEADERS = {"content-type": "application/json", "user-agent": "dexsim"}


class Draft(NamedTuple):
    """An order as a trader means it. Units: qty_e8 1e-8 base, price_e6 uUSDC per base, expire_s Unix s.

    A market order's price is the worst one that the trader accepts.
    """

    symbol: str
    side: Side
    qty_e8: int
    price_e6: int
    market: bool = False
    tif: TimeInForce = "GTC"
    post_only: bool = False
    reduce_only: bool = False
    expire_s: int = 0
    replaces: str = ""
    stp: str = ""
    trade_group: str = ""
    trigger_e6: int = 0
    trigger_on: str = "MARK"


class Signing(NamedTuple):
    """Which domain orders are signed for, and how many of them."""

    policy: SignaturePolicy
    separator: bytes  # EIP-712 domain separator of the Settlement contract

    def wanted(self, nonce: int) -> bool:
        """Tell whether the request of this nonce carries a signature."""
        if self.policy == "real":
            return True
        return self.policy == "sampled" and nonce % SAMPLE_EVERY == 0


class Requests:
    """Writes the requests of one account."""

    __slots__ = (
        "_account",
        "_count",
        "_instruments",
        "_max_fee_bps",
        "_name",
        "_private_key",
        "_signing",
        "_source_ip",
    )

    def __init__(
        self,
        name: str,
        purse: Purse,
        specs: Mapping[str, MarketSpec],
        signing: Signing,
        source_ip: str = "127.0.0.1",
    ) -> None:
        self._name = name
        self._account = purse.account
        self._private_key = purse.private_key
        self._signing = signing
        self._source_ip = source_ip
        self._count = 0
        # it signs for the published fee and not a basis point more
        self._max_fee_bps = {symbol: -(-spec.fee_ppm // _PPM_PER_BPS) for symbol, spec in specs.items()}
        self._instruments = {symbol: instrument_id(spec) for symbol, spec in specs.items()}

    @property
    def always_signs(self) -> bool:
        """Tell whether the door checks every signature."""
        return self._signing.policy == "real"

    def order(self, draft: Draft, nonce: int, client_order_id: str, now_ns: int, account: str = "") -> Event:
        """Return POST /orders; `account` is another's name under one's own signature."""
        body = {
            "type": "market" if draft.market else "limit",
            "symbol": draft.symbol,
            "side": draft.side,
            "qty_e8": draft.qty_e8,
            "limit_price_e6": draft.price_e6,
            "reduce_only": draft.reduce_only,
            "expire_s": draft.expire_s,
            "account": account or self._account,
            "subaccount": 0,
            "nonce": nonce,
            "max_fee_bps": self._max_fee_bps[draft.symbol],
            "client_order_id": client_order_id,
            "signature": self._sign_order(draft, nonce) if self._signing.wanted(nonce) else "",
        }
        if draft.trigger_e6:
            body |= {"trigger_e6": draft.trigger_e6, "trigger_on": draft.trigger_on}
        if draft.stp:
            body["stp"] = draft.stp
        if draft.trade_group:
            body["trade_group"] = draft.trade_group
        if not draft.market:
            body["tif"] = draft.tif
            body["post_only"] = draft.post_only
            if draft.replaces:
                body["replaces"] = draft.replaces
        return self._event("POST", "/orders", "/orders", body, now_ns)

    def again(self, event: Event) -> Event:
        """Return the same request as another attempt."""
        self._count += 1
        context = {**event["requestContext"], "requestId": f"{self._name}-{self._count}"}
        return {**event, "requestContext": context}

    def cancel(self, order_id: str, nonce: int, now_ns: int) -> Event:
        """Return DELETE /orders/{id}; `nonce` is the order's own."""
        deadline_s = now_ns // NS + CANCEL_LIFE_S
        body = {
            "account": self._account,
            "nonce": nonce,
            "deadline": deadline_s,
            "signature": self._sign_cancel(0, nonce, deadline_s),
        }
        event = self._event("DELETE", "/orders/{id}", "/orders/" + order_id, body, now_ns)
        event["pathParameters"] = {"id": order_id}
        return event

    def cancel_all(self, symbol: str, min_nonce: int, now_ns: int) -> Event:
        """Return DELETE /orders?symbol=: every order of the market with a nonce below `min_nonce`."""
        deadline_s = now_ns // NS + CANCEL_LIFE_S
        body = {
            "account": self._account,
            "min_nonce": min_nonce,
            "deadline": deadline_s,
            "signature": self._sign_cancel(min_nonce, 0, deadline_s),
        }
        event = self._event("DELETE", "/orders", "/orders", body, now_ns)
        event["rawQueryString"] = "symbol=" + symbol
        event["queryStringParameters"] = {"symbol": symbol}
        return event

    def collateral(self, symbol: str, amount: int, nonce: int, now_ns: int, purpose: str = "margin") -> Event:
        """Return POST /collateral: margin in or out, into an insurance fund, or CXPT minted or redeemed."""
        deadline_s = now_ns // NS + CANCEL_LIFE_S
        signature = ""
        if self._signing.wanted(nonce):
            digest = typed_data.collateral_digest(
                self._signing.separator, self._account, symbol, amount, purpose, nonce, deadline_s
            )
            signature = "0x" + typed_data.sign(digest, self._private_key).hex()
        body = {
            "symbol": symbol,
            "account": self._account,
            "amount": str(amount),
            "nonce": nonce,
            "deadline": deadline_s,
            "purpose": purpose,
            "signature": signature,
        }
        return self._event("POST", "/collateral", "/collateral", body, now_ns)

    def withdraw(self, amount: int, as_cxpt: bool, nonce: int, now_ns: int) -> Event:
        """Return POST /vault/withdraw, signed as the Vault checks it."""
        deadline_s = now_ns // NS + WITHDRAWAL_LIFE_S
        signature = ""
        if self._signing.wanted(nonce):
            digest = typed_data.withdrawal_digest(
                self._signing.separator, self._account, amount, as_cxpt, nonce, deadline_s
            )
            signature = "0x" + typed_data.sign(digest, self._private_key).hex()
        body = {
            "account": self._account,
            "amount": str(amount),
            "as_cxpt": as_cxpt,
            "nonce": nonce,
            "deadline": deadline_s,
            "signature": signature,
        }
        return self._event("POST", "/vault/withdraw", "/vault/withdraw", body, now_ns)

    def positions(self, now_ns: int) -> Event:
        """Return GET /positions of this account, which tells its balances too."""
        event = self._event("GET", "/positions", "/positions", None, now_ns)
        event["rawQueryString"] = "account=" + self._account
        event["queryStringParameters"] = {"account": self._account}
        return event

    def orders(self, now_ns: int) -> Event:
        """Return GET /orders of this account, the newest as many as a page holds."""
        event = self._event("GET", "/orders", "/orders", None, now_ns)
        event["rawQueryString"] = f"account={self._account}&limit={MAX_PAGE}"
        event["queryStringParameters"] = {"account": self._account, "limit": str(MAX_PAGE)}
        return event

    def depth(self, symbol: str, now_ns: int) -> Event:
        """Return GET /markets/{symbol}/depth."""
        path = f"/markets/{symbol}/depth"
        event = self._event("GET", "/markets/{symbol}/depth", path, None, now_ns)
        event["pathParameters"] = {"symbol": symbol}
        return event

    def markets(self, now_ns: int) -> Event:
        """Return GET /markets."""
        return self._event("GET", "/markets", "/markets", None, now_ns)

    def _event(self, method: str, route: str, path: str, body: dict[str, Any] | None, now_ns: int) -> Event:
        self._count += 1
        route_key = f"{method} {route}"
        event: Event = {
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": path,
            "rawQueryString": "",
            "headers": _HEADERS,
            "requestContext": {
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self._source_ip,
                    "userAgent": "dexsim",
                },
                "requestId": f"{self._name}-{self._count}",
                "routeKey": route_key,
                "stage": "$default",
                "timeEpoch": now_ns // 1_000_000,
            },
            "isBase64Encoded": False,
        }
        if body is not None:
            event["body"] = orjson.dumps(body).decode()
        return event

    def _sign_order(self, draft: Draft, nonce: int) -> str:
        digest = typed_data.order_digest(
            self._signing.separator,
            self._account,
            0,
            self._instruments[draft.symbol],
            0 if draft.side == BUY else 1,
            typed_data.tif_bits(draft.tif, draft.post_only, draft.reduce_only, draft.market),
            draft.qty_e8,
            draft.price_e6,
            draft.expire_s,
            nonce,
            self._max_fee_bps[draft.symbol],
        )
        return "0x" + typed_data.sign(digest, self._private_key).hex()

    def _sign_cancel(self, min_nonce: int, nonce: int, deadline_s: int) -> str:
        if not self._signing.wanted(min_nonce or nonce):
            return ""
        digest = typed_data.cancel_digest(
            self._signing.separator, self._account, min_nonce, nonce, deadline_s
        )
        return "0x" + typed_data.sign(digest, self._private_key).hex()
