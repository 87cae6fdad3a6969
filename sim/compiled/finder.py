"""Finds compiled copies of modules, where they are there and not older than their sources."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from system.model.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "compiled"
MANIFEST = "manifest.json"
SWITCH = "DEXSIM_COMPILED"
"""The environment variable: 0 never, 1 or else an error, unset when they are there."""

_state = "no: not asked for yet"


def state() -> str:
    """Say whether compiled copies are in use: "yes", or "no" and why."""
    return _state


def fingerprint(source: Path) -> str:
    """Return the digest of a source file, "" when there is none."""
    try:
        return blake2b(source.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""


def python() -> str:
    """Return what the copies were compiled for."""
    return f"{sys.implementation.cache_tag} {sys.platform}"


class CompiledFinder(MetaPathFinder):
    """Answers for the modules of one build, before Python looks for their sources."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self.files.get(fullname)
        if file is None:
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, str(file)))


def engage() -> None:
    """Use the compiled copies from now on, if the environment and their age allow it.

    Raises:
        ConfigError: they are asked for and cannot be used.
    """
    global _state  # noqa: PLW0603 - imports are the process's, and so is this
    wanted = os.environ.get(SWITCH, "")
    problem = f"{SWITCH}=0" if wanted == "0" else _problem()
    if wanted == "1" and problem:
        raise ConfigError(SWITCH, f"expected compiled modules that can be used, was {problem}: make compiled")
    _state = f"no: {problem}" if problem else "yes"
    if not problem:
        files = json.loads((HOME / MANIFEST).read_text())["files"]
        sys.meta_path.insert(0, CompiledFinder({name: HOME / file for name, file in files.items()}))


def _problem() -> str:
    """Return why the copies cannot be used, "" when they can."""
    try:
        manifest = json.loads((HOME / MANIFEST).read_text())
    except OSError:
        return "not built"
    except ValueError:
        return f"{MANIFEST} is damaged"
    if manifest["python"] != python():
        return f"built for {manifest['python']}"
    for source, expected in manifest["sources"].items():
        if fingerprint(ROOT / source) != expected:
            return f"{source} changed since"
    for file in manifest["files"].values():
        if not (HOME / file).is_file():
            return f"{file} is missing"
    return ""
