"""The matcher's invocation: from a batch of commands to committed rows and news."""

import msgspec
import orjson
import pytest

from system.metrics.buckets import minute_label
from system.model import keys
from system.model.errors import Unavailable
from system.model.keys import Key
from system.model.messages import command_body, minute_command
from system.model.units import MINUTE_NS, NS
from system.ports.store import Delete
from tests.rules import rule
from tests.unit.floor import E6, E8, START_NS, Floor, account_of

USDC = 10**6
LOT = E8 // 100


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    for name in ("ann", "bob", "cat"):
        floor.fund(name, amount=100_000 * USDC)
        floor.fund(name, "sBTC", 10 * E8)
    return floor


def minute(floor: Floor) -> None:
    now_ns = floor.clock.now_ns()
    body = command_body(minute_command("BTC-PERP", minute_label(now_ns), now_ns))
    floor.fifo.send(body, "BTC-PERP", f"BTC-PERP:{now_ns // MINUTE_NS}")


@rule("COMM-001")
def test_one_fill_with_exact_amounts(floor):
    sell = floor.order("ann", "SELL", 100, 60_000)
    floor.run()
    buy = floor.order("bob", "BUY", 50, 60_100)
    floor.run()

    # 0.5 BTC at the maker's 60 000: notional 30 000, fee 150 each; 100 % margin
    assert floor.balance("bob") == ((100_000 - 30_000 - 150) * USDC, 0)
    # what is left of the sell holds 30 000 and its fee
    assert floor.balance("ann") == ((100_000 - 60_000 - 300) * USDC, 30_150 * USDC)
    assert floor.status(buy) == "FILLED"
    resting = floor.row(sell)
    assert (resting["status"], resting["leaves_e8"], resting["cum_qty_e8"]) == ("OPEN", 50 * LOT, 50 * LOT)
    assert (resting["cum_notional"], resting["fee_paid"]) == (30_000 * USDC, 150 * USDC)
    long, short = floor.position("bob"), floor.position("ann")
    assert (long["size_e8"], long["cost"], long["margin"]) == (50 * LOT, 30_000 * USDC, 30_000 * USDC)
    assert (short["size_e8"], short["cost"], short["margin"]) == (-50 * LOT, -30_000 * USDC, 30_000 * USDC)
    account = floor.store.get("Balances", Key("MARKET#BTC-PERP", "ASSET#USDC"))
    assert (account["fees"], account["clearing"]) == (300 * USDC, 0)
    (trade,) = floor.store.scan("Trades")
    assert (trade["seq"], trade["trade_no"], trade["price_e6"]) == (2, 1, 60_000 * E6)
    assert (trade["qty_e8"], trade["aggressor_side"]) == (50 * LOT, "BUY")
    (stats,) = floor.store.scan("StatsIntraday")
    assert (stats["trades"], stats["volume"], stats["fees"]) == (1, 30_000 * USDC, 300 * USDC)
    assert floor.lease()["applied_seq"] == 2
    assert floor.lease()["open_interest_e8"] == 50 * LOT
    floor.audit()


def test_a_spot_fill_moves_both_assets(floor):
    floor.order("ann", "SELL", 100, 60_000, "sBTC-USDC")
    floor.order("bob", "BUY", 100, 60_000, "sBTC-USDC")
    floor.run()

    assert floor.balance("bob", "sBTC") == (11 * E8, 0)
    assert floor.balance("bob") == ((100_000 - 60_000 - 300) * USDC, 0)
    assert floor.balance("ann", "sBTC") == (9 * E8, 0)
    assert floor.balance("ann") == ((100_000 + 60_000 - 300) * USDC, 0)
    floor.audit()


def test_cancel_returns_the_hold(floor):
    order_id = floor.order("ann", "BUY", 10, 59_000)
    floor.run()

    assert floor.cancel("ann", order_id)[0] == 202
    floor.run()

    assert (floor.status(order_id), floor.row(order_id)["reason"]) == ("CANCELED", "CANCEL_REQUESTED")
    assert floor.balance("ann") == (100_000 * USDC, 0)
    floor.audit()


def test_a_cancel_that_comes_too_late_says_so_in_its_row(floor):
    maker = floor.order("ann", "SELL", 1, 60_000)
    floor.run()
    floor.order("bob", "BUY", 1, 60_000)
    floor.cancel("ann", maker)
    floor.run()

    cancel = next(row for row in floor.store.scan("Orders") if row["orderType"] == "CANCEL")
    assert (cancel["status"], cancel["seq"]) == ("TOO_LATE_TO_CANCEL", 3)
    assert floor.status(maker) == "FILLED"


