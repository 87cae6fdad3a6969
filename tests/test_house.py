"""The house is tidy: what a reviewer would otherwise have to say again and again.

Each test is one habit. Exceptions are named here, with their reason.
"""

import ast
import inspect
import itertools
import re
import tomllib
from collections.abc import Callable, Iterator

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from tests import house
from tests.house import LINES_PER_FILE, LINES_PER_FUNCTION, ROOT, Finding, Source, files, python

# Who may read clocks and dice, and which; everything else is told the time and given its dice.
WORLDLY_ALLOWED = {
    "system/adapters/aws": ("*", "the real clock and real ids live here"),
    "system/adapters/evm": ("*", "a real chain is waited for"),
    "sim/cli": ("time.monotonic datetime.datetime.now", "progress on the terminal, a folder's name"),
    "sim/run": ("time.perf_counter datetime.datetime.now", "timings and the name of a run's folder"),
    "sim/hunt": ("time.monotonic", "how long a hunt takes"),
    "sim/shrink": ("time.monotonic", "how long a search may take"),
    "sim/stack/emulator": ("time.sleep time.monotonic", "waits until the process listens"),
    "sim/sweep": ("time.perf_counter time.monotonic", "progress on the terminal"),
    "sim/world/anvil": ("time.sleep time.monotonic time.perf_counter", "waits until the process listens"),
    "sim/world/testnet": ("*", "the testnet runs in real time"),
}
FLOAT_ALLOWED: dict[str, str] = {
    "system/metrics": "measures are shown, never booked",
    "system/risk/volatility": "implied volatility is a measure: decision 0052",
    "system/adapters/memory/lake": "joins paths with /",
}
LONG_ALLOWED: dict[str, str] = {}  # "path" or "path::function" -> reason

POOR_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
REGISTRY = re.compile(r"pypi\." + r"org|python" + r"hosted|registry\." + r"npmjs")
THIS_MACHINE = re.compile(r"(?<![\w./*~})\]])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me)(?:/\w|\b(?![\w-]))")


def told(findings: list[str], remedy: str) -> None:
    """Fail with every finding and what to do about it."""
    assert not findings, "\n".join([f"{len(findings)} found.", *findings, f"Remedy: {remedy}"])


def found(sources: list[Source], finder: Callable[[ast.Module], Iterator[Finding]]) -> list[str]:
    return [f"{s.path}:{line}: {what}" for s in sources for line, what in finder(s.tree)]


def below(path: str, places: dict[str, str]) -> bool:
    return any(path == f"{place}.py" or path.startswith(f"{place}/") for place in places)


def test_the_house_sees_its_files() -> None:
    for folder in ("system", "sim", "tests"):
        on_disk = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        seen = {source.path for source in python(folder)}
        assert seen, f"no Python file seen in {folder}/: every other test here would be empty"
        assert on_disk == seen, f"ignored by git, so nobody else has them: {sorted(on_disk - seen)}"


def test_every_package_has_an_init() -> None:
    folders = {path.rpartition("/")[0] for path in (source.path for source in python("system", "sim"))}
    missing = sorted(folder for folder in folders if not (ROOT / folder / "__init__.py").is_file())
    told(
        missing,
        "add __init__.py with one line that says what the room is for; import-linter is blind without",
    )


def test_nobody_reads_clocks_or_dice() -> None:
    findings = []
    for source in python("system", "sim"):
        allowed = [names for place, (names, _) in WORLDLY_ALLOWED.items() if below(source.path, {place: ""})]
        for line, what in house.worldly(source.tree):
            if not any(names == "*" or what in names.split() for names in allowed):
                findings.append(f"{source.path}:{line}: {what}")
    told(findings, "take time and ids from the ports (system) or from the kernel's clock and dice (sim)")


def test_money_is_never_a_float() -> None:
    sources = [source for source in python("system") if not below(source.path, FLOAT_ALLOWED)]
    told(
        found(sources, house.floats),
        "integers in the units of system/model/units.py; // and a named rounding",
    )


def test_functions_are_short() -> None:
    findings = [
        f"{source.path}::{name} has {length} lines"
        for source in python("system", "sim", "tests", "benchmarks")
        for name, _, length in house.long_functions(source.tree)
        if f"{source.path}::{name}" not in LONG_ALLOWED
    ]
    told(findings, f"over {LINES_PER_FUNCTION} lines there is a second function inside; name it")


def test_files_are_short() -> None:
    findings = [
        f"{source.path} has {length} lines"
        for source in python("system", "sim", "tests", "benchmarks")
        if (length := source.text.count("\n")) > LINES_PER_FILE and source.path not in LONG_ALLOWED
    ]
    told(findings, f"over {LINES_PER_FILE} lines a room is missing; give it a business name")


