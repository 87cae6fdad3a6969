"""Faults: each strikes where it says, everything holds all the same, and without one nothing changes."""

from pathlib import Path
from typing import Any

import pytest

from sim.faults import FAULTS
from sim.kernel.history import HistoryReader
from sim.run import run
from sim.scenario.schema import Scenario
from tests.simulation.scenes import small

STRIKES: dict[str, tuple[str, ...]] = {
    "clock_skew": (
        "{fault: clock_skew, target: matcher, by: 2 s, during: [2 s, 7 s]}",
        "{fault: clock_skew, target: matcher, by: 2 s, direction: behind, during: [2 s, 4 s]}",
        "{fault: clock_skew, target: api, by: 2 s, during: [2 s, 7 s]}",
        "{fault: clock_skew, target: api, by: 2 s, direction: behind, during: [2 s, 7 s]}",
        "{fault: clock_skew, target: market_minute, by: 90 s, during: [1 s, 9 s]}",
    ),
    "clock_step": (
        "{fault: clock_step, target: matcher, by: 1 s, direction: behind, during: [2 s, 7 s]}",
        "{fault: clock_step, target: '*', by: 1 s, during: [2 s, 7 s]}",
    ),
    "cold_start_storm": ("{fault: cold_start_storm, during: [3 s, 8 s]}",),
    "conflict": (
        "{fault: conflict, during: [1 s, 6 s], probability: 5 %}",
        "{fault: conflict, target: matcher, at: 3 s}",
    ),
    "cron_late": ("{fault: cron_late, target: market_minute, by: 70 s}",),
    "cron_missed": (
        "{fault: cron_missed, target: market_minute}",
        "{fault: cron_missed, target: dex-oracle-ticks}",
    ),
    "cron_twice": (
        "{fault: cron_twice}",
        "{fault: cron_twice, target: daily_rollup, after: 1 s}",
    ),
    "dead_letter": ("{fault: dead_letter, during: [1 s, 620 s]}",),
    "delay": (
        "{fault: delay, target: stream -> pipe, by: 2 s, probability: 30 %}",
        "{fault: delay, target: matcher -> store, by: 1 s, probability: 30 %}",
    ),
    "drop": (
        "{fault: drop, target: client -> api, probability: 10 %}",
        "{fault: drop, target: api -> client, probability: 10 %}",
        "{fault: drop, target: stream -> pipe, probability: 30 %}",
        "{fault: drop, target: commands -> matcher, probability: 10 %}",
        "{fault: drop, target: updates -> fan_out, probability: 10 %}",
        "{fault: drop, target: fan_out -> client, probability: 10 %}",
    ),
    "oracle_diverging": ("{fault: oracle_diverging, source: chainlink, during: [2 s, 9 s]}",),
    "oracle_frozen": ("{fault: oracle_frozen, during: [2 s, 9 s]}",),
    "oracle_stale": ("{fault: oracle_stale, source: pyth, during: [2 s, 9 s]}",),
    "oracle_unsure": ("{fault: oracle_unsure, source: pyth, during: [2 s, 9 s]}",),
    "oracle_wrong": (
        "{fault: oracle_wrong, during: [2 s, 9 s]}",
        "{fault: oracle_wrong, by: 30 %, direction: below, during: [2 s, 9 s]}",
    ),
    "outage": (
        "{fault: outage, call: topic.publish, target: matcher, during: [2 s, 4 s]}",
        "{fault: outage, call: 'store.*', target: api, during: [2 s, 4 s]}",
        "{fault: outage, call: 'lake.*', at: 0 s}",
    ),
    "partial_failure": ("{fault: partial_failure, during: [2 s, 5 s], probability: 30 %}",),
    "reorder": (
        "{fault: reorder, target: commands -> matcher}",
        "{fault: reorder, target: updates -> fan_out, probability: 30 %}",
        "{fault: reorder, target: client -> api, probability: 30 %}",
    ),
    "socket_gone": ("{fault: socket_gone, during: [2 s, 6 s], probability: 1 %, away: 2 s}",),
    "stale_list": ("{fault: stale_list, age: 9 s}",),
    "stream_stall": (
        "{fault: stream_stall, during: [2 s, 6 s]}",
        "{fault: stream_stall, target: stream -> archive, during: [2 s, 60 s]}",
    ),
    "visibility_expiry": ("{fault: visibility_expiry, probability: 30 %}",),
    "crash": (
        "{fault: crash, target: matcher, at: 2 s, before: store.commit}",
        "{fault: crash, target: matcher, at: 2 s, after: store.commit, down: 2 s}",
        "{fault: crash, target: api, at: 2 s, after: store.commit}",
        "{fault: crash, target: settle, at: 0 s, before: chain.send}",
        "{fault: crash, target: matcher, at: 4 s}",
    ),
    "duplicate": (
        "{fault: duplicate, target: commands -> matcher, probability: 30 %}",
        "{fault: duplicate, target: stream -> pipe, probability: 30 %}",
        "{fault: duplicate, target: stream -> archive}",
        "{fault: duplicate, target: stream -> settlement}",
        "{fault: duplicate, target: updates -> fan_out, probability: 30 %}",
        "{fault: duplicate, target: fan_out -> client, probability: 30 %}",
        "{fault: duplicate, target: client -> api, probability: 30 %}",
        "{fault: duplicate, target: api -> client, probability: 30 %}",
        "{fault: duplicate, target: schedule -> job}",
    ),
    "gas_spike": (
        "{fault: gas_spike, during: [0 s, 60 s]}",
        "{fault: gas_spike, during: [5 s, 40 s], base_fee: 2000 gwei}",
    ),
    "operator_key_lost": (
        "{fault: operator_key_lost, at: 15 s, down: 20 s}",
        "{fault: operator_key_lost, at: 0 s, down: 50 s}",
    ),
    "reorg": (
        "{fault: reorg, every: 13 s}",
        "{fault: reorg, every: 11 s, depth: [2, 2]}",
        "{fault: reorg, at: 61 s, depth: [1, 1]}",
    ),
    "rpc_down": (
        "{fault: rpc_down, target: settle, during: [0 s, 40 s]}",
        "{fault: rpc_down, target: settle, probability: 30 %}",
        "{fault: rpc_down, target: settle_watch, during: [1 s, 70 s]}",
    ),
    "rpc_slow": (
        "{fault: rpc_slow, target: settle, call: chain.send, by: 12 s}",
        "{fault: rpc_slow, target: settle, probability: 30 %}",
        "{fault: rpc_slow, target: settle, by: 2 s}",
    ),
    "stuck_transaction": (
        "{fault: stuck_transaction, during: [0 s, 65 s]}",
        "{fault: stuck_transaction, first_wins: true}",
    ),
    "throttle": (
        "{fault: throttle, during: [1 s, 6 s], probability: 3 %}",
        "{fault: throttle, target: settle, call: 'chain.*', at: 0 s}",
    ),
    "timeout": (
        "{fault: timeout, during: [1 s, 6 s], probability: 3 %}",
        "{fault: timeout, target: settle, call: chain.send, at: 0 s}",
        "{fault: timeout, target: matcher, call: topic.publish, during: [1 s, 6 s], probability: 30 %}",
    ),
}
"""What each kind is tried with: every line must strike, and break nothing."""

