"""What only the memory store does: it starts extras when first asked, and keeps references."""

import pytest

from system.adapters.memory.clock import ManualClock
from system.adapters.memory.store import MemoryStore, weight
from system.adapters.memory.tables import TableDef
from system.model.keys import Key
from system.model.units import MINUTE_NS, NS
from system.ports.store import Put, Update

T = "T"


def store(**definition):
    return MemoryStore(ManualClock(NS), [TableDef(T, **definition)])


def row(sk, **attributes):
    return {"PK": "p", "SK": sk, **attributes}


def test_items_are_replaced_never_changed():
    tables = store()
    first = row("a", n=1)
    tables.write(Put(T, first))
    seen = tables.get(T, Key("p", "a"))

    tables.write(Update(T, Key("p", "a"), put={"m": 1}, add={"n": 1}))

    assert seen is first
    assert first == row("a", n=1)


def test_growing_item_meets_its_limit():
    tables = store()

    with pytest.raises(ValueError, match="409600"):
        for n in range(1_000):
            tables.write(Update(T, Key("p", "a"), put={f"n{n}": "x" * 900}))

    item = tables.get(T, Key("p", "a"))
    assert item is not None
    assert 0.95 < weight(item) / 409_600 <= 1


def test_weight_of_huge_integers():
    assert weight({"n": 10**37}) > 37


def test_stream_is_kept_for_ever_unless_consumers_are_declared(monkeypatch):
    monkeypatch.setattr("system.adapters.memory.stream._TRIM_AFTER", 4_096)
    tables = store(stream=True)
    stream = tables.stream(T)
    for n in range(10_000):
        tables.write(Put(T, row(f"{n:05d}")))
    while records := stream.read("first", 1_000):
        stream.advance("first", len(records))
    assert len(stream.changes) == 10_000

    stream.declare(["first", "second"])
    for _ in range(6):
        stream.advance("second", len(stream.read("second", 1_000)))
    assert len(stream.changes) < 6_000

    assert stream.read("second", 1)[0]["dynamodb"]["Keys"]["SK"] == {"S": "06000"}
    with pytest.raises(AssertionError, match="third"):
        stream.read("third", 1)


def test_stream_advances_only_over_what_was_read():
    tables = store(stream=True)
    tables.write(Put(T, row("a")))
    tables.stream(T).read("reader", 1)

    with pytest.raises(ValueError, match="at most 1"):
        tables.stream(T).advance("reader", 2)


def test_table_without_stream():
    with pytest.raises(ValueError, match="stream"):
        store().stream(T)


def test_sweep_leaves_a_record_that_says_so():
    tables = store(stream=True, ttl_attribute="ttl")
    tables.write(Put(T, row("a", ttl=5)))
    tables.stream(T).advance("reader", len(tables.stream(T).read("reader", 9)))

    assert tables.sweep(4 * NS) == 0
    assert tables.sweep(5 * NS) == 1

    (record,) = tables.stream(T).read("reader", 9)
    assert record["eventName"] == "REMOVE"
    assert record["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"


def test_limit_must_be_above_zero():
    with pytest.raises(ValueError, match="limit"):
        store().query(T, "p", limit=0)


def test_old_tokens_are_forgotten():
    clock = ManualClock(NS)
    tables = MemoryStore(clock, [TableDef(T)])
    for n in range(50):
        tables.transact([Put(T, row(f"{n}"))], token=f"t{n}")
        clock.advance(MINUTE_NS)

    assert len(tables._tokens) <= 11
