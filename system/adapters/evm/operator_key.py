"""The operator's key, read when it is first needed and read again once the contracts refuse it.

Most of what holds a chain port never signs, and may not read the secret. A Lambda instance outlives
a rotation, so the key it remembers is forgotten when its address turns out to have no role.
"""

from __future__ import annotations

from collections.abc import Callable

from system.model.typed_data import address_of

NO_ROLE = "AccessControlUnauthorizedAccount"
"""What OpenZeppelin's AccessControl says to an account without the role."""


class OperatorKey:
    """A private key behind a function that reads it."""

    __slots__ = ("_address", "_key", "_read")

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._key = b""
        self._address = ""

    def key(self) -> bytes:
        """Return the private key."""
        if not self._key:
            self._key = self._read()
            self._address = address_of(self._key)
        return self._key

    def address(self) -> str:
        """Return the account that it signs for."""
        self.key()
        return self._address

    def noted(self, error: str) -> str:
        """Return an error as it is, after forgetting a key that has no role any more."""
        if error == NO_ROLE:
            self._key = b""
        return error
