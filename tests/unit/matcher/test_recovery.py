"""Taking a market over: the lease, and the book as the store has it."""

import pytest

from system.matcher.book import Book
from system.matcher.recovery import LeaseHeld, load_bucket, load_positions, read_many, rebuild, take_lease
from system.metrics.buckets import Tiers
from system.model.errors import Unavailable
from system.model.keys import Key
from system.model.units import MINUTE_NS, NS
from system.ports.store import Put, Update
from tests.rules import rule
from tests.unit.floor import START_NS, Floor, trader

LEASE = Key("MARKET#BTC-PERP", "LEASE")


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
    return floor


def take(floor: Floor, owner: str, lease_ns: int = 30 * NS):
    return take_lease(floor.store, "BTC-PERP", owner, floor.clock.now_ns(), lease_ns)


@rule("LEAS-001")
def test_a_lease_that_somebody_holds_is_not_taken(floor):
    take(floor, "one")
    before = floor.scan()

    with pytest.raises(LeaseHeld) as held:
        take(floor, "two")
    assert held.value.args == ("BTC-PERP", "one", START_NS + 30 * NS)
    assert floor.scan() == before

    floor.clock.advance(30 * NS)
    mark, _ = take(floor, "two")
    assert (mark.owner, mark.token) == ("two", 2)
    assert floor.lease()["owner"] == "two"


@rule("LEAS-001")
def test_batches_wait_while_somebody_else_holds_the_lease(floor):
    other = floor.new_matcher(matcher_id="other")
    floor.order("ann", "BUY", 1, 59_000)
    floor.carry()
    assert floor.serve(other) == {"received": 1, "failed": 0}
    floor.order("bob", "BUY", 1, 59_000)
    floor.carry()
    before = floor.scan()

    assert floor.serve() == {"received": 1, "failed": 1}
    assert floor.scan() == before

    floor.clock.advance(31 * NS)
    assert floor.serve() == {"received": 1, "failed": 0}
    assert floor.lease()["owner"] == "matcher-0"


@rule("LEAS-001")
def test_every_commit_renews_the_lease(floor):
    for _ in range(4):
        floor.order("ann", "BUY", 1, 59_000)
        floor.run()
        assert floor.lease()["expires_ns"] == floor.clock.now_ns() + 30 * NS
        floor.clock.advance(20 * NS)


class Interrupted:
    """A store in which something happens between the reading of the lease and its taking."""

    def __init__(self, floor: Floor, then) -> None:
        self.floor = floor
        self.then = then

    def __getattr__(self, name: str):
        return getattr(self.floor.store, name)

    def write(self, action) -> None:
        then, self.then = self.then, lambda: None
        then()
        self.floor.store.write(action)


@pytest.mark.parametrize("held_before", [False, True])
def test_of_two_at_once_one_gets_it(floor, held_before):
    if held_before:
        take(floor, "old")
        floor.clock.advance(31 * NS)
    racing = Interrupted(floor, lambda: take(floor, "faster"))

    with pytest.raises(LeaseHeld, match="faster"):
        take_lease(racing, "BTC-PERP", "slower", floor.clock.now_ns(), 30 * NS)
    assert floor.lease()["owner"] == "faster"


def test_an_owner_that_comes_back_keeps_its_lease(floor):
    take(floor, "old")
    floor.clock.advance(31 * NS)
    renewed = Update("MatcherLeases", LEASE, put={"expires_ns": floor.clock.now_ns() + NS})
    racing = Interrupted(floor, lambda: floor.store.write(renewed))

    with pytest.raises(LeaseHeld):
        take_lease(racing, "BTC-PERP", "new", floor.clock.now_ns(), 30 * NS)
    assert floor.lease()["owner"] == "old"


@rule("LEAS-002")
def test_a_commit_before_the_fence_is_seen(floor):
    """The last owner may commit after its successor has read the lease: the watermark is read again."""
    floor.order("ann", "SELL", 1, 60_000)
    floor.run()
    floor.order("bob", "BUY", 1, 60_000)
    floor.carry()
    racing = Interrupted(floor, floor.serve)

    mark, open_interest_e8 = take_lease(racing, "BTC-PERP", "matcher-0", floor.clock.now_ns(), 30 * NS)

    assert (mark.applied_seq, mark.trade_no, open_interest_e8) == (2, 1, 10**6)


