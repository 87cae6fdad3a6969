"""Settings of the system: read from the environment once, frozen, validated, printable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from system.model.errors import ConfigError
from system.model.units import NS, PPM

SAMPLE_EVERY = 16
"""With signatures `sampled`, the requests whose nonce is a multiple of this are signed."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that may differ between two deployments of the same code.

    Units: *_ns nanoseconds; *_price uUSDC.
    """

    chain_id: int = 31337
    settlement_address: str = ""  # EIP-712 verifyingContract
    signatures: Literal["real", "sampled", "off"] = "real"  # anything but real only in bulk simulations
    ingress: Literal["pipe", "direct"] = "pipe"  # how commands reach the queue: system/api/ingress.py
    lifetime: Literal["literal", "sharded"] = "literal"  # one all-time row, or one for each market
    intraday: Literal["minute", "both"] = "minute"  # both: rows of five seconds beside those of a minute
    matcher_id: str = "matcher-0"  # who asks for the lease
    lease_ns: int = 30 * NS
    market_cache_ns: int = NS  # how old a market row the door may judge by
    subscribers_cache_ns: int = NS  # how old a list of subscribers the fan-out may use
    rate_per_s: int = 50  # accepted requests a second and trader, per API instance
    rate_burst: int = 200
    edge_rate_per_s: int = 0  # requests a second of one address, and of one API key; 0: WAF alone counts
    edge_burst: int = 1_000
    confirmations: int = 3
    stuck_ns: int = 180 * NS  # how long a sent transaction may wait before it offers more
    depth_levels: int = 10
    cxpt_redeemable: bool = True  # whether CXPT is taken back, one to one
    index_guard_ppm: int = 0  # how far two feeds of one age may differ; 0: what the asset is held to
    index_volatility_ppm: int = PPM  # a year's, by which the guard grows with the feeds' difference of ages
    index_numeraire: str = "USD"  # or USDC: what an index is told in
    index_jump_ppm: int = 100_000  # a greater step waits for its confirmation

    def signature_due(self, nonce: int) -> bool:
        """Tell whether a request of this nonce must be signed."""
        if self.signatures == "real":
            return True
        return self.signatures == "sampled" and nonce % SAMPLE_EVERY == 0

    def problem(self) -> str:
        """Return what is wrong with these settings as "field: problem", "" when nothing."""
        if self.signatures != "off" and not self.settlement_address:
            return "settlement_address: expected the Settlement contract's address, was missing"
        for name, value in (
            ("rate_per_s", self.rate_per_s),
            ("rate_burst", self.rate_burst),
            ("edge_burst", self.edge_burst),
        ):
            if value <= 0:
                return f"{name}: expected above 0, was {value}"
        for name, value in (
            ("edge_rate_per_s", self.edge_rate_per_s),
            ("index_guard_ppm", self.index_guard_ppm),
            ("index_volatility_ppm", self.index_volatility_ppm),
        ):
            if value < 0:
                return f"{name}: expected 0 or more, was {value}"
        if self.index_numeraire not in ("USD", "USDC"):
            return f"index_numeraire: expected USD or USDC, was {self.index_numeraire!r}"
        if self.index_jump_ppm <= 0:
            return f"index_jump_ppm: expected above 0, was {self.index_jump_ppm}"
        return ""


_PREFIX = "DEX_"


def config_from_environment(environ: Mapping[str, str]) -> Config:
    """Read DEX_<FIELD> variables; others are somebody else's.

    Raises:
        ConfigError: a value has the wrong shape, or a needed one is missing; it names the variable.
    """
    known = {_PREFIX + name.upper(): name for name in Config.__struct_fields__}
    given = {known[name]: text for name, text in environ.items() if name in known}
    try:
        config = msgspec.convert(given, Config, strict=False)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        raise ConfigError(_PREFIX + place.rstrip("`").upper(), said) from None
    if problem := config.problem():
        name, _, said = problem.partition(": ")
        raise ConfigError(_PREFIX + name.upper(), said)
    return config
