"""What every table store must do: DynamoDB's behaviour as the rooms rely on it."""

from collections.abc import Callable
from typing import Any

import pytest

from system.model.errors import ConditionFailed
from system.model.keys import BALANCES, MARKETS, ORDERS, PRICES, TRADES, Item, Key
from system.model.units import MINUTE_NS, NS
from system.ports.store import (
    EXISTS,
    NOT_EXISTS,
    Check,
    Clause,
    Delete,
    Put,
    Store,
    Update,
    query_all,
)

PK = "MARKET#BTC-PERP"


def row(sk: str, pk: str = PK, **attributes: Any) -> Item:
    return {"PK": pk, "SK": sk, **attributes}


def put_rows(store: Store, table: str, *items: Item) -> None:
    for item in items:
        store.write(Put(table, item))


def sks(items: list[Item]) -> list[str]:
    return [item["SK"] for item in items]


def test_item_comes_back_whole(world):
    """STOR-010 An item is read back with the values and types it was written with."""
    item = row(
        "a", text="é", number=-7, yes=True, no=False, nothing=None, raw=b"\x00\xff", deep={"list": [1, "b"]}
    )

    world.backend.store.write(Put(BALANCES, item))

    assert world.backend.store.get(BALANCES, Key(PK, "a")) == item
    assert world.backend.store.get(BALANCES, Key(PK, "b")) is None
    assert world.backend.store.get(BALANCES, Key("other", "a")) is None


def test_put_replaces_all(world):
    """STOR-011 A put replaces the whole item; with NOT_EXISTS it refuses and changes nothing."""
    store = world.backend.store
    store.write(Put(BALANCES, row("a", x=1, y=2)))
    store.write(Put(BALANCES, row("a", x=3)))

    with pytest.raises(ConditionFailed) as lost:
        store.write(Put(BALANCES, row("a", x=4), NOT_EXISTS))

    assert lost.value.reasons == ("PK",)
    assert store.get(BALANCES, Key(PK, "a")) == row("a", x=3)


def test_update_sets_adds_removes(world):
    """STOR-012 An update sets, adds to a number (a missing one counts as 0), removes, and creates."""
    store = world.backend.store
    key = Key(PK, "a")

    store.write(Update(BALANCES, key, put={"name": "x"}, add={"available": 5}))
    store.write(Update(BALANCES, key, add={"available": -7, "reserved": 7}, remove=("name", "never there")))

    assert store.get(BALANCES, key) == row("a", available=-2, reserved=7)


def test_comparisons(world):
    """STOR-013 Comparisons go by value; another type is never equal."""
    store = world.backend.store
    store.write(Put(BALANCES, row("a", n=5)))
    hold = {"=": [5], "<>": [4, 6, "5"], "<": [6], "<=": [5, 6], ">": [4], ">=": [4, 5]}
    fail = {"=": [4, 6, "5", True], "<>": [5], "<": [4, 5], "<=": [4], ">": [5, 6], ">=": [6]}

    for expected, cases in ((True, hold), (False, fail)):
        for op, values in cases.items():
            for value in values:
                action = Update(BALANCES, Key(PK, "a"), add={"m": 1}, when=(Clause("n", op, value),))
                assert passes(lambda action=action: store.write(action)) is expected, (op, value)


def test_missing_attribute_never_compares(world):
    """STOR-014 A comparison with a missing attribute, or with a missing item, is false."""
    store = world.backend.store
    store.write(Put(BALANCES, row("a")))

    for op in ("=", "<>", "<", "<=", ">", ">="):
        for sk in ("a", "no such item"):
            action = Update(BALANCES, Key(PK, sk), add={"m": 1}, when=(Clause("n", op, 0),))
            assert not passes(lambda action=action: store.write(action)), op


def test_other_type_is_never_less_or_greater(world):
    """STOR-019 A number is neither below nor above a text."""
    store = world.backend.store
    store.write(Put(BALANCES, row("a", n=5)))

    for op in ("<", "<=", ">", ">="):
        action = Update(BALANCES, Key(PK, "a"), add={"m": 1}, when=(Clause("n", op, "4"),))
        assert not passes(lambda action=action: store.write(action)), op


