"""POST /vault/withdraw and GET /vault/withdrawals: free USDC leaves the Vault, as USDC or as CXPT.

The amount is put aside in the transaction that writes the withdrawal. Settlement sends what the account
signed to the Vault once the trades before it are final there. Rules: WDRW-001 to WDRW-004.
"""

from __future__ import annotations

from typing import Any

import msgspec

from system.api.auth import account_of, refuse_stranger, separator_of
from system.api.bodies import Signature
from system.api.http import Request, Response, answer, decode
from system.api.reading import cursor_of, page_in, shown
from system.config import Config
from system.model import keys, typed_data
from system.model.errors import ConditionFailed, Rejected, RejectReason
from system.model.keys import Item, Key
from system.model.order import trader_of
from system.model.units import NS
from system.model.withdrawal import PENDING, open_key, row_key
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update

LONGEST_LIFE_S = 86_400
"""A signature waits a day at most, and so does the money that it puts aside."""
_NONCE = 3  # place of the action, and so of its reason when the transaction is refused
_UINT64 = 1 << 64
_UINT128 = 1 << 128
_SHOWN = ("id", "account", "asset", "as_cxpt", "amount", "nonce", "deadline", "status", "accepted_ns",
          "tx_hash", "reason")  # fmt: skip


class WithdrawBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /vault/withdraw. `amount` in uUSDC; `deadline` in Unix seconds, within a day."""

    account: str
    amount: int
    nonce: int
    deadline: int
    as_cxpt: bool = False
    signature: Signature = ""


_DECODER: msgspec.json.Decoder[WithdrawBody] = msgspec.json.Decoder(WithdrawBody, strict=False)


class Withdraw:
    """Both verbs; the caller proves to be the account by an EIP-712 Withdrawal, as the Vault checks it."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, config: Config) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.config = config
        self.separator = separator_of(config)

    def post(self, request: Request) -> Response | Rejected:
        """Put the amount aside and let settlement send it."""
        body = decode(request, _DECODER)
        if isinstance(body, Rejected):
            return body
        account = account_of(body.account)
        if isinstance(account, Rejected):
            return account
        now_ns = self.clock.now_ns()
        rejected = _misfit(body, now_ns // NS) or self._refuse_stranger(body, account)
        return rejected or self._write(body, account, now_ns)

    def _refuse_stranger(self, body: WithdrawBody, account: str) -> Rejected | None:
        if not self.config.signature_due(body.nonce):
            return None
        digest = typed_data.withdrawal_digest(
            self.separator, account, body.amount, body.as_cxpt, body.nonce, body.deadline
        )
        return refuse_stranger(account, digest, body.signature)

    def _write(self, body: WithdrawBody, account: str, now_ns: int) -> Response | Rejected:
        """Write the withdrawal and put its amount aside, all or nothing; a nonce is used once."""
        trader, uuid = trader_of(account), self.ids.uuid7()
        pk, sk = row_key(trader, uuid)
        row: Item = {
            "PK": pk,
            "SK": sk,
            "id": uuid,
            "trader": trader,
            "account": account,
            "asset": "USDC",
            "amount": body.amount,
            "as_cxpt": body.as_cxpt,
            "nonce": body.nonce,
            "deadline": body.deadline,
            "signature": body.signature,
            "status": PENDING,
            "accepted_ns": now_ns,
        }
        open_pk, open_sk = open_key(trader, body.nonce)
        enough = (Clause("available", ">=", body.amount), Clause("backed", ">=", body.amount))
        try:
            self.store.transact(
                [
                    Update(
                        keys.BALANCES,
                        Key(pk, keys.asset_sk("USDC")),
                        add={"available": -body.amount, "exiting": body.amount, "backed": -body.amount},
                        when=enough,
                    ),
                    Put(keys.SETTLEMENTS, row, NOT_EXISTS),
                    Put(keys.SETTLEMENTS, {"PK": open_pk, "SK": open_sk, "trader": trader, "uuid": uuid}),
                    Put(
                        keys.IDEMPOTENCY,
                        {"PK": pk, "SK": f"NONCE#{body.nonce}", "order_id": uuid},
                        NOT_EXISTS,
                    ),
                ]
            )
        except ConditionFailed as lost:
            if lost.reasons[_NONCE]:
                detail = f"nonce {body.nonce} was used already"
                return Rejected(RejectReason.DUPLICATE_ORDER, "nonce", detail)
            detail = f"expected {body.amount} uUSDC available, on chain and not in orders, margins or exits"
            return Rejected(RejectReason.INSUFFICIENT_FUNDS, "amount", detail)
        return answer(202, {"withdrawal_id": uuid, "status": PENDING})

    def listed(self, request: Request) -> Response | Rejected:
        """A trader's withdrawals, newest first, page by page."""
        wanted = page_in(request, "PK")
        if isinstance(wanted, Rejected):
            return wanted
        pk = keys.trader_pk(wanted.trader)
        page = self.store.query(keys.SETTLEMENTS, pk, descending=True, limit=wanted.limit, after=wanted.after)
        found = [_said(row) for row in page.items]
        return answer(200, {"withdrawals": found, "next": cursor_of(page.after)})


def _said(row: Item) -> dict[str, Any]:
    return shown({name: row[name] for name in _SHOWN if name in row})


def _misfit(body: WithdrawBody, now_s: int) -> Rejected | None:
    """Return which number does not fit the type it is signed as, or makes no sense."""
    if not 0 < body.amount < _UINT128:
        detail = f"expected above 0, 128 bits, was {body.amount}"
        return Rejected(RejectReason.BAD_REQUEST, "amount", detail)
    if not 0 < body.nonce < _UINT64:
        return Rejected(RejectReason.BAD_REQUEST, "nonce", f"expected 1 or more, 64 bits, was {body.nonce}")
    if body.deadline <= now_s:
        return Rejected(RejectReason.EXPIRED, "deadline", f"expected after {now_s}, was {body.deadline}")
    last = now_s + LONGEST_LIFE_S
    if body.deadline > last:
        return Rejected(RejectReason.BAD_REQUEST, "deadline", f"expected at most {last}, was {body.deadline}")
    return None
