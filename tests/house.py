"""What test_house.py reads with: the committed files, and finders for shapes the house does not want."""

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (
    *(
        ".py",
        ".md",
        ".yaml",
        ".yml",
        ".toml",
        ".txt",
        ".json",
        ".lock",
        ".sol",
        ".js",
        ".mjs",
        ".ts",
        ".html",
    ),
    *(".css", ".sh", ".ini", ".cfg", ".ipynb", ".npmrc", ".gitignore", "Makefile", ".ci/run", "LICENSE"),
)
RULE = re.compile(r"\b[A-Z]{4}-\d{3}\b")
LINES_PER_FUNCTION = 70
LINES_PER_FILE = 400

Finding = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the repository."""

    path: str

    @property
    def text(self) -> str:
        return _read(self.path)

    @property
    def tree(self) -> ast.Module:
        return _parse(self.path)


@functools.cache
def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def _parse(path: str) -> ast.Module:
    return ast.parse(_read(path), path)


@functools.cache
def files(*suffixes: str) -> tuple[Source, ...]:
    """Every file that is committed or about to be, by the ends of their names."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = sorted({path for path in listing.split("\0") if path.endswith(suffixes)})
    return tuple(Source(path) for path in paths if (ROOT / path).is_file())


def python(*folders: str) -> list[Source]:
    """The Python files below these folders."""
    return [source for source in files(".py") if source.path.startswith(tuple(f"{f}/" for f in folders))]


# --- finders: a tree in, findings (line, what is wrong) out

WORLDLY = {
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep")),
    *(
        f"time.{name}"
        for name in ("perf_counter_ns", "process_time", "process_time_ns", "localtime", "ctime")
    ),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    *("datetime.date.today", "uuid.uuid1", "uuid.uuid4", "os.urandom", "random.SystemRandom"),
    *("pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow"),
}
SEEDED = {"random.Random", "numpy.random.default_rng", "numpy.random.SeedSequence", "numpy.random.PCG64"}
RANDOM_TYPES = {*SEEDED, "numpy.random.Generator", "numpy.random.Philox", "numpy.random.BitGenerator"}


def imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name behind an expression such as `dt.now`, or nothing."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value, names)):
        return f"{owner}.{node.attr}"
    return ""


def worldly(tree: ast.Module) -> Iterator[Finding]:
    """Readings of clocks and dice that differ from run to run."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = dotted(node.func, names)
            if called in SEEDED and not node.args and not node.keywords:
                yield node.lineno, f"{called}() without a seed"
            if isinstance(node.func, ast.Name) and node.func.id == "hash" and "hash" not in names:
                yield node.lineno, "hash() differs between processes"
        name = dotted(node, names)
        die = name.startswith(("random.", "numpy.random.", "secrets.")) and name not in RANDOM_TYPES
        if name in WORLDLY or (die and not any(known.startswith(f"{name}.") for known in RANDOM_TYPES)):
            yield getattr(node, "lineno", 0), name


def floats(tree: ast.Module) -> Iterator[Finding]:
    """Float literals, float() and true division."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"float literal {node.value!r}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield node.lineno, "float(...)"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "true division; // says which way it rounds"


def functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{owner}{node.name}", node
            yield from functions(node, f"{owner}{node.name}.")
        else:
            yield from functions(node, f"{owner}{node.name}." if isinstance(node, ast.ClassDef) else owner)


def long_functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Functions over the limit: name, line, length."""
    for name, node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > LINES_PER_FUNCTION:
            yield name, node.lineno, length


def keyword_only_exceptions(tree: ast.Module) -> Iterator[Finding]:
    """Exceptions that cannot be rebuilt from their `args`, as SimPy and pickle do."""
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in classes.values():
        if not _is_exception(node, classes):
            continue
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__new__"):
                named = [argument.arg for argument in part.args.kwonlyargs]
                if named or part.args.kwarg:
                    yield (
                        part.lineno,
                        f"{node.name} takes {', '.join(named) or '**' + part.args.kwarg.arg} by name",
                    )  # type: ignore[union-attr]


def _is_exception(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
        if name.endswith(("Error", "Exception")) or (
            name in classes and name != node.name and _is_exception(classes[name], classes)
        ):
            return True
    return False


# --- documents


def prose(markdown: str) -> str:
    """Markdown without its code, line numbers kept."""
    fenced = re.sub(r"(?ms)^ *```.*?^ *```", lambda found: "\n" * found[0].count("\n"), markdown)
    return re.sub(r"`[^`\n]*`", "", fenced)


def anchors(markdown: str) -> set[str]:
    """The anchors that headings make, as GitHub names them."""
    found: set[str] = set(re.findall(r'<a (?:id|name)="([^"]+)"', markdown))
    fenced = re.sub(r"(?ms)^ *```.*?^ *```", "", markdown)
    for heading in re.findall(r"(?m)^#+ +(.*?) *#*$", fenced):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        repeated = sum(1 for name in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", name))
        found.add(f"{slug}-{repeated}" if repeated else slug)
    return found


def broken_links(source: Source) -> Iterator[Finding]:
    """Relative links that lead nowhere."""
    text = prose(source.text)
    for match in re.finditer(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?m:^\[[^\]]+\]:\s*(\S+))", text):
        target = match[1] or match[2]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        line = text.count("\n", 0, match.start()) + 1
        path, _, anchor = target.partition("#")
        there = (ROOT / source.path).parent / path if path else ROOT / source.path
        if not there.exists():
            yield line, f"{target} leads nowhere"
        elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8")):
            yield line, f"{target}: no such heading"


def declared_rules(markdown: str) -> list[str]:
    """Rule ids that open a heading, a list item or a table row."""
    return re.findall(r"(?m)^ *(?:#+ |[-*] |\| ?)[*`\[]*([A-Z]{4}-\d{3})\b", markdown)


def cited_rules(tree: ast.Module) -> set[str]:
    """Rule ids that a test file cites, in `@rule(...)` or in a test's docstring."""
    cited: set[str] = set(RULE.findall(ast.get_docstring(tree) or ""))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            cited.update(RULE.findall(ast.get_docstring(node) or ""))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "rule":
            cited.update(
                a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            )
    return cited
