"""The bucket in memory, written through to a folder when there is one."""

from __future__ import annotations

from pathlib import Path


class MemoryLake:
    """Objects by key. With a folder every put also writes a file, so that a run's lake can be opened."""

    def __init__(self, folder: Path | None = None) -> None:
        self._objects: dict[str, bytes] = {}
        self._folder = folder

    def put(self, key: str, body: bytes) -> None:
        """Write or overwrite one object."""
        if not key or key.startswith("/") or ".." in key.split("/"):
            raise ValueError(f"lake: expected a relative key, was {key!r}")
        self._objects[key] = body
        if self._folder is not None:
            path = self._folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def get(self, key: str) -> bytes | None:
        """Read one object, None when it is missing."""
        return self._objects.get(key)

    def list(self, prefix: str) -> list[str]:
        """Return all keys below a prefix, sorted."""
        return sorted(key for key in self._objects if key.startswith(prefix))