ROOT = Path(__file__).parents[2]

LATE = (
    "settle",
    "archive",
    "lake",
    "stale_list",
    "gas_spike",
    "operator_key_lost",
    "reorg",
    "stuck_transaction",
)
"""Works on batches of ten seconds, so ten seconds of trading are too short to meet it."""

LINES = [line for lines in STRIKES.values() for line in lines]


def with_faults(seed: int, *lines: str, more: tuple[str, ...] = ()) -> Scenario:
    return small(seed, f"faults=[{', '.join(lines)}]", *more)


def test_every_kind_is_tried() -> None:
    """One needs a day to heal by hand and is tried in test_operator_gone.py."""
    assert set(STRIKES) | {"operator_gone"} == {
        kind.model_fields["fault"].annotation.__args__[0] for kind in FAULTS
    }  # type: ignore[union-attr]


def longer_for(line: str) -> tuple[str, ...]:
    """Return the settings for a run that meets the fault."""
    if "dead_letter" in line:
        return ("duration=640 s", "agents.1.rate=3 /min", "agents.2.rate=3 /min", "agents.0.refresh=60 s")
    if "first_wins" in line:
        return ("duration=300 s", "agents.1.rate=6 /min", "agents.2.rate=6 /min", "agents.0.refresh=30 s")
    return ("duration=70 s",) if any(word in line for word in LATE) else ()


