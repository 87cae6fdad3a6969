"""Planted defects: unified diffs in a folder, each applied to a copy of the tree."""

from __future__ import annotations

import os
import re
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
_LENIENT = ((), ("--recount",), ("--recount", "--ignore-whitespace", "-C1"))
"""How to read a diff: strictly; with lines counted wrong; with blanks and context that differ."""
_IS_DIFF = re.compile(r"^--- \S.*\n\+\+\+ \S.*\n@@ ", re.MULTILINE)
_NO_WORDS = re.compile(r"diff |--- |\+\+\+ |@@ |Index: |index [0-9a-f]|From [0-9a-f]{40} |(From|Date): |=+$")
_SUBJECT = re.compile(r"Subject: (?:\[PATCH[^]]*\] )?")
UNNAMED = "(nothing says what is wrong)"


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
    def touched(self) -> list[str]:
        """Return the paths that the diff names, as it names them."""
        lines = self.patch.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line[4:].split("\t")[0].strip() for line in lines if line.startswith(("--- ", "+++ "))]
        return [name for name in dict.fromkeys(named) if name != "/dev/null"]

    @property
    def touches_contracts(self) -> bool:
        """Tell whether Solidity must be compiled anew, and the chain be a real one."""
        return any("contracts/src/" in name for name in self.touched)


def bugs_in(folder: Path) -> list[Bug]:
    """Read the diffs of a folder, by name; whatever else lies there is left alone.

    Raises:
        PatchRefused: there is none.
    """
    if not folder.is_dir():
        raise PatchRefused(folder, "no such folder", "name a folder of diffs")
    bugs = [_read(path) for path in sorted(folder.iterdir()) if _is_diff(path)]
    if not bugs:
        raise PatchRefused(folder, f"no {' or '.join(SUFFIXES)} file is here", "name a folder of diffs")
    return bugs


def _is_diff(path: Path) -> bool:
    if not path.is_file():
        return False
    if path.suffix in SUFFIXES:
        return True
    return path.suffix in ("", ".txt") and bool(_IS_DIFF.search(path.read_text("utf-8", "replace")))


def _read(path: Path) -> Bug:
    """Read a diff: what is wrong is its first line, with or without `#`, or the subject of a git patch."""
    about = UNNAMED
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.strip().lstrip("#").strip()
        if subject := _SUBJECT.match(words):
            about = words[subject.end() :]
            break
        if line.startswith(("From ", "From: ", "Date: ")) or not words:
            continue
        if not _NO_WORDS.match(line):
            about = words
        break
    return Bug(path.stem, about, path.resolve())


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
    strip = _strip_of(bug)
    first = ""
    for how in _LENIENT:
        said = _git_apply(bug, tree, [f"-p{strip}", *how, "--check"])
        first = first or said
        if said:
            continue
        if not only_check:
            _git_apply(bug, tree, [f"-p{strip}", *how])
        return
    raise PatchRefused(bug.patch, f"it does not apply: {first}", "make the diff again against this tree")


def _strip_of(bug: Bug) -> int:
    """Return how many parts stand before the paths: `a/` and `b/`, none, or the folders of who made the diff.

    Raises:
        PatchRefused: there is no diff, or it touches what is not copied.
    """
    if not bug.touched:
        raise PatchRefused(bug.patch, "there is no diff in it", "expected lines `--- a/...` and `+++ b/...`")
    for name in reversed(bug.touched):
        parts = name.split("/")
        tops = [place for place, part in enumerate(parts[:-1]) if part in TOP]
        for place in tops:
            if ROOT.joinpath(*parts[place:]).parent.is_dir():
                return place
    known = ", ".join(TOP)
    raise PatchRefused(bug.patch, f"it touches {bug.touched[-1]}", f"change something of {known}")


def _git_apply(bug: Bug, tree: Path, how: list[str]) -> str:
    """Return what git complains of, empty where all is well."""
    # git, told that there is no repository, whatever lies above the copy
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    command = [*_GIT_APPLY, *how, str(bug.patch)]
    said = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return " | ".join(said.stderr.strip().splitlines()) or "git failed" if said.returncode else ""


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
