"""Which fills make a batch revert: found by trying, blamed only when one can be to blame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.errors import ChainReverted
from system.ports.chain import ChainFill, Preflight
from system.settlement.isolate import NOBODYS_FAULT, isolate
from tests.rules import rule

FILLS = [ChainFill(0, 1, qty, 0, 0) for qty in range(1, 60)]


def chain(spoilers, error="InsufficientShares"):
    """A contract that reverts when one of these quantities is in the batch."""
    tries = []

    def attempt(fills):
        tries.append(len(fills))
        bad = any(fill.qty in spoilers for fill in fills)
        return Preflight(error if bad else "", 0 if bad else 1_000 * len(fills))

    attempt.tries = tries
    return attempt


@rule("SETL-013")
@given(st.sets(st.integers(1, len(FILLS)), max_size=4))
def test_exactly_the_spoilers_are_found(spoilers):
    attempt = chain(spoilers)

    bad, gas = isolate(FILLS, attempt)

    assert bad == {qty - 1: "InsufficientShares" for qty in spoilers}
    assert gas == 1_000 * (len(FILLS) - len(spoilers))
    assert len(attempt.tries) <= 2 + 8 * len(spoilers)


@rule("SETL-013")
def test_a_batch_of_nothing_but_spoilers_becomes_empty():
    assert isolate(FILLS[:3], chain({1, 2, 3}))[0] == dict.fromkeys(range(3), "InsufficientShares")


@rule("SETL-013")
@pytest.mark.parametrize("error", sorted(NOBODYS_FAULT))
def test_nobody_is_blamed_for_a_pause(error):
    with pytest.raises(ChainReverted, match=error):
        isolate(FILLS, chain({1}, error))


@rule("SETL-013")
def test_nobody_is_blamed_when_an_empty_batch_fails_too():
    with pytest.raises(ChainReverted, match="Panic"):
        isolate(FILLS, lambda _fills: Preflight("Panic", 0))
