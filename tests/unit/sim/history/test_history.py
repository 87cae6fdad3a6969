"""The history: digest, replay, damage."""

import subprocess
import sys
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from sim.kernel.history import HistoryReader, HistoryUnreadable, HistoryWriter
from system.model.errors import Divergence

EVENTS: list[dict[str, Any]] = [
    {"t": 0, "e": "price", "asset": "BTC", "p": 60_000_000_000},
    {"t": 5, "e": "invoke", "by": "matcher", "n": 3, "dur": 7},
    {"t": 9, "e": "invoke", "by": "archive", "n": 1, "dur": 8},
    {"t": 9, "e": "end"},
]


def write(path: Path | None, events: list[dict[str, Any]], **how: Any) -> HistoryWriter:
    with HistoryWriter(path, **how) as writer:
        for event in events:
            writer.add(event)
    return writer


def test_events_come_back_and_are_counted_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl.zst"

    writer = write(path, EVENTS)

    assert list(HistoryReader(path)) == EVENTS
    assert list(writer.reader()) == EVENTS
    assert writer.count == 4
    assert writer.counts == {"price": 1, "invoke": 2, "end": 1}


def test_events_of_some_kinds_come_with_their_numbers(tmp_path: Path) -> None:
    write(tmp_path / "h", [*EVENTS, {"late": "x" * 100, "t": 9, "e": "invoke"}])

    found = list(HistoryReader(tmp_path / "h").of_kind("invoke", "end"))

    assert [(number, event["e"]) for number, event in found] == [
        (2, "invoke"),
        (3, "invoke"),
        (4, "end"),
        (5, "invoke"),
    ]


def test_digest_is_blake2b_of_the_lines_with_and_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl.zst"

    kept = write(path, EVENTS)
    digest_only = write(None, EVENTS)

    lines = b"".join(line + b"\n" for line in HistoryReader(path).lines())
    assert kept.digest == digest_only.digest == HistoryReader(path).digest
    assert kept.digest == blake2b(lines, digest_size=32).hexdigest()


def test_digest_may_be_asked_in_the_middle_of_a_run() -> None:
    halfway = HistoryWriter(None)
    for event in EVENTS:
        halfway.add(event)
        assert halfway.digest

    assert halfway.digest == write(None, EVENTS).digest


def test_a_long_history_crosses_many_blocks(tmp_path: Path) -> None:
    events = [{"t": n, "e": "tx", "w": ["x" * (n % 97)] * 20} for n in range(20_000)]

    write(tmp_path / "h", events)

    assert list(HistoryReader(tmp_path / "h")) == events


def test_a_full_disk_is_not_hidden() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    noise = "".join(Random(1).choices("0123456789abcdef", k=400_000))  # more than one block, hard to compress

    with pytest.raises(OSError, match="No space left"), HistoryWriter(full) as writer:
        for number in range(50):
            writer.add({"t": number, "e": "noise", "b": noise})


def test_a_history_may_stay_in_memory() -> None:
    assert list(write(None, EVENTS, keep=True).reader()) == EVENTS


def test_a_digest_only_writer_has_no_reader() -> None:
    with pytest.raises(ValueError, match="digest only"):
        write(None, EVENTS).reader()


def test_an_open_writer_has_no_reader() -> None:
    with pytest.raises(ValueError, match="closed"):
        HistoryWriter(None, keep=True).reader()


def test_bytes_records_and_big_integers_are_plain_json() -> None:
    class Pair(NamedTuple):
        a: int
        b: bytes

    writer = write(None, [{"t": 1, "e": "block", "w": Pair(10**30, b"\x01"), "x": (1, 2)}], keep=True)

    assert list(writer.reader()) == [{"t": 1, "e": "block", "w": [10**30, "0x01"], "x": [1, 2]}]


def test_a_value_json_has_no_word_for_is_a_defect() -> None:
    with pytest.raises(TypeError, match="plain JSON values"):
        HistoryWriter(None).add({"t": 1, "e": "tx", "w": {1, 2}})


def test_an_equal_replay_passes(tmp_path: Path) -> None:
    write(tmp_path / "h", EVENTS)

    again = write(None, EVENTS, expected=HistoryReader(tmp_path / "h"))

    assert again.digest == HistoryReader(tmp_path / "h").digest


@pytest.mark.parametrize(
    ("events", "number", "expected", "was"),
    [
        ([EVENTS[0], EVENTS[1] | {"dur": 70}], 2, '"dur":7}', '"dur":70}'),
        (EVENTS[:3], 4, '"e":"end"', "the end of the run"),
        ([*EVENTS, {"t": 10, "e": "end"}], 5, "the end of the run", '"t":10'),
    ],
    ids=["another event", "too short", "too long"],
)
def test_the_first_difference_is_named(
    tmp_path: Path, events: list[dict[str, Any]], number: int, expected: str, was: str
) -> None:
    write(tmp_path / "h", EVENTS)

    with pytest.raises(Divergence) as caught:
        write(None, events, expected=HistoryReader(tmp_path / "h"))

    assert caught.value.args[0] == number
    assert expected in caught.value.args[1]
    assert was in caught.value.args[2]


def test_an_error_in_the_run_leaves_a_whole_file_and_is_not_hidden(tmp_path: Path) -> None:
    write(tmp_path / "h", EVENTS)

    with (
        pytest.raises(ZeroDivisionError),
        HistoryWriter(tmp_path / "g", HistoryReader(tmp_path / "h")) as writer,
    ):
        writer.add(EVENTS[0])
        raise ZeroDivisionError

    assert list(HistoryReader(tmp_path / "g")) == EVENTS[:1]


def test_a_missing_file_is_said() -> None:
    with pytest.raises(HistoryUnreadable, match="no such file"):
        HistoryReader(Path("/nowhere/history.jsonl.zst"))


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_truncated_file_is_said(tmp_path: Path, cut: int) -> None:
    write(tmp_path / "h", EVENTS)
    whole = (tmp_path / "h").read_bytes()
    (tmp_path / "h").write_bytes(whole[:-cut])

    with pytest.raises(HistoryUnreadable, match="cut off"):
        list(HistoryReader(tmp_path / "h"))


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(b"")

    with pytest.raises(HistoryUnreadable, match="cut off"):
        list(HistoryReader(tmp_path / "h"))


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    write(tmp_path / "h", EVENTS)
    whole = (tmp_path / "h").read_bytes()

    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        with pytest.raises(HistoryUnreadable):
            list(HistoryReader(bytes(damaged)))


def test_lines_that_are_no_json_are_said(tmp_path: Path) -> None:
    import zstandard

    (tmp_path / "h").write_bytes(zstandard.ZstdCompressor().compress(b'{"t":1,"e":"end"}\nnonsense\n'))

    with pytest.raises(HistoryUnreadable, match="event 2 is no JSON"):
        list(HistoryReader(tmp_path / "h"))


def test_the_digest_is_the_same_in_another_process() -> None:
    script = (
        "from sim.kernel.history import HistoryWriter as W; w = W(None)\n"
        "for n in range(1000): w.add({'t': n, 'e': 'tx', 'w': {'b': n, 'a': str(n)}})\n"
        "print(w.digest)"
    )

    digests = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": s}, capture_output=True, check=True
        ).stdout
        for s in ("1", "2")
    }

    assert len(digests) == 1
