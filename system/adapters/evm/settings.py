"""Where the chain is and what lies on it: the DEX_* variables that the template gives to each function."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from system.adapters.evm.chain import Contracts
from system.model.errors import ConfigError

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_FEED_ID = re.compile(r"0x[0-9a-f]{64}")
_KEY_BYTES = 32
_CASH = "USDC"


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A node, the contracts, the names of the secrets with the operator's and the keeper's key, and feeds.

    `feeds` are Chainlink's aggregators, `pyth_feeds` ids within Pyth's one contract.
    """

    rpc_url: str
    contracts: Contracts
    operator_key_secret: str
    keeper_key_secret: str
    feeds: dict[str, str]
    pyth: str
    pyth_feeds: dict[str, str]


def chain_from_environment(environ: Mapping[str, str]) -> ChainSettings:
    """Read the DEX_* variables. Addresses become lower case.

    Raises:
        ConfigError: one is missing, or has the wrong shape.
    """
    rpc_url = _text(environ, "DEX_CHAIN_RPC_URL", "the URL of a node")
    if not rpc_url.startswith(("http://", "https://")):
        raise ConfigError("DEX_CHAIN_RPC_URL", "expected http:// or https://, was something else")
    chain_id = _text(environ, "DEX_CHAIN_ID", "a number")
    if not chain_id.isdecimal():
        raise ConfigError("DEX_CHAIN_ID", f"expected a number, was {chain_id!r}")
    named = _map(environ, "DEX_ASSETS", '{"0x...": "USDC"}')
    assets = {_address("DEX_ASSETS", token): name for token, name in named.items()}
    if _CASH not in assets.values():
        raise ConfigError("DEX_ASSETS", f"expected the token of {_CASH} among them, was {named}")
    feeds = _map(environ, "DEX_CHAINLINK_FEEDS", '{"BTC": "0x..."}')
    pyth_feeds = _map(environ, "DEX_PYTH_FEEDS", '{"BTC": "0x..."}')
    for asset, feed in pyth_feeds.items():
        if not _FEED_ID.fullmatch(feed.lower()):
            said = f"expected 0x and 64 hex digits for {asset}, was {feed!r}"
            raise ConfigError("DEX_PYTH_FEEDS", said)
    return ChainSettings(
        rpc_url=rpc_url,
        contracts=Contracts(
            int(chain_id),
            _contract(environ, "DEX_SETTLEMENT_ADDRESS"),
            _contract(environ, "DEX_VAULT_ADDRESS"),
            _contract(environ, "DEX_CLEARING_ADDRESS"),
            assets,
        ),
        operator_key_secret=_text(environ, "DEX_OPERATOR_KEY_SECRET", "the name of a secret"),
        keeper_key_secret=_text(environ, "DEX_KEEPER_KEY_SECRET", "the name of a secret"),
        feeds={asset: _address("DEX_CHAINLINK_FEEDS", feed) for asset, feed in feeds.items()},
        pyth=_contract(environ, "DEX_PYTH_ADDRESS"),
        pyth_feeds={asset: feed.lower() for asset, feed in pyth_feeds.items()},
    )


def key_of(secret: str, setting: str) -> bytes:
    """Return the private key that a secret holds as hex, with or without 0x.

    Raises:
        ConfigError: it holds something else; the message does not tell what.
    """
    try:
        key = bytes.fromhex(secret.strip().removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(setting, "expected a secret of 64 hex digits, was something else")
    return key


def _text(environ: Mapping[str, str], name: str, expected: str) -> str:
    text = environ.get(name, "")
    if not text:
        raise ConfigError(name, f"expected {expected}, was missing")
    return text


def _contract(environ: Mapping[str, str], name: str) -> str:
    return _address(name, _text(environ, name, "a contract's address"))


def _address(name: str, text: str) -> str:
    address = text.lower()
    if not _ADDRESS.fullmatch(address):
        raise ConfigError(name, f"expected 0x and 40 hex digits, was {text!r}")
    return address


def _map(environ: Mapping[str, str], name: str, expected: str) -> dict[str, str]:
    text = _text(environ, name, f"JSON like {expected}")
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError as error:  # a ValidationError is one, too
        raise ConfigError(name, f"expected JSON like {expected}: {error}") from None
