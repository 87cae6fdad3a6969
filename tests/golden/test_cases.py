"""The worked examples of others hold, and the runner says so only when they do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.golden.__main__ import main
from tests.golden.cases_file import BadFile, Case, read_cases
from tests.golden.runner import Verdict, differences, run_case, shown
from tests.rules import rule

CASES = Path(__file__).parent / "cases"
UNSUPPORTED_MOST = 22
"""Functions of published.yaml that only their venue needs."""


def every_case() -> list[Case]:
    return [case for name in ("published", "derived") for case in read_cases(CASES / f"{name}.yaml")]


@rule("FUND-011")
@pytest.mark.parametrize("case", every_case(), ids=lambda case: case.id)
def test_no_worked_example_fails(case: Case) -> None:
    outcome = run_case(case)
    assert outcome.verdict is not Verdict.FAIL, outcome.reason
    assert outcome.verdict is Verdict.PASS or outcome.reason


@pytest.mark.parametrize(
    ("expected", "actual", "wrong"),
    [
        ({"a": "0.1"}, {"a": Fraction(1, 10)}, ""),
        ({"a": "0.1"}, {"a": Fraction(11, 100)}, ""),
        ({"a": "0.1"}, {"a": Fraction(12, 100)}, "a: expected 0.1, was 0.12"),
        ({"a": 1}, {"a": True}, "a: expected 1, was True"),
        ({"a": True}, {"a": 1}, "a: expected True, was 1"),
        ({"a": None}, {"a": None}, ""),
        ({"a": "price2"}, {"a": "price2"}, ""),
        ({"a": "price2"}, {"a": 2}, "a: expected price2, was 2"),
        ({"a": [1, 2]}, {"a": [1, 2]}, ""),
        ({"a": [1, 2]}, {"a": [1]}, "a: expected [1, 2], was [1]"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "a[1]: expected 2, was 3"),
        ({"a": {"b": 1}}, {"a": {"b": -1}}, "a.b: expected 1, was -1"),
        ({"a": 1}, {}, "a: expected 1, was not computed"),
        ({"a": 1}, {"a": 1, "b": 2}, ""),
    ],
)
def test_a_difference_is_named(expected: object, actual: object, wrong: str) -> None:
    assert "; ".join(differences(expected, actual, Fraction("0.01"))) == wrong


def test_numbers_are_shown_as_cases_write_them() -> None:
    assert [shown(Fraction(text)) for text in ("-0.0005", "12", "1/3")] == ["-0.0005", "12", "1/3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cases: [", "expected YAML"),
        ("", "expected a list called `cases`"),
        ("cases: []", "expected a list called `cases`"),
        ("cases: [1]", "case 1: expected a mapping, was int '1'"),
        ("cases: [{inputs: {a: 1}}]", "case 1: expected a text in `id`, was None"),
        ("cases: [{id: A, fn: f, inputs: {a: 1}}]", "case 1 (A): expected a mapping in `expected`, was None"),
        ("cases: [{id: A, inputs: {a: 1}, expected: {b: 1}}]", "case 1 (A): expected `fn`"),
        (
            "cases: [{id: A, fn: f, inputs: {a: 1}, expected: {b: 1}, tolerance: x}]",
            "a number in `tolerance`",
        ),
        (
            "cases: [{id: A, fn: f, inputs: {a: 1}, expected: {b: 1}, tolerance: -1}]",
            "a tolerance of 0 or more",
        ),
        ("cases: [&a {id: A, fn: f, inputs: {a: 1}, expected: {b: 1}}, *a]", "was twice: A"),
    ],
)
def test_a_bad_file_is_told(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert main([str(path)]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_file_and_missing_words_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.yaml"]) == 2
    assert main([]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["--help"]) == 0


def test_a_decimal_stays_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("cases: [{id: A, fn: f, inputs: {a: 0.1000000000000000001}, expected: {b: 1}}]")
    assert read_cases(path)[0].inputs == {"a": "0.1000000000000000001"}
    with pytest.raises(BadFile):
        read_cases(tmp_path)
