"""The benchmarks run, small: what they come to and the shape of what they print. Nothing is timed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import baseline
from benchmarks.peers import MODULES, installed, load_peer
from benchmarks.plan import FULL, PARTS, QUICK, jobs, ratios_of
from benchmarks.tasks import yardstick
from benchmarks.workload import SCENARIO, scenario_of, workload_of
from benchmarks.yardstick import play
from sim.scenario.schema import Scenario

ROOT = Path(__file__).parents[3]


def test_the_scenario_has_a_hundred_traders_and_a_hundred_thousand_orders() -> None:
    work = workload_of(Scenario.load(SCENARIO))

    assert (work.traders, work.orders, work.markets) == (100, 100_000, 2)
    assert scenario_of(work.orders).agents == Scenario.load(SCENARIO).agents


def test_the_yardstick_sends_all_orders_and_the_same_every_time() -> None:
    work = workload_of(scenario_of(3_000))

    tally = play(work)

    assert tally == play(work)
    assert tally.orders == 3_000
    assert 0.07 < tally.cancels / tally.orders < 0.13
    assert 0.2 < tally.fills / tally.orders < 0.5


@pytest.mark.parametrize("name", MODULES)
def test_a_peer_does_what_the_yardstick_does(name: str) -> None:
    if not installed(name):
        pytest.skip(f"{name} is not installed; make peers installs it")
    work = workload_of(scenario_of(2_000))

    tally, yardstick = load_peer(name).prepare(work)(), play(work)

    assert tally.orders == work.orders
    assert tally.fills == pytest.approx(yardstick.fills, rel=0.2)
    assert tally.cancels == pytest.approx(yardstick.cancels, rel=0.2)
    assert tally.open_orders == pytest.approx(yardstick.open_orders, rel=0.2)


def test_quick_and_full_measure_the_same_things() -> None:
    assert {job.name for job in jobs(QUICK, PARTS)} == {job.name for job in jobs(FULL, PARTS)}


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/run.py", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_json_has_counts_costs_shares_and_ratios() -> None:
    done = bench("--orders", "100", "--repeat", "1", "--json", "--only", "end_to_end", "--only", "steps")

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["size"] == "own"
    ours = {"end_to_end.unsigned", "end_to_end.signed", "end_to_end.crossing"}
    assert set(said["ratios"]) == ours | {name.replace("end_to_end", "memory") for name in ours}
    for name in ours:
        result = said["results"][name]
        assert result["orders"] == 100
        assert result["requests"] == 100 + result["cancels"]
        assert result["settled"] == result["fills"]
        assert result["rejected"] == 0
        assert result["cpu_us_each"] > 0
        assert result["runs"] == 1
    sampled = said["results"]["steps.signed"]
    if sampled["samples"]:
        assert sum(share["share"] for share in sampled["shares"]) == pytest.approx(1)


def test_tables_are_printed_and_progress_goes_elsewhere() -> None:
    done = bench("--orders", "100", "--repeat", "1", "--only", "matcher")

    assert done.returncode == 0, done.stderr
    assert "500 operations" in done.stdout
    assert "matcher" in done.stdout.partition("Ratios to the yardstick")[2]
    assert "yardstick" in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--only", "speed"], "no part 'speed'"),
        (["--orders", "100", "--check"], "usual number of orders"),
    ],
)
def test_wrong_options_are_refused(options: list[str], complaint: str) -> None:
    done = bench(*options)

    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_ratio_is_an_order_in_yardsticks() -> None:
    results = {
        "yardstick": {"cpu_us_each": 10.0, "memory_bytes": 1_000, "orders": 10},
        "end_to_end.signed": {"cpu_us_each": 200.0, "memory_bytes": 40_000, "orders": 20},
        "memory_short": {"cpu_us_each": 300.0},
        "peers.mesa": {"cpu_us_each": 9.0},
    }

    assert ratios_of(results) == {"end_to_end.signed": 20.0, "memory.signed": 20.0}


def test_the_yardstick_s_memory_is_counted_and_not_sampled() -> None:
    small, again, large = (yardstick(orders) for orders in (1_000, 1_000, 4_000))

    assert again["memory_bytes"] == pytest.approx(small["memory_bytes"], rel=0.001)  # caches are warm now
    assert 2 * small["memory_bytes"] < large["memory_bytes"] < 6 * small["memory_bytes"]


def test_what_is_half_as_dear_again_is_an_alarm(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    baseline.write("quick", {"matcher": 2.0, "moto": 1234.5}, file)
    baseline.write("quick", {"moto": 1000.0}, file)

    found = {
        change.name: change for change in baseline.changes("quick", {"matcher": 2.9, "moto": 1501}, file)
    }

    assert not found["matcher"].alarming
    assert found["moto"].alarming
    assert baseline.changes("full", {"matcher": 2.9}, file) == [baseline.Change("matcher", None, 2.9)]


def test_the_committed_baseline_knows_every_ratio_and_nothing_else() -> None:
    for size in (QUICK, FULL):
        names = {job.name for job in jobs(size, PARTS)}
        result = {"cpu_us_each": 1.0, "transfers_each": 1.0, "memory_bytes": 1.0, "orders": 1.0}
        measured = ratios_of(dict.fromkeys(names, result))
        assert set(baseline.read(size.name)) == set(measured), size.name
