"""Who speaks: the wallet address of a request, and the proof that its owner signed."""

from __future__ import annotations

import re
from functools import lru_cache

from system.config import Config
from system.model import typed_data
from system.model.errors import Rejected, RejectReason

_ACCOUNT = re.compile(r"0x[0-9a-f]{40}")
_ACCOUNT_LENGTH = 42


def account_of(text: str) -> str | Rejected:
    """Return a wallet address in lower case, as the system keeps it."""
    # the length first: what strangers send must not fill the cache with long keys
    account = _lower(text) if len(text) == _ACCOUNT_LENGTH else ""
    if account:
        return account
    detail = f"expected 0x and 40 hex digits, was {text[:80]!r}"
    return Rejected(RejectReason.BAD_REQUEST, "account", detail)


@lru_cache(maxsize=65_536)
def _lower(text: str) -> str:
    account = text.lower()
    return account if _ACCOUNT.fullmatch(account) else ""


def separator_of(config: Config) -> bytes:
    """Return the EIP-712 domain separator of this deployment; empty when nothing is signed."""
    if not config.settlement_address:
        return b""
    return typed_data.domain_separator(typed_data.Domain(config.chain_id, config.settlement_address))


def refuse_stranger(account: str, digest: bytes, signature: str) -> Rejected | None:
    """Return why a signature is not this account's, None when it is. Rules: SIGN-001, SIGN-002."""
    signer = typed_data.recover(digest, signature)
    if signer == account:
        return None
    detail = f"expected a signature by {account} over these very fields, was by {signer or 'nobody'}"
    return Rejected(RejectReason.BAD_SIGNATURE, "signature", detail)
