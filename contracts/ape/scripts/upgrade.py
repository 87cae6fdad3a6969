"""Upgrades the Vault through its timelock: once to propose, and after the delay once more to execute.

ape run upgrade --vault ADDRESS --timelock ADDRESS --account ALIAS --network ethereum:local:foundry
"""

import click
from ape import chain, project
from ape.cli import account_option, network_option

NO_SALT = bytes(32)
NOTHING_BEFORE = bytes(32)


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


@click.command()
@network_option()
@account_option()
@click.option("--vault", required=True, help="address of the proxy")
@click.option("--timelock", required=True, help="address of the TimelockController")
@click.option("--implementation", help="address of the new code; by default it is deployed")
@click.option("--exit-delay", default=3600, show_default=True, help="seconds, when it is deployed")
@click.option("--heartbeat", default=86_400, show_default=True, help="seconds, when it is deployed")
def cli(account, vault, timelock, implementation, exit_delay, heartbeat):
    """Propose or execute an upgrade of the Vault."""
    vault, timelock = project.Vault.at(vault), project.TimelockController.at(timelock)
    if implementation:
        code = project.Vault.at(implementation)
    else:
        code = account.deploy(project.Vault, exit_delay, heartbeat, True)
        click.echo(f"implementation {code.address}")
    click.echo(upgrade(account, vault, timelock, code))
