"""The ledger of what backends do otherwise than AWS is a page, and the page is made of it."""

import ast
import re
from pathlib import Path

import pytest

from sim.world import moto_mend
from tests.conformance.conftest import CARD, ledger
from tests.emulators import EMULATORS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "divergences.md"
NAMES = {"memory": "memory", "moto": "moto", "ministack": "MiniStack", "localstack": "LocalStack"}
HEAD = """# What backends do otherwise than AWS

Made of [`divergences.yaml`](../tests/conformance/divergences.yaml) and the cards of
[`tests/conformance`](../tests/conformance): `pytest tests/conformance/test_divergences.py --golden-write`.
Every card runs on memory and moto in `make test`, on MiniStack and LocalStack over HTTP in
`make test-localstack`. A divergence is asserted: its card must fail, with what is written under "seen". When
the backend is mended, the test fails until the line is gone.

"""
MENDED = (
    "What would differ in moto 5.2.5, and does not while a run uses it: "
    "[`moto_mend.py`](../sim/world/moto_mend.py), each shown unmended by "
    "[`test_moto_mend.py`](../tests/conformance/test_moto_mend.py)."
)
PLAYED = """
## Played everywhere

No emulator moves a pipe's records, and none fires schedules in a run's time: stream to queue, schedules,
retries of a stream's batch and TTL are played by [`sim/kernel/plumbing.py`](../sim/kernel/plumbing.py) on
every backend ([decision 0013](decisions/0013-plumbing-is-played.md)). None ever answers
`TransactionConflict`; the fault [`conflict`](../sim/faults/conflict.py) does.
"""


def cards() -> dict[str, tuple[str, str]]:
    """Return (file, test) of every card."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and "world" in [each.arg for each in node.args.args]:
                card = CARD.match(ast.get_docstring(node) or "")
                if card and not card[1].startswith("CHAI"):
                    found[card[1]] = (path.name, node.name)
    return found


def page() -> str:
    """Write the ledger in Markdown."""
    known = cards()
    listed = [entry for entry in ledger() if "card" in entry]
    lines = ["## Cards", "", "| backend | cards | hold | differ |", "| --- | --- | --- | --- |"]
    for backend, name in NAMES.items():
        differ = sorted(entry["card"] for entry in listed if entry["backend"] == backend)
        lines.append(
            f"| {name} | {len(known)} | {len(known) - len(differ)} | {', '.join(differ) or 'none'} |"
        )
    lines += ["", "| backend | card | what it does | seen | test |", "| --- | --- | --- | --- | --- |"]
    for entry in sorted(listed, key=lambda each: (list(NAMES).index(each["backend"]), each["card"])):
        path, test = known[entry["card"]]
        link = f"[`{test}`](../tests/conformance/{path})"
        name, seen = NAMES[entry["backend"]], entry["seen"].replace("|", "\\|")
        lines.append(f"| {name} | {entry['card']} | {entry['differs']} | `{seen}` | {link} |")
    lines += ["", "## Beside the cards", "", "| backend | what it does | test |", "| --- | --- | --- |"]
    for entry in ledger():
        if "test" in entry:
            path, _, test = entry["test"].partition(":")
            lines.append(f"| {NAMES[entry['backend']]} | {entry['differs']} | [`{test}`](../{path}) |")
    lines += ["", "## Moto, mended", ""]
    lines += [MENDED, ""]
    mends = re.findall(r"(?ms)^(MEND-\d+)  (.*?)$(?=\n(?:MEND|\n))", moto_mend.__doc__ or "")
    lines += [f"- **{name}** {' '.join(text.split())}" for name, text in mends]
    return HEAD + "\n".join(lines) + "\n" + PLAYED


def test_the_page_is_the_ledger(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--golden-write"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "if meant: pytest tests/conformance/test_divergences.py --golden-write"
    )


def test_every_entry_leads_to_a_test() -> None:
    for entry in ledger():
        assert entry["backend"] in ("moto", *EMULATORS)
        if "card" in entry:
            assert entry["card"] in cards()
            assert entry["seen"]
        else:
            path, _, test = entry["test"].partition(":")
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")
