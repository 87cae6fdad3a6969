"""POST /vault/withdraw puts aside what the account has signed, once; GET /vault/withdrawals lists it."""

from __future__ import annotations

from typing import Any

import pytest

from system.model import keys, typed_data
from system.model.keys import Key
from system.model.units import NS
from tests.rules import rule
from tests.unit.floor import SETTLEMENT, START_NS, Floor, account_of, key_of, trader

NOW_S = START_NS // NS
FUNDS = 1_000_000


@pytest.fixture
def floor() -> Floor:
    floor = Floor(signatures="real")
    for name in ("ann", "bob"):
        floor.fund(name, amount=FUNDS)
    return floor


def body(name: str = "ann", by: str = "", **terms: Any) -> dict[str, Any]:
    said = {"account": account_of(name), "amount": 700, "as_cxpt": False, "nonce": 1, "deadline": NOW_S + 60}
    said |= terms
    separator = typed_data.domain_separator(typed_data.Domain(Floor().config.chain_id, SETTLEMENT))
    try:
        digest = typed_data.withdrawal_digest(
            separator, said["account"], said["amount"], said["as_cxpt"], said["nonce"], said["deadline"]
        )
    except (ValueError, OverflowError):
        return said | {"signature": "0x" + "00" * 65}
    return said | {"signature": "0x" + typed_data.sign(digest, key_of(by or name)).hex()}


def cash(floor: Floor, name: str = "ann") -> tuple[int, int]:
    row = floor.store.get(keys.BALANCES, Key(keys.trader_pk(trader(name)), keys.asset_sk("USDC")))
    assert row is not None
    return row["available"], row.get("exiting", 0)


@rule("WDRW-001")
def test_the_amount_is_put_aside_with_what_was_signed(floor: Floor) -> None:
    status, said = floor.http("POST /vault/withdraw", body(amount=FUNDS, as_cxpt=True))

    assert (status, said["status"]) == (202, "PENDING")
    assert cash(floor) == (0, FUNDS)
    (row,) = floor.http("GET /vault/withdrawals", query={"account": account_of("ann")})[1]["withdrawals"]
    assert (row["id"], row["amount"], row["as_cxpt"]) == (said["withdrawal_id"], str(FUNDS), True)
    assert not {"PK", "SK", "signature", "raw"} & row.keys()
    order = floor.draft("ann", "BUY", 1, 59_000, nonce=2)
    assert floor.http("POST /orders", order)[1]["reason"] == "INSUFFICIENT_FUNDS"


@rule("WDRW-001")
def test_what_is_in_an_order_or_put_aside_is_not_free(floor: Floor) -> None:
    assert floor.http("POST /vault/withdraw", body(amount=FUNDS + 1))[1]["reason"] == "INSUFFICIENT_FUNDS"
    assert floor.http("POST /vault/withdraw", body(amount=FUNDS - 10))[0] == 202
    status, said = floor.http("POST /vault/withdraw", body(amount=11, nonce=2))
    assert (status, said["reason"], said["field"]) == (422, "INSUFFICIENT_FUNDS", "amount")
    assert cash(floor) == (10, FUNDS - 10)


@rule("WDRW-002")
def test_only_the_account_itself_once(floor: Floor) -> None:
    before = floor.scan()
    for wrong in (
        body(by="bob"),
        body() | {"amount": 701},
        body() | {"as_cxpt": True},
        body() | {"deadline": NOW_S + 61},
        body() | {"nonce": 2},
        body() | {"account": account_of("bob")},
    ):
        assert floor.http("POST /vault/withdraw", wrong)[1]["reason"] == "BAD_SIGNATURE"
    assert floor.scan() == before

    assert floor.http("POST /vault/withdraw", body())[0] == 202
    status, said = floor.http("POST /vault/withdraw", body(amount=1))
    assert (status, said["reason"], said["field"]) == (409, "DUPLICATE_ORDER", "nonce")
    assert cash(floor) == (FUNDS - 700, 700)


@rule("WDRW-003")
@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"amount": 0}, "BAD_REQUEST"),
        ({"amount": -1}, "BAD_REQUEST"),
        ({"amount": 1 << 128}, "BAD_REQUEST"),
        ({"nonce": 0}, "BAD_REQUEST"),
        ({"nonce": 1 << 64}, "BAD_REQUEST"),
        ({"deadline": NOW_S}, "EXPIRED"),
        ({"deadline": -1}, "EXPIRED"),
        ({"deadline": NOW_S + 86_401}, "BAD_REQUEST"),
        ({"account": "0x1"}, "BAD_REQUEST"),
        ({"to": "0x1"}, "BAD_REQUEST"),
    ],
)
def test_numbers_that_make_no_sense(floor: Floor, terms: dict[str, Any], reason: str) -> None:
    before = floor.scan()
    fits = {name: value for name, value in terms.items() if name not in ("account", "to")}
    assert floor.http("POST /vault/withdraw", body(**fits) | terms)[1]["reason"] == reason
    assert floor.scan() == before


@rule("WDRW-004", "QURY-001")
def test_the_list_is_ones_own_newest_first_page_by_page(floor: Floor) -> None:
    given = []
    for nonce in range(1, 6):
        given.append(floor.http("POST /vault/withdraw", body(nonce=nonce, amount=nonce))[1]["withdrawal_id"])
        floor.clock.advance(1_000_000)
    floor.http("POST /vault/withdraw", body("bob"))
    seen: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        query = {"trader": trader("ann"), "limit": "2", **({"next": cursor} if cursor else {})}
        status, said = floor.http("GET /vault/withdrawals", query=query)
        assert status == 200
        seen += [row["id"] for row in said["withdrawals"]]
        cursor, pages = said["next"], pages + 1
    assert seen == given[::-1]
    assert pages == 3
    strange = floor.http("GET /vault/withdrawals", query={"trader": trader("bob"), "limit": "1"})[1]
    first = floor.http("GET /vault/withdrawals", query={"trader": trader("ann"), "limit": "2"})[1]["next"]
    refused = floor.http("GET /vault/withdrawals", query={"trader": trader("bob"), "next": first})
    assert (refused[0], refused[1]["field"]) == (400, "next")
    assert [row["account"] for row in strange["withdrawals"]] == [account_of("bob")]
