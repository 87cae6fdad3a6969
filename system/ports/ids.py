"""Names for new things."""

from typing import Protocol


class Ids(Protocol):
    """Mints identifiers."""

    def uuid7(self) -> str:
        """Return a version 7 uuid (RFC 9562), so that keys made of it sort by time of birth."""
