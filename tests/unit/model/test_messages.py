"""Commands and news as they travel."""

from __future__ import annotations

import orjson

from system.model import messages
from system.model.dynamo_json import marshal
from system.model.messages import command_body, minute_command, read_command
from system.model.order import order_from_item
from tests.unit.floor import Floor, trader


def test_a_minute_travels_as_a_stream_record():
    item = minute_command("BTC-PERP", "2025-05-03T20:15", 7)
    assert read_command(command_body(item)) == ("MINUTE", "2025-05-03T20:15", 7, None, item)
    assert orjson.loads(command_body(item))["dynamodb"]["NewImage"] == marshal(item)


def test_an_order_travels_as_its_row():
    floor = Floor()
    floor.fund("ann")
    order_id = floor.order("ann", "BUY", 1, 59_000, tif="GTT", expire_s=2_000_000_000, client_order_id="c")
    floor.carry()
    (record,) = floor.fifo.receive(10, 1)

    command = read_command(record["body"])

    row = floor.row(order_id)
    assert command == ("LIMIT", row["uuid"], row["accepted_ns"], order_from_item(row), {})
    assert order_from_item(row).to_item() == row


def test_money_is_text():
    """A JavaScript number loses digits beyond 2**53."""
    floor = Floor()
    floor.fund("ann")
    order = order_from_item(floor.row(floor.order("ann", "BUY", 1, 59_000)))
    position = {
        "trader": "t",
        "version": 3,
        "symbol": "S",
        "size_e8": -1,
        "cost": 2,
        "margin": 3,
        "realised": -4,
    }
    for message in (
        messages.order_update(order, 7),
        messages.position_update(position, 7),
        messages.mark_price("S", 3, 7, 1, 2),
        messages.trade("S", 1, 7, 10**20, 5, "BUY", 9),
        messages.depth("S", 2, 7, [(10**20, 1)], []),
        messages.state_change("S", 2, 7, "PAUSED"),
    ):
        number = set() if message["channel"].startswith("trader.") else {"seq"}
        assert message.keys() == {"channel", *number, "kind", "ts_ns", "data"}
        for name, value in message["data"].items():
            assert name in ("trade_no", "seq", "version") or not isinstance(value, int), name
    assert messages.depth("S", 2, 7, [(10**20, 1)], [])["data"]["bids"] == [(str(10**20), "1")]


def test_channels():
    floor = Floor()
    floor.fund("ann")
    order = order_from_item(floor.row(floor.order("ann", "BUY", 1, 59_000)))
    assert messages.order_update(order, 7)["channel"] == messages.trader_channel(trader("ann"))
    assert messages.mark_price("S", 3, 7, 1, 2)["channel"] == messages.market_channel("S")
    assert messages.state_change("S", 2, 7, "PAUSED")["channel"] == "admin.S"
