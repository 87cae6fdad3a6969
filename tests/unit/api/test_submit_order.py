"""POST /orders: what gets in, what stays out, and that nothing has changed when it stays out."""

from __future__ import annotations

import pytest

from system.model.keys import Key
from system.model.units import NS
from system.ports.store import Update
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import E6, E8, MARK, START_NS, Floor, account_of, trader

USDC = 10**6


@pytest.fixture
def floor() -> Floor:
    floor = Floor(signatures="real")
    floor.fund("ann", amount=10_000 * USDC)
    floor.fund("bob", amount=10_000 * USDC)
    return floor


def refused(floor: Floor, status: int, reason: str, field: str, body, **how) -> str:
    """Send what must be refused: the answer says why, and not one row of the store is another."""
    before = floor.scan()
    was, said = floor.http("POST /orders", body, **how)
    assert (was, said["reason"], said["field"]) == (status, reason, field), said
    assert said["status"] == status
    assert said["title"]
    assert floor.scan() == before
    detail: str = said["detail"]
    return detail


@rule("HOLD-001")
def test_an_accepted_order_is_paid_in_the_same_transaction(floor):
    body = floor.draft("ann", "BUY", 10, 60_000, client_order_id="a-1")
    store = FailingStore(floor.store)
    floor.router = floor.door(store)

    status, said = floor.http("POST /orders", body)

    hold = 6_000 * USDC + 30 * USDC
    assert status == 201
    assert said == {
        "order_id": said["order_id"],
        "status": "PENDING",
        "accepted_ns": str(START_NS),
        "hold": str(hold),
        "hold_asset": "USDC",
    }
    assert len(store.transactions) == 1
    assert floor.balance("ann") == (10_000 * USDC - hold, hold)
    row = floor.row(said["order_id"])
    assert (row["status"], row["hold"], row["leaves_e8"]) == ("PENDING", hold, E8 // 10)
    assert (row["trader"], row["client_order_id"]) == (trader("ann"), "a-1")
    floor.audit()


@rule("HOLD-001")
@pytest.mark.parametrize(
    ("side", "symbol", "asset", "hold"),
    [
        # a short pays at the upper edge of the band, as it may be filled there
        ("SELL", "BTC-PERP", "USDC", 6_300 * USDC + 31_500_000),
        ("BUY", "sBTC-USDC", "USDC", 6_030 * USDC),
        ("SELL", "sBTC-USDC", "sBTC", E8 // 10),
    ],
)
def test_what_each_order_holds(floor, side, symbol, asset, hold):
    floor.fund("ann", "sBTC", E8)
    available = floor.balance("ann", asset)[0]
    floor.order("ann", side, 10, 60_000, symbol)
    assert floor.balance("ann", asset) == (available - hold, hold)


def test_amounts_may_be_strings(floor):
    body = floor.draft("ann", "BUY", 1, 60_000)
    assert floor.http("POST /orders", {**body, "qty_e8": str(body["qty_e8"]), "nonce": "1"})[0] == 201


@rule("HTTP-001")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("{", "body"),
        ("null", "body"),
        ("[]", "body"),
        ('"order"', "body"),
        ("{}", "type"),
        ('{"type": "stop"}', "type"),
        ('{"type": "limit"}', "symbol"),
        ("\ud800", "body"),
        ('{"type": "limit", "symbol": "\ud800"}', "body"),
        ("[" * 9_000, "body"),
    ],
)
def test_a_body_that_is_no_order(floor, body, field):
    refused(floor, 400, "BAD_REQUEST", field, body)


@rule("HTTP-001")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "red"),
        ("side", "LONG"),
        ("tif", "GTD"),
        ("qty_e8", None),
        ("qty_e8", 1.5),
        ("qty_e8", "many"),
        ("qty_e8", 0),
        ("qty_e8", -E8),
        ("qty_e8", 10**30),
        ("qty_e8", "9" * 5_000),
        ("limit_price_e6", 2**70),
        ("limit_price_e6", 0),
        ("limit_price_e6", -60_000 * E6),
        ("nonce", 0),
        ("nonce", -1),
        ("nonce", 2**64),
        ("subaccount", -1),
        ("subaccount", 2**32),
        ("max_fee_bps", -50),
        ("max_fee_bps", 2**16),
        ("expire_s", -1),
        ("expire_s", 2**40),
        ("expire_s", 10**300),
        ("account", ""),
        ("account", "0x" + "g" * 40),
        ("account", "0x" + " 1" * 20),
        ("account", "0X" + "1" * 39),
        ("account", "1" * 42),
        ("account", "0x" + "1" * 41),
        ("account", "0x" + "\u0661" * 40),
        ("account", "x" * 10_000),
        ("symbol", "B" * 33),
        ("client_order_id", "c" * 65),
        ("signature", "0x" + "0" * 131),
        ("replaces", "r" * 81),
        ("post_only", "maybe"),
    ],
)
def test_a_field_out_of_its_range(floor, field, value):
    body = {**floor.draft("ann", "BUY", 1, 60_000), field: value}
    refused(floor, 400, "BAD_REQUEST", field, body)


