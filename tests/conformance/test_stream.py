"""What every table must leave behind: change records in its stream, and nothing once it has expired."""

from system.model.keys import ORDERS, PRICES, TRADES, Key
from system.model.units import NS
from system.ports.store import NOT_EXISTS, Delete, Put, Update, query_all
from tests.conformance.rows import PK, passes, put_rows, row, sks


def test_stream_records(world):
    """STOR-040 Every change leaves one record in order, shaped as AWS gives it to a function."""
    store = world.backend.store
    store.write(Put(ORDERS, row("a", n=1, ok=True)))
    store.write(Update(ORDERS, Key(PK, "a"), add={"n": 1}))
    store.write(Delete(ORDERS, Key(PK, "a")))

    records = world.backend.read_stream(ORDERS, "pipe", 10)

    key = {"PK": {"S": PK}, "SK": {"S": "a"}}
    before = key | {"n": {"N": "1"}, "ok": {"BOOL": True}}
    after = key | {"n": {"N": "2"}, "ok": {"BOOL": True}}
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [record["eventSource"] for record in records] == ["aws:dynamodb"] * 3
    assert [record["dynamodb"]["Keys"] for record in records] == [key] * 3
    assert [record["dynamodb"].get("OldImage") for record in records] == [None, before, after]
    assert [record["dynamodb"].get("NewImage") for record in records] == [before, after, None]
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    assert len({record["eventID"] for record in records}) == 3


def test_stream_of_a_write_that_changes_nothing(world):
    """STOR-041 A write that leaves the item as it was leaves no record."""
    store = world.backend.store
    store.write(Put(ORDERS, row("a", n=1)))
    store.write(Put(ORDERS, row("a", n=1)))
    store.write(Update(ORDERS, Key(PK, "a"), put={"n": 1}))
    store.write(Delete(ORDERS, Key(PK, "b")))

    assert [record["eventName"] for record in world.backend.read_stream(ORDERS, "pipe", 10)] == ["INSERT"]


def test_stream_of_an_upsert(world):
    """STOR-042 An update that creates an item leaves one INSERT."""
    world.backend.store.write(Update(ORDERS, Key(PK, "a"), put={"n": 1}, add={"m": 2}))

    assert [record["eventName"] for record in world.backend.read_stream(ORDERS, "pipe", 10)] == ["INSERT"]


def test_stream_of_transactions(world):
    """STOR-043 A transaction leaves a record per changed item, a refused one none."""
    store = world.backend.store
    store.transact([Put(ORDERS, row("a")), Put(TRADES, row("t")), Put(ORDERS, row("b"))])
    assert not passes(lambda: store.transact([Put(ORDERS, row("c")), Put(ORDERS, row("a"), NOT_EXISTS)]))

    records = world.backend.read_stream(ORDERS, "pipe", 10)

    assert sorted(record["dynamodb"]["Keys"]["SK"]["S"] for record in records) == ["a", "b"]
    assert len(world.backend.read_stream(TRADES, "archive", 10)) == 1


def test_stream_cursors(world):
    """STOR-044 Each consumer reads on from its own cursor; reading again does not move it."""
    backend = world.backend
    put_rows(backend.store, TRADES, *(row(f"{n}") for n in range(5)))

    def next_sks(consumer: str, limit: int) -> list[str]:
        return [r["dynamodb"]["Keys"]["SK"]["S"] for r in backend.read_stream(TRADES, consumer, limit)]

    assert next_sks("archive", 2) == next_sks("archive", 2) == ["0", "1"]
    backend.advance_stream(TRADES, "archive", 1)
    assert next_sks("archive", 2) == ["1", "2"]
    assert next_sks("settle", 10) == ["0", "1", "2", "3", "4"]
    backend.advance_stream(TRADES, "settle", 5)
    assert next_sks("settle", 10) == []
    put_rows(backend.store, TRADES, row("9"))
    assert next_sks("settle", 10) == ["9"]
    assert next_sks("archive", 10) == ["1", "2", "3", "4", "9"]


def test_stream_filter(world):
    """STOR-045 With an event name the others are passed over, and stay passed."""
    backend = world.backend
    for sk in ("a", "b"):
        backend.store.write(Put(ORDERS, row(sk)))
        backend.store.write(Update(ORDERS, Key(PK, sk), add={"n": 1}))

    records = backend.read_stream(ORDERS, "pipe", 10, "INSERT")
    backend.advance_stream(ORDERS, "pipe", 2)

    assert [record["dynamodb"]["Keys"]["SK"]["S"] for record in records] == ["a", "b"]
    assert backend.read_stream(ORDERS, "pipe", 10, "INSERT") == []
    backend.store.write(Put(ORDERS, row("c")))
    assert len(backend.read_stream(ORDERS, "pipe", 10, "INSERT")) == 1


def test_time_to_live(world):
    """STOR-050 An expired item is seen until it is swept; then it is gone, and the rest is not."""
    store, now_s = world.backend.store, world.clock.now_ns() // NS
    put_rows(store, PRICES, row("old", ttl=now_s + 60), row("new", ttl=now_s + 61), row("ever"))
    world.clock.advance(60 * NS)
    assert len(query_all(store, PRICES, PK)) == 3

    assert world.backend.sweep(world.clock.now_ns()) == 1

    assert sks(query_all(store, PRICES, PK)) == ["ever", "new"]
