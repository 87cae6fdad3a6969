"""YAML into plain data with origins: repeated keys, extends, overrides."""

from pathlib import Path

import pytest

from sim.scenario.loader import read_file, read_text
from system.model.errors import ScenarioError


def test_fractions_and_instants_stay_text() -> None:
    document = read_text("a: 60_000\nb: 1.5\nc: 2025-05-03T23:30:00Z\nd: true\ne:\nf: off\ng: '5'\nh: 0x1F\n")

    assert document.data == {
        "a": 60_000,
        "b": "1.5",
        "c": "2025-05-03T23:30:00Z",
        "d": True,
        "e": None,
        "f": "off",
        "g": "5",
        "h": "0x1F",
    }


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "<text>:3: a", "`a` is written twice, first in line 1"),
        ("x: [{a: 1, a: 2}]", "<text>:1: x.0.a", "`a` is written twice"),
        ("a: &x 1\nb: *x", "<text>:1", "anchor `x` is not allowed"),
        ("a: {<<: {b: 1}}", "<text>:1", "expected a plain field name"),
        ("a: !!python/none x", "<text>:1", "tag"),
        ("a: [1", "<text>:1", "not YAML"),
        ("- 1", "<text>", "expected a mapping"),
        ("", "<text>", "expected a mapping"),
        ("a: \x00", "<text>", "not YAML"),
        ("extends: other.yaml", "<text>:1: extends", "text cannot extend a file"),
    ],
)
def test_refuses(text: str, where: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        read_text(text)

    assert refused.value.args[0] == where
    assert problem in refused.value.args[1]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text("scenario: base\nlinks:\n  a: {x: 1, y: 2}\n  b: {x: 1}\nlist: [1, 2]\n")
    return path


def write(base: Path, text: str) -> Path:
    path = base.parent / "top.yaml"
    path.write_text(text)
    return path


def test_extends_merges_mappings_and_replaces_lists(base: Path) -> None:
    document = read_file(write(base, "extends: base.yaml\nscenario: top\nlinks:\n  a: {y: 3}\nlist: [9]\n"))

    assert document.data == {
        "scenario": "top",
        "links": {"a": {"x": 1, "y": 3}, "b": {"x": 1}},
        "list": [9],
    }
    assert document.origins["links", "a", "y"].endswith("top.yaml:4")
    assert document.origins["links", "a", "x"].endswith("base.yaml:3")
    assert ("list", 1) not in document.origins


def test_extends_goes_one_level(base: Path) -> None:
    middle = write(base, "extends: base.yaml\n")
    top = base.parent / "third.yaml"
    top.write_text("extends: top.yaml\n")

    assert read_file(middle).data["scenario"] == "base"
    with pytest.raises(ScenarioError, match="extends another file itself"):
        read_file(top)


@pytest.mark.parametrize("text", ["extends: [a]\n", "extends: missing.yaml\n"])
def test_extends_must_name_a_file(base: Path, text: str) -> None:
    with pytest.raises(ScenarioError):
        read_file(write(base, text))


def test_a_missing_file_is_an_error_of_the_scenario() -> None:
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        read_file("nowhere.yaml")


def test_overrides_set_values_and_remember_it() -> None:
    document = read_text(
        "list: [{a: 1}, {a: 2}]\n",
        overrides=["list.1.a=5 s", "links.api -> store.median=7 ms", "new=[1, {b: x}]", "list.0=z"],
    )

    assert document.data == {
        "list": ["z", {"a": "5 s"}],
        "links": {"api -> store": {"median": "7 ms"}},
        "new": [1, {"b": "x"}],
    }
    assert document.origins["list", 1, "a"] == "--set list.1.a=5 s"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("a", "expected `path=value`"),
        ("=5", "expected `path=value`"),
        ("a..b=5", "expected `path=value`"),
        ("list.2=5", "an index of list from 0 to 1, was `2`"),
        ("list.x=5", "an index of list"),
        ("one.a=5", "`one` is one value"),
        ("one=[5", "not YAML"),
    ],
)
def test_overrides_that_lead_nowhere(override: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        read_text("one: 1\nlist: [1, 2]\n", overrides=[override])

    assert refused.value.args[0].startswith(f"--set {override}")
    assert problem in refused.value.args[1]


def test_an_error_names_file_line_and_path() -> None:
    document = read_text("a:\n  b: [1,\n    2]\n", "x.yaml")

    error = document.error([(("a", "b", 1), "is wrong", "mend it"), (("a", "c"), "is missing", "add it")])

    assert error.args == ("x.yaml:3: a.b.1", "is wrong", "mend it", ("x.yaml:1: a.c", "is missing", "add it"))
    assert str(error) == "x.yaml:3: a.b.1: is wrong; mend it\nx.yaml:1: a.c: is missing; add it"
