"""The gate against ten planted changes that break no invariant, and against nothing at all."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("system", "sim", "scenarios", "contracts/artifacts")
SUITE = """
suite: planted
profiles: {pr: {seeds: 2}, nightly: {seeds: 3, fresh: true}}
scenarios:
  - {scenario: funded}
  - {scenario: smoke, lasts: 90 s, thresholds: []}
  - {scenario: adl-2025-10-10, thresholds: []}
  - {scenario: expiry-pin, thresholds: []}
  - {scenario: twap-push, thresholds: []}
  - {scenario: liquidity-withdrawal, lasts: 6 min, thresholds: []}
  - {scenario: toxic-flow, lasts: 6 min, thresholds: []}
  - {scenario: clustered-flow, lasts: 6 min, thresholds: []}
"""


class Plant(NamedTuple):
    """One change of one line."""

    name: str
    file: str
    was: str
    now: str


PLANTS = (
    Plant(
        "funding twice as often",
        "system/risk/funding/model.py",
        "terms.interval_s or self.usual_interval_s",
        "(terms.interval_s or self.usual_interval_s) // 2",
    ),
    Plant(
        "liquidation fee doubled",
        "system/risk/liquidation/close_out.py",
        "ppm_ceil(notional, liq_fee_ppm)",
        "ppm_ceil(notional, 2 * liq_fee_ppm)",
    ),
    Plant(
        "no mark band",
        "system/risk/mark.py",
        "mark_e6 = clamp_to_band(mark_e6, index_e6, terms.band_ppm)",
        "mark_e6 = clamp_to_band(mark_e6, index_e6, PPM - 1)",
    ),
    Plant(
        "lowest scores first", "system/risk/liquidation/adl.py", "(-stakes[at].score,", "(stakes[at].score,"
    ),
    Plant(
        "maintenance margin a fifth lower",
        "system/risk/liquidation/case.py",
        "mark_e6, terms.mm_ppm, terms.basis)",
        "mark_e6, terms.mm_ppm * 4 // 5, terms.basis)",
    ),
    Plant(
        "settlement average half as long",
        "system/matcher/house.py",
        "(spec.expiry_s - spec.settle_window_s)",
        "(spec.expiry_s - spec.settle_window_s // 2)",
    ),
    Plant(
        "latency of the stream 30 % more",
        "sim/scenario/links.py",
        '"stream -> pipe": Delay(125 * _MS, 260 * _MS)',
        '"stream -> pipe": Delay(163 * _MS, 338 * _MS)',
    ),
    Plant(
        "the chain's node a fifth slower",
        "sim/scenario/links.py",
        '"settlement -> chain": Delay(30 * _MS, 150 * _MS)',
        '"settlement -> chain": Delay(36 * _MS, 180 * _MS)',
    ),
    Plant(
        "options pay half of the fee",
        "system/matcher/fills.py",
        "order.cum_notional * spec.fee_ppm // PPM",
        "order.cum_notional * (spec.fee_ppm // (2 if spec.kind is MarketKind.OPTION else 1)) // PPM",
    ),
    Plant(
        "Chainlink waits for a whole percent",
        "sim/world/prices/oracle.py",
        "CHAINLINK_DEVIATION_PPM = 5_000",
        "CHAINLINK_DEVIATION_PPM = 10_000",
    ),
)


def copied(folder: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    carry = (ROOT / "scenarios" / "carry-2024-08-05.yaml").read_text()
    funded, count = re.subn("funding: hyperliquid", "funding: hyperliquid, funding_interval: 5 min", carry)
    assert count == 1
    funded = funded.replace("scenario: carry-2024-08-05", "scenario: funded")
    (folder / "scenarios" / "funded.yaml").write_text(funded)
    (folder / "scenarios" / "suites" / "planted.yaml").write_text(SUITE)
    return folder


def gate(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the gate of a copy; its own code, not this one's."""
    code = "from sim.cli import main; main()"
    command = [sys.executable, "-c", code, "gate", "scenarios/suites/planted.yaml", "--no-progress", *more]
    env = {**os.environ, "PYTHONPATH": str(folder), "DEXSIM_COMPILED": "0"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(tmp_path_factory.mktemp("gate"))
    said = gate(folder, "--accept")
    assert said.returncode == 0, said.stdout + said.stderr
    return folder


@pytest.mark.deep
def test_at_least_nine_of_ten_planted_changes_close_the_gate(accepted: Path) -> None:
    through = []
    for plant in PLANTS:
        file = accepted / plant.file
        text = file.read_text()
        assert text.count(plant.was) == 1, f"{plant.name}: {plant.file} has changed"
        file.write_text(text.replace(plant.was, plant.now))
        said = gate(accepted)
        file.write_text(text)
        if said.returncode != 4:
            through.append((plant.name, said.returncode, said.stdout[-500:], said.stderr[-500:]))

    assert len(through) <= 1, through


@pytest.mark.deep
def test_ten_runs_of_the_unchanged_exchange_pass_with_fresh_seeds(accepted: Path) -> None:
    codes = [
        gate(accepted, "--profile", "nightly", "--window", str(window)).returncode for window in range(10)
    ]

    assert codes == [0] * 10
