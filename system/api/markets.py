"""What the door knows of markets, and the admin's verbs on them."""

from __future__ import annotations

from typing import Any

import msgspec

from system.api.http import Request, Response, answer, decode
from system.model import keys, messages
from system.model.errors import ConditionFailed, Rejected, RejectReason
from system.model.keys import Item
from system.model.market import (
    MarketKind,
    MarketSpec,
    MarketState,
    Settlement,
    spec_from_item,
    usual_band_ppm,
)
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Put, Store, query_all
from system.risk.options import listing_cap_e6

ADMIN_GROUP = "admin"


class Market(msgspec.Struct, frozen=True):
    """A market as the door sees it: terms, state, and the price that bands are measured from."""

    spec: MarketSpec
    state: MarketState
    mark_e6: int  # 0 while the oracle has not spoken
    read_ns: int


class MarketCache:
    """Reads market rows and keeps them for `ttl_ns`: every order needs one, few change."""

    def __init__(self, store: Store, clock: Clock, ttl_ns: int) -> None:
        self.store = store
        self.clock = clock
        self.ttl_ns = ttl_ns
        self._known: dict[str, Market] = {}

    def get(self, symbol: str) -> Market | None:
        """Return the market, None when there is none of that name."""
        now_ns = self.clock.now_ns()
        market = self._known.get(symbol)
        if market is not None and now_ns - market.read_ns < self.ttl_ns:
            return market
        item = self.store.get(keys.MARKETS, keys.Key(keys.market_pk(symbol), keys.META))
        if item is None:
            return None
        market = Market(spec_from_item(item), MarketState(item["status"]), item.get("mark_e6", 0), now_ns)
        self._known[symbol] = market
        return market


class CreateMarket(msgspec.Struct, tag_field="action", tag="create", forbid_unknown_fields=True):
    """Body of POST /admin/markets that lists a new market; units as in MarketSpec."""

    symbol: str
    kind: MarketKind
    base: str
    underlying: str
    tick_e6: int
    lot_e8: int
    settle_tick_e6: int = 0
    min_notional: int = 1_000_000
    max_order_e8: int = 10**13
    oi_cap_e8: int = 0
    fee_ppm: int = 5_000
    settlement_fee_ppm: int = 0
    im_ppm: int = 1_000_000
    mm_ppm: int = 50_000
    liq_fee_ppm: int = 10_000
    slippage_ppm: int = 20_000
    band_ppm: int = 0  # 0: what is usual for the underlying
    mark_band_ppm: int = 50_000
    mark: str = "MEDIAN"
    funding: str = "none"
    funding_interval_s: int = 0
    funding_sample_s: int = 0
    funding_cap_ppm: int = 0
    liquidation: str = "standard"
    adl: str = "ranked"
    event_cap_ppm: int = 1_000_000
    liq_retry_s: int = 1
    liq_max_rounds: int = 3
    min_liq_e8: int = 0
    im_target_ppm: int = 0
    haircut: bool = True
    expiry_s: int = 0
    strike_e6: int = 0
    cap_e6: int = 0
    option_type: str = ""
    max_price_e6: int = 0
    settle_window_s: int = 1_800
    cooldown_s: int = 60
    calms: bool = True
    stp: str = "EXPIRE_TAKER"
    rebate_ppm: int = 0
    margin: str = "isolated"
    netting: str = "pair"
    settlement: Settlement = "chain"


class PostOnlyMarket(msgspec.Struct, tag_field="action", tag="post_only", forbid_unknown_fields=True):
    symbol: str


class CancelOnlyMarket(msgspec.Struct, tag_field="action", tag="cancel_only", forbid_unknown_fields=True):
    symbol: str


class PauseMarket(msgspec.Struct, tag_field="action", tag="pause", forbid_unknown_fields=True):
    symbol: str


class ResumeMarket(msgspec.Struct, tag_field="action", tag="resume", forbid_unknown_fields=True):
    symbol: str


class DeleteMarket(msgspec.Struct, tag_field="action", tag="delete", forbid_unknown_fields=True):
    symbol: str


class SettleMarket(msgspec.Struct, tag_field="action", tag="settle", forbid_unknown_fields=True):
    """State the settlement price of a market that has no average of the index (uUSDC per base)."""

    symbol: str
    price_e6: int


_TARGET_STATE = {
    PostOnlyMarket: MarketState.POST_ONLY,
    CancelOnlyMarket: MarketState.CANCEL_ONLY,
    PauseMarket: MarketState.PAUSED,
    ResumeMarket: MarketState.ACTIVE,
    DeleteMarket: MarketState.CLOSED,
}


Change = SettleMarket | PostOnlyMarket | CancelOnlyMarket | PauseMarket | ResumeMarket | DeleteMarket
_DECODER: msgspec.json.Decoder[CreateMarket | Change] = msgspec.json.Decoder(
    CreateMarket | Change, strict=False
)
_MAX_PPM = 1_000_000
_LONGEST_SYMBOL = 32
_MOST = {"band_ppm": _MAX_PPM - 1, "mark_band_ppm": _MAX_PPM - 1, "lot_e8": 10**13}


