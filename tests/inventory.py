"""tests/inventory.yaml, read: the lines of the design document."""

from __future__ import annotations

from typing import Any, NamedTuple

from ruamel.yaml import YAML

from tests.house import ROOT

EMULATOR = ROOT / "tests/emulator/seen.txt"
"""What MiniStack has shown; written by `make test-localstack WRITE=--golden-write`."""


class Line(NamedTuple):
    name: str
    code: str
    test: str
    needs: tuple[str, ...]


def inventory() -> dict[str, list[Line]]:
    document: dict[str, list[Any]] = YAML(typ="safe").load(ROOT / "tests/inventory.yaml")
    return {
        title: [Line(name, code, test, tuple(needs)) for name, code, test, needs in lines]
        for title, lines in document.items()
    }


LINES = [line for lines in inventory().values() for line in lines]
