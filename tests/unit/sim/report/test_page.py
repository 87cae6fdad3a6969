"""report.html: self-contained, complete, and honest about what failed."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sim.invariants import Verdict, Violation
from sim.report import plots, realism
from sim.report.amounts import measured
from sim.report.facts import facts_of
from sim.report.folder import Run
from sim.report.page import headline, plotly_script, render, write_page
from sim.report.record import Failure, ThresholdResult, evidence_of
from tests.unit.sim.fixtures.kept_run import keep_run

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects ids, links and the text of a page, and sees that its elements close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.anchors: list[str] = []
        self.open: list[str] = []
        self.script: dict[str, str] = {}
        self.words: list[str] = []
        self._chart = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        self.fetched += [found[name] for name in ("src", "srcset", "data", "poster") if name in found]
        if tag == "link":
            self.fetched.append(found["href"])
        if tag == "a":
            self.anchors.append(found["href"])
        self._chart = found.get("data-chart", "") if tag == "script" else ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            if self._chart:
                self.script[self._chart] = self.script.get(self._chart, "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep_run(tmp_path_factory.mktemp("run"), steps=20)


def broken(**more: Any) -> dict[str, Any]:
    found = Violation("<script>alert(1)</script>", "1 & 2", "3", 9, 5)
    said = evidence_of({"I3_vault_equals_accounts": Verdict("I3", "broken", 7, 2, found, found, found)}, {})
    failure = Failure(what="I3_vault_equals_accounts", where="somewhere", expected="1", was="2")
    return {**said, "failures": [failure], "exit_code": 1, **more}


def test_nothing_is_fetched_from_anywhere(folder: Path) -> None:
    text = write_page(Run(folder)).read_text()
    page = Page(text)

    assert page.fetched == ["data:,"]
    assert not [link for link in page.anchors if not link.startswith("#")]
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text


def test_every_part_is_there_and_every_link_leads_somewhere(folder: Path) -> None:
    page = Page(render(Run(folder)))

    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {anchor[1:] for anchor in page.anchors} <= set(page.ids)
    assert set(page.script) <= set(page.ids)
    assert len(page.script) == 2 * 3 + 2
    for word in (
        "Everything held",
        "dexsim run by-hand.yaml --seed 5",
        "I9_transactions_balance",
        "treasury",
    ):
        assert word in page.text
    for figure in page.script.values():
        assert json.loads(figure)["data"]


def test_facts_are_drawn_with_their_bands_and_their_peak(tmp_path: Path) -> None:
    limits = {
        "index_fall >= 0.01 %": ThresholdResult(held=True, was="0.10 %"),
        "index_fall <= 90 %": ThresholdResult(held=True, was="0.10 %"),
        "discount >= 50 %": ThresholdResult(held=False, was="0.00 %"),
        "p95(order_to_fill) < 1 s": ThresholdResult(held=True, was="190 ms"),
        "bad_debt == 0": ThresholdResult(held=True, was="0"),
    }
    run = Run(keep_run(tmp_path, steps=20, thresholds=limits))

    fall, discount = facts_of(run)
    page = Page(render(run))
    drawn = json.loads(page.script["chart-facts"])

    assert (fall.name, fall.band, fall.held) == ("index_fall", (100, 900_000), True)
    assert (discount.name, discount.band, discount.held) == ("discount", (500_000, None), False)
    assert fall.peak == max(value for _, value in fall.course) > 0
    peaks = [trace for trace in drawn["data"] if trace["mode"] == "markers+text"]
    assert peaks[0]["text"] == [measured(fall.peak, "ppm")]
    assert [peak["marker"]["color"] for peak in peaks] == [plots.GREEN, plots.RED]
    bands = [shape for shape in drawn["layout"]["shapes"] if shape["type"] == "rect"]
    assert [(band["y0"], band["y1"]) for band in bands] == [(0.01, 90), (50, 50 * 1.15)]
    assert "#facts" in page.anchors


def test_a_run_without_stated_facts_has_no_such_section(folder: Path) -> None:
    page = Page(render(Run(folder)))

    assert "chart-facts" not in page.script
    assert "#facts" not in page.anchors


def test_realism_is_told_of_a_run_that_is_long_enough(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fewer than 25 minutes of trading" in Page(render(Run(folder))).text

    facts = [
        realism.Fact("BTC-PERP", "tail index", "of returns", 1.25, 2.0, 5.0),
        realism.Fact("A", "b", "c", None),
    ]
    monkeypatch.setattr(realism, "of_run", lambda _: facts)
    page = Page(render(Run(folder)))

    for word in ("tail index of returns", "1.25", "2 to 5", "✗ outside", "reported only"):
        assert word in page.text


def test_plotly_is_in_it_once() -> None:
    script = gzip.decompress(base64.b64decode(plotly_script()))

    assert script.startswith(b"/**\n* plotly.js")
    assert plotly_script() == plotly_script()


def test_the_page_is_the_same_every_time(folder: Path) -> None:
    assert render(Run(folder)) == render(Run(folder))


def test_a_broken_run_says_so_and_its_evidence_is_text(tmp_path: Path) -> None:
    text = render(Run(keep_run(tmp_path, steps=2, **broken())))
    page = Page(text)

    assert 'class="card banner broken"' in text
    assert "An invariant is broken" in page.text
    assert "<script>alert(1)</script>" not in text
    assert "<script>alert(1)</script>" in page.text
    assert "2 violations" in page.text


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "Everything held"),
        (broken(), "An invariant is broken"),
        (broken(invariants={"a": "broken", "b": "broken", "c": "held"}), "2 invariants are broken"),
        (
            {"verdict": "unknown", "invariants": {"a": "unknown"}, "exit_code": 1},
            "An invariant could not be judged",
        ),
        (
            {"verdict": "unknown", "invariants": {"a": "unknown", "b": "unknown"}, "exit_code": 1},
            "2 invariants could not be judged",
        ),
        ({"exit_code": 3}, "Something was still on its way"),
        ({"exit_code": 4}, "A threshold was missed"),
    ],
)
def test_the_headline_says_the_verdict(folder: Path, record: dict[str, Any], words: str) -> None:
    assert headline(Run(folder).record.model_copy(update=record)) == words


def test_a_run_in_which_nothing_happened_has_a_page(tmp_path: Path) -> None:
    page = Page(render(Run(keep_run(tmp_path, steps=0))))

    assert "The book was empty." in page.text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"fills": 8, "trades_in_ledger": 8, "trades_settled": 0}, False),
        ({"fills": 8, "trades_in_ledger": 3, "trades_settled": 5}, True),
        ({"fills": 0}, False),
    ],
)
def test_settled_is_said_where_something_settles_on_chain(
    tmp_path: Path, more: dict[str, int], told: bool
) -> None:
    page = Page(render(Run(keep_run(tmp_path, steps=20, counts=more))))

    assert ("settled on chain" in page.text) is told
