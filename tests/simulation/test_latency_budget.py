"""What decision 0082 says of the hundred milliseconds is what its scenario measures."""

from __future__ import annotations

import re

import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from tests.house import ROOT

TEXT = (ROOT / "docs/decisions/0082-the-latency-budget.md").read_text(encoding="utf-8")
CHOICE = TEXT[TEXT.index("**Choice.**") : TEXT.index("**What decided.**")]


def told(hop: str, ingress: str) -> list[int]:
    """Return the three numbers that the decision gives for a hop."""
    sentence = CHOICE[CHOICE.index(f"`{hop}`") :]
    [numbers] = re.findall(rf"([\d, ]+) by `{ingress}`", sentence)[:1]
    return [int(number) for number in numbers.split(",")]


@pytest.mark.parametrize("ingress", ["pipe", "direct"])
def test_the_decision_has_the_numbers_of_a_run(ingress: str) -> None:
    record = run(Scenario.load(ROOT / "scenarios/latency-budget.yaml", [f"ingress={ingress}"])).record

    assert record.failures == []
    for hop in ("order_to_book", "order_to_fill"):
        measured = record.latency_ms[hop]
        said = [measured.p50, measured.p95, measured.p99]
        assert said == pytest.approx(told(hop, ingress), rel=0.05), hop
    fill = record.latency_ms["order_to_fill"]
    assert fill.p50 is not None
    assert fill.p95 is not None
    assert (fill.p50 < 100) == (ingress == "direct")
    assert fill.p95 < 1_000
    assert record.latency_ms["order_to_response"].p50 == pytest.approx(42, rel=0.05)
