"""What every queue must do: SQS as the plumbing around the matcher relies on it."""

from system.model.units import MINUTE_NS, NS

A, B = "BTC-PERP", "ETH-PERP"
VISIBILITY_NS = 30 * NS


def send(world, *messages):
    """Send bodies like "A1": group A, dedup id "A1"."""
    for body in messages:
        world.backend.queue.send(body, {"A": A, "B": B}[body[0]], body)


def receive(world, limit=10, queue=""):
    return world.backend.receive(queue or world.commands, limit, VISIBILITY_NS)


def bodies(records):
    return [record["body"] for record in records]


def delete(world, *records):
    for record in records:
        world.backend.delete(world.commands, record["receiptHandle"])


def test_order_within_a_group(world):
    """QUEU-010 A group's messages arrive in the order of sending, over as many receives as it takes."""
    send(world, "A1", "A2", "A3", "A4", "A5")

    seen = []
    while records := receive(world, 2):
        seen += bodies(records)
        delete(world, *records)

    assert seen == ["A1", "A2", "A3", "A4", "A5"]


def test_one_batch_in_flight_per_group(world):
    """QUEU-011 A group with a message in flight gives no others; other groups do."""
    send(world, "A1", "A2", "A3", "B1")

    first = receive(world, 2)
    assert bodies(first) == ["A1", "A2"]
    second = receive(world)
    assert bodies(second) == ["B1"]
    assert receive(world) == []

    delete(world, first[0])
    assert receive(world) == []
    delete(world, first[1])
    assert bodies(receive(world)) == ["A3"]


def test_duplicate_is_dropped(world):
    """QUEU-012 The same dedup id within five minutes is dropped."""
    send(world, "A1", "A1")
    world.clock.advance(5 * MINUTE_NS - NS)
    send(world, "A1")

    assert bodies(receive(world)) == ["A1"]
    assert receive(world) == []


def test_duplicate_is_dropped_after_delete(world):
    """QUEU-013 The same dedup id within five minutes is dropped even when its message is long done."""
    send(world, "A1")
    delete(world, *receive(world))

    send(world, "A1")

    assert receive(world) == []


def test_dedup_ends(world):
    """QUEU-014 After five minutes a dedup id counts as new."""
    send(world, "A1")
    delete(world, *receive(world))
    world.clock.advance(5 * MINUTE_NS + NS)

    send(world, "A1")

    assert bodies(receive(world)) == ["A1"]


def test_visibility_timeout(world):
    """QUEU-015 What is not deleted in time is received again, first, with a higher receive count."""
    send(world, "A1", "A2", "A3")
    first = receive(world, 2)
    delete(world, first[0])
    world.clock.advance(VISIBILITY_NS - NS)
    assert receive(world) == []

    world.clock.advance(NS + NS)
    again = receive(world)

    assert bodies(again) == ["A2", "A3"]
    assert [record["attributes"]["ApproximateReceiveCount"] for record in again] == ["2", "1"]
    assert again[0]["messageId"] == first[1]["messageId"]


def test_release(world):
    """QUEU-016 A released message is received again at once, before those behind it."""
    send(world, "A1", "A2", "A3")
    first = receive(world, 2)

    for record in first:
        world.backend.release(world.commands, record["receiptHandle"])

    assert bodies(receive(world)) == ["A1", "A2", "A3"]


def test_partial_failure_keeps_order(world):
    """QUEU-017 When only the end of a batch is given back, it comes before what was sent later."""
    send(world, "A1", "A2", "A3", "A4")
    batch = receive(world, 3)

    delete(world, batch[0])
    world.backend.release(world.commands, batch[1]["receiptHandle"])
    world.backend.release(world.commands, batch[2]["receiptHandle"])

    assert bodies(receive(world)) == ["A2", "A3", "A4"]


def test_dead_letters(world):
    """QUEU-018 A message received too often moves to the dead letters; the group goes on."""
    send(world, "A1", "A2")
    for _ in range(world.max_receive_count):
        assert bodies(receive(world, 1)) == ["A1"]
        world.clock.advance(VISIBILITY_NS + NS)

    assert bodies(receive(world, 1)) == ["A2"]

    dead = receive(world, queue=world.commands_dead)
    assert bodies(dead) == ["A1"]
    assert dead[0]["attributes"]["MessageGroupId"] == A


def test_shape_of_a_record(world):
    """QUEU-019 Records look as Lambda gives them to a handler."""
    send(world, "A1", "B1")

    first, second = receive(world)

    assert first["eventSource"] == "aws:sqs"
    assert first["eventSourceARN"].endswith(":" + world.commands)
    assert first["attributes"]["MessageGroupId"] == A
    assert first["attributes"]["MessageDeduplicationId"] == "A1"
    assert first["attributes"]["ApproximateReceiveCount"] == "1"
    assert int(first["attributes"]["SentTimestamp"]) == world.clock.now_ns() // 1_000_000
    assert len(first["attributes"]["SequenceNumber"]) == 20
    assert first["messageId"] != second["messageId"]


def test_sequence_numbers_rise(world):
    """QUEU-022 Sequence numbers rise in the order of sending."""
    send(world, *(f"A{n}" for n in range(8)))

    numbers = [int(record["attributes"]["SequenceNumber"]) for record in receive(world)]

    assert numbers == sorted(set(numbers))


def test_void_handle(world):
    """QUEU-020 A handle is void once its message was received again: it deletes nothing."""
    send(world, "A1")
    (old,) = receive(world)
    world.clock.advance(VISIBILITY_NS + NS)
    (new,) = receive(world)

    delete(world, old)
    world.backend.release(world.commands, old["receiptHandle"])
    assert receive(world) == []
    delete(world, new)
    delete(world, new)

    world.clock.advance(VISIBILITY_NS + NS)
    assert receive(world) == []


def test_receive_is_oldest_first(world):
    """QUEU-021 A receive gives at most ten messages, in order of sending over all groups."""
    names = [f"{'AB'[n % 3 == 0]}{n:02d}" for n in range(12)]
    send(world, *names)

    records = receive(world, 100)

    assert bodies(records) == names[:10]


def test_standard_queue(world):
    """QUEU-030 A standard queue keeps a message until it is deleted, and gives it back when it is not."""
    backend = world.backend
    backend.send(world.ticks, "tick")

    (record,) = receive(world, queue=world.ticks)
    assert record["body"] == "tick"
    assert "MessageGroupId" not in record["attributes"]
    assert receive(world, queue=world.ticks) == []
    world.clock.advance(VISIBILITY_NS + NS)
    (record,) = receive(world, queue=world.ticks)
    assert record["attributes"]["ApproximateReceiveCount"] == "2"

    backend.delete(world.ticks, record["receiptHandle"])
    world.clock.advance(VISIBILITY_NS + NS)
    assert receive(world, queue=world.ticks) == []


def test_standard_release(world):
    """QUEU-031 A released message of a standard queue is received again at once."""
    backend = world.backend
    backend.send(world.ticks, "tick")
    (record,) = receive(world, queue=world.ticks)

    backend.release(world.ticks, record["receiptHandle"])

    assert bodies(receive(world, queue=world.ticks)) == ["tick"]
