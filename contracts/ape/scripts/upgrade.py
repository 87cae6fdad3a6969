"""Upgrades the Vault through its timelock: once to propose, and after the delay once more to execute.

ape run upgrade --vault ADDRESS --timelock ADDRESS --account ALIAS --network ethereum:local:foundry
"""

import click
from ape import chain, project
from ape.cli import ConnectedProviderCommand, account_option
from create2 import create2
from eth_utils import is_address

NO_SALT = bytes(32)
NOTHING_BEFORE = bytes(32)
_SECONDS = click.IntRange(0, 2**40 - 1)


def upgrade(sender, vault, timelock, implementation) -> str:
    """Do the next step towards the new implementation; return what was done."""
    call = vault.upgradeToAndCall.encode_input(implementation.address, b"")
    terms = (vault.address, 0, call, NOTHING_BEFORE, NO_SALT)
    name = timelock.hashOperation(*terms)
    if timelock.isOperationDone(name):
        return "done before"
    if not timelock.isOperation(name):
        delay = timelock.getMinDelay()
        timelock.schedule(*terms, delay, sender=sender)
        return f"proposed; execute it from {chain.blocks.head.timestamp + delay} on"
    if not timelock.isOperationReady(name):
        return f"waits until {timelock.getTimestamp(name)}"
    timelock.execute(*terms, sender=sender)
    return "executed"


def implementation_of(sender, exit_delay: int, heartbeat: int):
    """Return the Vault's new code: the same when it is proposed and when it is executed."""
    return create2(sender, project.Vault, ["uint40", "uint40", "bool"], [exit_delay, heartbeat, True])


def contract_at(container, address: str, option: str):
    """Return the contract at an address; what is none would only be noticed after the delay."""
    if not is_address(address) or not chain.provider.get_code(address):
        raise click.BadParameter(
            f"expected the address of a contract on this chain, was {address}", param_hint=option
        )
    return container.at(address)


@click.command(cls=ConnectedProviderCommand)
@account_option()
@click.option("--vault", required=True, help="address of the proxy")
@click.option("--timelock", required=True, help="address of the TimelockController")
@click.option("--implementation", help="address of the new code; by default it is created, once")
@click.option("--exit-delay", type=_SECONDS, default=3600, show_default=True, help="seconds, of new code")
@click.option("--heartbeat", type=_SECONDS, default=86_400, show_default=True, help="seconds, of new code")
def cli(account, vault, timelock, implementation, exit_delay, heartbeat):
    """Propose or execute an upgrade of the Vault."""
    vault = contract_at(project.Vault, vault, "--vault")
    timelock = contract_at(project.TimelockController, timelock, "--timelock")
    if implementation:
        code = contract_at(project.Vault, implementation, "--implementation")
    else:
        code = implementation_of(account, exit_delay, heartbeat)
        click.echo(f"implementation {code.address}")
    click.echo(upgrade(account, vault, timelock, code))
