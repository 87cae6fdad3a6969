"""Planted defects: every patch of the catalogue applies, and hounds find what is planted."""

from collections import Counter
from pathlib import Path

import pytest

from sim.hunt.bugs import ROOT, UNNAMED, Bug, PatchRefused, apply, bugs_in, copy_tree
from sim.hunt.hunt import Plan, hunt

CATALOGUE = Path(__file__).parents[1] / "planted"
BUGS = bugs_in(CATALOGUE)
ROOMS = ("api", "contracts", "feed", "jobs", "matcher", "metrics", "risk", "settlement")


def test_the_catalogue_has_defects_of_every_room() -> None:
    rooms = Counter(bug.name.partition("-")[0] for bug in BUGS)

    assert len(BUGS) >= 40
    assert sorted(rooms) == sorted(ROOMS)
    assert min(rooms.values()) >= 3
    assert all(bug.about.startswith(bug.name.partition("-")[0]) for bug in BUGS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("sound")
    copy_tree(tree)
    return tree


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_patch_applies(bug: Bug, sound: Path) -> None:
    apply(bug, sound, only_check=True)


def test_a_planted_defect_is_caught_and_made_small() -> None:
    (bug,) = [bug for bug in BUGS if bug.name == "risk-hold-is-kept"]
    heard: list[str] = []

    plan = Plan(runs=5, shrink_s=20)
    (catch,) = hunt([bug], plan, told=lambda _n, _of, catch: heard.append(catch.bug.name))

    assert heard == [bug.name]
    assert catch.broken[0] == "I5_holds_cover_orders"
    assert catch.runs <= 5
    assert catch.commands is not None
    assert catch.commands < 50


def test_a_change_without_effect_gets_away(tmp_path: Path) -> None:
    page = "docs/determinism.md"
    diff = f"--- a/{page}\n+++ b/{page}\n@@ -1,2 +1,3 @@\n # Determinism\n+More.\n \n"
    (tmp_path / "nothing.patch").write_text("docs: a word more\n" + diff)

    (catch,) = hunt(bugs_in(tmp_path), Plan(runs=1, shrink_s=0))

    assert not catch.caught
    assert catch.problem == "nothing broke in 1 runs"


def test_a_folder_without_a_diff_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Words.\n")

    with pytest.raises(PatchRefused, match="file is here"):
        bugs_in(tmp_path)
    with pytest.raises(PatchRefused, match="no such folder"):
        bugs_in(tmp_path / "elsewhere")


PAGE = "docs/determinism.md"
HUNK = "@@ -1,2 +1,3 @@\n # Determinism\n+More.\n \n"
DIFF = f"--- a/{PAGE}\n+++ b/{PAGE}\n{HUNK}"
MAIL = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\n"
FORMS = {
    "words": f"docs: a word more\n{DIFF}",
    "comment": f"#  docs: a word more\n\n{DIFF}",
    "no prefix": f"docs: a word more\n--- {PAGE}\n+++ {PAGE}\n{HUNK}",
    "other folders": f"docs: a word more\n--- old/dexsim/{PAGE}\t2025\n+++ new/dexsim/{PAGE}\t2025\n{HUNK}",
    "git": f"docs: a word more\ndiff --git a/{PAGE} b/{PAGE}\nindex 111..222 100644\n{DIFF}",
    "mail": f"{MAIL}Subject: [PATCH 1/2] docs: a word more\n\nWhy.\n---\n x | 1 +\n\n{DIFF}-- \n2.39.5\n\n",
    "wrong counts": f"docs: a word more\n{DIFF}".replace("-1,2 +1,3", "-1,9 +1,9"),
    "crlf": f"docs: a word more\n{DIFF}".replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_diff_of_any_form_is_read(form: str, sound: Path, tmp_path: Path) -> None:
    (tmp_path / "one.patch").write_bytes(FORMS[form].encode())

    (bug,) = bugs_in(tmp_path)

    assert bug.about == "docs: a word more"
    apply(bug, sound, only_check=True)


def test_other_files_are_left_alone_and_words_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(DIFF)
    (tmp_path / "a.txt").write_text("Only words.\n")
    (tmp_path / "c.bin").write_bytes(b"\xff\x00")
    (tmp_path / "d").mkdir()

    assert [(bug.name, bug.about) for bug in bugs_in(tmp_path)] == [("b", UNNAMED)]


def test_what_cannot_be_planted_is_told_beside_what_can(tmp_path: Path) -> None:
    (tmp_path / "a.diff").write_text("x: y\n--- a/system/no\n+++ b/system/no\n@@ -1 +1 @@\n-a\n+b\n")
    (tmp_path / "b.diff").write_text("x: y\n")
    (tmp_path / "c.diff").write_text("x: y\n--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-a\n+b\n")
    begins = "system/model/units.py"
    head = (ROOT / begins).read_text().partition("\n")[0]
    hunk = f"@@ -1,1 +1,2 @@\n+no words\n {head}\n"
    (tmp_path / "d.diff").write_text(f"x: y\n--- a/{begins}\n+++ b/{begins}\n{hunk}")

    *refused, last = hunt(bugs_in(tmp_path), Plan(runs=1, shrink_s=0))

    assert [catch.planted or catch.caught for catch in refused] == [False] * 3
    problems = "does not apply", "no diff in it", "it touches b/Makefile"
    for catch, problem in zip(refused, problems, strict=True):
        assert problem in catch.problem
    assert last.broken == ("does not start",)
    assert "SyntaxError" in last.was


def test_what_hangs_never_ends(tmp_path: Path) -> None:
    begins = "sim/hunt/__init__.py"
    head = (ROOT / begins).read_text().partition("\n")[0]
    hunk = f"@@ -1,1 +1,2 @@\n+import time; time.sleep(1_000)\n {head}\n"
    (tmp_path / "a.diff").write_text(f"x: y\n--- a/{begins}\n+++ b/{begins}\n{hunk}")

    (catch,) = hunt(bugs_in(tmp_path), Plan(runs=1, shrink_s=0, begins_within_s=1))

    assert catch.broken == ("never ends",)
