"""What is put on a fresh chain, in one fixed order, and where it will be.

Contracts created by the deployer have addresses that follow from his key and the order; synths
go through the deterministic CREATE2 proxy, and their addresses follow from their code. So every
address is known before anything is sent, the model chain has the same ones without a chain, and
a signature is valid on both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from eth_abi.abi import encode

from sim.world.artifacts import bytecode
from system.adapters.evm.abi import selector
from system.adapters.evm.transaction import created_address
from system.model import typed_data
from system.model.market import MarketKind, MarketSpec
from system.model.signing import instrument
from system.model.typed_data import address_bytes, address_of, keccak

CHAIN_ID = 31337
CREATE2_PROXY = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
SYNTH_SALT = bytes(32)  # name and symbol are in the code already
EXIT_DELAY_S = 3600
HEARTBEAT_S = 86_400
CANCEL_DELAY_S = 3600
CLAIM_DELAY_S = 3600
"""Clearing.CLAIM_DELAY."""
_RATES = (10_000, 50_000, 200_000, 40_000)
"""Of Clearing's terms: liquidation fee, band, largest move of a mark, largest funding payment (ppm)."""
ZERO_ADDRESS = "0x" + "00" * 20

# The keys of Anvil's well-known mnemonic, rich on every Anvil and worthless elsewhere.
DEPLOYER_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OPERATOR_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
RESERVE_KEY = bytes.fromhex("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a")
TREASURY_KEY = bytes.fromhex("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6")
KEEPER_KEY = bytes.fromhex("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a")
DEPLOYER, OPERATOR, RESERVE, TREASURY, KEEPER = map(
    address_of, (DEPLOYER_KEY, OPERATOR_KEY, RESERVE_KEY, TREASURY_KEY, KEEPER_KEY)
)

CREATE_GAS = 8_000_000
CALL_GAS = 500_000

# The nonces of the deployer's creations; `_steps` must keep to them.
_USDC_NONCE, _VAULT_CODE_NONCE, _VAULT_NONCE, _CXPT_NONCE, _SETTLEMENT_NONCE, _CLEARING_NONCE = range(6)


class Deployment(NamedTuple):
    """Where everything is. `synths` maps the name of an asset to its token."""

    usdc: str
    vault: str
    cxpt: str
    synths: dict[str, str]
    settlement: str
    clearing: str
    treasury: str
    chain_id: int

    @property
    def tokens(self) -> dict[str, str]:
        """Name of every asset that can be deposited -> its token."""
        return {"USDC": self.usdc, **self.synths}

    @property
    def assets(self) -> dict[str, str]:
        """Token -> name; CXPT that is deposited is redeemed, and so counts as USDC."""
        return {token: name for name, token in self.tokens.items()} | {self.cxpt: "USDC"}

    @property
    def domain(self) -> typed_data.Domain:
        return typed_data.Domain(self.chain_id, self.settlement)


class Step(NamedTuple):
    """A transaction to be; an empty `to` creates a contract."""

    about: str
    to: str
    data: bytes
    gas: int = CALL_GAS


def synths_of(markets: Iterable[MarketSpec], more: Sequence[str] = ()) -> list[str]:
    """Return the assets that need a token: bases of the spot markets, and `more`, in order, each once."""
    bases = [market.base for market in markets if market.kind is MarketKind.SPOT]
    return list(dict.fromkeys([*bases, *more]))


def predict(synths: Iterable[str]) -> Deployment:
    """Return where `deployment_steps` will put everything on a chain where the deployer is new."""
    return Deployment(
        usdc=created_address(DEPLOYER, _USDC_NONCE),
        vault=created_address(DEPLOYER, _VAULT_NONCE),
        cxpt=created_address(DEPLOYER, _CXPT_NONCE),
        synths={synth: _create2_address(SYNTH_SALT, _synth_code(synth)) for synth in synths},
        settlement=created_address(DEPLOYER, _SETTLEMENT_NONCE),
        clearing=created_address(DEPLOYER, _CLEARING_NONCE),
        treasury=TREASURY,
        chain_id=CHAIN_ID,
    )


