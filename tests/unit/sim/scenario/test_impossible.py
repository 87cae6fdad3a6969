"""What no run could be made of is refused when the file is read, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.scenario.schema import Scenario
from system.model.errors import ScenarioError

SMOKE = Path(__file__).parents[4] / "scenarios" / "smoke.yaml"


@pytest.mark.parametrize(
    "override",
    [
        "agents.0.funds=0 USDC",
        "agents.0.funds=10 BTC",
        "agents.0.count=1_000_000_000",
        "start=9999-12-31T23:59:59Z",
        "start=1960-01-01T00:00:00Z",
    ],
)
def test_a_value_that_cannot_be(override: str) -> None:
    with pytest.raises(ScenarioError, match=override.partition("=")[0]):
        Scenario.load(SMOKE, [override])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 20_000])
def test_a_file_that_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)

    with pytest.raises(ScenarioError):
        Scenario.load(path)
