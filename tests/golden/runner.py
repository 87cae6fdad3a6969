"""Runs golden cases against the product: pass, fail or unsupported, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple

from tests.golden import adapters
from tests.golden.adapters import Adapter, Unsupported
from tests.golden.cases_file import Case


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNSUPPORTED = "unsupported"


class Outcome(NamedTuple):
    """What became of one case."""

    case: Case
    verdict: Verdict
    reason: str


def run_case(case: Case) -> Outcome:
    """Compute a case with the product's code and compare every value that it expects."""
    found = adapter_of(case)
    if found is None:
        name = case.fn or f"rule {case.rule}"
        return Outcome(case, Verdict.UNSUPPORTED, adapters.UNSUPPORTED.get(case.fn, f"no adapter for {name}"))
    try:
        actual = found(case.inputs)
    except Unsupported as why:
        return Outcome(case, Verdict.UNSUPPORTED, str(why))
    except KeyError as lacking:
        return Outcome(case, Verdict.FAIL, f"inputs: expected {lacking}, was missing")
    except Exception as error:
        return Outcome(case, Verdict.FAIL, f"{type(error).__name__}: {error}")
    wrong = differences(case.expected, actual, case.tolerance)
    return Outcome(case, Verdict.FAIL if wrong else Verdict.PASS, "; ".join(wrong))


def adapter_of(case: Case) -> Adapter | None:
    """Find the adapter of a case: by `fn`, or for a derived vector by the longest beginning of its id."""
    adapters.load()
    if case.fn:
        return adapters.ADAPTERS.get(case.fn)
    begins = [prefix for prefix in adapters.VECTORS if case.id.startswith(prefix)]
    return adapters.VECTORS[max(begins, key=len)] if begins else None


def differences(expected: Any, actual: Any, tolerance: Fraction, where: str = "") -> list[str]:
    """Name every expected value that is not there or is another. What is computed beyond them is ignored."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return [f"{where or 'result'}: expected a mapping, was {shown(actual)}"]
        return [
            line
            for name, value in expected.items()
            for line in (
                differences(value, actual[name], tolerance, f"{where}.{name}" if where else str(name))
                if name in actual
                else [f"{name}: expected {shown(value)}, was not computed"]
            )
        ]
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        if not isinstance(actual, Sequence) or isinstance(actual, str) or len(actual) != len(expected):
            return [f"{where}: expected {shown(expected)}, was {shown(actual)}"]
        return [
            line
            for at, (one, other) in enumerate(zip(expected, actual, strict=True))
            for line in differences(one, other, tolerance, f"{where}[{at}]")
        ]
    return [] if _equal(expected, actual, tolerance) else [_differs(where, expected, actual)]


def _equal(expected: Any, actual: Any, tolerance: Fraction) -> bool:
    wanted, was = _number(expected), _number(actual)
    if wanted is None or was is None:
        return type(expected) is type(actual) and bool(expected == actual)
    return abs(wanted - was) <= tolerance


def _number(value: Any) -> Fraction | None:
    """Return what a value is as a number; a bool is none, and so is a word."""
    if isinstance(value, bool) or not isinstance(value, int | str | Fraction):
        return None
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        return None


def _differs(where: str, expected: Any, actual: Any) -> str:
    return f"{where}: expected {shown(expected)}, was {shown(actual)}"


def shown(value: Any) -> str:
    """Write a value as a case would: a decimal where it is one, else a fraction."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {shown(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    if not isinstance(value, Fraction) or value.denominator == 1:
        return str(value)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return str(value)
    digits = len(str(value.denominator)) * 4
    whole = str(abs(value.numerator) * 10**digits // value.denominator).zfill(digits + 1)
    return f"{'-' * (value < 0)}{whole[:-digits]}.{whole[-digits:].rstrip('0')}"


def told(outcomes: list[Outcome]) -> str:
    """Write one aligned line for each case, then what it came to."""
    width = max(len(outcome.case.id) for outcome in outcomes)
    fns = max(len(outcome.case.fn) for outcome in outcomes)
    lines = [
        f"{case.id:<{width}}  {verdict.value:<11}  {case.fn:<{fns}}  {reason}".rstrip()
        for case, verdict, reason in outcomes
    ]
    count = {kind: sum(outcome.verdict is kind for outcome in outcomes) for kind in Verdict}
    lines += ["", f"{len(outcomes)} cases: " + ", ".join(f"{count[kind]} {kind.value}" for kind in Verdict)]
    functions = {outcome.case.fn for outcome in outcomes if outcome.case.fn}
    missing = {
        case.fn: reason for case, verdict, reason in outcomes if case.fn and verdict is Verdict.UNSUPPORTED
    }
    if functions:
        lines.append(f"{len(functions)} functions: {len(missing)} unsupported")
    pad = max(map(len, missing), default=0)
    return "\n".join(lines + [f"  {name:<{pad}}  {reason}" for name, reason in missing.items()])
