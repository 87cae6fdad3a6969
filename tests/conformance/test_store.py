"""What every table store must do with items and transactions, as the rooms rely on it."""

import pytest

from system.model.errors import ConditionFailed
from system.model.keys import BALANCES, MARKETS, ORDERS, Key
from system.model.units import MINUTE_NS, NS
from system.ports.store import EXISTS, NOT_EXISTS, Check, Clause, Delete, Put, Update
from tests.conformance.rows import PK, passes, row


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


def test_counting_gives_every_caller_another_sum(world):
    """STOR-027 A count adds to a number of each item, from 0 where there is none, and returns the sums."""
    store = world.backend.store
    a, b = Key(PK, "a"), Key(PK, "b")
    store.write(Put(BALANCES, row("b", name="x")))

    assert store.count(BALANCES, "seq", {a: 1}) == [1]
    assert store.count(BALANCES, "seq", {b: 2, a: 3}) == [2, 4]
    assert store.count(BALANCES, "seq", {a: 1}) == [5]

    assert store.get(BALANCES, a) == row("a", seq=5)
    assert store.get(BALANCES, b) == row("b", name="x", seq=2)


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
