"""The zip that Lambda runs: `system/`, and the packages of its group as they are installed here.

What is tested is what ships: nothing is fetched, files are those of this environment. The same files
give the same bytes, so an unchanged package has the same key and a deployment changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|tests?|examples)/|\.(pyc|pyi|h)$|^\.\./|\.dist-info/(RECORD|direct_url)"
)
_NEVER_IMPORTED = frozenset({"hypothesis", "pytest"})


class Package(NamedTuple):
    """A zip: its bytes, what it is called, and what it weighs."""

    body: bytes
    key: str
    files: int
    unzipped: int
    by_part: dict[str, int]  # unzipped bytes of system and of each distribution


def build_package() -> Package:
    """Zip the system and what it imports."""
    parts: dict[str, dict[str, bytes]] = {"system": _system()}
    for name in _closure("dexsim", "system"):
        parts[name] = _files(distribution(name))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path, body in sorted(item for files in parts.values() for item in files.items()):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, body)
    body = buffer.getvalue()
    sizes = {name: sum(map(len, files.values())) for name, files in parts.items()}
    return Package(
        body,
        f"system-{hashlib.sha256(body).hexdigest()[:16]}.zip",
        sum(map(len, parts.values())),
        sum(sizes.values()),
        sizes,
    )


def _system() -> dict[str, bytes]:
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in sorted((ROOT / "system").rglob("*.py"))
        if "adapters/memory" not in path.as_posix()
    }


def _files(installed: Distribution) -> dict[str, bytes]:
    """Return the files of a distribution, without what no program reads."""
    return {
        path.as_posix(): Path(str(path.locate())).read_bytes()
        for path in installed.files or ()
        if not _LEFT_OUT.search(path.as_posix()) and Path(str(path.locate())).is_file()
    }


def _closure(name: str, extra: str) -> list[str]:
    """Return the distributions that an extra of ours needs, and those that these need."""
    found: dict[str, None] = {}
    waiting = [(name, extra)]
    while waiting:
        parent, of = waiting.pop(0)
        for text in distribution(parent).requires or ():
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": of}):
                continue
            known = re.sub(r"[-_.]+", "-", wanted.name).lower()
            if known not in found and known not in _NEVER_IMPORTED:
                found[known] = None
                waiting.append((known, ""))
    return list(found)
