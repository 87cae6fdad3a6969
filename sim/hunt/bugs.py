"""Planted defects: unified diffs in a folder, each applied to a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from system.model.errors import DexError

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".patch", ".diff")
TOP = ("system", "sim", "scenarios", "contracts", "tests", "docs")
"""What a patch may touch."""
_LEFT_OUT = shutil.ignore_patterns("node_modules", ".venv", "build", "runs", "out", "cache", ".ape", ".build")
_GIT_APPLY = ("git", "apply", "--whitespace=nowarn")
_DIFF_BEGINS = ("diff ", "--- ", "Index: ")


class PatchRefused(DexError):
    """A patch does not fit this tree: (patch, problem, remedy)."""

    def __str__(self) -> str:
        patch, problem, remedy = self.args
        return f"{patch}: {problem}; {remedy}"


class Bug(NamedTuple):
    """One defect: its name, what is wrong with it in a line, and the patch that plants it."""

    name: str
    about: str
    patch: Path

    @property
    def touches_contracts(self) -> bool:
        """Tell whether Solidity must be compiled anew, and the chain be a real one."""
        lines = self.patch.read_text(encoding="utf-8").splitlines()
        return any(line.startswith("+++ ") and "contracts/src/" in line for line in lines)


def bugs_in(folder: Path) -> list[Bug]:
    """Read the patches of a folder, by name.

    Raises:
        PatchRefused: there is none, or one has no line of description before its diff.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    if not paths:
        raise PatchRefused(folder, f"no {' or '.join(SUFFIXES)} file is here", "name a folder of diffs")
    return [_read(path) for path in paths]


def _read(path: Path) -> Bug:
    first = path.read_text(encoding="utf-8").partition("\n")[0].strip().lstrip("#").strip()
    if not first or first.startswith(_DIFF_BEGINS):
        problem = "its first line is not a description"
        raise PatchRefused(path, problem, "begin with one line that says what is wrong")
    return Bug(path.stem, first, path.resolve())


def copy_tree(target: Path) -> None:
    """Copy everything that a patch may touch and a run needs."""
    for name in TOP:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=_LEFT_OUT)
    shutil.copy2(ROOT / "pyproject.toml", target)
    modules = ROOT / "contracts" / "node_modules"
    if modules.is_dir():
        (target / "contracts" / "node_modules").symlink_to(modules)


def apply(bug: Bug, tree: Path, *, only_check: bool = False) -> None:
    """Apply a patch to a copy, or see whether it would.

    Raises:
        PatchRefused: it does not fit.
    """
    # git, told that there is no repository, whatever lies above the copy
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    said = subprocess.run(
        [*_GIT_APPLY, *(["--check"] if only_check else []), str(bug.patch)],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        problem = f"it does not apply: {said.stderr.strip()}"
        raise PatchRefused(bug.patch, problem, "make the diff again against this tree")


def compile_contracts(tree: Path) -> None:
    """Compile the Solidity of a copy into its artifacts.

    Raises:
        PatchRefused: it does not compile.
    """
    said = subprocess.run(
        ["node", "contracts/script/build.mjs"], cwd=tree, capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise PatchRefused(tree / "contracts", "the contracts do not compile", said.stderr.strip()[-300:])
