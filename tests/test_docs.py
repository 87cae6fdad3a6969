"""What the documents say is so: blocks are of a real run, links to code name what is there, commands exist.

`pytest tests/test_docs.py --golden-write` writes the blocks and the picture again; read the diff.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
import typer

from sim.cli.look import KIND_TEXTS
from sim.cli.main import app
from sim.kernel.template.stack import load_template
from sim.report.record import RunRecord
from sim.scenario.schema import Scenario
from system.matcher.commit import ROOM
from system.matcher.steps import EndReason
from system.metrics import histogram
from system.model import keys, messages, order, trade
from system.model.errors import RejectReason
from system.ports.store import MAX_TRANSACTION_ACTIONS
from system.settlement import batching
from tests import house
from tests.house import ROOT
from tests.shown import SHOWN, Story, dexsim

OWN = ("README.md", "docs/README.md", "docs/walk.md", "docs/determinism.md", "docs/glossary.md")
PAGES = [*OWN, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs/decisions").glob("*.md"))]
BLOCK = re.compile(r"(<!-- shown: ([\w-]+) -->\n```text\n)(.*?)(```)", re.DOTALL)
CODE_LINK = re.compile(r"\[`([\w.]+)`\]\(([^)#]+\.(?:py|sol))\)")
COMMAND = re.compile(r"(?:\.venv/bin/)?dexsim (\w+)([^\n`]*)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("docs") / "runs" / "a")


# --- what is shown


@pytest.mark.parametrize("page", [page for page in OWN if BLOCK.search(text_of(page))])
def test_blocks_are_what_a_run_leaves(page: str, story: Story, request: pytest.FixtureRequest) -> None:
    text = text_of(page)

    fresh = BLOCK.sub(lambda found: f"{found[1]}{SHOWN[found[2]](story)}\n{found[4]}", text)

    if request.config.getoption("--golden-write"):
        (ROOT / page).write_text(fresh, encoding="utf-8")
    else:
        assert fresh == text, f"{page}; if meant: pytest tests/test_docs.py --golden-write"


def test_every_block_is_shown_once() -> None:
    shown = Counter(name for page in OWN for _, name, *_ in BLOCK.findall(text_of(page)))

    assert shown == Counter(list(SHOWN))


def test_the_run_holds(story: Story) -> None:
    assert story.run.record.exit_code == 0


def test_a_run_replays_in_another_process_with_another_hash_seed(story: Story) -> None:
    said = dexsim("replay", str(story.folder), hash_seed="4711")

    assert f"equal in all {len(story.events):,} events" in " ".join(said.split())  # a long path wraps
    assert story.run.record.digest in said


def test_the_picture_is_drawn_by_its_script(request: pytest.FixtureRequest) -> None:
    spec = importlib.util.spec_from_file_location("walk_picture", ROOT / "docs/pictures/walk.py")
    assert spec is not None
    assert spec.loader is not None
    picture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(picture)

    drawn = picture.draw()

    if request.config.getoption("--golden-write"):
        picture.OUT.write_text(drawn, encoding="utf-8")
    assert picture.OUT.read_text(encoding="utf-8") == drawn, "run: python docs/pictures/walk.py"
    for step in picture.STEPS:
        path, _, name = step.where.partition(":")
        assert name in defined(path), step.where
    assert set(picture.COMMITTED) <= set(keys.TABLES)
    assert [step.number for step in picture.STEPS] == [str(number) for number in range(1, 13)]


def test_python_blocks_run(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(story.folder)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", text_of("docs/determinism.md"), re.DOTALL)

    assert blocks
    for block in blocks:
        exec(block, {"print": lambda *_: None})


# --- what is named


def defined(path: str) -> set[str]:
    """Names that a file defines, with their owners: `Engine.run`."""
    if path.endswith(".sol"):
        return set(re.findall(r"\b(?:contract|library|function|event|error) (\w+)", text_of(path)))
    tree = ast.parse(text_of(path))
    names = {name for name, _ in house.functions(tree)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_links_to_code_name_what_is_there(page: str) -> None:
    for name, target in CODE_LINK.findall(text_of(page)):
        path = ((ROOT / page).parent / target).resolve().relative_to(ROOT)
        if name in (path.name, f"{path.parent.name}/{path.name}", str(path)):
            continue
        assert (ROOT / path).is_file(), f"{page}: {target}"
        assert path.stem == name or name in defined(str(path)), f"{page}: {target} has no {name}"


def test_paths_in_link_texts_are_those_of_the_links() -> None:
    for page in PAGES:
        for text, target in re.findall(r"\[`((?:\w+/)*\w+\.\w+)`\]\(([^)#]+)\)", text_of(page)):
            if "/" in text:
                assert target.endswith(text), f"{page}: {text} leads to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = text_of(page)
    targets = set(re.findall(r"(?m)^([a-z-]+):", text_of("Makefile")))

    for target in re.findall(r"`?make ([a-z][a-z-]+)[`\s]", text):
        assert target in targets or not re.search(rf"`make {target}`|^make {target}", text, re.MULTILINE)
    for verb, rest in COMMAND.findall(text):
        assert verb in verbs, f"{page}: dexsim {verb}"
        options = {"--help", *(name for parameter in verbs[verb].params for name in parameter.opts)}
        for word in shlex.split(rest.partition("#")[0], posix=True):
            assert not word.startswith("--") or word in options, f"{page}: dexsim {verb} {word}"
    for path in re.findall(r"\b(?:scenarios|tests|docs)/[\w/]+\.(?:yaml|py|md)\b", text):
        assert (ROOT / path).exists(), f"{page}: {path}"


def test_documents_that_the_code_names_are_there() -> None:
    for source in house.python("system", "sim"):
        for path in re.findall(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?", source.text):
            name, _, anchor = path.partition("#")
            assert (ROOT / name).is_file(), f"{source.path} names {name}"
            assert not anchor or anchor in house.anchors(text_of(name)), f"{source.path} names {path}"


def test_every_page_is_in_the_index() -> None:
    index = text_of("docs/README.md")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        listed = f"({path.relative_to(ROOT / 'docs')})" in index or path.name == "README.md"
        assert listed, f"{path.relative_to(ROOT)}: add a line to docs/README.md"


@pytest.mark.parametrize("page", [page for page in PAGES if "/decisions/" in page])
def test_decisions_have_one_shape(page: str) -> None:
    text = text_of(page)
    number, _, title = text.partition("\n")[0].removeprefix("# ").partition(" ")

    assert Path(page).name.startswith(number + "-")
    assert f"| [{number}](decisions/{Path(page).name}) | {title} |" in text_of("docs/README.md")
    parts = re.findall(r"(?m)^\*\*(.+?)\.\*\* ", text)
    assert parts == ["Context", "Choice", "What decided", "Consequences"]


# --- what is listed


def test_the_history_is_described(story: Story) -> None:
    page = text_of("docs/determinism.md")
    rows = re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \|([^|\n]*)\|$", page)
    told = {kind: set(re.findall(r"`(\w+)`", said)) | {"t", "e"} for kind, said in rows if kind != "e"}
    written = {kind for source in house.python("sim") for kind in re.findall(r'"e": "(\w+)"', source.text)}

    assert set(told) == written
    for event in story.events:
        assert set(event) <= told[event["e"]], event["e"]
        assert set(event) >= told[event["e"]] or event["e"] == "invoke", event["e"]


def test_the_run_folder_is_described(story: Story) -> None:
    readme = text_of("README.md")

    for path in story.folder.iterdir():
        assert f"| `{path.name}{'/' if path.is_dir() else ''}` |" in readme, path.name
    described = set(re.findall(r"`(\w+)`", readme[readme.index("Keys of `run.json`") :]))
    assert set(RunRecord.model_fields) <= described
    assert json.loads((story.folder / "run.json").read_text()).keys() == RunRecord.model_fields.keys()


def test_the_readme_names_all_parts_of_the_exchange() -> None:
    readme = text_of("README.md")
    template = load_template()

    for table in template.tables():
        assert re.search(rf"(?m)^\|[^|]*\b{table.name}\b[^|]*\|", readme), table.name
    assert {table.name for table in template.tables()} == set(keys.TABLES)
    for route in template.http_routes():
        assert f"`{route.key}`" in readme, route.key
    for kind in re.findall(r'"kind": "(\w+)"', (ROOT / messages.__file__).read_text(encoding="utf-8")):
        assert f"`{kind}`" in readme, kind
    jobs = {path.name for path in (ROOT / "system/jobs").glob("*.py")} - {"__init__.py"}
    for name in jobs:
        assert f"`jobs/{name}`" in readme, name


def test_what_is_not_there_yet_is_not_there() -> None:
    """Whoever builds one of these takes it out of the README's list."""
    readme = text_of("README.md")
    missing = readme[readme.index("## What is not there yet") : readme.index("## Where to read on")]
    code = "".join(source.text for source in house.python("system"))

    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    listed = missing[missing.index("**Verbs**") :].partition(";")[0]
    assert not set(re.findall(r"`(\w+)`", listed)) & set(verbs)
    assert ("POST /vault/withdraw" in {route.key for route in load_template().http_routes()}) == (
        "**Withdrawals.**" not in missing
    )
    assert (list(KIND_TEXTS["presets"]()) == ["none"]) == ("**Funding.**" in missing)
    assert ("**Events" in missing) == (
        Scenario.model_json_schema()["properties"]["events"].get("maxItems") == 0
    )
    assert ("liquidationAlert" not in code) == ("**Liquidation.**" in missing)


def test_the_glossary_has_every_word_of_an_order() -> None:
    words = set(re.findall(r"\b[A-Z][A-Z_]+\b", text_of("docs/glossary.md")))

    assert {reason.value for reason in RejectReason} <= words
    assert {reason.value for reason in EndReason} <= words
    assert {*order.LIVE, *order.TERMINAL} <= words
    assert {trade.PENDING, trade.BATCHED, trade.SUBMITTED, trade.CONFIRMED, trade.SKIPPED} <= words
    assert {batching.PREPARED, batching.SIGNED} <= words


def test_numbers_that_decisions_rest_on() -> None:
    """A number that moves on purpose needs a new decision."""
    template = load_template()
    sizes = {each.logical_id: each.batch_size for each in template.event_source_mappings()}

    assert (MAX_TRANSACTION_ACTIONS, ROOM, batching.MAX_TRADES) == (100, 84, 98)
    assert sizes["SettleMapping"] == 50
    assert histogram.GAMMA == 1.02
    assert template.queue(template.commands_queue).max_receive_count == 10
