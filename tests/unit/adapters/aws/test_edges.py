"""Ids, clock, sockets, queue, topic, lake and settings on AWS."""

import uuid

import pytest

from system.adapters.aws.clock import WallClock
from system.adapters.aws.ids import RandomIds
from system.adapters.aws.lake import S3Lake
from system.adapters.aws.queue import SqsQueue
from system.adapters.aws.session import Names, names_from_environment
from system.adapters.aws.sockets import ApiGatewaySockets
from system.adapters.aws.topic import SnsTopic
from system.adapters.memory.clock import ManualClock
from system.model.errors import ConfigError, PortError, Throttled
from system.model.units import NS
from tests.unit.adapters.aws.fake import FakeClient, refused

START_NS = 1_746_315_000 * NS + 123_456_789


def test_ids_are_version_7_of_the_clock() -> None:
    found = uuid.UUID(RandomIds(ManualClock(START_NS)).uuid7())

    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == START_NS // 1_000_000


def test_ids_rise_while_the_clock_stands_or_goes_back() -> None:
    clock = ManualClock(START_NS)
    ids = RandomIds(clock)

    minted = [ids.uuid7() for _ in range(5_000)]
    clock.advance(-NS)
    minted += [ids.uuid7() for _ in range(100)]

    assert minted == sorted(minted)
    assert len(dict.fromkeys(minted)) == 5_100
    assert all(uuid.UUID(each).version == 7 for each in minted)


def test_wall_clock_moves() -> None:
    first = WallClock().now_ns()

    assert WallClock().now_ns() >= first > START_NS


@pytest.mark.parametrize(("answer", "there"), [({}, True), (refused("GoneException"), False)])
def test_socket(answer: object, there: bool) -> None:
    client = FakeClient(answer)

    assert ApiGatewaySockets(client).post("c-1", b"{}") is there
    assert client.asked == [("post_to_connection", {"ConnectionId": "c-1", "Data": b"{}"})]


def test_socket_that_is_too_busy() -> None:
    with pytest.raises(Throttled):
        ApiGatewaySockets(FakeClient(refused("LimitExceededException"))).post("c-1", b"{}")


def test_queue_and_topic() -> None:
    client = FakeClient({}, {})

    SqsQueue(client, "url").send("body", "BTC-PERP", "uuid")
    SnsTopic(client, "arn").publish("news")

    group = {"MessageGroupId": "BTC-PERP", "MessageDeduplicationId": "uuid"}
    assert client.asked == [
        ("send_message", {"QueueUrl": "url", "MessageBody": "body", **group}),
        ("publish", {"TopicArn": "arn", "Message": "news"}),
    ]


def test_lake() -> None:
    assert S3Lake(FakeClient(refused("NoSuchKey")), "b").get("k") is None
    with pytest.raises(PortError, match=r"lake.get k: AccessDenied"):
        S3Lake(FakeClient(refused("AccessDenied")), "b").get("k")
    with pytest.raises(Throttled):
        S3Lake(FakeClient(refused("SlowDown")), "b").put("k", b"")


def test_names() -> None:
    environ = {
        "DEX_COMMANDS_URL": "url",
        "DEX_MARKET_UPDATES_ARN": "arn",
        "DEX_LAKE_BUCKET": "bucket",
        "DEX_SOCKETS_URL": "https://ws",
        "PATH": "/bin",
    }

    assert names_from_environment(environ) == Names(
        commands_url="url", market_updates_arn="arn", lake_bucket="bucket", sockets_url="https://ws"
    )
    with pytest.raises(ConfigError, match="DEX_LAKE_BUCKET"):
        names_from_environment({name: text for name, text in environ.items() if name != "DEX_LAKE_BUCKET"})
