"""The one template on an emulator: deployed as it is, proven, traded on, by its own packaged functions.

`make test-localstack` starts MiniStack and runs this. Only the pipe is played (sim/stack/carrier.py).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from sim.kernel.template.stack import load_template
from system.adapters.aws.store import DynamoStore
from system.model import dynamo_json, keys
from system.model.order import trader_of
from tests import marks
from tests.emulator.deployed import (
    E6,
    E8,
    Stack,
    account_of,
    carrier_of,
    draft,
    fund,
    signed_cancel,
    until,
)
from tests.inventory import EMULATOR, LINES

pytestmark = pytest.mark.localstack

NOT_MADE = {"EdgeDistribution", "EdgeRules"}
"""MiniStack takes the WebACL and its distribution into the change set and makes neither."""


def test_every_resource_is_created(stack: Stack) -> None:
    wanted = {each.logical_id: each.type for each in load_template().resources()}

    assert {name: kind for action, kind, name in stack.changes if action == "Add"} == wanted
    assert set(wanted) - set(stack.ids) == NOT_MADE
    assert len(stack.package.body) < 50 * 1024 * 1024
    assert stack.package.unzipped < 250 * 1024 * 1024


def test_state_is_what_the_template_says(stack: Stack) -> None:
    """What an emulator calls complete is asked for again; what MiniStack drops is named (emulator ledger)."""
    dynamodb, sqs = stack.target.client("dynamodb"), stack.target.client("sqs")
    for table in load_template().tables():
        said = dynamodb.describe_table(TableName=table.name)["Table"]
        named = [index["IndexName"] for index in said.get("GlobalSecondaryIndexes", ())]
        assert sorted(named) == sorted(table.indexes), table.name
        assert said.get("StreamSpecification", {}).get("StreamViewType", "") == table.stream_view
        roles = {each["KeyType"]: each["AttributeName"] for each in said["KeySchema"]}
        assert roles == {"HASH": "PK", "RANGE": "SK"}
    for queue in load_template().queues():
        url = sqs.get_queue_url(QueueName=queue.name)["QueueUrl"]
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for name in ("FifoQueue", "VisibilityTimeout", "DelaySeconds"):
            if name in queue.attributes:
                assert said[name] == queue.attributes[name], f"{queue.name} {name}"
        assert ("RedrivePolicy" in said) == bool(queue.dead_letter), queue.name


def test_an_order_travels_the_whole_walk(stack: Stack, market: str) -> None:
    fund(stack, "ann", "bob")
    carrier = carrier_of(stack)
    sell = stack.http("POST", "/orders", draft("ann", "SELL", 1), **{"idempotency-key": "one"})
    again = stack.http("POST", "/orders", draft("ann", "SELL", 1), **{"idempotency-key": "one"})
    assert sell[0] == 201, sell
    assert again == sell
    forged = {**draft("bob", "BUY", 1), "account": account_of("ann")}
    assert stack.http("POST", "/orders", forged)[0] == 401
    assert stack.http("POST", "/orders", draft("bob", "BUY", 2, tif="IOC"))[0] == 201
    assert carrier.carry() == 2

    fills = until(
        lambda: stack.http("GET", "/trades?account=" + account_of("bob"))[1]["fills"], "a fill of bob"
    )
    depth = stack.http("GET", f"/markets/{market}/depth")[1]
    positions = stack.http("GET", "/positions?account=" + account_of("ann"))[1]["positions"]
    s3, bucket = stack.target.client("s3"), stack.outputs["LakeBucket"]
    objects = until(
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix="trades/").get("Contents"), "a trade in the lake"
    )
    stack.seen.update(["archive()", *(marks.of_lake(each["Key"]) for each in objects)])
    line = json.loads(s3.get_object(Bucket=bucket, Key=objects[0]["Key"])["Body"].read())

    assert [(each["role"], each["price_e6"], each["qty_e8"]) for each in fills] == [
        ("taker", str(60_000 * E6), str(E8 // 100))
    ]
    assert (depth["kind"], depth["data"]) == ("depth", {"bids": [], "asks": []})
    assert [each["size_e8"] for each in positions] == [str(-E8 // 100)]
    assert (line["trade_no"], line["price_e6"]) == ("1", str(60_000 * E6))
    stats = stack.http("GET", f"/stats/{market}")[1]
    assert stats["intraday"][0]["trades"] == stats["lifetime"]["trades"] == "1"


def test_news_comes_through_the_socket(stack: Stack, market: str) -> None:
    fund(stack, "cat")
    carrier = carrier_of(stack)
    carrier.carry()
    url = f"{stack.target.endpoint}/_aws/execute-api/{stack.ids['WebSocketApi']}/live"

    async def listen() -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url) as socket,
        ):
            await socket.send_json({"action": "subscribe", "channels": [f"market.{market}"]})
            await asyncio.sleep(3)  # the registry's row, and no list of subscribers older than a second
            order = draft("cat", "BUY", 1, price=59_000 * E6)
            said = await asyncio.to_thread(stack.http, "POST", "/orders", order)
            assert said[0] == 201, said
            await asyncio.to_thread(carrier.carry)
            async with asyncio.timeout(45):
                while True:
                    message: dict[str, Any] = await socket.receive_json()
                    if message.get("kind") == "depth":
                        return message

    message = asyncio.run(listen())

    stack.seen.update(marks.of_news([message]), {"fan_out()"})
    assert message["channel"] == f"market.{market}"
    assert message["data"]["bids"] == [[str(59_000 * E6), str(E8 // 100)]]
    assert stack.http("GET", f"/markets/{market}/depth")[1] == message


def test_fills_cancels_and_states_are_heard(stack: Stack, market: str) -> None:
    """The trader's and the admin's channels, and both ways to cancel, with an administrator in between."""
    fund(stack, "dan", "eve")
    carrier = carrier_of(stack)
    carrier.carry()
    url = f"{stack.target.endpoint}/_aws/execute-api/{stack.ids['WebSocketApi']}/live"
    wanted = {"trader.orderUpdate", "trader.positionUpdate", "market.trade", "admin.stateChange"}

    def act() -> None:
        resting = stack.http("POST", "/orders", draft("dan", "BUY", 1, price=58_900 * E6))
        assert stack.http("POST", "/orders", draft("dan", "BUY", 2, price=58_800 * E6))[0] == 201
        assert stack.http("POST", "/orders", draft("dan", "SELL", 3, price=60_100 * E6))[0] == 201
        assert stack.http("POST", "/orders", draft("eve", "BUY", 1, price=60_100 * E6, tif="IOC"))[0] == 201
        path = f"/orders/{resting[1]['order_id']}"
        assert stack.http("DELETE", path, signed_cancel("dan", nonce=1))[0] == 202
        many = signed_cancel("dan", min_nonce=3)
        assert stack.http("DELETE", f"/orders?symbol={market}", many)[0] == 202
        for action in ("pause", "resume"):
            body = {"action": action, "symbol": market}
            said = stack.http("POST", "/admin/markets", body, authorization=stack.token())
            assert said[0] == 202, said
        assert carrier.carry() == 8

    async def listen() -> set[str]:
        heard: set[str] = set()
        channels = [f"market.{market}", f"admin.{market}", f"trader.{trader_of(account_of('dan'))}"]
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            await socket.send_json({"action": "subscribe", "channels": channels})
            await asyncio.sleep(3)
            await asyncio.to_thread(act)
            async with asyncio.timeout(60):
                while not wanted <= heard:
                    message = await socket.receive_json()
                    if "channel" in message:  # MiniStack also sends what the route answered
                        heard |= marks.of_news([message])
        return heard

    stack.seen.update(asyncio.run(listen()))

    def done() -> bool:
        said = stack.http("GET", f"/orders?account={account_of('dan')}")[1]["orders"]
        return sorted(each["status"] for each in said) == ["CANCELED", "CANCELED", "FILLED"]

    until(done, "both cancels")


JOBS = (
    "oracle_fetch",
    "funding_tick",
    "option_expiry",
    "future_expiry",
    "daily_rollup",
    "liquidation_scan",
    "market_minute",
)
"""Scheduled functions that need no chain; the oracle finds no feed, and writes that."""


def test_every_job_runs(stack: Stack, market: str) -> None:
    functions = {each.name: each.logical_id for each in load_template().functions()}
    client = stack.target.client("lambda")
    for job in JOBS:
        said = client.invoke(FunctionName=stack.ids[functions[job]], Payload=b"{}")
        assert "FunctionError" not in said, (job, said["Payload"].read())
        stack.seen.add(job + "()")
    store = DynamoStore(stack.target.client("dynamodb"), "")

    def gauges() -> bool:
        minutes = store.query(keys.STATS_INTRADAY, keys.market_pk(market), limit=50).items
        return any("oi_e8_max" in row and "depth_bid_5bp" in row for row in minutes)

    until(gauges, "the gauges of a minute, which the matcher took when it was told")


def test_every_route_that_reads_answers(stack: Stack, market: str) -> None:
    for route in load_template().http_routes():
        method, _, path = route.key.partition(" ")
        if method == "GET":
            status, said = stack.http(
                method, f"{path.replace('{symbol}', market)}?account={account_of('ann')}"
            )
            assert status == 200, (route.key, said)


def test_what_was_seen_is_kept_for_the_readme(stack: Stack, request: pytest.FixtureRequest) -> None:
    """The last of this file: tests/emulator/seen.txt lists what of the inventory was seen here."""
    client = stack.target.client("dynamodb")
    for table in keys.TABLES:
        for page in client.get_paginator("scan").paginate(TableName=table):
            stack.seen.update(marks.of_rows(table, map(dynamo_json.unmarshal, page["Items"])))
    if any(mark.startswith("Trades.trade_no") for mark in stack.seen):
        stack.seen.update({"matcher()", "api()"})
    needed = {need for line in LINES for need in line.needs}
    told = "".join(f"{mark}\n" for mark in sorted(stack.seen & needed))

    if request.config.getoption("--golden-write"):
        EMULATOR.write_text(told, encoding="utf-8")
    assert EMULATOR.read_text(encoding="utf-8") == told, "if meant: make test-localstack WRITE=--golden-write"
