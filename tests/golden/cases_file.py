"""Reads a file of golden cases, and says kindly what is wrong with one that is none.

The format is that of `cases/published.yaml`: `cases` is a list of entries with `id`, `inputs`, `expected`
and either `fn`, the function that the example computes, or `rule`, for vectors derived from our own integer
rules. `tolerance` is absolute, 0 where it is missing. Numbers stay what is written: none is ever a float.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode


class BadFile(Exception):
    """The file holds no cases: what, where, expected, was."""


class Case(NamedTuple):
    """One worked example."""

    id: str
    fn: str  # "" for a derived vector, which its id and its rule place
    rule: str
    inputs: dict[str, Any]
    expected: dict[str, Any]
    tolerance: Fraction


class _Constructor(SafeConstructor):
    """Leaves a decimal as it is written: a float would already have rounded it."""

    def as_written(self, node: ScalarNode) -> str:
        return str(self.construct_scalar(node))


_Constructor.add_constructor("tag:yaml.org,2002:float", _Constructor.as_written)


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file in its order; raise BadFile when it is not such a file."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        read = yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: expected YAML, was not: {error}") from error
    entries = read.get("cases") if isinstance(read, dict) else None
    if not isinstance(entries, list) or not entries:
        raise BadFile(f"{path}: expected a list called `cases` with an entry or more, was {_shape(read)}")
    cases = [_case(f"{path}: case {number}", entry) for number, entry in enumerate(entries, 1)]
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise BadFile(f"{path}: expected every id once, was twice: {case.id}")
        seen.add(case.id)
    return cases


def _case(where: str, entry: object) -> Case:
    if not isinstance(entry, dict):
        raise BadFile(f"{where}: expected a mapping, was {_shape(entry)}")
    name = entry.get("id")
    if not isinstance(name, str) or not name:
        raise BadFile(f"{where}: expected a text in `id`, was {name!r}")
    where = f"{where} ({name})"
    for field in ("inputs", "expected"):
        if not isinstance(entry.get(field), dict) or not entry[field]:
            raise BadFile(f"{where}: expected a mapping in `{field}`, was {entry.get(field)!r}")
    fn, rule = (str(entry.get(field) or "") for field in ("fn", "rule"))
    if not fn and not rule:
        raise BadFile(f"{where}: expected `fn` (or `rule`, for a derived vector), was neither")
    try:
        tolerance = Fraction(str(entry.get("tolerance", 0)))
    except (ValueError, ZeroDivisionError) as error:
        raise BadFile(f"{where}: expected a number in `tolerance`, was {entry['tolerance']!r}") from error
    if tolerance < 0:
        raise BadFile(f"{where}: expected a tolerance of 0 or more, was {entry['tolerance']}")
    return Case(name, fn, rule, entry["inputs"], entry["expected"], tolerance)


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return f"a mapping of {', '.join(map(str, value)) or 'nothing'}"
    return f"{type(value).__name__} {str(value)[:40]!r}" if value is not None else "empty"
