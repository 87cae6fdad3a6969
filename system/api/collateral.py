"""POST /collateral: margin in and out, payments into an insurance fund, CXPT minted and redeemed.

What goes in is reserved here, in the transaction that writes the command; the market's only writer
then moves it, or gives it back. Rules: COLL-001 to COLL-005.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from system.api.auth import account_of, refuse_stranger, separator_of
from system.api.http import Request, Response, answer, decode
from system.api.markets import market_row
from system.config import Config
from system.model import keys, typed_data
from system.model.errors import ConditionFailed, Rejected, RejectReason
from system.model.keys import Key
from system.model.market import MarketKind
from system.model.order import PENDING, trader_of
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update
from system.risk.redemption import CXPT, issue

_BALANCE, _NONCE = 1, 2  # places of the actions, and so of the reasons when the transaction is refused
_INT128 = 1 << 127
_UINT64 = 1 << 64


class CollateralBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /collateral. `amount` in uUSDC: above 0 into the market, below 0 out of the margin.

    With `mint` as much CXPT is minted, with `redeem` as much CXPT becomes USDC again.
    """

    symbol: Annotated[str, Meta(max_length=32)]
    account: str
    amount: int
    nonce: int
    deadline: int
    purpose: Literal["margin", "insurance", "mint", "redeem"] = "margin"
    signature: Annotated[str, Meta(max_length=132)] = ""


_ORDER_TYPES = {"margin": "MARGIN", "insurance": "INSURE", "mint": "MINT", "redeem": "REDEEM"}
_CONVERTS = ("mint", "redeem")
_DECODER: msgspec.json.Decoder[CollateralBody] = msgspec.json.Decoder(CollateralBody, strict=False)


class Collateral:
    """The verb; the caller proves to be the account by an EIP-712 Collateral."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, config: Config) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.config = config
        self.separator = separator_of(config)

    def __call__(self, request: Request) -> Response | Rejected:
        body = decode(request, _DECODER)
        if isinstance(body, Rejected):
            return body
        account = account_of(body.account)
        if isinstance(account, Rejected):
            return account
        now_ns = self.clock.now_ns()
        if body.purpose == "redeem" and not self.config.cxpt_redeemable:
            return Rejected(RejectReason.FORBIDDEN, "purpose", "this exchange redeems no CXPT")
        rejected = _misfit(body, now_ns) or self._refuse_market(body) or self._refuse_stranger(body, account)
        return rejected or self._write(body, account, now_ns)

    def _refuse_market(self, body: CollateralBody) -> Rejected | None:
        market = market_row(self.store, body.symbol)
        if isinstance(market, Rejected):
            return market
        if body.purpose in _CONVERTS:
            if market["base"] == CXPT:
                return None
            detail = f"expected CXPT-USDC, where CXPT is minted and redeemed, was {body.symbol}"
            return Rejected(RejectReason.WRONG_INSTRUMENT, "symbol", detail)
        if market["kind"] in (MarketKind.PERP.value, MarketKind.FUTURE.value):
            if market["settlement"] == "ledger":
                return None
            detail = f"{body.symbol} is settled on chain, where margin is moved by fills alone"
        else:
            detail = f"expected a perpetual or a future, {body.symbol} is {market['kind']}"
        return Rejected(RejectReason.WRONG_INSTRUMENT, "symbol", detail)

    def _refuse_stranger(self, body: CollateralBody, account: str) -> Rejected | None:
        if not self.config.signature_due(body.nonce):
            return None
        digest = typed_data.collateral_digest(
            self.separator, account, body.symbol, body.amount, body.purpose, body.nonce, body.deadline
        )
        return refuse_stranger(account, digest, body.signature)

    def _write(self, body: CollateralBody, account: str, now_ns: int) -> Response | Rejected:
        """Write the command and reserve what it moves, all or nothing; a nonce is used once."""
        trader, uuid = trader_of(account), self.ids.uuid7()
        hold, asset = max(0, body.amount), "USDC"
        if body.purpose == "redeem":
            hold, asset = issue(body.amount).supply_e8, CXPT
        row = {
            "PK": keys.market_pk(body.symbol),
            "SK": keys.event_sk(uuid),
            "trader_key": keys.trader_pk(trader),
            "orderType": _ORDER_TYPES[body.purpose],
            "symbol": body.symbol,
            "uuid": uuid,
            "trader": trader,
            "account": account,
            "nonce": body.nonce,
            "amount": -body.amount if body.purpose == "redeem" else body.amount,
            "hold": hold,
            "hold_asset": asset,
            "status": PENDING,
            "accepted_ns": now_ns,
        }
        order_id = keys.order_id(body.symbol, uuid)
        pk = keys.trader_pk(trader)
        nonce = {"PK": pk, "SK": f"NONCE#{body.nonce}", "order_id": order_id}
        try:
            self.store.transact(
                [
                    Put(keys.ORDERS, row, NOT_EXISTS),
                    Update(
                        keys.BALANCES,
                        Key(pk, keys.asset_sk(asset)),
                        add={"available": -hold, "reserved": hold},
                        when=(Clause("available", ">=", hold),),
                    ),
                    Put(keys.IDEMPOTENCY, nonce, NOT_EXISTS),
                ]
            )
        except ConditionFailed as lost:
            if lost.reasons[_NONCE]:
                detail = f"nonce {body.nonce} was used already"
                return Rejected(RejectReason.DUPLICATE_ORDER, "nonce", detail)
            unit = "uUSDC" if asset == "USDC" else f"e-8 {asset}"
            return Rejected(RejectReason.INSUFFICIENT_FUNDS, "amount", f"expected {hold} {unit} available")
        return answer(202, {"command_id": order_id, "status": PENDING, "hold": str(hold)})


def _misfit(body: CollateralBody, now_ns: int) -> Rejected | None:
    """Return which number does not fit the type it is signed as, or makes no sense."""
    if not -_INT128 < body.amount < _INT128 or not body.amount:
        return Rejected(RejectReason.BAD_REQUEST, "amount", f"expected 128 bits and not 0, was {body.amount}")
    if body.purpose != "margin" and body.amount < 0:
        said = (
            "nothing leaves an insurance fund"
            if body.purpose == "insurance"
            else "the purpose says which way"
        )
        return Rejected(RejectReason.BAD_REQUEST, "amount", f"expected above 0: {said}")
    if not 0 < body.nonce < _UINT64:
        return Rejected(RejectReason.BAD_REQUEST, "nonce", f"expected 1 or more, 64 bits, was {body.nonce}")
    if not 0 <= body.deadline < 1 << 40:
        detail = f"expected Unix seconds of 40 bits, was {body.deadline}"
        return Rejected(RejectReason.BAD_REQUEST, "deadline", detail)
    if body.deadline * NS <= now_ns:
        detail = f"expected after {now_ns // NS}, was {body.deadline}"
        return Rejected(RejectReason.EXPIRED, "deadline", detail)
    return None
