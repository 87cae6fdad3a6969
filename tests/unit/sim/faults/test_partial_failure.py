"""A batch that comes back in part: what its function could not serve comes back, whatever the fault adds."""

from typing import Any

import pytest

from sim.faults import Grounds
from sim.faults.partial_failure import PartialFailure
from sim.kernel.dice import Dice
from sim.kernel.history import HistoryWriter
from sim.kernel.plumbing import Failed
from sim.kernel.timeline import Timeline
from sim.world.model_chain import ModelChain
from system.model.errors import Unavailable

NAMES = ["m0", "m1", "m2", "m3", "m4"]
BATCH = {"Records": [{"messageId": name} for name in NAMES]}


def answered(result: Any, seed: int, **how: Any) -> Any:
    """Return what the queue hears of a batch whose function says `result`."""
    chain = ModelChain(0, verify_signatures=False)
    grounds = Grounds(Timeline(0), HistoryWriter(), Dice(seed), chain, 10**9)
    grounds.install((PartialFailure(fault="partial_failure", **how),))
    heard: list[Any] = []
    road = grounds.interference.road("commands -> matcher", lambda _event, finish: finish(result))
    road(BATCH, heard.append)
    [said] = heard
    return said


def named(said: Any) -> list[str]:
    return [each["itemIdentifier"] for each in said["batchItemFailures"]]


@pytest.mark.parametrize("seed", range(10))
def test_the_end_of_a_batch_comes_again(seed: int) -> None:
    failed = named(answered(None, seed))

    assert failed
    assert failed == NAMES[-len(failed) :]


@pytest.mark.parametrize("seed", range(10))
def test_what_the_function_reports_stays_failed(seed: int) -> None:
    """Else the queue would delete a message that nobody has served."""
    own = {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m4"}]}

    failed = named(answered(own, seed))

    assert {"m0", "m4"} <= set(failed)
    assert len(failed) == len(set(failed))
    rest = [name for name in failed if name != "m0"]
    assert rest == NAMES[-len(rest) :]


def test_a_batch_that_failed_whole_stays_so() -> None:
    whole = Failed(Unavailable("no store"))

    assert answered(whole, 1) is whole


def test_without_its_time_nothing_is_added() -> None:
    own = {"batchItemFailures": [{"itemIdentifier": "m3"}]}

    assert answered(own, 1, during=("100 ms", "200 ms")) == own
