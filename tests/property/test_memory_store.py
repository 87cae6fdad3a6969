"""The memory store against a naive model: any sequence of writes, every way to read."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from system.adapters.memory.clock import ManualClock
from system.adapters.memory.store import MemoryStore
from system.adapters.memory.tables import TableDef
from system.model.dynamo_json import unmarshal
from system.model.errors import ConditionFailed
from system.model.keys import Item, Key
from system.ports.store import Action, Check, Clause, Delete, Put, Update, query_all

TABLE, INDEX = "T", "by_colour"
PKS, SKS, COLOURS = ("p1", "p2"), ("a", "b", "c", "d"), ("red", "blue")


class NaiveStore:
    """One dict, copied for every transaction; queries sort everything."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.changes: list[tuple[Item | None, Item | None]] = []

    def transact(self, actions: list[Action]) -> tuple[str, ...] | None:
        reasons = tuple(self.reason(action) for action in actions)
        if any(reasons):
            return reasons
        for action in actions:
            old = self.items.get(action.key)
            new = self.outcome(action, old)
            if new is None:
                self.items.pop(action.key, None)
            else:
                self.items[action.key] = new
            if new != old:
                self.changes.append((old, new))
        return None

    def reason(self, action: Action) -> str:
        item = self.items.get(action.key, {})
        return next((c.attribute for c in action.when if not self.holds(item, c)), "")

    def holds(self, item: Item, clause: Clause) -> bool:
        name, op, value = clause
        if op in {"absent", "exists"}:
            return (name in item) is (op == "exists")
        if name not in item:
            return False
        held = item[name]
        tests = {"=": held == value, "<>": held != value}
        if op in tests:
            return tests[op]
        return type(held) is type(value) and {
            "<": held < value, "<=": held <= value, ">": held > value, ">=": held >= value,
        }[op]  # fmt: skip

    def outcome(self, action: Action, old: Item | None) -> Item | None:
        if isinstance(action, Put):
            return action.item
        if isinstance(action, Update):
            new = dict(old or {"PK": action.key.pk, "SK": action.key.sk})
            new.update(action.put)
            for name, amount in action.add.items():
                new[name] = new.get(name, 0) + amount
            return {name: value for name, value in new.items() if name not in action.remove}
        return None if isinstance(action, Delete) else old

    def query(self, attribute: str, value: str, sort: str) -> list[Item]:
        found = [i for i in self.items.values() if i.get(attribute) == value and sort in i]
        return sorted(found, key=lambda i: (i[sort], i["PK"], i["SK"]))


numbers = st.integers(-3, 3)
key = st.builds(Key, st.sampled_from(PKS), st.sampled_from(SKS))
clause = st.one_of(
    st.builds(Clause, st.sampled_from(("PK", "n")), st.sampled_from(("absent", "exists")), st.none()),
    st.builds(Clause, st.just("n"), st.sampled_from(("=", "<>", "<", "<=", ">", ">=")), numbers),
)
when = st.lists(clause, max_size=2).map(tuple)
colours = st.fixed_dictionaries({}, optional={"colour": st.sampled_from(COLOURS)})


def _put(k: Key, n: int, colour: dict[str, str], when: tuple[Clause, ...]) -> Put:
    return Put(TABLE, {"PK": k.pk, "SK": k.sk, "n": n, **colour}, when)


amounts = st.fixed_dictionaries({}, optional={"n": numbers, "m": numbers})
removals = st.sampled_from(((), ("colour",), ("m", "x")))


def _update(
    k: Key, put: dict[str, str], add: dict[str, int], remove: tuple[str, ...], when: tuple[Clause, ...]
) -> Update:
    return Update(TABLE, k, put, add, tuple(name for name in remove if name not in {**put, **add}), when)


action: st.SearchStrategy[Action] = st.one_of(
    st.builds(_put, key, numbers, colours, when),
    st.builds(_update, key, colours, amounts, removals, when),
    st.builds(lambda k, when: Delete(TABLE, k, when), key, when),
    st.builds(lambda k, when: Check(TABLE, k, when), key, when),
)
transaction = st.lists(action, min_size=1, max_size=6, unique_by=lambda a: a.key)
step = st.one_of(transaction, st.sampled_from(PKS), st.sampled_from(COLOURS))


@given(st.lists(step, max_size=30))
def test_store_is_the_naive_store(steps: list[Any]) -> None:
    definition = TableDef(TABLE, {INDEX: ("colour", "SK")}, stream=True)
    store, naive = MemoryStore(ManualClock(), [definition]), NaiveStore()

    for each in steps:
        if each in PKS:  # sorted keys and indexes start at the first query, so they come in between
            assert query_all(store, TABLE, each) == naive.query("PK", each, "SK")
        elif each in COLOURS:
            found = query_all(store, TABLE, each, index=INDEX, limit=2, descending=True)
            assert found == naive.query("colour", each, "SK")[::-1]
        else:
            assert attempt(store, each) == naive.transact(each)

    for pk in PKS:
        for sk in SKS:
            assert store.get(TABLE, Key(pk, sk)) == naive.items.get(Key(pk, sk))
        assert query_all(store, TABLE, pk, limit=1) == naive.query("PK", pk, "SK")
    for colour in COLOURS:
        assert query_all(store, TABLE, colour, index=INDEX, limit=3) == naive.query("colour", colour, "SK")
    records = store.stream(TABLE).read("reader", 1_000)
    seen = [(plain(r["dynamodb"].get("OldImage")), plain(r["dynamodb"].get("NewImage"))) for r in records]
    assert seen == naive.changes


@given(st.lists(key, min_size=1, max_size=40), st.data())
def test_ranges_are_slices(keys: list[Key], data: st.DataObject) -> None:
    store = MemoryStore(ManualClock(), [TableDef(TABLE)])
    for k in keys:
        store.write(Put(TABLE, {"PK": k.pk, "SK": k.sk}))
    low, high = data.draw(st.sampled_from(SKS)), data.draw(st.sampled_from(SKS))

    found = query_all(store, TABLE, "p1", sk_from=low, sk_to=high, limit=data.draw(st.integers(1, 3)))

    assert [i["SK"] for i in found] == sorted({k.sk for k in keys if k.pk == "p1" and low <= k.sk <= high})


def attempt(store: MemoryStore, actions: list[Action]) -> tuple[str, ...] | None:
    try:
        store.transact(actions)
    except ConditionFailed as lost:
        return lost.reasons
    return None


def plain(image: dict[str, Any] | None) -> Item | None:
    return None if image is None else unmarshal(image)
