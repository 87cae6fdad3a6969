"""Ids, clock, sockets, lake, topic and queues of the memory backend, beyond the conformance cards."""

from uuid import UUID

import pytest

from sim.kernel.backend import QueueDef
from sim.world.memory_backend import MemoryBackend
from system.adapters.memory.clock import ManualClock
from system.adapters.memory.ids import SeededIds
from system.adapters.memory.lake import MemoryLake
from system.adapters.memory.queue import MemoryFifo, MemoryQueue
from system.adapters.memory.sockets import MemorySockets
from system.adapters.memory.topic import MemoryTopic
from system.model.units import NS

START_NS = 1_746_315_000 * NS


def test_ids_are_version_7_and_sort_by_birth():
    clock = ManualClock(START_NS)
    ids = SeededIds(clock, "7:api:0")
    minted = []
    for _ in range(70):
        minted += [ids.uuid7() for _ in range(1_000)]
        clock.advance(77_777)

    assert minted == sorted(set(minted))
    assert {UUID(each).version for each in minted} == {7}
    assert UUID(minted[0]).variant == UUID(int=0x8000 << 48).variant
    assert int(minted[0].replace("-", "")[:12], 16) == START_NS // 1_000_000


def test_ids_are_the_same_for_one_seed_and_differ_between_two():
    def mint(seed):
        ids = SeededIds(ManualClock(START_NS), seed)
        return [ids.uuid7() for _ in range(100)]

    assert mint("7:api:0") == mint("7:api:0")
    assert not set(mint("7:api:0")) & set(mint("7:api:1"))


def test_clock_moves_when_told():
    clock = ManualClock(5)
    clock.advance(7)
    assert clock.now_ns() == 12
    clock.set(3)
    assert clock.now_ns() == 3


def test_sockets_say_who_is_gone():
    sockets, heard = MemorySockets(), []
    sockets.connect("c1", heard.append)

    assert sockets.post("c1", b"hello")
    sockets.disconnect("c1")
    sockets.disconnect("c1")

    assert not sockets.is_live("c1")
    assert not sockets.post("c1", b"anyone?")
    assert heard == [b"hello"]


def test_lake_writes_through(tmp_path):
    lake = MemoryLake(tmp_path)
    lake.put("daily/2025-05-03.json", b"{}")

    assert (tmp_path / "daily/2025-05-03.json").read_bytes() == b"{}"
    for key in ("", "/etc/x", "a/../../b"):
        with pytest.raises(ValueError, match="relative"):
            lake.put(key, b"")


def test_topic_keeps_messages_while_nobody_listens():
    topic, heard = MemoryTopic(), []
    topic.publish("1")
    topic.subscribe(heard.append)
    topic.publish("2")

    assert topic.messages == ["1"]
    assert heard == ["2"]


def test_redrive_of_a_standard_queue():
    clock = ManualClock(START_NS)
    dead = MemoryQueue(clock, "dead")
    queue = MemoryQueue(clock, "queue", 2, dead)
    queue.send("x")
    for _ in range(2):
        (record,) = queue.receive(10, NS)
        queue.release(record["receiptHandle"])

    assert queue.receive(10, NS) == []
    assert (queue.visible_count(), dead.visible_count()) == (0, 1)
    assert dead.receive(1, NS)[0]["body"] == "x"
    assert dead.in_flight_count() == 1


def test_fifo_counts_what_waits_and_what_is_out():
    queue = MemoryFifo(ManualClock(START_NS), "q.fifo")
    for n in range(5):
        queue.send("x", "g", str(n))
    queue.receive(2, NS)

    assert (queue.visible_count(), queue.in_flight_count()) == (3, 2)


def test_releasing_the_end_first_keeps_the_order():
    queue = MemoryFifo(ManualClock(START_NS), "q.fifo")
    for n in range(4):
        queue.send(str(n), "g", str(n))
    for record in reversed(queue.receive(3, NS)):
        queue.release(record["receiptHandle"])

    assert [record["body"] for record in queue.receive(10, NS)] == ["0", "1", "2", "3"]


def test_message_that_is_too_big():
    clock = ManualClock(START_NS)
    with pytest.raises(ValueError, match="bytes"):
        MemoryFifo(clock, "q.fifo").send("x" * 1_048_577, "g", "d")
    with pytest.raises(ValueError, match="bytes"):
        MemoryQueue(clock, "q").send("x" * 1_048_577)


def test_queues_are_built_in_any_order():
    queues = [QueueDef("q.fifo", True, 3, "dead.fifo"), QueueDef("dead.fifo", True)]
    backend = MemoryBackend(ManualClock(START_NS), [], queues, commands="q.fifo")
    assert set(backend.queues) == {"q.fifo", "dead.fifo"}

    with pytest.raises(AssertionError, match="circle"):
        MemoryBackend(ManualClock(0), [], [QueueDef("a", True, 3, "a")], commands="a")


def test_delayed_message_is_not_seen_before():
    clock = ManualClock(START_NS)
    queue = MemoryQueue(clock, "q")
    queue.send("later", 30 * NS)
    queue.send("now")

    assert [record["body"] for record in queue.receive(10, 60 * NS)] == ["now"]
    clock.advance(30 * NS)
    assert [record["body"] for record in queue.receive(10, 60 * NS)] == ["later"]
