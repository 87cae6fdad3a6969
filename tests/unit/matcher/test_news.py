"""What the matcher tells of what it committed."""

import orjson
import pytest

from system.metrics.buckets import minute_label
from system.model.messages import command_body, mark_command, minute_command
from system.model.units import MINUTE_NS, NS
from tests.rules import rule
from tests.unit.faults import FailingTopic
from tests.unit.floor import E6, E8, Floor, trader

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


def test_news_of_a_fill(floor):
    sell = floor.order("ann", "SELL", 5, 60_000)
    buy = floor.order("bob", "BUY", 2, 60_000, client_order_id="b-1")
    floor.run()

    (text,) = floor.topic.messages
    messages = orjson.loads(text)
    assert [message["kind"] for message in messages] == [
        *("trade", "orderUpdate", "orderUpdate", "positionUpdate", "positionUpdate", "depth"),
    ]
    trade, *orders, _, _, depth = messages
    assert (trade["channel"], trade["seq"], depth["seq"]) == ("market.BTC-PERP", 1, 2)
    assert trade["data"] == {
        "price_e6": str(60_000 * E6),
        "qty_e8": str(2 * LOT),
        "aggressor_side": "BUY",
        "trade_no": 1,
    }
    assert depth["data"] == {"bids": [], "asks": [[str(60_000 * E6), str(3 * LOT)]]}
    by_id = {message["data"]["order_id"]: message for message in orders}
    assert by_id[buy]["channel"] == "trader." + trader("bob")
    assert (by_id[buy]["data"]["status"], by_id[buy]["data"]["client_order_id"]) == ("FILLED", "b-1")
    assert (by_id[sell]["data"]["status"], by_id[sell]["data"]["leaves_e8"]) == ("OPEN", str(3 * LOT))


@rule("COMM-006")
def test_market_channels_have_no_holes(floor):
    for round_no in range(30):
        floor.order("ann", "SELL", 2, 60_000 + round_no % 3)
        floor.order("bob", "BUY", 1 + round_no % 3, 60_000 + round_no % 5)
        if round_no % 7 == 0:
            minute(floor)
            floor.clock.advance(61 * NS)
        floor.run(limit=1 + round_no % 4)

    channel = [message["seq"] for message in floor.news() if message["channel"] == "market.BTC-PERP"]
    assert channel == list(range(1, len(channel) + 1))
    assert floor.lease()["feed_seq"] == len(channel)
    versions = [
        message["data"]["version"]
        for message in floor.news("positionUpdate")
        if trader("bob") in message["channel"]
    ]
    assert versions == list(range(1, len(versions) + 1))
    prints = [message["data"]["trade_no"] for message in floor.news("trade")]
    assert prints == list(range(1, len(prints) + 1))


@rule("COMM-006")
def test_a_batch_tells_its_book_once(floor):
    for place in range(8):
        floor.order("ann", "BUY", 1, 59_000 - place)
    floor.run(limit=8)
    (depth,) = floor.news("depth")
    assert (depth["seq"], len(depth["data"]["bids"])) == (1, 8)


@rule("COMM-006")
def test_marks_and_states_are_numbered_with_the_rest(floor):
    for round_no in range(1, 8):
        if round_no % 2:  # the market is open
            floor.order("ann", "SELL", 2, 60_000)
        body = command_body(
            mark_command("BTC-PERP", floor.clock.now_ns(), 60_000 * E6, valid=True, standing="")
        )
        floor.fifo.send(body, "BTC-PERP", f"mark-{round_no}")
        floor.admin("resume" if round_no % 2 == 0 else "pause")
        floor.run()
        floor.clock.advance(NS)
        if round_no == 4:
            floor.matcher = floor.new_matcher()  # numbers are stored, not remembered

    for family, kinds in (("market", {"markPrice", "depth"}), ("admin", {"stateChange"})):
        told = [message for message in floor.news() if message["channel"] == f"{family}.BTC-PERP"]
        assert [message["seq"] for message in told] == list(range(1, len(told) + 1))
        assert {message["kind"] for message in told} == kinds
    assert floor.lease()["admin_seq"] == 7


@rule("COMM-006")
def test_news_waits_for_the_topic(floor):
    floor.matcher.topic = FailingTopic(floor.topic, away=2)
    floor.order("ann", "SELL", 2, 60_000)
    floor.carry()

    assert floor.serve() == {"received": 1, "failed": 1}
    assert floor.serve() == {"received": 1, "failed": 1}
    assert floor.topic.messages == []
    floor.order("bob", "BUY", 2, 60_000)
    floor.run()

    channel = [message["seq"] for message in floor.news() if message["channel"] == "market.BTC-PERP"]
    assert channel == [1, 2, 3]
    floor.audit()


@rule("COMM-006")
def test_kept_news_is_dropped_where_another_instance_has_told_later_news(floor):
    twin = floor.new_matcher()
    floor.matcher.topic = FailingTopic(floor.topic, away=1)
    floor.order("ann", "SELL", 2, 60_000)
    floor.carry()
    assert floor.serve() == {"received": 1, "failed": 1}  # committed, and not told

    floor.order("bob", "BUY", 1, 60_000)
    floor.carry()
    assert floor.serve(twin) == {"received": 2, "failed": 0}
    floor.order("bob", "BUY", 1, 60_000)
    floor.carry()
    assert floor.serve() == {"received": 1, "failed": 0}

    channel = [message["seq"] for message in floor.news() if message["channel"] == "market.BTC-PERP"]
    assert channel == [2, 3, 4, 5], "a reader sees that 1 is missing, and nothing comes late"
    floor.audit()


def test_long_news_is_sent_in_parts(floor):
    floor.fund("dan", amount=10**15)
    for place in range(150):
        floor.order("dan", "BUY", 1, 59_000 - place)
    floor.run()
    floor.topic.messages.clear()
    floor.admin("delete")
    floor.run()
    assert all(len(text) < 256 * 1024 for text in floor.topic.messages)
    assert len(floor.news("orderUpdate")) == 150