@rule("COMM-003")
def test_every_command_of_a_batch_has_a_number_of_its_own(floor):
    orders = [floor.order("ann", "BUY", 1, 59_000 - each) for each in range(3)]
    floor.run()
    for order_id in orders:
        floor.cancel("ann", order_id)
    floor.run()

    numbers = [row["seq"] for row in floor.store.scan("Orders")]
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert floor.lease()["applied_seq"] == 6


def test_cancel_below_a_nonce(floor):
    orders = [floor.order("ann", "BUY", 1, 59_000, nonce=nonce) for nonce in (5, 6, 7)]
    other = floor.order("bob", "BUY", 1, 59_000, nonce=5)
    floor.run()
    body = {
        "account": account_of("ann"),
        "min_nonce": 7,
        "deadline": START_NS // NS + 60,
    }
    assert floor.http("DELETE /orders", body, query={"symbol": "BTC-PERP"})[0] == 202
    floor.run()

    assert [floor.status(each) for each in (*orders, other)] == ["CANCELED", "CANCELED", "OPEN", "OPEN"]
    floor.audit()


@rule("COMM-002")
def test_messages_that_come_twice_are_applied_once(floor):
    floor.order("ann", "SELL", 5, 60_000)
    floor.order("bob", "BUY", 2, 60_000)
    floor.carry()
    records = floor.fifo.receive(10, 60 * NS)

    twice = [*records, *records, records[0]]
    assert floor.matcher.handle({"Records": twice}, None) == {"batchItemFailures": []}
    once = floor.scan()
    for event in ({"Records": records}, {"Records": records[1:]}, {"Records": twice}):
        floor.matcher.handle(event, None)
        assert floor.scan() == once

    # a fresh instance does not know what was applied; the store does
    floor.new_matcher().handle({"Records": records}, None)
    assert {**floor.scan(), "MatcherLeases": []} == {**once, "MatcherLeases": []}
    floor.audit()


@rule("COMM-002")
def test_a_second_batch_after_a_restart_is_looked_up_too(floor):
    for place in range(4):
        floor.order("ann", "SELL", 1, 60_000 + place)
    floor.carry()
    records = floor.fifo.receive(10, 60 * NS)
    floor.matcher.handle({"Records": records}, None)
    before = floor.scan()

    successor = floor.new_matcher()
    assert successor.handle({"Records": records[:2]}, None) == {"batchItemFailures": []}
    assert successor.handle({"Records": records[2:]}, None) == {"batchItemFailures": []}

    assert {**floor.scan(), "MatcherLeases": []} == {**before, "MatcherLeases": []}


def test_a_command_without_a_row_comes_again(floor):
    floor.order("ann", "SELL", 1, 60_000)
    floor.carry()
    row = floor.store.scan("Orders")[0]
    floor.store.write(Delete("Orders", Key(row["PK"], row["SK"])))

    assert floor.serve() == {"received": 1, "failed": 1}


def test_two_markets_in_one_batch(floor):
    floor.order("ann", "SELL", 1, 60_000)
    floor.order("ann", "SELL", 1, 60_000, "sBTC-USDC")
    floor.order("bob", "BUY", 1, 60_000, "sBTC-USDC")
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()

    assert {row["symbol"]: row["trade_no"] for row in floor.store.scan("Trades")} == {
        "BTC-PERP": 1,
        "sBTC-USDC": 1,
    }
    assert (floor.lease()["applied_seq"], floor.lease("sBTC-USDC")["applied_seq"]) == (2, 2)
    floor.audit()


def test_a_market_that_fails_does_not_take_the_other_along(floor):
    floor.order("ann", "SELL", 1, 60_000)
    spot = floor.order("ann", "SELL", 1, 60_000, "sBTC-USDC")
    floor.carry()
    held = {"PK": "MARKET#BTC-PERP", "SK": "LEASE", "owner": "somebody", "token": 9}
    floor.store._tables["MatcherLeases"].rows["MARKET#BTC-PERP"] = {
        "LEASE": {**held, "expires_ns": START_NS + 10 * NS, "applied_seq": 0, "trade_no": 0}
    }

    assert floor.serve() == {"received": 2, "failed": 1}

    assert floor.status(spot) == "OPEN"


