"""Compiles the modules that an order passes through, with mypyc, into build/compiled/.

Not compiled: modules with Structs, pydantic models, enumerations or exceptions, which stay Python
classes, and everything that an order does not meet.
"""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from sim.compiled.finder import HOME, MANIFEST, ROOT, fingerprint, python

WHERE = (
    "system/adapters/memory",
    "system/api",
    "system/feed",
    "system/jobs/archive.py",
    "system/matcher",
    "system/metrics/buckets.py",
    "system/metrics/histogram.py",
    "system/model",
    "system/ports/store.py",
    "system/risk",
    "system/settlement/batching.py",
    "system/settlement/submit.py",
    "sim/client",
    "sim/invariants",
    "sim/kernel/cloud.py",
    "sim/kernel/dice.py",
    "sim/kernel/door.py",
    "sim/kernel/history.py",
    "sim/kernel/links.py",
    "sim/kernel/bridge.py",
    "sim/kernel/disturbed.py",
    "sim/kernel/instances.py",
    "sim/kernel/interference.py",
    "sim/kernel/meter.py",
    "sim/kernel/observed.py",
    "sim/kernel/plumbing.py",
    "sim/kernel/timeline.py",
    "sim/world/memory_backend.py",
    "sim/world/model_chain.py",
    "sim/world/model_contracts.py",
    "sim/world/model_settlement.py",
)
PYTHON_CLASSES = ("Struct", "TypedDict", "BaseModel", "Part", "StrEnum", "Exception")
"""Modules that derive from one of these stay as they are: mypyc drops `frozen=True` of a class statement."""
GROUP = "__mypyc"


def modules() -> list[str]:
    """Return the paths of the modules to compile, relative to the root."""
    found: list[str] = []
    for where in WHERE:
        place = ROOT / where
        sources = sorted(place.glob("*.py")) if place.is_dir() else [place]
        found += [
            str(source.relative_to(ROOT))
            for source in sources
            if source.name != "__init__.py" and not _stays_python(source)
        ]
    return found


def _stays_python(source: Path) -> bool:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).rpartition(".")[2] for each in classes for base in each.bases}
    return not bases.isdisjoint(PYTHON_CLASSES)


def sources_of(paths: Iterable[str]) -> list[str]:
    """Return these modules and all of the project's that they import: a copy stands on their types too."""
    waiting, seen = list(paths), set[str]()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += _imports(path)
    return sorted(seen)


def _imports(path: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in ("sim", "system"):
                stem = name.replace(".", "/")
                yield from (
                    option for option in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / option).is_file()
                )


def compile_into(home: Path, paths: list[str]) -> None:
    """Run mypyc and the C compiler.

    Raises:
        SystemExit: a module cannot be compiled; mypyc has said which and why.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution

    extensions = mypycify(paths, opt_level="2", debug_level="0", target_dir=str(home / "c"))
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(home), str(home / "c")
    command.ensure_finalized()
    command.run()


def _files(home: Path) -> dict[str, str]:
    """Return every extension by the name it is imported under."""
    found = {}
    for file in sorted(home.rglob("*.so")) + sorted(home.rglob("*.pyd")):
        path = file.relative_to(home)
        found[".".join([*path.parts[:-1], path.name.partition(".")[0]])] = str(path)
    return found


def main() -> None:
    """Compile, unless build/compiled/ is of today's sources."""
    paths = modules()
    sources = {source: fingerprint(ROOT / source) for source in sources_of(paths)}
    try:
        before = json.loads((HOME / MANIFEST).read_text())
    except (OSError, ValueError):
        before = {}
    if before.get("sources") == sources and before.get("python") == python():
        print(f"Compiled copies of {len(paths)} modules are of today.")
        return
    print(f"Compiling {len(paths)} modules; it takes a minute or two.", flush=True)
    fresh = HOME.with_name(HOME.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    compile_into(fresh, paths)
    shutil.rmtree(fresh / "c")
    manifest = {"python": python(), "sources": sources, "files": _files(fresh)}
    (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1))
    shutil.rmtree(HOME, ignore_errors=True)
    fresh.rename(HOME)
    print(f"Compiled into {HOME.relative_to(ROOT)}.")