def test_big_integers_are_exact(world):
    """STOR-015 Integers are exact up to DynamoDB's 38 digits, also when added to."""
    store = world.backend.store
    big = 10**38 - 2

    store.write(Put(BALANCES, row("a", n=big, negative=-big)))
    store.write(Update(BALANCES, Key(PK, "a"), add={"n": 1, "negative": -1}))

    assert store.get(BALANCES, Key(PK, "a")) == row("a", n=big + 1, negative=-big - 1)


def test_delete(world):
    """STOR-016 Deleting a missing item succeeds; a condition can forbid it."""
    store = world.backend.store
    store.write(Delete(BALANCES, Key(PK, "a")))
    assert not passes(lambda: store.write(Delete(BALANCES, Key(PK, "a"), EXISTS)))

    store.write(Put(BALANCES, row("a")))
    store.write(Delete(BALANCES, Key(PK, "a"), EXISTS))

    assert store.get(BALANCES, Key(PK, "a")) is None


def test_several_clauses(world):
    """STOR-017 All clauses must hold; the reason names the attribute of the first that does not."""
    store = world.backend.store
    store.write(Put(BALANCES, row("a", available=5, version=2)))
    when = (Clause("available", ">=", 5), Clause("version", "=", 3), Clause("gone", "exists"))

    with pytest.raises(ConditionFailed) as lost:
        store.write(Update(BALANCES, Key(PK, "a"), add={"available": -5}, when=when))

    assert lost.value.reasons == ("version",)


def test_key_cannot_be_updated(world):
    """STOR-018 An update of a key attribute is a defect of the caller."""
    with pytest.raises(ValueError, match="key"):
        world.backend.store.write(Update(BALANCES, Key(PK, "a"), put={"SK": "b"}))


def test_transaction_is_all_or_nothing(world):
    """STOR-020 A transaction writes all or nothing, and says for each action what was wrong with it."""
    store = world.backend.store
    store.write(Put(BALANCES, row("a", available=5)))
    take = Clause("available", ">=", 3)
    actions = [
        Put(ORDERS, row("o", n=1), NOT_EXISTS),
        Update(BALANCES, Key(PK, "a"), add={"available": -3}, when=(take,)),
        Check(BALANCES, Key(PK, "b"), NOT_EXISTS),
        Delete(BALANCES, Key(PK, "c")),
    ]
    store.transact(actions)
    assert store.get(BALANCES, Key(PK, "a")) == row("a", available=2)

    with pytest.raises(ConditionFailed) as lost:
        store.transact([*actions[1:], Put(ORDERS, row("o", n=2), NOT_EXISTS), Put(ORDERS, row("p"))])

    assert lost.value.reasons == ("available", "", "", "PK", "")
    assert store.get(BALANCES, Key(PK, "a")) == row("a", available=2)
    assert store.get(ORDERS, Key(PK, "o")) == row("o", n=1)
    assert store.get(ORDERS, Key(PK, "p")) is None


def test_check_writes_nothing(world):
    """STOR-021 A check only tests: it creates no item."""
    store = world.backend.store

    store.transact([Check(BALANCES, Key(PK, "a"), NOT_EXISTS), Put(BALANCES, row("b"))])

    assert world.backend.scan(BALANCES) == [row("b")]


def test_transaction_limits(world):
    """STOR-022 A transaction beyond AWS's limits is a defect of the caller and writes nothing."""
    store = world.backend.store
    beyond = {
        "none": [],
        "101": [Put(BALANCES, row(f"{n:03d}")) for n in range(101)],
        "same item twice": [Put(BALANCES, row("a")), Update(BALANCES, Key(PK, "a"), add={"n": 1})],
        "check and put": [Check(BALANCES, Key(PK, "a"), NOT_EXISTS), Put(BALANCES, row("a"))],
        "item above 400 KB": [Put(BALANCES, row("a", text="x" * 410_000))],
        "above 4 MB": [Put(BALANCES, row(f"{n:03d}", text="x" * 390_000)) for n in range(12)],
    }

    for what, actions in beyond.items():
        with pytest.raises(ValueError):
            store.transact(actions)
        assert world.backend.scan(BALANCES) == [], what