def test_gtt_expires_with_the_minute(floor):
    order_id = floor.order("ann", "BUY", 1, 59_000, tif="GTT", expire_s=START_NS // NS + 30)
    floor.run()
    assert floor.status(order_id) == "OPEN"

    floor.clock.advance(60 * NS)
    minute(floor)
    floor.run()

    assert (floor.status(order_id), floor.row(order_id)["reason"]) == ("EXPIRED", "EXPIRED")
    assert floor.balance("ann") == (100_000 * USDC, 0)


def test_a_gtt_that_expired_on_the_way_never_rests(floor):
    order_id = floor.order("ann", "BUY", 1, 59_000, tif="GTT", expire_s=START_NS // NS + 30)
    floor.clock.advance(31 * NS)
    floor.run()

    assert floor.status(order_id) == "EXPIRED"
    assert floor.balance("ann") == (100_000 * USDC, 0)


def test_the_minute_takes_gauges_and_its_copy_nothing(floor):
    floor.order("ann", "SELL", 1, 60_100)
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()
    minute(floor)
    floor.carry()
    records = floor.fifo.receive(10, 60 * NS)
    floor.matcher.handle({"Records": records}, None)

    (stats,) = floor.store.scan("StatsIntraday")
    assert stats["depth_bid_50bp"] == 600 * USDC
    assert stats["depth_ask_50bp"] == 601 * USDC
    assert stats["oi_e8"] == 0
    before = floor.scan()
    floor.matcher.handle({"Records": records}, None)
    assert floor.scan() == before


def test_pause_refuses_what_is_sequenced_behind_it(floor):
    floor.admin("pause")
    order_id = floor.order("ann", "BUY", 1, 60_000)  # the door has not heard of it yet
    floor.run()

    assert floor.store.get("Markets", Key("MARKET#BTC-PERP", "META"))["status"] == "PAUSED"
    assert (floor.status(order_id), floor.row(order_id)["reason"]) == ("REJECTED", "EXCHANGE_CLOSED")
    assert floor.balance("ann") == (100_000 * USDC, 0)
    (change,) = floor.news("stateChange")
    assert (change["channel"], change["data"]) == ("admin.BTC-PERP", {"state": "PAUSED"})

    floor.admin("resume")
    floor.run()
    floor.clock.advance(2 * NS)
    order_id = floor.order("ann", "BUY", 1, 60_000)
    floor.run()
    assert floor.status(order_id) == "OPEN"


def test_close_takes_back_every_order_and_is_for_good(floor):
    orders = [floor.order(name, "BUY", 1, 59_000) for name in ("ann", "bob")]
    floor.run()
    floor.admin("delete")
    floor.admin("resume")  # sequenced behind the close
    floor.run()

    assert [floor.status(each) for each in orders] == ["CANCELED", "CANCELED"]
    assert floor.store.get("Markets", Key("MARKET#BTC-PERP", "META"))["status"] == "CLOSED"
    assert [row["status"] for row in floor.store.scan("Orders") if row["orderType"] == "STATE"] == [
        "DONE",
        "EXCHANGE_CLOSED",
    ]
    assert floor.balance("ann") == (100_000 * USDC, 0)
    floor.audit()


def test_a_replacement_takes_the_place_of_an_order(floor):
    old = floor.order("ann", "BUY", 3, 59_000)
    floor.run()
    smaller = floor.order("ann", "BUY", 2, 59_000, replaces=old)
    dearer = floor.order("ann", "BUY", 2, 59_100, replaces=smaller)
    late = floor.order("ann", "BUY", 2, 59_100, replaces=old) if floor.status(old) != "CANCELED" else ""
    floor.run()

    assert [floor.status(each) for each in (old, smaller, dearer, late)] == [
        "CANCELED",
        "CANCELED",
        "OPEN",
        "REJECTED",
    ]
    assert floor.row(late)["reason"] == "TOO_LATE_TO_CANCEL"
    assert floor.balance("ann")[1] == 2 * 591 * USDC + 2 * 591 * USDC // 200
    floor.audit()


def test_a_defect_leaves_no_half_applied_book(floor):
    """The instance of a Lambda outlives an exception of its handler."""
    floor.order("ann", "SELL", 2, 60_000)
    floor.run()
    floor.clock.advance(1)
    floor.order("bob", "BUY", 1, 60_000)
    floor.carry()
    (record,) = floor.fifo.receive(10, 60 * NS)
    body = orjson.loads(record["body"])
    del body["dynamodb"]["NewImage"]["limit_price_e6"]

    with pytest.raises(msgspec.ValidationError):
        floor.matcher.handle({"Records": [{**record, "body": orjson.dumps(body).decode()}]}, None)
    floor.matcher.handle({"Records": [record]}, None)

    assert floor.position("bob")["size_e8"] == LOT
    floor.audit()


def test_an_unknown_market_is_asked_for_again(floor):
    floor.order("ann", "SELL", 1, 60_000)
    floor.carry()
    floor.store.write(Delete(keys.MARKETS, Key("MARKET#BTC-PERP", "META")))

    assert floor.serve() == {"received": 1, "failed": 1}
    with pytest.raises(Unavailable, match="BTC-PERP"):
        floor.matcher._sit_down("BTC-PERP", START_NS)
