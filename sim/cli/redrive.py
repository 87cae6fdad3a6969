"""`dexsim redrive`: what the matcher's queue gave up on, once more."""

from __future__ import annotations

import typer

from sim.stack.deploy import outputs_of, target_of
from sim.stack.redrive import redrive


def redrive_command(target: str, stack: str) -> None:
    """Move the stack's dead commands back and say how many."""
    where = target_of(target)
    outputs = outputs_of(where, stack)
    moved = redrive(where.client("sqs"), outputs["CommandsDeadLettersUrl"], outputs["CommandsUrl"])
    typer.echo(f"{moved} commands moved back to {outputs['CommandsUrl']}")
