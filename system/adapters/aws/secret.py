"""Secrets Manager, for the one secret there is: the operator's key."""

from __future__ import annotations

from typing import Any

from system.adapters.aws.failures import Asking


def read_secret(client: Any, name: str) -> str:
    """Return the text of a secret, "" when it holds bytes.

    Raises:
        PortError: there is none, or this function may not read it.
    """
    with Asking(f"secret {name}"):
        text: str = client.get_secret_value(SecretId=name).get("SecretString", "")
    return text
