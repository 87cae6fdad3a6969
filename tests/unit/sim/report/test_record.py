"""run.json: its keys are an interface."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.invariants import Verdict, Violation
from sim.report.folder import Run
from sim.report.record import RecordUnreadable, evidence_of, failures_of, read_record, write_record
from tests.unit.sim.fixtures.exchange import START_NS
from tests.unit.sim.fixtures.kept_run import keep_run

# Never shorten this list: scripts, notebooks and CI read these keys.
KEYS = {
    "scenario", "seed", "backend", "chain", "ingress", "interleaving", "commit", "versions", "digest",
    "business_digest", "verdict", "invariants", "thresholds", "faults", "counts", "latency_ms", "timings",
    "signatures", "about", "evidence", "failures", "reproduce", "exit_code", "unsettled", "undrained",
    "started", "virtual_s", "schema_version",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep_run(tmp_path_factory.mktemp("run"), steps=3)


def test_the_keys_are_all_there(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text())

    assert set(record) >= KEYS
    assert set(record["invariants"].values()) == {"held"}
    assert set(record["latency_ms"]["order_to_book"]) >= {"p50", "p95", "p99"}


def test_a_record_comes_back_equal(folder: Path, tmp_path: Path) -> None:
    record = read_record(folder)

    write_record(tmp_path, record)

    assert read_record(tmp_path) == record


def test_invariants_are_in_one_order_whoever_judged_first() -> None:
    verdicts = {name: Verdict(name) for name in ("sequence", "I9_x", "I1_x")}

    assert list(evidence_of(verdicts, {})["invariants"]) == ["I1_x", "I9_x", "sequence"]


def test_what_did_not_hold_is_a_failure_with_its_first_evidence() -> None:
    found = Violation("here", "1", "2", 5, START_NS)
    verdicts = {
        "a": Verdict("a", "held", 3),
        "b": Verdict("b", "broken", 3, 2, found, found, found),
        "c": Verdict("c", "unknown", error="KeyError: x"),
    }

    failures = failures_of(verdicts)

    assert [(each.what, each.where, each.expected, each.was) for each in failures] == [
        ("b", "here (first of 2, seen at 2025-05-03T23:30:00Z)", "1", "2"),
        ("c", "the check itself", "a verdict", "KeyError: x"),
    ]
    said = evidence_of(verdicts, {"b": "About b."})
    assert said["verdict"] == "broken"
    assert said["evidence"]["b"].about == "About b."
    assert said["evidence"]["b"].worst.at_ns == START_NS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file"),
        ("{}", "scenario: Field required"),
        ('{"scenario": "x"', "the file"),
    ],
)
def test_a_damaged_record_is_said(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "run.json").write_text(text)

    with pytest.raises(RecordUnreadable, match=problem):
        read_record(tmp_path)


def test_a_record_with_an_unknown_key_is_refused(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "run.json").read_text()) | {"invented": 1}
    (tmp_path / "run.json").write_text(json.dumps(record))

    with pytest.raises(RecordUnreadable, match="invented"):
        read_record(tmp_path)


def test_a_missing_folder_is_said() -> None:
    with pytest.raises(RecordUnreadable, match="no run is here"):
        Run("/nowhere/at/all")


def test_a_run_that_was_killed_is_said_to_have_no_end(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl.zst").write_bytes(b"the beginning")

    with pytest.raises(RecordUnreadable, match=r"came to its end.*into the same folder"):
        read_record(tmp_path)
