"""`dexsim run` in a process of its own: what it leaves, what it prints, how it ends."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from sim.invariants import INVARIANTS
from tests.e2e.command import Said, dexsim, write_scenario

KEYS = {
    *("scenario", "seed", "backend", "chain", "ingress", "interleaving", "commit", "versions", "digest"),
    *("business_digest", "verdict", "invariants", "thresholds", "faults", "counts", "latency_ms", "timings"),
}
"""Keys of run.json that are an interface."""


class Kept:
    """One run that tests look at and never change."""

    def __init__(self, home: Path) -> None:
        self.home = home
        write_scenario(home)
        self.said = dexsim("run", "brief.yaml", cwd=home, PYTHONHASHSEED="1")
        self.folder = home / "runs" / "latest"
        self.record: dict[str, Any] = json.loads((self.folder / "run.json").read_text())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_scenario(tmp_path)
    return tmp_path


def record_of(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_a_run_holds_and_says_so(kept: Kept) -> None:
    assert kept.said.code == 0, kept.said.err
    assert "✓ held brief seed 3 memory · model" in kept.said.flat
    assert kept.record["digest"] in kept.said.out
    assert kept.record["business_digest"] in kept.said.out
    assert all(name in kept.said.out for name in INVARIANTS)
    assert "fills >= 5 ✓ held" in kept.said.flat
    assert kept.said.err == ""


def test_a_run_leaves_everything_in_its_folder(kept: Kept) -> None:
    [folder] = (kept.home / "runs" / "brief").iterdir()

    assert kept.folder.is_symlink()
    assert kept.folder.resolve() == folder
    assert {path.name for path in folder.iterdir()} == {
        *("scenario.yaml", "history.jsonl.zst", "lake.zip", "run.json", "report.html", "tables"),
    }
    tables = {path.stem for path in (folder / "tables").glob("*.parquet")}
    assert tables >= {
        "orders",
        "trades",
        "positions",
        "balances",
        "markets",
        "prices",
        "settlements",
        "leases",
    }
    assert tables >= {"stats_intraday", "stats_daily", "stats_lifetime", "depth"}
    page = (folder / "report.html").read_text()
    assert kept.record["digest"][:16] in page
    assert "<html" in page


def test_json_is_one_object_with_the_promised_keys(kept: Kept) -> None:
    """And the digests are those of the other process, which had another PYTHONHASHSEED."""
    said = dexsim("run", "brief.yaml", "--json", "--no-report", cwd=kept.home, PYTHONHASHSEED="2")

    assert said.code == 0, said.err
    assert said.err == ""
    record = record_of(said)
    assert record.keys() >= KEYS
    assert record["verdict"] == "held"
    assert set(record["invariants"].values()) == {"held"}
    assert record["counts"].keys() >= {"orders", "fills", "trades_settled"}
    assert all(took.keys() >= {"p50", "p95", "p99"} for took in record["latency_ms"].values())
    assert (record["digest"], record["business_digest"]) == (
        kept.record["digest"],
        kept.record["business_digest"],
    )
    assert {**record, "timings": 0, "reproduce": 0} == {**kept.record, "timings": 0, "reproduce": 0}


def test_the_line_that_reproduces_does(kept: Kept) -> None:
    missed = dexsim(
        *("run", "brief.yaml", "--seed", "4", "--until", "5 s", "--set", "expect.thresholds=[fills > 900]"),
        *("--json", "--no-report"),
        cwd=kept.home,
    )
    record = record_of(missed)
    assert missed.code == 4
    assert "✗ threshold" in missed.err
    assert f"reproduce {record['reproduce']}" in missed.flat

    again = dexsim(*shlex.split(record["reproduce"])[1:], "--json", "--no-report", cwd=kept.home)

    assert again.code == 4
    assert record_of(again)["digest"] == record["digest"] != kept.record["digest"]


@pytest.mark.anvil
def test_the_chain_is_chosen_and_is_the_same_business(kept: Kept) -> None:
    said = dexsim("run", "brief.yaml", "--chain", "anvil", "--json", "--no-report", cwd=kept.home)

    assert said.code == 0, said.err
    record = record_of(said)
    assert record["chain"] == "anvil"
    assert record["business_digest"] == kept.record["business_digest"]


# where it cannot begin


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("run", "brief.yaml", "--sed", "1"), "No such option: --sed"),
        (("run", "brief.yaml", "--seed", "-1"), "Invalid value for '--seed'"),
        (("run",), "Missing argument"),
    ],
)
def test_what_is_not_understood_is_2(words: tuple[str, ...], said: str, home: Path) -> None:
    found = dexsim(*words, cwd=home)

    assert found.code == 2
    assert said in found.err
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--backend", "mongo"), "--set backend=mongo: backend: no backend `mongo`; did you mean `moto`?"),
        (("--chain", "fabric"), "expected `model`, `anvil` or an http address, was `fabric`"),
        (("--until", "5"), "expected a duration with its unit, was `5`; add the unit"),
        (("--set", "agents.7.count=1"), "expected an index of agents from 0 to 1, was `7`"),
        (("--set", "nonsense"), "expected `path=value`"),
    ],
)
def test_an_option_that_makes_no_scenario_is_5(words: tuple[str, ...], said: str, home: Path) -> None:
    found = dexsim("run", "brief.yaml", *words, cwd=home)

    assert found.code == 5
    assert said in found.err
    assert not (home / "runs").exists()


@pytest.mark.parametrize("folder", ["", "runs/mine"])
def test_a_chain_that_is_not_there_is_6(folder: str, home: Path) -> None:
    out = ("--out", folder) if folder else ()
    found = dexsim("run", "brief.yaml", "--chain", "anvil", *out, cwd=home, DEXSIM_ANVIL="/nowhere/anvil")

    assert found.code == 6
    assert "no executable file /nowhere/anvil: run `make setup`" in found.err
    assert "reproduce dexsim run brief.yaml --backend memory --chain anvil --seed 3" in found.flat
    assert "exit 6: a backend or chain could not be reached or made" in found.flat
    assert "Traceback" not in found.err
    assert not (home / "runs" / "latest").exists()


def test_a_binary_that_is_no_anvil_is_6(home: Path) -> None:
    found = dexsim("run", "brief.yaml", "--chain", "anvil", cwd=home, DEXSIM_ANVIL="/bin/echo")

    assert found.code == 6
    assert "expected «Listening on »" in found.err


def test_a_backend_that_is_not_there_is_6(home: Path) -> None:
    found = dexsim("run", "brief.yaml", "--backend", "localstack", cwd=home)

    assert found.code == 6
    assert "localstack" in found.err


# where it goes


def test_a_folder_that_holds_a_run_is_written_anew(kept: Kept, home: Path) -> None:
    first = dexsim("run", "brief.yaml", "--out", "mine", "--json", "--no-report", "--until", "3 s", cwd=home)
    (home / "mine" / "report.html").write_text("an old page")

    second = dexsim("run", "brief.yaml", "--out", "mine", "--json", "--no-report", cwd=home)

    assert (first.code, second.code) == (4, 0)
    assert record_of(second)["digest"] == kept.record["digest"]
    assert json.loads((home / "mine" / "run.json").read_text()) == record_of(second)
    assert not (home / "mine" / "report.html").exists()
    assert not (home / "runs").exists()


def test_a_folder_that_holds_something_else_stays_as_it_is(home: Path) -> None:
    (home / "precious").mkdir()
    (home / "precious" / "thesis.txt").write_text("years of work")

    found = dexsim("run", "brief.yaml", "--out", "precious", cwd=home)

    assert found.code == 2
    assert "The folder holds something else than a run; it stays as it is." in found.err
    assert [path.name for path in (home / "precious").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("where", ["a-file", "a-file/below", "/proc/nowhere"])
def test_a_place_where_no_folder_can_be_is_2(where: str, home: Path) -> None:
    (home / "a-file").write_text("x")

    found = dexsim("run", "brief.yaml", "--out", where, cwd=home)

    assert found.code == 2
    assert where in found.err
    assert "Traceback" not in found.err
    assert (home / "a-file").read_text() == "x"
