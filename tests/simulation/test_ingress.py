"""The two ways of a command to its market's queue: the same business, and one is faster."""

from __future__ import annotations

import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from tests.rules import rule
from tests.simulation.scenes import small

SAME_TIME = (
    "links.stream -> pipe={median: 0 ms, p99: 0 ms}",
    "links.pipe -> commands={median: 0 ms, p99: 0 ms}",
    "links.api -> commands={median: 0 ms, p99: 0 ms}",
    "links.commands -> matcher={median: 10 ms, p99: 10 ms}",
)


def scene(ingress: str, *settings: str) -> Scenario:
    return small(5, f"ingress={ingress}", *settings)


@rule("INGR-001")
@pytest.mark.parametrize("backend", ["memory", "moto"])
def test_the_same_business_where_the_hops_take_the_same_time(backend: str) -> None:
    how = (*SAME_TIME, f"backend={backend}", *(["duration=6 s"] if backend == "moto" else []))
    pipe, direct = (run(scene(ingress, *how)).record for ingress in ("pipe", "direct"))

    assert pipe.business_digest == direct.business_digest
    assert (direct.ingress, direct.failures) == ("direct", [])
    assert direct.counts["fills"] > 10


@rule("INGR-001")
def test_direct_saves_the_poll_of_the_stream() -> None:
    pipe, direct = (run(scene(ingress)).record for ingress in ("pipe", "direct"))

    assert direct.failures == []
    saved = pipe.latency_ms["order_to_book"].p50 - direct.latency_ms["order_to_book"].p50
    assert 100 < saved < 200, (pipe.latency_ms, direct.latency_ms)


@rule("INGR-002")
@pytest.mark.parametrize("interleaving", ["atomic", "ports"])
@pytest.mark.parametrize("probability", ["30 %", "100 %"])
def test_what_is_not_sent_comes_by_the_stream(interleaving: str, probability: str) -> None:
    outage = f"faults=[{{fault: outage, target: api, call: queue.send, probability: {probability}}}]"
    record = run(scene("direct", f"interleaving={interleaving}", outage)).record

    assert record.failures == []
    assert next(iter(record.faults.values())) > 10
    assert record.counts["fills"] > 10