def test_long_things_that_became_short_leave_the_list() -> None:
    needed = {
        source.path
        for source in python("system", "sim", "tests", "benchmarks")
        if source.text.count("\n") > LINES_PER_FILE
    }
    needed |= {
        f"{source.path}::{name}"
        for source in python("system", "sim", "tests", "benchmarks")
        for name, _, _ in house.long_functions(source.tree)
    }
    told(sorted(LONG_ALLOWED.keys() - needed), "remove the entry from LONG_ALLOWED")


def test_files_have_names_that_say_something() -> None:
    findings = [
        source.path
        for source in files(".py", ".sol", ".js", ".mjs", ".ts", ".sh")
        if POOR_NAMES & set(re.split(r"[/_.-]", source.path.lower()))
    ]
    told(findings, "name the file after what it knows or does")


def test_nothing_unfinished_lands() -> None:
    findings = [
        f"{source.path}:{number}: {line.strip()[:100]}"
        for source in files(*house.TEXT)
        if not source.path.endswith((".lock", "package-lock.json"))
        for number, line in enumerate(source.text.splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    told(findings, "do it now, or open an issue and leave the code whole")


def test_links_in_documents_lead_somewhere() -> None:
    documents = [
        s for s in files(".md") if s.path in ("README.md", "CONTRIBUTING.md") or s.path.startswith("docs/")
    ]
    assert documents, "no document seen"
    told(
        [f"{s.path}:{line}: {what}" for s in documents for line, what in house.broken_links(s)],
        "mend the link",
    )


def test_rules_and_tests_cite_each_other() -> None:
    pages = [source for source in files(".md") if source.path.startswith("docs/rules/")]
    declared = [(rule, page.path) for page in pages for rule in house.declared_rules(page.text)]
    tests = {s.path: house.cited_rules(s.tree) for s in python("tests") if "/test_" in s.path}
    tests |= {s.path: set(house.RULE.findall(s.text)) for s in files(".t.sol")}
    cited = set().union(*tests.values())
    # The cards of a conformance suite (STOR-010 ...) are declared where they are played.
    cards = set().union(*(ids for path, ids in tests.items() if path.startswith("tests/conformance/")))
    known = {rule for rule, _ in declared}

    twice = sorted({rule for rule, _ in declared if [known for known, _ in declared].count(rule) > 1})
    told(twice, "a rule has one home in docs/rules")
    told(sorted(cited - cards - known), "tests cite rules that docs/rules does not declare: write them down")
    told(
        [f"{path}: {rule}" for rule, path in declared if rule not in cited],
        'no test: add one with @rule("...")',
    )


def test_no_registry_and_no_path_of_one_machine() -> None:
    findings = [
        f"{source.path}:{number}: {line.strip()[:100]}"
        for source in files(*house.TEXT)
        for number, line in enumerate(source.text.splitlines(), 1)
        if REGISTRY.search(line) or THIS_MACHINE.search(line)
    ]
    told(
        findings,
        "the repository works from any folder and any mirror; lock files: `make lock`, contracts/.npmrc",
    )


OWN_ENVIRONMENTS = ("peers", "ministack", "localstack")


def test_the_lock_is_in_step_with_pyproject() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"system", "sim", "contracts", "dev"} <= extras.keys()
    for group, requirements in extras.items():
        name = f"requirements-{group}.lock" if group in OWN_ENVIRONMENTS else "requirements.lock"
        locked = dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text()))
        for text in requirements:
            wanted = Requirement(text)
            key = re.sub(r"[-_.]+", "-", wanted.name).lower()
            assert [pin.operator for pin in wanted.specifier] == ["=="], f"{text}: pin it exactly"
            assert key in locked, f"{text} ({group}) is not in {name}: run `make lock`"
            assert locked[key] in wanted.specifier, f"{text}: {name} has {locked[key]}: run `make lock`"


def test_every_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    groups = re.search(r"(?ms)^\[project\.optional-dependencies\]$(.*?)^\[", text)
    assert groups is not None
    lines = groups[1].splitlines()
    unexplained = [
        line.strip()
        for above, line in itertools.pairwise(lines)
        if line.startswith('    "') and not above.startswith("    # ")
    ]
    told(unexplained, "one comment line above it: why it is here")


def test_exceptions_survive_being_rebuilt() -> None:
    told(found(python("system", "sim"), house.keyword_only_exceptions), "positional arguments only")

    from system.model import errors

    kinds = [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, Exception)]
    assert kinds, "no exception seen in system/model/errors.py"
    for kind in kinds:
        if kind.__init__ is Exception.__init__ or kind.__module__ != errors.__name__:
            continue
        shape = inspect.signature(kind).parameters.values()
        assert all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in shape), (
            kind
        )