class AdminMarkets:
    """POST /admin/markets: create, make stricter, resume or delete; group `admin` only.

    A state change is a sequenced command: it takes the orders' road and is applied by the
    market's only writer, so that every order falls on one side of it.
    """

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids

    def __call__(self, request: Request) -> Response | Rejected:
        if ADMIN_GROUP not in request.groups:
            detail = f"expected a caller of group {ADMIN_GROUP}, was in {list(request.groups)}"
            return Rejected(RejectReason.FORBIDDEN, "authorization", detail)
        body = decode(request, _DECODER)
        if isinstance(body, Rejected):
            return body
        if isinstance(body, CreateMarket):
            return self._create(body)
        if isinstance(body, SettleMarket):
            return self._settle(body.symbol, body.price_e6)
        return self._change(body.symbol, _TARGET_STATE[type(body)])

    def _settle(self, symbol: str, price_e6: int) -> Response | Rejected:
        market = market_row(self.store, symbol)
        if isinstance(market, Rejected):
            return market
        if not 0 < price_e6 < 1 << 63:
            return Rejected(RejectReason.BAD_REQUEST, "price_e6", f"expected above 0, was {price_e6}")
        now_ns = self.clock.now_ns()
        command = messages.scheduled_command("EXPIRE", symbol, self.ids.uuid7(), now_ns, price_e6=price_e6)
        self.store.write(Put(keys.ORDERS, command, NOT_EXISTS))
        return answer(202, {"symbol": symbol, "requested": "SETTLE"})

    def _create(self, body: CreateMarket) -> Response | Rejected:
        now_ns = self.clock.now_ns()
        body = msgspec.structs.replace(body, band_ppm=body.band_ppm or usual_band_ppm(body.underlying))
        spec = MarketSpec(**msgspec.structs.asdict(body))
        if spec.option_type == "CALL" and not spec.cap_e6:
            try:
                spec = msgspec.structs.replace(spec, cap_e6=self._usual_cap_e6(spec, now_ns))
            except ValueError as error:
                return Rejected(RejectReason.BAD_REQUEST, "cap_e6", str(error))
        if problem := spec.problem() or _out_of_range(spec):
            return Rejected(RejectReason.BAD_REQUEST, "market", problem)
        try:
            self.store.write(Put(keys.MARKETS, spec.to_item(MarketState.ACTIVE, now_ns), NOT_EXISTS))
        except ConditionFailed:
            return Rejected(RejectReason.BAD_REQUEST, "symbol", f"{spec.symbol} exists already")
        return answer(201, {"symbol": spec.symbol, "status": MarketState.ACTIVE.value})

    def _usual_cap_e6(self, spec: MarketSpec, now_ns: int) -> int:
        """Return the cap of a call that states none (OPTN-002). Raises ValueError: what is missing."""
        newest = self.store.query(keys.PRICES, keys.asset_pk(spec.underlying), descending=True, limit=1).items
        if not newest or not newest[0]["price_e6"]:
            raise ValueError(f"expected a cap, as {spec.underlying} has no index yet, was 0")
        if spec.settle_step_e6 <= 0:
            raise ValueError(f"expected a settle tick above 0, was {spec.settle_step_e6}")
        tenor_s = spec.expiry_s - now_ns // NS
        return listing_cap_e6(spec.strike_e6, newest[0]["price_e6"], tenor_s, spec.settle_step_e6)

    def _change(self, symbol: str, state: MarketState) -> Response | Rejected:
        market = market_row(self.store, symbol)
        if isinstance(market, Rejected):
            return market
        if market["status"] == MarketState.CLOSED.value:
            return Rejected(RejectReason.EXCHANGE_CLOSED, "symbol", f"{symbol} is CLOSED for good")
        uuid = self.ids.uuid7()
        self.store.write(
            Put(keys.ORDERS, state_command(symbol, uuid, state, self.clock.now_ns()), NOT_EXISTS)
        )
        return answer(202, {"symbol": symbol, "requested": state.value})


def market_row(store: Store, symbol: str) -> Item | Rejected:
    """Read a market's row for a verb that names its symbol."""
    known = len(symbol) <= _LONGEST_SYMBOL  # longer ones are no keys of the table
    row = store.get(keys.MARKETS, keys.Key(keys.market_pk(symbol), keys.META)) if known else None
    if row is None:
        return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"no market {symbol[:_LONGEST_SYMBOL]!r}")
    return row


def _out_of_range(spec: MarketSpec) -> str:
    """Return which term nobody can have meant, "" when none."""
    for name, value in msgspec.structs.asdict(spec).items():
        most = _MOST.get(name, _MAX_PPM if name.endswith("_ppm") else 2**63 - 1)
        if not isinstance(value, int):
            continue
        if not 0 <= value <= most:
            return f"{name}: expected 0 to {most}, was {value}"
    if spec.kind is MarketKind.SPOT and spec.symbol != f"{spec.base}-USDC":
        return f"base: expected what the symbol {spec.symbol} names, was {spec.base!r}"
    return ""


def state_command(symbol: str, uuid: str, state: MarketState, now_ns: int) -> dict[str, Any]:
    """Return the Orders row of a STATE command."""
    return {
        "PK": keys.market_pk(symbol),
        "SK": keys.event_sk(uuid),
        "orderType": "STATE",
        "symbol": symbol,
        "uuid": uuid,
        "state": state.value,
        "status": "PENDING",
        "accepted_ns": now_ns,
    }


def list_markets(store: Store) -> Response:
    """GET /markets: every market, by state, then symbol."""
    rows = [
        row for state in MarketState for row in query_all(store, keys.MARKETS, state.value, index="status")
    ]
    return answer(200, {"markets": [_shown(row) for row in rows]})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Money as decimal strings: a JavaScript number loses digits beyond 2**53."""
    hidden = ("PK", "SK")
    return {
        name: str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in row.items()
        if name not in hidden
    }
