"""Planted defects: every patch of the catalogue applies, and hounds find what is planted."""

from collections import Counter
from pathlib import Path

import pytest

from sim.hunt.bugs import Bug, PatchRefused, apply, bugs_in, copy_tree
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


def test_what_is_no_patch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PatchRefused, match="file is here"):
        bugs_in(tmp_path)
    (tmp_path / "a.diff").write_text("--- a/x\n+++ b/x\n")
    with pytest.raises(PatchRefused, match="not a description"):
        bugs_in(tmp_path)
    (tmp_path / "a.diff").write_text("x: y\n--- a/no/such\n+++ b/no/such\n@@ -1 +1 @@\n-a\n+b\n")

    (catch,) = hunt(bugs_in(tmp_path), Plan(runs=1))

    assert "does not apply" in catch.problem