def deployment_steps(where: Deployment, markets: Sequence[MarketSpec]) -> list[Step]:
    """Return the deployer's transactions, in the order of their nonces from 0 on."""
    vault_code = created_address(DEPLOYER, _VAULT_CODE_NONCE)
    initialize = call("initialize(address,address)", where.usdc, DEPLOYER)
    steps = [
        _create("MockUSDC"),
        _create("Vault", ("uint40", EXIT_DELAY_S), ("uint40", HEARTBEAT_S), ("bool", True)),
        _create("ERC1967Proxy", ("address", vault_code), ("bytes", initialize)),
        _create("CXPT", ("address", where.vault), ("address", DEPLOYER)),
        _create(
            "Settlement",
            ("address", where.vault),
            ("address", where.treasury),
            ("address", DEPLOYER),
            ("uint40", CANCEL_DELAY_S),
        ),
        _create("Clearing", ("address", where.settlement), ("address", where.vault), ("address", DEPLOYER)),
        Step("setCxpt", where.vault, call("setCxpt(address)", where.cxpt)),
        Step("setSettlement", where.vault, call("setSettlement(address)", where.settlement)),
        Step("setClearing", where.settlement, call("setClearing(address)", where.clearing)),
        Step("setSigners", where.clearing, call("setSigners(address[],uint256)", [KEEPER], 1)),
        _grant(where.vault, "SETTLER_ROLE", where.settlement),
        _grant(where.vault, "SETTLER_ROLE", where.clearing),
        _grant(where.vault, "OPERATOR_ROLE", OPERATOR),
        _grant(where.vault, "RESERVE_ROLE", RESERVE),
        _grant(where.vault, "PAUSER_ROLE", DEPLOYER),
        _grant(where.settlement, "OPERATOR_ROLE", OPERATOR),
    ]
    for synth, token in where.synths.items():
        steps += synth_steps(where, synth, token)
    steps += [market_step(where, market) for market in markets]
    return steps


def synth_steps(where: Deployment, synth: str, token: str) -> list[Step]:
    """Return how a synth comes to be at its predicted address and into the Vault's ledger."""
    return [
        Step(f"create {synth}", CREATE2_PROXY, SYNTH_SALT + _synth_code(synth), CREATE_GAS),
        Step(f"list {synth}", where.vault, call("listAsset(address)", token)),
    ]


def market_step(where: Deployment, market: MarketSpec) -> Step:
    """Return how a market is listed."""
    data = call(
        "listInstrument((uint8,string,uint64,uint64,bool,uint64),address,"
        "(uint32,uint32,uint32,uint32,uint32,uint32,uint64))",
        instrument(market),
        where.synths[market.base] if market.kind is MarketKind.SPOT else ZERO_ADDRESS,
        _terms(market),
    )
    return Step(f"list {market.symbol}", where.settlement, data)


def _terms(market: MarketSpec) -> tuple[int, ...]:
    """Return IClearing.Terms; of an option nothing but its cap counts, and of a spot market nothing."""
    if not market.margined:
        return (0,) * 6 + (market.cap_e6,)
    return (market.im_ppm, market.mm_ppm, *_RATES, 0)


def call(signature: str, *arguments: Any) -> bytes:
    """Return the calldata of a function call, by its signature."""
    types = _top_level_types(signature[signature.index("(") + 1 : -1])
    return selector(signature) + encode(types, arguments)


def _top_level_types(text: str) -> list[str]:
    """Split at the commas that are not inside of a tuple.

    >>> _top_level_types("(uint8,string),address"), _top_level_types("")
    (['(uint8,string)', 'address'], [])
    """
    types, depth, current = [], 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            types.append(current)
            current = ""
        else:
            current += letter
    return [*types, current] if current else types


def house_of(instrument: bytes) -> str:
    """Return an instrument's own account in the Vault: the low 20 bytes of its id (Clearing.accountOf)."""
    return "0x" + instrument[12:].hex()


def _create(name: str, *arguments: tuple[str, Any]) -> Step:
    encoded = encode([kind for kind, _ in arguments], [value for _, value in arguments])
    return Step(f"create {name}", "", bytecode(name) + encoded, CREATE_GAS)


def operator_steps(where: Deployment, account: str, *, appointed: bool) -> list[Step]:
    """Return how an account becomes an operator, or ceases to be one."""
    change = _grant if appointed else _revoke
    return [change(contract, "OPERATOR_ROLE", account) for contract in (where.vault, where.settlement)]


def _grant(contract: str, role: str, account: str) -> Step:
    data = call("grantRole(bytes32,address)", keccak(role.encode()), account)
    return Step(f"grant {role}", contract, data)


def _revoke(contract: str, role: str, account: str) -> Step:
    data = call("revokeRole(bytes32,address)", keccak(role.encode()), account)
    return Step(f"revoke {role}", contract, data)


def _synth_code(synth: str) -> bytes:
    return bytecode("SynthERC20") + encode(
        ["string", "string", "address"], [f"Synthetic {synth}", synth, RESERVE]
    )


def _create2_address(salt: bytes, code: bytes) -> str:
    return "0x" + keccak(b"\xff" + address_bytes(CREATE2_PROXY) + salt + keccak(code))[12:].hex()