@rule("LEAS-003")
def test_the_rebuilt_book_is_the_one_that_was(floor):
    for place in range(20):
        floor.order("ann", "BUY", 1 + place % 3, 59_000 + place % 5)
        floor.order("bob", "SELL", 1 + place % 2, 59_003 + place % 5)
    old = floor.order("ann", "BUY", 3, 58_000)
    floor.order("ann", "BUY", 2, 58_000)
    floor.run()
    floor.order("ann", "BUY", 1, 58_000, replaces=old)
    floor.run()
    engine = floor.matcher.seats["BTC-PERP"].engine

    rebuilt = rebuild(floor.store, "BTC-PERP", floor.lease()["open_interest_e8"])

    assert rebuilt.state_hash() == engine.state_hash()
    assert len(rebuilt.book) == len(engine.book) > 5


def test_no_market_no_book(floor):
    with pytest.raises(Unavailable, match="expected a market 'ETH-PERP'"):
        rebuild(floor.store, "ETH-PERP", 0)


def test_who_has_no_position_starts_flat_and_is_asked_for_once(floor):
    floor.order("ann", "SELL", 1, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()
    engine = rebuild(floor.store, "BTC-PERP", 0)
    names = [trader("bob"), *(trader(f"nobody {each}") for each in range(250)), trader("bob")]

    load_positions(floor.store, engine, names)

    assert len(engine.positions) == 251
    assert engine.positions[trader("bob")].size_e8 == 10**6
    assert engine.positions[trader("nobody 0")].size_e8 == 0
    load_positions(None, engine, names)  # nothing to read any more


def test_more_keys_than_one_read_takes(floor):
    for place in range(230):
        floor.store.write(Put("Prices", {"PK": f"P{place}", "SK": "x"}))
    rows = read_many(floor.store, "Prices", [Key(f"P{place}", "x") for place in range(231)])
    assert [row["PK"] for row in rows] == [f"P{place}" for place in range(230)]


def test_the_minute_goes_on_where_it_was(floor):
    floor.order("ann", "SELL", 2, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()
    floor.matcher = floor.new_matcher()
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()

    (stats,) = floor.store.scan("StatsIntraday")
    assert (stats["trades"], stats["open_e6"], stats["oi_e8"], stats["oi_e8_min"]) == (
        2,
        60_000 * 10**6,
        2 * 10**6,
        10**6,
    )
    later = load_bucket(floor.store, "BTC-PERP", START_NS + MINUTE_NS)
    assert later.actions() == []


@rule("METR-016")
def test_five_seconds_after_a_restart_have_the_gauges_of_their_minute(floor):
    """A rate that is measured once a minute is in force in every bucket of it, whoever began that."""
    tiers = Tiers(fine=True)
    first = load_bucket(floor.store, "BTC-PERP", START_NS, tiers)
    first.gauge(Book(), 5, START_NS, {"iv_ppm": 78})
    for action in first.actions():
        floor.store.write(action)

    again = load_bucket(floor.store, "BTC-PERP", START_NS + 7 * NS, tiers)
    assert again.actions() == []
    again.committed()  # of something else
    again.open_interest(6, START_NS + 7 * NS)
    for action in again.actions():
        floor.store.write(action)

    *fine, minute = sorted(floor.store.scan("StatsIntraday"), key=lambda row: len(row["PK"]), reverse=True)
    assert [row["iv_ppm"] for row in fine] == [78, 78]
    assert minute["iv_ppm"] == 78


@rule("COMM-002")
def test_a_successor_whose_clock_is_late_looks_all_the_same(floor):
    for place in range(3):
        floor.order("ann", "BUY", 1, 59_000 + place)
    floor.carry()
    records = floor.fifo.receive(10, 60 * NS)
    floor.matcher.handle({"Records": records}, None)

    floor.clock.set(START_NS - 3_600 * NS)
    assert floor.new_matcher().handle({"Records": records}, None) == {"batchItemFailures": []}


@rule("LEAS-003")
def test_a_successor_knows_the_price_of_the_last_trade(floor):
    """Found by a shadow run: stop orders and the next mark judge by it."""
    floor.order("ann", "SELL", 1, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()
    floor.matcher = floor.new_matcher()
    floor.order("bob", "BUY", 1, 59_000)
    floor.run()

    assert floor.matcher.seats["BTC-PERP"].engine.last_e6 == 60_000 * 10**6
