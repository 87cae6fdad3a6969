"""What a reader has missed, by the numbers of what it has heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sim.client.hearing import Hearing, Hole
from tests.rules import rule

BTC = "market.BTC-PERP"


def heard(*numbers: int, since: int = 0) -> Hearing:
    hearing = Hearing()
    hearing.subscribed({BTC: since})
    for number in numbers:
        hearing.hear(BTC, number)
    return hearing


def holes(hearing: Hearing) -> list[Hole]:
    """Look twice: what is missing for the first time may only be late."""
    hearing.look()
    return hearing.look()


@rule("FANO-005")
@given(st.permutations(range(1, 12)), st.sets(st.integers(1, 11), max_size=4))
def test_what_did_not_come_is_missing_whatever_the_order(numbers, lost):
    came = [number for number in numbers if number not in lost]
    hearing = heard(*came, *came[:3])
    hearing.told({BTC: 11})
    found = holes(hearing)
    assert sorted(number for hole in found for number in hole.numbers) == sorted(lost)
    for hole in found:
        hearing.whole(hole)
    assert holes(hearing) == []


@rule("FANO-005")
def test_what_comes_late_was_never_missing():
    hearing = heard(1, 2)
    hearing.look()
    hearing.hear(BTC, 5)
    assert hearing.look() == [], "not yet: news takes different ways"
    assert hearing.look() == [Hole(BTC, (3, 4), 5, new=False)]
    hearing.hear(BTC, 4)
    hearing.hear(BTC, 3)
    assert holes(hearing) == []


@rule("FANO-003", "FANO-005")
def test_the_first_messages_of_a_subscription_may_be_missing():
    assert holes(heard(9, 10, since=6)) == [Hole(BTC, (7, 8), 10, new=True)]


@rule("FANO-003", "FANO-005")
def test_so_may_some_behind_the_first_as_each_instance_has_a_list_of_its_own():
    assert holes(heard(7, 10, since=6)) == [Hole(BTC, (8, 9), 10, new=True)]


def test_a_message_may_come_before_the_answer_to_its_subscription():
    hearing = Hearing()
    hearing.hear(BTC, 9)
    hearing.hear(BTC, 10)
    hearing.subscribed({BTC: 6})
    assert holes(hearing) == [Hole(BTC, (7, 8), 10, new=True)]
    hearing = Hearing()
    hearing.hear(BTC, 7)
    hearing.subscribed({BTC: 6})
    hearing.hear(BTC, 8)
    assert holes(hearing) == []


@rule("FANO-005")
def test_who_comes_back_asks_even_where_no_number_is_missing():
    hearing = heard(1, 2)
    hearing.subscribed({BTC: 2})
    (hole,) = holes(hearing)
    assert hole == Hole(BTC, (), 2, new=True)
    hearing.whole(hole)
    assert holes(hearing) == []


@rule("SOCK-003")
def test_a_heartbeat_tells_of_the_very_last_message():
    hearing = heard(1, 2)
    hearing.told({BTC: 2})
    assert holes(hearing) == []
    hearing.told({BTC: 3})
    assert holes(hearing) == [Hole(BTC, (3,), 3, new=False)]
