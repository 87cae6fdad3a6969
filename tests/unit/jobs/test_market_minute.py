"""One MINUTE command per open market."""

from __future__ import annotations

from system.jobs.market_minute import MarketMinute
from system.model.messages import read_command
from system.model.units import MINUTE_NS, NS
from tests.rules import rule
from tests.unit.floor import Floor


@rule("MINU-001")
def test_every_open_market_is_told_once_a_minute():
    floor = Floor()
    floor.admin("pause", "sBTC-USDC")
    floor.run()
    job = MarketMinute(floor.store, floor.fifo, floor.clock)
    job.handle({}, None)
    job.handle({}, None)  # Scheduler calls at least once

    records = floor.fifo.receive(10, NS)
    commands = [read_command(record["body"]) for record in records]
    assert [(command.kind, command.item["symbol"]) for command in commands] == [
        ("MINUTE", "BTC-PERP"),
        ("MINUTE", "sBTC-USDC"),
    ]
    assert {command.item["uuid"] for command in commands} == {"2025-05-03T23:30"}
    assert [record["attributes"]["MessageGroupId"] for record in records] == ["BTC-PERP", "sBTC-USDC"]

    for record in records:
        floor.fifo.delete(record["receiptHandle"])
    floor.clock.advance(MINUTE_NS)
    job.handle({}, None)
    assert len(floor.fifo.receive(10, NS)) == 2


@rule("MINU-001")
def test_a_closed_market_is_left_alone():
    floor = Floor()
    floor.admin("delete")
    floor.run()
    MarketMinute(floor.store, floor.fifo, floor.clock).handle({}, None)
    assert [record["attributes"]["MessageGroupId"] for record in floor.fifo.receive(10, NS)] == ["sBTC-USDC"]
