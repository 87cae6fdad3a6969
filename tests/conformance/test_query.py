"""What every table store must do when asked for many items: ranges, pages, indexes."""

import pytest

from system.model.keys import BALANCES, MARKETS, ORDERS, Key
from system.ports.store import Delete, Put, Update, query_all
from tests.conformance.rows import PK, put_rows, row, sks


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
