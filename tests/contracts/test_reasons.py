"""Each error by which a contract refuses a fill has one word of the exchange, and no two have the same."""

import re
from pathlib import Path

from system.adapters.evm import abi
from system.settlement.isolate import NOBODYS_FAULT
from system.settlement.reasons import SKIP_REASONS, reason_of
from tests.rules import rule

CONTRACTS = Path(__file__).parents[2] / "contracts"
NAMES = {signature.partition("(")[0] for signature in abi.ERROR_SIGNATURES}


@rule("SETL-007")
def test_one_to_one() -> None:
    assert len(set(SKIP_REASONS.values())) == len(SKIP_REASONS)
    assert all(re.fullmatch("[A-Z]+(_[A-Z]+)*", word) for word in SKIP_REASONS.values())
    assert set(SKIP_REASONS) <= NAMES


@rule("SETL-007")
def test_these_are_the_contracts_errors() -> None:
    """The list of checks in contracts/README.md, in their order."""
    readme = (CONTRACTS / "README.md").read_text(encoding="utf-8")
    checks = readme.partition("the first check that fails:")[2].partition("Funds are counted")[0]
    named = [name for name in re.findall(r"`([A-Z][A-Za-z]+)`", checks) if name in NAMES]

    assert list(dict.fromkeys(named)) == list(SKIP_REASONS)


@rule("SETL-007")
def test_every_error_that_settlement_skips_by_has_a_word() -> None:
    """What Settlement.sol returns as a reason, read from the source."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((CONTRACTS / "src").glob("*.sol")))
    returned = set(re.findall(r"return \(?(?:I\w+\.)?([A-Z]\w+)\.selector", source))

    assert len(returned) > 10
    assert returned <= set(SKIP_REASONS), returned - set(SKIP_REASONS)


@rule("SETL-013")
def test_what_is_nobodys_fault_is_an_error_of_the_contracts() -> None:
    assert NOBODYS_FAULT <= NAMES
    assert not NOBODYS_FAULT & set(SKIP_REASONS)


def test_others_keep_their_name() -> None:
    assert reason_of("InsufficientShares") == "InsufficientShares"
    assert reason_of("Overfill") == "ORDER_EXCEEDS_LIMIT"