def test_a_market_order_has_no_time_in_force(floor):
    body = floor.draft("ann", "BUY", 1, 60_000, type="market")
    refused(floor, 400, "BAD_REQUEST", "tif", {**body, "tif": "GTC"})


@rule("HTTP-001")
def test_a_body_over_16_kb(floor):
    body = {**floor.draft("ann", "BUY", 1, 60_000), "client_order_id": "c" * 16_384}
    detail = refused(floor, 400, "BAD_REQUEST", "body", body)
    assert detail.startswith("expected at most 16384 bytes, was 16")


def test_a_symbol_that_is_no_market(floor):
    refused(
        floor, 404, "UNKNOWN_SYMBOL", "symbol", {**floor.draft("ann", "BUY", 1, 60_000), "symbol": "ETH-PERP"}
    )


@pytest.mark.parametrize(
    ("terms", "status", "reason", "field"),
    [
        ({"limit_price_e6": 60_000 * E6 + 1}, 422, "INCORRECT_TICK", "limit_price_e6"),
        ({"qty_e8": E8 + 1}, 422, "INCORRECT_QUANTITY", "qty_e8"),
        ({"qty_e8": 10**18}, 422, "ORDER_EXCEEDS_LIMIT", "qty_e8"),
        ({"limit_price_e6": 63_001 * E6}, 422, "PRICE_BAND", "limit_price_e6"),
        ({"limit_price_e6": 11_999 * E6}, 422, "PRICE_BAND", "limit_price_e6"),
        ({"tif": "GTT"}, 400, "BAD_REQUEST", "expire_s"),
        ({"tif": "GTT", "expire_s": START_NS // NS}, 422, "EXPIRED", "expire_s"),
        ({"max_fee_bps": 49}, 422, "FEE_ABOVE_SIGNED", "max_fee_bps"),
        ({"tif": "IOC", "post_only": True}, 422, "INCOMPATIBLE_FLAGS", "post_only"),
        ({"replaces": "BTC-PERP:nothing"}, 404, "UNKNOWN_ORDER", "replaces"),
        ({"replaces": "nothing"}, 404, "UNKNOWN_ORDER", "replaces"),
        ({"qty_e8": E8}, 422, "INSUFFICIENT_FUNDS", "qty_e8"),
    ],
)
def test_an_order_that_the_rules_refuse(floor, terms, status, reason, field):
    refused(floor, status, reason, field, floor.draft("ann", "BUY", 1, 60_000, **terms))


def test_more_than_there_is(floor):
    detail = refused(floor, 422, "INSUFFICIENT_FUNDS", "qty_e8", floor.draft("ann", "BUY", 17, 60_000))
    assert detail == f"expected {10_251 * USDC} of USDC available, was {10_000 * USDC}"
    detail = refused(floor, 422, "INSUFFICIENT_FUNDS", "qty_e8", floor.draft("zoe", "BUY", 1, 60_000))
    assert detail.endswith("was 0")


@rule("SIGN-001")
@pytest.mark.parametrize(
    "change",
    [
        {"qty_e8": 2 * E8 // 100},
        {"limit_price_e6": 60_001 * E6},
        {"side": "SELL"},
        {"nonce": 77},
        {"subaccount": 1},
        {"max_fee_bps": 51},
        {"reduce_only": True},
        {"post_only": True},
        {"tif": "IOC"},
        {"symbol": "sBTC-USDC"},
        {"expire_s": START_NS // NS + 60},
        {"account": account_of("bob")},
        {"type": "market"},
        {"signature": ""},
        {"signature": "0x"},
        {"signature": "0x" + "00" * 65},
        {"signature": "no hex at all"},
    ],
)
def test_every_field_is_signed(floor, change):
    detail = refused(
        floor, 401, "BAD_SIGNATURE", "signature", {**floor.draft("ann", "BUY", 1, 60_000), **change}
    )
    assert detail.startswith("expected a signature by 0x")


@rule("SIGN-001")
def test_an_address_may_be_written_in_any_case(floor):
    body = floor.draft("ann", "BUY", 1, 60_000)
    body["account"] = "0x" + body["account"][2:].upper()
    assert floor.http("POST /orders", body)[0] == 201
    assert {row["account"] for row in floor.store.scan("Orders")} == {account_of("ann")}


def test_sampled_signatures_are_checked_where_they_are_due():
    floor = Floor(signatures="sampled")
    floor.fund("ann")
    assert floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000, nonce=15))[0] == 201
    refused(floor, 401, "BAD_SIGNATURE", "signature", floor.draft("ann", "BUY", 1, 60_000, nonce=16))


@rule("HOLD-003")
def test_a_nonce_is_used_once(floor):
    floor.order("ann", "BUY", 1, 60_000, nonce=5)
    refused(floor, 409, "DUPLICATE_ORDER", "nonce", floor.draft("ann", "BUY", 1, 59_000, nonce=5))
    floor.order("bob", "BUY", 1, 60_000, nonce=5)
    floor.audit()


@rule("HOLD-002")
def test_two_orders_for_the_same_money(floor):
    """The second door has read nothing that is old: the balance itself decides."""
    first, second = floor.door(floor.store), floor.door(floor.store)
    floor.router = first
    floor.order("ann", "BUY", 9, 60_000)
    floor.router = second

    refused(floor, 422, "INSUFFICIENT_FUNDS", "qty_e8", floor.draft("ann", "BUY", 9, 60_000))
    floor.audit()


@rule("HOLD-002")
def test_another_order_between_check_and_transaction(floor):
    class Racing(FailingStore):
        def transact(self, actions, token=""):
            if not self.transactions:
                self.transactions.append([])
                floor.router = floor.door(floor.store)
                floor.order("ann", "BUY", 9, 60_000)
            self.inner.transact(actions, token)

    slow = floor.draft("ann", "BUY", 9, 60_000)
    floor.router = floor.door(Racing(floor.store))
    status, said = floor.http("POST /orders", slow)

    assert (status, said["reason"]) == (422, "INSUFFICIENT_FUNDS")
    assert len(floor.store.scan("Orders")) == 1
    floor.audit()


@pytest.mark.parametrize("after", [False, True])
def test_a_store_that_does_not_answer(floor, after):
    body = floor.draft("ann", "BUY", 1, 60_000)
    before = floor.scan()
    floor.router = floor.door(FailingStore(floor.store, 1, after=after))

    status, said = floor.http("POST /orders", body)
    assert (status, said["reason"]) == (503, "UNAVAILABLE")
    assert (floor.scan() == before) is not after
    floor.audit()

    status, said = floor.http("POST /orders", body)  # the same nonce: never twice
    assert status == (409 if after else 201)
    assert len(floor.store.scan("Orders")) == 1
    floor.audit()


def change_market(floor: Floor, **put) -> None:
    floor.store.write(Update("Markets", Key("MARKET#BTC-PERP", "META"), put=put))


def test_a_paused_market(floor):
    change_market(floor, status="PAUSED")
    refused(floor, 409, "EXCHANGE_CLOSED", "symbol", floor.draft("ann", "BUY", 1, 60_000))


def test_a_market_is_known_for_a_second(floor):
    floor.order("ann", "BUY", 1, 60_000)
    change_market(floor, status="PAUSED")
    floor.order("ann", "BUY", 1, 60_000)
    floor.clock.advance(NS)
    refused(floor, 409, "EXCHANGE_CLOSED", "symbol", floor.draft("ann", "BUY", 1, 60_000))


def test_no_price_no_order(floor):
    change_market(floor, mark_e6=0)
    refused(floor, 422, "NO_REFERENCE_PRICE", "symbol", floor.draft("ann", "SELL", 1, 60_000))
    assert MARK


def test_replacing_what_is_not_ones_own_or_over(floor):
    mine = floor.order("ann", "BUY", 1, 59_000)
    floor.run()
    refused(floor, 403, "NOT_OWNER", "replaces", floor.draft("bob", "BUY", 1, 59_000, replaces=mine))
    refused(
        floor,
        404,
        "UNKNOWN_ORDER",
        "replaces",
        floor.draft("ann", "BUY", 1, 59_000, "sBTC-USDC", replaces=mine),
    )
    floor.cancel("ann", mine)
    floor.run()
    refused(floor, 409, "TOO_LATE_TO_CANCEL", "replaces", floor.draft("ann", "BUY", 1, 59_000, replaces=mine))


@rule("RATE-001")
def test_the_rate_of_one_trader():
    floor = Floor(rate_per_s=10, rate_burst=3, signatures="real")
    floor.fund("ann")
    floor.fund("bob")
    for _ in range(3):
        floor.order("ann", "BUY", 1, 60_000)
    refused(floor, 429, "RATE_LIMITED", "account", floor.draft("ann", "BUY", 1, 60_000))
    floor.order("bob", "BUY", 1, 60_000)
    floor.clock.advance(NS // 10)
    floor.order("ann", "BUY", 1, 60_000)
    refused(floor, 429, "RATE_LIMITED", "account", floor.draft("ann", "BUY", 1, 60_000))


@rule("RATE-001")
def test_a_stranger_does_not_use_up_the_rate_of_others():
    floor = Floor(rate_per_s=1, rate_burst=1, signatures="real")
    floor.fund("ann")
    for nonce in range(1, 20):
        forged = {**floor.draft("bob", "BUY", 1, 60_000, nonce=nonce), "account": account_of("ann")}
        refused(floor, 401, "BAD_SIGNATURE", "signature", forged)
    floor.order("ann", "BUY", 1, 60_000)