def test_hundred_actions(world):
    """STOR-023 A hundred actions are fine, on any tables."""
    actions = [Put((BALANCES, MARKETS)[n % 2], row(f"{n:03d}")) for n in range(100)]

    world.backend.store.transact(actions)

    assert len(world.backend.scan(BALANCES)) == len(world.backend.scan(MARKETS)) == 50


def test_token_makes_retry_a_no_op(world):
    """STOR-024 The same transaction with the same token within ten minutes is done once."""
    store, actions = world.backend.store, [Update(BALANCES, Key(PK, "a"), add={"n": 1})]

    store.transact(actions, token="t1")
    world.clock.advance(9 * MINUTE_NS)
    store.transact(actions, token="t1")

    assert store.get(BALANCES, Key(PK, "a")) == row("a", n=1)


def test_token_expires(world):
    """STOR-025 After ten minutes a token is forgotten; a refused transaction never uses one up."""
    store, actions = world.backend.store, [Update(BALANCES, Key(PK, "a"), add={"n": 1})]
    refused = [Update(BALANCES, Key(PK, "b"), add={"n": 1}, when=EXISTS)]
    store.transact(actions, token="t1")
    assert not passes(lambda: store.transact(refused, token="t2"))

    world.clock.advance(10 * MINUTE_NS + NS)
    store.transact(actions, token="t1")
    store.write(Put(BALANCES, row("b", n=0)))
    store.transact(refused, token="t2")

    assert store.get(BALANCES, Key(PK, "a")) == row("a", n=2)
    assert store.get(BALANCES, Key(PK, "b")) == row("b", n=1)


def test_token_with_other_actions(world):
    """STOR-026 A token that comes back with other actions is a defect of the caller."""
    store = world.backend.store
    store.transact([Update(BALANCES, Key(PK, "a"), add={"n": 1})], token="t1")

    problem: Exception | None = None
    try:
        store.transact([Update(BALANCES, Key(PK, "a"), add={"n": 2})], token="t1")
    except ValueError as error:
        problem = error

    assert problem is not None
    assert store.get(BALANCES, Key(PK, "a")) == row("a", n=1)


def test_query_order_and_range(world):
    """STOR-030 A query reads one partition in sort-key order, bounds inclusive, either way round."""
    store = world.backend.store
    put_rows(store, ORDERS, *(row(f"TS#{n}") for n in (5, 1, 3, 2, 4)), row("TS#3", pk="MARKET#ETH-PERP"))

    assert sks(store.query(ORDERS, PK).items) == ["TS#1", "TS#2", "TS#3", "TS#4", "TS#5"]
    assert sks(store.query(ORDERS, PK, sk_from="TS#2", sk_to="TS#4").items) == ["TS#2", "TS#3", "TS#4"]
    assert sks(store.query(ORDERS, PK, sk_from="TS#25", descending=True).items) == ["TS#5", "TS#4", "TS#3"]
    assert sks(store.query(ORDERS, PK, sk_to="TS#2", limit=1, descending=True).items) == ["TS#2"]
    assert store.query(ORDERS, "MARKET#none") == ([], None)

    store.write(Delete(ORDERS, Key(PK, "TS#3")))
    put_rows(store, ORDERS, row("TS#35"), row("TS#9"))
    assert sks(store.query(ORDERS, PK).items) == ["TS#1", "TS#2", "TS#35", "TS#4", "TS#5", "TS#9"]


@pytest.mark.parametrize("descending", [False, True])
def test_pages(world, descending):
    """STOR-031 Pages of a query join to the whole, none twice, also when rows come and go in between."""
    store = world.backend.store
    put_rows(store, ORDERS, *(row(f"TS#{n:02d}") for n in range(20)))
    whole = [f"TS#{n:02d}" for n in range(20)]

    first = store.query(ORDERS, PK, limit=7, descending=descending)
    store.write(Delete(ORDERS, Key(PK, first.items[-1]["SK"])))
    found, after = list(first.items), first.after
    while after is not None:
        page = store.query(ORDERS, PK, limit=7, descending=descending, after=after)
        assert len(page.items) <= 7
        found, after = found + page.items, page.after

    assert sks(found) == (whole[::-1] if descending else whole)