def test_template_and_code_name_the_same_entry_points() -> None:
    template, code = ROOT / "system" / "template.yaml", ROOT / "system" / "lambdas.py"
    assert template.exists() == code.exists(), "system/template.yaml and system/lambdas.py come together"
    if not code.exists():
        return
    wired = set(re.findall(r"(?m)^\s+Handler:\s*[\"']?system[./]lambdas\.(\w+)", template.read_text()))
    written = {
        node.name
        for node in ast.parse(code.read_text()).body
        if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args] == ["event", "context"]
    }
    assert wired, "no handler seen in system/template.yaml"
    told(sorted(wired - written), "named in the template, missing in system/lambdas.py")
    told(
        sorted(name for name in written - wired if not name.startswith("_")),
        "no function of the template uses it",
    )


def test_compose_opens_nothing_to_the_outside() -> None:
    services = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
    assert services
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), (
            f"{name}: pin the image, not {service['image']}"
        )
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port} listens to everybody"


def test_frames_tell_their_shape() -> None:
    findings = [
        f"{source.path}:{node.lineno}: {name}"
        for source in python("sim")
        for name, node in house.functions(source.tree)
        if not node.name.startswith("_")
        and node.returns is not None
        and re.fullmatch(r"(?:pd\.|pandas\.)?DataFrame", ast.unparse(node.returns).strip("'\""))
        and "Shape:" not in (ast.get_docstring(node) or "")
    ]
    told(findings, "its docstring has a `Shape:` paragraph: what a row is, and its columns with units")


@pytest.mark.parametrize(
    ("finder", "line"),
    [
        (house.worldly, "import time\nstart = time.time()"),
        (house.worldly, "from time import sleep as pause\npause(1)"),
        (house.worldly, "import datetime as dt\nnow = dt.datetime.now"),
        (house.worldly, "from datetime import datetime\ndatetime.now()"),
        (house.worldly, "import random\nrandom.choice([1])"),
        (house.worldly, "import random\ndice = random.Random()"),
        (house.worldly, "import numpy as np\nnp.random.normal()"),
        (house.worldly, "from uuid import uuid4\nfield(default_factory=uuid4)"),
        (house.worldly, "import os\nos.urandom(8)"),
        (house.worldly, "import secrets\nsecrets.token_hex()"),
        (house.worldly, "bucket = hash('BTC') % 8"),
        (house.floats, "half = size / 2"),
        (house.floats, "size /= 2"),
        (house.floats, "rate = 0.01"),
        (house.floats, "rate = float('1')"),
        (house.keyword_only_exceptions, "class A(Exception):\n    def __init__(self, *, x): ..."),
        (house.keyword_only_exceptions, "class A(DexError): ...\nclass B(A):\n def __init__(self, **x): ..."),
    ],
)  # fmt: skip
def test_finders_find(finder: Callable[[ast.Module], Iterator[Finding]], line: str) -> None:
    assert list(finder(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "import random\ndice = random.Random('42:maker:1')",
        "import random\ndef draw(dice: random.Random) -> int: return dice.randint(1, 6)",
        "import numpy as np\nrng: np.random.Generator = np.random.default_rng(7)",
        "import uuid\nuuid.uuid5(uuid.NAMESPACE_URL, 'x')",
        "from system.ports.clock import Clock\ndef now(time: Clock) -> int: return time.now_ns()",
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
    ],
)
def test_finders_leave_the_rest_alone(line: str) -> None:
    assert not list(house.worldly(ast.parse(line)))


def test_finders_of_sizes_links_and_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "def f():\n" + "    x = 1\n" * LINES_PER_FUNCTION
    assert [name for name, _, _ in house.long_functions(ast.parse(long))] == ["f"]

    page = "# A title\n[a](#a-title) [b](no/where.md)\n`[c](x.md)`\n```\n[d](y.md)\n```\n[e](mailto:a@b)"
    monkeypatch.setattr(house, "_read", lambda _: page)
    monkeypatch.setattr(house, "anchors", lambda _: {"a-title"})
    assert [line for line, _ in house.broken_links(Source("CONTRIBUTING.md"))] == [2]

    ids = [f"{prefix}-001" for prefix in ("MATC", "RISK", "FUND")]
    assert (
        house.declared_rules(f"## {ids[0]} Price first\n- **{ids[1]}** x, see {ids[2]}\n| `{ids[2]}` | y |")
        == ids
    )
    assert house.cited_rules(ast.parse(f'@rule("{ids[0]}")\ndef test_a(): "Holds {ids[1]}."')) == set(ids[:2])

    for text, pattern in (
        ("a TO" + "DO", UNFINISHED),
        ("cd /ro" + "ot/x", THIS_MACHINE),
        ("cp x /wo" + "rk", THIS_MACHINE),
    ):
        assert pattern.search(text)
    assert not THIS_MACHINE.search("system/work/x ./work https://a.b/home/c ${HOME}/work")
