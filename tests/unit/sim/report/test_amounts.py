"""The examples in docstrings are true."""

import doctest
from types import ModuleType

import pytest

import sim.compare
from sim.report import amounts


@pytest.mark.parametrize("module", [amounts, sim.compare], ids=["amounts", "compare"])
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0
