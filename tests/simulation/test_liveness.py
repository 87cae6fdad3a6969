"""What does not come to its end in time is said: exit 3, and what is still on its way."""

from typing import Any

import pytest

from sim.kernel.plumbing import QueueReader
from sim.run import LIVENESS, run
from system.model.errors import Unavailable
from system.settlement.submit import Submitting
from tests.simulation.scenes import small

SOON = "expect.settled_within=90 s"


def test_a_chain_without_blocks_leaves_every_trade_on_its_way() -> None:
    result = run(small(1, SOON, "block_time=1 h"))

    record = result.record
    assert result.exit_code == LIVENESS
    assert record.unsettled == record.counts["fills"] > 0
    assert record.counts["trades_settled"] == 0
    [failure] = record.failures
    assert (failure.what, failure.where) == ("liveness", "settlement")
    assert failure.expected == "everything settled and drained within 90 s after the end"
    assert failure.was == f"{record.unsettled} trades not final on chain ({record.unsettled} SUBMITTED)"


def test_too_few_blocks_are_no_confirmation() -> None:
    result = run(small(1, SOON, "confirmations=60", "block_time=2 s"))

    assert result.exit_code == LIVENESS
    assert "SUBMITTED" in result.record.failures[-1].was


def test_rules_about_the_end_are_not_judged_before_it() -> None:
    record = run(small(1, SOON, "block_time=1 h")).record

    assert record.verdict == "unknown"
    unknown = {name for name, outcome in record.invariants.items() if outcome == "unknown"}
    assert {"every_trade_settled", "chain_against_ledger"} <= unknown
    assert all("had not drained" in record.evidence[name].error for name in unknown)
    assert set(record.invariants.values()) == {"held", "unknown"}


def test_a_settlement_that_never_signs_is_told_by_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise Unavailable("no signer today")

    monkeypatch.setattr(Submitting, "sign", refuse)

    result = run(small(1, SOON))

    assert result.exit_code == LIVENESS
    assert result.record.failures[-1].was.endswith("(" + f"{result.record.unsettled} BATCHED)")


def test_a_command_that_is_acknowledged_and_not_applied_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch is taken from the queue, and nobody ever hears of it again."""
    whole = QueueReader.__init__
    lost: list[str] = []

    def careless(reader: QueueReader, *args: Any) -> None:
        whole(reader, *args)
        invoke = reader.invoke

        def drop_one(event: Any, finish: Any) -> None:
            if not lost and '"LIMIT"' in event["Records"][0]["body"]:
                lost.extend(record["messageId"] for record in event["Records"])
                finish(None)
            else:
                invoke(event, finish)

        reader.invoke = drop_one

    monkeypatch.setattr(QueueReader, "__init__", careless)

    result = run(small(1))

    assert lost
    assert result.exit_code == LIVENESS
    [failure] = result.record.failures
    assert failure.was.startswith(
        f"not done: {len(lost)} commands accepted and never applied (first: MARKET#"
    )


def test_a_queue_that_gives_up_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matcher that never succeeds: every command ends in the dead letter queue, and its order waits."""

    def fail(*_: Any) -> None:
        raise Unavailable("no table today")

    monkeypatch.setattr("system.matcher.handler.Matcher._serve", fail)

    result = run(small(1, "duration=4 s"))

    assert result.record.counts["dead_letters"] > 0
    assert result.exit_code == LIVENESS
    assert "never applied" in result.record.failures[-1].where
