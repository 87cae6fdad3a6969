"""`dexsim deploy`: the stack, on AWS or on an emulator."""

from __future__ import annotations

from collections import Counter

import typer

from sim.stack.deploy import deploy, target_of
from sim.stack.package import Package, build_package
from system.model.errors import ProvisionError

_MIB = 1024 * 1024


def deploy_command(target: str, stack: str, settings: list[str], *, dry_run: bool) -> None:
    """Package, change set, deployment, outputs."""
    where = target_of(target)
    parameters = dict(_parameter(text) for text in settings)
    typer.echo(f"packaging for {where.endpoint or 'AWS in ' + where.region}")
    package = build_package()
    typer.echo(_weight(package))
    done = deploy(where, package, stack, parameters, typer.echo, dry_run=dry_run)
    if not done.changes:
        typer.echo("nothing changes")
    elif dry_run:
        for action, kind, logical_id in done.changes:
            typer.echo(f"  {action:<7} {kind:<36} {logical_id}")
        counts = Counter(action for action, _, _ in done.changes)
        typer.echo(", ".join(f"{action} {count}" for action, count in sorted(counts.items())))
    for name, value in sorted(done.outputs.items()):
        typer.echo(f"  {name:<24} {value}")


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ProvisionError(text, "Parameter", "deploy", "expected NAME=VALUE")
    return name, value


def _weight(package: Package) -> str:
    heavy = sorted(package.by_part.items(), key=lambda part: -part[1])[:3]
    parts = ", ".join(f"{name} {size / _MIB:.1f}" for name, size in heavy)
    return (
        f"{package.key}: {len(package.body) / _MIB:.1f} MiB zipped, {package.unzipped / _MIB:.1f} of 250 MiB "
        f"unzipped, {package.files} files; the heaviest in MiB: {parts}"
    )
