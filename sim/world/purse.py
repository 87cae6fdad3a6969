"""Keys of the agents: derived from the scenario's seed and the agent's name, never stored."""

from __future__ import annotations

from typing import NamedTuple

from system.model.order import trader_of
from system.model.typed_data import address_of, keccak


class Purse(NamedTuple):
    """An agent's key and what follows from it: the wallet address (lower case) and the trader uuid."""

    name: str
    private_key: bytes
    account: str
    trader: str


def purse_of(seed: int, name: str) -> Purse:
    """Return the purse of an agent: secret = keccak256("dexsim:<seed>:<name>").

    These keys are public knowledge to anyone who knows the seed: they must never hold value.
    """
    secret = keccak(f"dexsim:{seed}:{name}".encode())
    account = address_of(secret)
    return Purse(name, secret, account, trader_of(account))
