"""The idempotency-key header on orders and cancels."""

from __future__ import annotations

import pytest

from system.model.keys import Key
from system.model.units import NS
from system.ports.store import Update
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import Floor, account_of

KEY = {"idempotency-key": "k-1"}
DAY_NS = 86_400 * NS


@pytest.fixture
def floor() -> Floor:
    floor = Floor(signatures="real")
    floor.fund("ann")
    floor.fund("bob")
    return floor


@rule("IDEM-001")
def test_the_same_request_again_gets_the_same_answer(floor):
    body = floor.draft("ann", "BUY", 1, 60_000)
    first = floor.http("POST /orders", body, headers=KEY)
    before = floor.scan()

    assert first[0] == 201
    assert floor.http("POST /orders", body, headers=KEY) == first
    assert floor.scan() == before


@rule("IDEM-001")
def test_the_answer_stays_although_the_world_has_moved(floor):
    """Paused, filled, cancelled, over its rate: what was accepted stays accepted."""
    body = floor.draft("ann", "BUY", 1, 60_000)
    first = floor.http("POST /orders", body, headers=KEY)
    floor.run()
    floor.cancel("ann", first[1]["order_id"])
    floor.run()
    floor.store.write(Update("Markets", Key("MARKET#BTC-PERP", "META"), put={"status": "PAUSED"}))
    floor.clock.advance(2 * NS)
    before = floor.scan()

    assert floor.http("POST /orders", body, headers=KEY) == first
    assert floor.scan() == before


@rule("IDEM-001")
def test_an_answer_that_got_lost_is_given_by_the_retry(floor):
    body = floor.draft("ann", "BUY", 1, 60_000)
    floor.router = floor.door(FailingStore(floor.store, 1, after=True))
    assert floor.http("POST /orders", body, headers=KEY)[0] == 503
    assert floor.http("POST /orders", body, headers=KEY)[0] == 201
    assert len(floor.store.scan("Orders")) == 1
    floor.audit()


@rule("IDEM-002")
def test_the_same_key_with_another_body_is_a_conflict(floor):
    floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000), headers=KEY)
    before = floor.scan()

    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 2, 60_000), headers=KEY)
    assert (status, said["reason"], said["field"]) == (409, "IDEMPOTENCY_CONFLICT", "idempotency-key")
    assert floor.scan() == before

    # somebody else's key of that name is another key
    assert floor.http("POST /orders", floor.draft("bob", "BUY", 2, 60_000), headers=KEY)[0] == 201


@rule("IDEM-002")
def test_a_stranger_learns_nothing_of_a_key(floor):
    floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000), headers=KEY)
    forged = {**floor.draft("bob", "BUY", 1, 60_000), "account": account_of("ann")}
    status, said = floor.http("POST /orders", forged, headers=KEY)
    assert (status, said["reason"]) == (401, "BAD_SIGNATURE")


def test_a_refusal_is_not_kept(floor):
    body = floor.draft("zoe", "BUY", 1, 60_000)
    assert floor.http("POST /orders", body, headers=KEY)[0] == 422
    floor.fund("zoe")
    assert floor.http("POST /orders", body, headers=KEY)[0] == 201


@rule("IDEM-003")
def test_a_key_may_be_used_again_after_a_day_though_its_row_is_still_there(floor):
    floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000), headers=KEY)
    other = floor.draft("ann", "BUY", 2, 60_000)
    floor.clock.advance(DAY_NS - NS)
    assert floor.http("POST /orders", other, headers=KEY)[0] == 409
    floor.clock.advance(2 * NS)
    first = floor.http("POST /orders", other, headers=KEY)
    assert first[0] == 201
    assert floor.http("POST /orders", other, headers=KEY) == first
    floor.audit()


@rule("IDEM-003")
def test_an_old_key_does_not_open_the_purse(floor):
    floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000), headers=KEY)
    floor.clock.advance(DAY_NS + NS)
    before = floor.scan()
    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 100_000_000, 60_000), headers=KEY)
    assert (status, said["reason"]) == (422, "ORDER_EXCEEDS_LIMIT")
    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000, nonce=1), headers=KEY)
    assert (status, said["reason"]) == (409, "DUPLICATE_ORDER")
    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 90_000, 60_000), headers=KEY)
    assert (status, said["reason"]) == (422, "INSUFFICIENT_FUNDS")
    assert floor.scan() == before


@pytest.mark.parametrize("key", ["k" * 129, "a b", "schl\u00fcssel", "\ud800", "a\n"])
def test_a_key_is_visible_ascii(floor, key):
    before = floor.scan()
    status, said = floor.http(
        "POST /orders", floor.draft("ann", "BUY", 1, 60_000), headers={"idempotency-key": key}
    )
    assert (status, said["reason"], said["field"]) == (400, "BAD_REQUEST", "idempotency-key")
    assert floor.scan() == before


@rule("IDEM-001")
def test_a_cancel_is_asked_once(floor):
    order_id = floor.order("ann", "BUY", 1, 59_000)
    floor.run()
    first = floor.cancel("ann", order_id, headers=KEY)
    assert first[0] == 202
    before = floor.scan()
    assert floor.cancel("ann", order_id, headers=KEY) == first
    assert floor.scan() == before

    floor.run()
    assert floor.status(order_id) == "CANCELED"
    assert floor.cancel("ann", order_id, headers=KEY) == first
    status, said = floor.cancel("ann", order_id)
    assert (status, said["reason"]) == (409, "TOO_LATE_TO_CANCEL")


@rule("IDEM-002")
def test_a_cancel_under_the_key_of_an_order_is_a_conflict(floor):
    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 1, 59_000), headers=KEY)
    assert status == 201
    before = floor.scan()
    status, conflict = floor.cancel("ann", said["order_id"], headers=KEY)
    assert (status, conflict["reason"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert floor.scan() == before
    floor.clock.advance(DAY_NS - 60 * NS)
    floor.clock.advance(61 * NS)
    deadline = floor.clock.now_ns() // NS + 60
    assert floor.cancel("ann", said["order_id"], headers=KEY, deadline=deadline)[0] == 202