@pytest.mark.parametrize("interleaving", ["atomic", "ports"])
@pytest.mark.parametrize("line", LINES)
def test_a_fault_strikes_and_breaks_nothing(line: str, interleaving: str) -> None:
    settings = (*longer_for(line), f"interleaving={interleaving}")
    record = run(with_faults(1, line, more=settings), look_every_ns=2 * 10**9).record

    [(_, times)] = record.faults.items()
    assert times > 0, "it never struck"
    assert record.failures == []
    assert record.counts["fills"] > 0


def test_what_a_better_offer_replaced_is_mined_and_found(tmp_path: Path) -> None:
    line = "{fault: stuck_transaction, first_wins: true}"

    record = run(with_faults(1, line, more=longer_for(line)), out=tmp_path).record

    history = HistoryReader(tmp_path / "history.jsonl.zst")
    late = [event for _, event in history.of_kind("fault") if "nonce" in event]
    newest: dict[str, str] = {}  # hash by batch
    overturned = []
    for _, event in history.of_kind("tx"):
        for write in event["w"]:
            if write[0] != "upd" or not write[2].startswith("BATCH#") or "tx_hash" not in write[4]:
                continue
            if write[4]["status"] == "CONFIRMED" and newest[write[2]] != write[4]["tx_hash"]:
                overturned.append(write[2])
            newest[write[2]] = write[4]["tx_hash"]
    assert late
    assert record.failures == []
    assert overturned


def test_a_fault_that_cannot_strike_changes_nothing() -> None:
    """The cloud in which faults can happen makes the history of the plain one, line for line."""
    never = "{fault: throttle, target: daily_rollup, call: chain.send}"

    plain, disturbed = run(small(1)).record, run(with_faults(1, never)).record

    assert disturbed.faults == {"throttle": 0}
    assert disturbed.digest == plain.digest
    assert disturbed.counts == plain.counts


def test_a_fault_is_counted_and_told_in_the_history() -> None:
    result = run(with_faults(1, "{fault: throttle, during: [1 s, 6 s], probability: 5 %}"))

    assert result.record.faults["throttle"] > 1


def test_the_example_of_the_document_strikes_and_breaks_nothing() -> None:
    text = (ROOT / "docs" / "adding-a-fault.md").read_text(encoding="utf-8")
    source = text.partition("```python\n")[2].partition("```")[0]
    module: dict[str, Any] = {"__name__": "fault_of_the_document"}
    exec(source.replace("from __future__ import annotations\n", ""), module)
    fault = module["SlowLake"].model_validate({"fault": "slow_lake", "at": "0 s"})

    record = run(small(1, "duration=40 s").model_copy(update={"faults": (fault,)})).record

    assert len(source.splitlines()) < 40
    assert record.faults == {"slow_lake": 1}
    assert record.failures == []


def test_two_faults_of_one_kind_are_counted_apart() -> None:
    lines = (
        "{fault: crash, target: matcher, at: 2 s, before: store.commit}",
        "{fault: crash, target: api, at: 2 s, before: store.commit}",
    )
    record: Any = run(with_faults(1, *lines)).record

    assert record.faults == {"crash": 1, "crash-2": 1}
