"""The data lake: objects in S3."""

from typing import Protocol


class Lake(Protocol):
    """Write-once history in the bucket dex-data-lake."""

    def put(self, key: str, body: bytes) -> None:
        """Write or overwrite one object."""

    def get(self, key: str) -> bytes | None:
        """Read one object, None when it is missing."""

    def list(self, prefix: str) -> list[str]:
        """Return all keys below a prefix, sorted."""
