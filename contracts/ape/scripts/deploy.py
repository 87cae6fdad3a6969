"""Puts the whole exchange on a chain, in the order of contracts/README.md.

ape run deploy --account ALIAS --network ethereum:local:foundry

ALIAS is an account of Ape's keystore (`ape accounts import ALIAS`, `ape accounts generate ALIAS`).
"""

from types import SimpleNamespace

import click
from ape import project
from ape.cli import ConnectedProviderCommand, account_option
from create2 import create2
from eth_utils import keccak

HOUR = 3600
NO_TERMS = (0, 0, 0, 0, 0, 0, 0)
PERP_TERMS = (200_000, 50_000, 10_000, 50_000, 200_000, 40_000, 0)
ZERO = "0x" + "00" * 20


def role(name: str) -> bytes:
    """Return the hash that stands for a role."""
    return keccak(text=name)


def deploy_synth(deployer, name: str, symbol: str, reserve: str):
    """Create a synth, or find it when this reserve has had it created before."""
    return create2(
        deployer, project.SynthERC20, ["string", "string", "address"], [name, symbol, str(reserve)]
    )


def deploy_all(
    owner, operator, treasury, exit_delay: int = HOUR, heartbeat: int = 24 * HOUR
) -> SimpleNamespace:
    """Deploy everything with one spot market and one perp. `owner` keeps all powers but the operator's."""
    usdc = owner.deploy(project.MockUSDC)
    implementation = owner.deploy(project.Vault, exit_delay, heartbeat, True)
    initialize = implementation.initialize.encode_input(usdc.address, owner.address)
    vault = project.Vault.at(owner.deploy(project.ERC1967Proxy, implementation.address, initialize).address)
    cxpt = owner.deploy(project.CXPT, vault.address, owner.address)
    settlement = owner.deploy(project.Settlement, vault.address, str(treasury), owner.address, HOUR)
    clearing = owner.deploy(project.Clearing, settlement.address, vault.address, owner.address)
    sbtc = deploy_synth(owner, "Synthetic BTC", "sBTC", owner.address)

    vault.setCxpt(cxpt.address, sender=owner)
    vault.setSettlement(settlement.address, sender=owner)
    vault.listAsset(sbtc.address, sender=owner)
    for name, who in (
        ("SETTLER_ROLE", settlement),
        ("SETTLER_ROLE", clearing),
        ("OPERATOR_ROLE", operator),
        ("RESERVE_ROLE", owner),
        ("PAUSER_ROLE", owner),
        ("UPGRADER_ROLE", owner),
    ):
        vault.grantRole(role(name), who, sender=owner)
    settlement.setClearing(clearing.address, sender=owner)
    settlement.grantRole(role("OPERATOR_ROLE"), operator, sender=owner)
    spot = settlement.listInstrument((0, "sBTC-USDC", 0, 0, False, 1), sbtc.address, NO_TERMS, sender=owner)
    perp = settlement.listInstrument((1, "BTC-PERP", 0, 0, False, 1), ZERO, PERP_TERMS, sender=owner)
    return SimpleNamespace(
        usdc=usdc,
        vault=vault,
        cxpt=cxpt,
        settlement=settlement,
        clearing=clearing,
        sbtc=sbtc,
        spot=spot.return_value,
        perp=perp.return_value,
    )


@click.command(cls=ConnectedProviderCommand)
@account_option()
def cli(account):
    """Deploy with one account of the keystore in every part, and print the addresses."""
    exchange = deploy_all(account, account, account)
    for name in ("usdc", "vault", "cxpt", "settlement", "clearing", "sbtc"):
        click.echo(f"{name:12} {getattr(exchange, name).address}")
