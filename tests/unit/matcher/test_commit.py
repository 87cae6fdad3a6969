"""The matcher's transactions: their size, their order, and a crash around any of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from system.matcher.commit import Advance, Changes, Watermark, transaction
from system.matcher.steps import Done, Posting
from system.metrics.buckets import minute_label
from system.model.errors import ConditionFailed
from system.model.keys import Key
from system.model.messages import command_body, minute_command, read_command
from system.model.order import order_from_item
from system.model.units import NS
from system.ports.store import MAX_TRANSACTION_ACTIONS, Clause, Update
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import START_NS, Floor, account_of, comparable

MAKERS = 60
TRADES = MAKERS + 1  # of the story `sweep`

Story = Callable[[Floor], None]


def sweep(floor: Floor) -> None:
    """Sixty makers, a rest for the taker, and something before and behind it in the batch."""
    for place in range(MAKERS):
        name = f"maker {place}"
        floor.fund(name)
        floor.order(name, "SELL", 1 + place % 3, 60_000 + place // 2)
    floor.fund("taker", amount=10**15)
    floor.fund("other")
    floor.run()
    floor.clock.advance(NS)
    floor.order("other", "BUY", 2, 59_000)
    floor.order("taker", "BUY", 200, 60_100)
    floor.order("other", "SELL", 3, 60_050)
    floor.order("other", "BUY", 1, 58_000)


def spot_sweep(floor: Floor) -> None:
    """A spot fill touches most items: two assets on each side."""
    for place in range(MAKERS):
        name = f"maker {place}"
        floor.fund(name)
        floor.order(name, "BUY", 1, 60_000 - place, "sBTC-USDC")
    floor.fund("taker", "sBTC", 10**12)
    floor.fund("taker")
    floor.run()
    floor.clock.advance(NS)
    floor.order("taker", "SELL", MAKERS, 58_000, "sBTC-USDC")


def expiries_then_sweep(floor: Floor) -> None:
    """More orders expire than one transaction holds, before a replacement and its sweep."""
    for place in range(MAKERS):
        name = f"maker {place}"
        floor.fund(name)
        floor.order(name, "BUY", 1, 58_000 + place, tif="GTT", expire_s=START_NS // NS + 5)
        floor.order(name, "SELL", 1, 60_000 + place)
    floor.fund("taker", amount=10**15)
    old = floor.order("taker", "BUY", 5, 59_999)
    floor.run()
    floor.clock.advance(10 * NS)
    floor.order("taker", "BUY", 50, 60_040, replaces=old)


def close(floor: Floor) -> None:
    """A market is closed under 120 orders."""
    for place in range(120):
        name = f"maker {place % 50}"
        floor.fund(name) if place < 50 else None
        floor.order(name, "BUY", 1, 59_000 - place)
    floor.run()
    floor.clock.advance(NS)
    floor.admin("delete")
    floor.order("maker 1", "BUY", 1, 59_000)


def cancel_below(floor: Floor) -> None:
    """One trader takes back 120 orders, with a trade behind it."""
    floor.fund("many", amount=10**15)
    floor.fund("other")
    for place in range(120):
        floor.order("many", "BUY", 1, 59_000 - place)
    floor.run()
    floor.clock.advance(NS)
    asked = {"account": account_of("many"), "min_nonce": 119, "deadline": START_NS // NS + 60}
    assert floor.http("DELETE /orders", asked, query={"symbol": "BTC-PERP"})[0] == 202
    floor.order("other", "SELL", 1, 58_000)
    now_ns = floor.clock.now_ns()
    floor.fifo.send(
        command_body(minute_command("BTC-PERP", minute_label(now_ns), now_ns)), "BTC-PERP", "minute"
    )


def to_the_brim(resting: int) -> Story:
    """A transaction is filled to its last action before an order gives way to another."""

    def story(floor: Floor) -> None:
        for place in range(20):
            floor.fund(f"maker {place}")
            floor.order(f"maker {place}", "SELL", 1, 60_000)
        floor.fund("taker", amount=10**15)
        floor.fund("other")
        floor.order("other", "SELL", 5, 60_001)
        old = floor.order("maker 0", "BUY", 1, 59_000)
        floor.run()
        floor.clock.advance(NS)
        floor.order("taker", "BUY", 20, 60_000)  # 83 actions
        for place in range(resting):
            floor.order("taker", "BUY", 1, 58_000 + place)  # one more each
        floor.order("maker 0", "BUY", 3, 60_001, replaces=old)

    return story


def shorts_and_reduce_only(floor: Floor) -> None:
    """Long traders with closing orders meet a sweep that leaves these orders nothing to close."""
    for place in range(40):
        name = f"maker {place}"
        floor.fund(name)
        floor.order(name, "BUY", 2, 60_000)
    floor.fund("taker", amount=10**15)
    floor.run()
    floor.order("taker", "SELL", 80, 60_000)
    floor.run()
    for place in range(40):
        floor.order(f"maker {place}", "SELL", 2, 60_100, reduce_only=True)
        floor.order(f"maker {place}", "SELL", 1, 60_000)
    floor.run()
    floor.clock.advance(NS)
    floor.order("taker", "BUY", 40, 60_000)


STORIES = (sweep, spot_sweep, expiries_then_sweep, close, cancel_below, shorts_and_reduce_only)


def undisturbed(story: Story) -> tuple[Floor, FailingStore]:
    floor = Floor()
    story(floor)
    store = FailingStore(floor.store)
    floor.matcher = floor.new_matcher(store)
    floor.run()
    return floor, store


@rule("COMM-004")
@pytest.mark.parametrize("story", STORIES)
def test_no_transaction_is_too_long(story):
    floor, store = undisturbed(story)

    assert len(store.transactions) > 1
    assert max(map(len, store.transactions)) <= MAX_TRANSACTION_ACTIONS
    floor.audit()


@rule("COMM-003", "COMM-004")
def test_the_watermark_only_rises():
    floor, store = undisturbed(sweep)

    marks = [(put["applied_seq"], put["trade_no"], put["feed_seq"]) for put in store.lease_updates()]
    assert len(marks) >= 3
    assert marks == sorted(set(marks))
    assert marks[-1][:2] == (MAKERS + 4, TRADES)
    assert [row["trade_no"] for row in floor.store.scan("Trades")] == list(range(1, TRADES + 1))


def crash_everywhere(story: Story, *, after: bool) -> None:
    """The instance dies, the batch comes again to a new one: the same rows, but for the fencing token."""
    expected, store = undisturbed(story)
    wanted = comparable(expected.scan())
    for fail_at in range(1, len(store.transactions) + 1):
        floor = Floor()
        story(floor)
        floor.matcher = floor.new_matcher(FailingStore(floor.store, fail_at, after=after))
        floor.carry()
        while not (said := floor.serve())["failed"]:
            assert said["received"], f"transaction {fail_at} never came"
        floor.matcher = floor.new_matcher()
        floor.run()

        assert comparable(floor.scan()) == wanted, f"transaction {fail_at} of {len(store.transactions)}"
        floor.audit()


@rule("COMM-005")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", STORIES)
def test_a_crash_around_any_transaction_changes_nothing(story, after):
    crash_everywhere(story, after=after)


@rule("COMM-004")
@pytest.mark.parametrize("resting", range(6))
def test_no_cut_between_an_order_and_its_replacement(resting):
    floor, store = undisturbed(to_the_brim(resting))
    assert max(map(len, store.transactions)) <= MAX_TRANSACTION_ACTIONS
    assert len(floor.store.scan("Trades")) == 21
    crash_everywhere(to_the_brim(resting), after=False)


@rule("COMM-005")
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_begun_order_in_a_later_batch_goes_on_from_its_row(first):
    """A successor may receive the batch in other parts than the one that began it."""
    expected, store = undisturbed(sweep)
    for fail_at in range(2, len(store.transactions) + 1):
        floor = Floor()
        sweep(floor)
        floor.matcher = floor.new_matcher(FailingStore(floor.store, fail_at))
        floor.carry()
        while not floor.serve()["failed"]:
            pass
        floor.matcher = floor.new_matcher()
        floor.serve(limit=first)
        floor.run()

        assert comparable(floor.scan())["Positions"] == comparable(expected.scan())["Positions"]
        assert [row["trade_no"] for row in floor.store.scan("Trades")] == list(range(1, TRADES + 1))
        floor.audit()


@rule("COMM-002")
def test_a_message_older_than_the_row_is_not_applied_from_the_start():
    """Even where clocks lie and nobody looks the row up, its condition refuses."""
    floor = Floor()
    sweep(floor)
    floor.matcher = floor.new_matcher(FailingStore(floor.store, 2))
    floor.carry()
    assert floor.serve()["failed"]
    begun = floor.row(f"BTC-PERP:{floor.store.scan('Orders')[MAKERS + 1]['uuid']}")
    assert begun["status"] == "PENDING"
    assert begun["cum_qty_e8"] > 0

    matcher = floor.new_matcher()
    seat = matcher._sit_down("BTC-PERP", START_NS)
    seat.fresh, seat.since_ns = False, 0  # as if the accepting clock were far ahead
    before = comparable(floor.scan())
    records = floor.fifo.receive(10, 60 * NS)
    with pytest.raises(ConditionFailed):
        matcher._serve_from(seat, [read_command(record["body"]) for record in records], START_NS)
    assert comparable(floor.scan()) == before

    for record in records:
        floor.fifo.release(record["receiptHandle"])
    matcher.seats["BTC-PERP"] = seat
    assert floor.serve(matcher) == {"received": 4, "failed": 0}
    floor.run()
    floor.audit()


@rule("LEAS-002")
def test_who_lost_the_lease_writes_nothing():
    floor = Floor()
    floor.fund("ann")
    floor.fund("bob")
    floor.order("ann", "SELL", 1, 60_000)
    floor.run()
    zombie, successor = floor.matcher, floor.new_matcher(matcher_id="successor")

    floor.clock.advance(31 * NS)
    floor.order("bob", "BUY", 1, 59_000)
    floor.carry()
    floor.serve(successor)
    floor.clock.advance(NS)
    floor.order("bob", "BUY", 1, 60_000)
    floor.carry()
    before = floor.scan()
    assert floor.serve(zombie) == {"received": 1, "failed": 1}
    assert floor.scan() == before
    assert zombie.seats == {}

    floor.serve(successor)
    assert len(floor.store.scan("Trades")) == 1
    floor.audit()


@rule("LEAS-004")
def test_an_instance_whose_book_is_out_of_date_reads_it_anew_at_once():
    floor = Floor()
    floor.fund("ann")
    floor.fund("bob")
    floor.order("ann", "SELL", 1, 60_000)
    floor.run()
    twins = floor.matcher, floor.new_matcher()

    for number in range(6):
        floor.order("bob", "BUY", 1, 59_000)
        floor.order("ann", "SELL", 1, 60_000)
        floor.order("bob", "BUY", 1, 60_000)
        floor.carry()
        assert floor.serve(twins[(number + 1) % 2]) == {"received": 3, "failed": 0}
        floor.clock.advance(NS)

    assert len(floor.store.scan("Trades")) == 6
    assert [row["trade_no"] for row in floor.store.scan("Trades")] == [1, 2, 3, 4, 5, 6]
    assert len(floor.news("trade")) == 6
    floor.audit()


def test_news_of_a_committed_part_is_told_although_the_next_fails():
    floor = Floor()
    sweep(floor)
    floor.topic.messages.clear()
    floor.matcher = floor.new_matcher(FailingStore(floor.store, 3))
    floor.carry()
    assert floor.serve()["failed"]
    told = len(floor.news("trade"))
    assert told == len(floor.store.scan("Trades")) > 0

    floor.matcher = floor.new_matcher()
    floor.run()
    assert [message["data"]["trade_no"] for message in floor.news("trade")] == list(range(1, TRADES + 1))


def test_changes_merge_per_item_and_leave_out_empty_sums():
    floor = Floor()
    floor.fund("ann")
    order = order_from_item(floor.row(floor.order("ann", "BUY", 1, 59_000)))
    order.status, order.hold = "CANCELED", 0
    changes = Changes()
    changes.add(Done(order, (Posting("t", "USDC", 5, -5),)))
    changes.add(Done(order, (Posting("t", "USDC", -5, 5), Posting("u", "USDC", 1, -1))))
    assert changes.size == 3

    before, after = Watermark("me", 3, 7, 2, 9, 0, ""), Watermark("me", 3, 8, 2, 10, 0, "")
    actions = transaction(changes, Advance("BTC-PERP", before, after, 99, 0), {order.uuid: 0}, [])

    lease, row, balance = actions
    assert isinstance(lease, Update)
    assert isinstance(row, Update)
    assert "account" not in row.put, "signed terms stay as they were accepted"
    assert lease.when == (
        Clause("token", "=", 3),
        Clause("applied_seq", "=", 7),
        Clause("trade_no", "=", 2),
    )
    assert row.when == (Clause("status", "=", "PENDING"), Clause("cum_qty_e8", "=", 0))
    moved = {"available": 1, "reserved": -1}
    assert balance == Update("Balances", Key("TRADER#u", "ASSET#USDC"), add={**moved, "backed": 1})
    in_the_ledger = Advance("BTC-PERP", before, after, 99, 0, on_chain=False)
    *_, balance = transaction(changes, in_the_ledger, {order.uuid: 0}, [])
    assert balance == Update("Balances", Key("TRADER#u", "ASSET#USDC"), add=moved)