def test_page_of_one_megabyte(world):
    """STOR-032 A page ends after about 1 MB even without a limit."""
    store = world.backend.store
    put_rows(store, ORDERS, *(row(f"TS#{n}", text="x" * 300_000) for n in range(5)))

    page = store.query(ORDERS, PK)

    assert 3 <= len(page.items) <= 4
    assert page.after is not None
    assert len(query_all(store, ORDERS, PK)) == 5


def test_index_follows_writes(world):
    """STOR-033 An index holds the items that have both its attributes, wherever they move."""
    store = world.backend.store
    put_rows(
        store,
        MARKETS,
        row("META", pk="MARKET#B", status="ACTIVE"),
        row("META", pk="MARKET#A", status="ACTIVE"),
        row("META", pk="MARKET#C", status="PAUSED"),
        row("META", pk="MARKET#D"),
    )
    assert [i["PK"] for i in query_all(store, MARKETS, "ACTIVE", index="status")] == ["MARKET#A", "MARKET#B"]

    store.write(Update(MARKETS, Key("MARKET#B", "META"), put={"status": "PAUSED", "n": 1}))
    store.write(Update(MARKETS, Key("MARKET#C", "META"), remove=("status",)))
    store.write(Delete(MARKETS, Key("MARKET#A", "META")))
    store.write(Put(MARKETS, row("META", pk="MARKET#E", status="ACTIVE")))

    assert [i["PK"] for i in query_all(store, MARKETS, "ACTIVE", index="status")] == ["MARKET#E"]
    assert query_all(store, MARKETS, "PAUSED", index="status") == [
        row("META", pk="MARKET#B", status="PAUSED", n=1)
    ]


def test_index_pages(world):
    """STOR-034 Index queries take ranges, directions and pages like the table's own."""
    store = world.backend.store
    put_rows(store, ORDERS, *(row(f"TS#{n}", pk=f"MARKET#{n % 2}", trader_key="TRADER#1") for n in range(8)))
    put_rows(store, ORDERS, row("TS#3", pk="MARKET#0", trader_key="TRADER#2"))
    where = {"index": "trader", "sk_from": "TS#1", "sk_to": "TS#6"}

    assert sks(query_all(store, ORDERS, "TRADER#1", limit=4, **where)) == [f"TS#{n}" for n in range(1, 7)]
    assert sks(query_all(store, ORDERS, "TRADER#1", limit=4, descending=True, **where)) == [
        f"TS#{n}" for n in range(6, 0, -1)
    ]


def test_get_many(world):
    """STOR-035 get_many keeps the order of the keys and leaves out the missing; at most 100."""
    store = world.backend.store
    put_rows(store, BALANCES, *(row(f"{n:03d}") for n in range(100)))
    wanted = [Key(PK, f"{n:03d}") for n in range(99, 0, -1)]

    assert sks(store.get_many(BALANCES, [*wanted, Key(PK, "none")])) == [key.sk for key in wanted]
    assert store.get_many(BALANCES, []) == []
    with pytest.raises(ValueError):
        store.get_many(BALANCES, [Key(PK, f"{n:03d}") for n in range(101)])
    with pytest.raises(ValueError):
        store.get_many(BALANCES, [Key(PK, "001"), Key(PK, "001")])


def test_scan(world):
    """STOR-036 A scan returns every item in the order of its keys."""
    put_rows(world.backend.store, BALANCES, row("b"), row("a", pk="MARKET#Z"), row("a"), row("b", pk="A"))

    assert [(item["PK"], item["SK"]) for item in world.backend.scan(BALANCES)] == [
        ("A", "b"),
        (PK, "a"),
        (PK, "b"),
        ("MARKET#Z", "a"),
    ]


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


def passes(write: Callable[[], None]) -> bool:
    """Whether a write's conditions held."""
    try:
        write()
    except ConditionFailed:
        return False
    return True
