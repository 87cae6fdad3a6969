"""The verbs and their options; what they do is in the modules they import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sim.cli.exits import failures

app = typer.Typer(
    name="dexsim",
    help="Run the whole exchange on one machine, in virtual time, and judge it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit codes: `dexsim explain exit-codes`.",
)

_RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, for example runs/latest.")]
_Quiet = Annotated[
    bool, typer.Option("--no-progress", help="No progress bar; the default without a terminal.")
]
_Workers = Annotated[int, typer.Option(min=1, max=64, metavar="N", help="How many processes share a swarm.")]
_Json = Annotated[bool, typer.Option("--json", help="Print only run.json, on stdout.")]


@app.command()
def run(  # noqa: PLR0913  # one parameter an option
    scenario: Annotated[
        str | None, typer.Argument(metavar="SCENARIO", help="A scenario file, or its name in scenarios/.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="What stands in for AWS: memory, moto, localstack, aws.")
    ] = None,
    chain: Annotated[
        str | None, typer.Option(help="What stands in for the chain: model, anvil or an http address.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Everything random follows from it.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Trade this long instead, like '90 s'.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change any setting; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run; default runs/<scenario>/<time>-seed<N>."),
    ] = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    swarm: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw N scenarios from --seed on, instead of SCENARIO."),
    ] = None,
    workers: _Workers = 1,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Play twins that remember less; they must do the same business.")
    ] = False,
) -> None:
    """Run a scenario to its end, judge it, keep all of it."""
    with failures():
        from sim.cli.run import RunOptions, run_command

        if swarm is not None:
            from sim.cli.swarm import swarm_command

            swarm_command(swarm, seed or 0, out, workers=workers, quiet=quiet)
            return
        if scenario is None:
            problem = "Missing argument; name a scenario, or ask for --swarm N."
            raise typer.BadParameter(problem, param_hint="SCENARIO")
        options = RunOptions(scenario, backend, chain, seed, until, settings or [])
        if shadow:
            from sim.cli.shadow import shadow_command

            shadow_command(options)
            return
        run_command(options, out, as_json=as_json, quiet=quiet or as_json, report=report)


@app.command()
def replay(
    run: _RunFolder,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Begin at a snapshot of this instant, like '90 s'; the first time makes it, from the start.",
        ),
    ] = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> None:
    """Run a run again and compare it event by event."""
    with failures(f"dexsim replay {run}" + (f" --from '{from_}'" if from_ is not None else "")):
        if from_ is not None:
            from sim.cli.replay import replay_from_command

            if as_json:
                problem = "The rest of a run has no run.json; leave --json or --from out."
                raise typer.BadParameter(problem, param_hint="--json")
            replay_from_command(run, from_, quiet=quiet)
            return
        from sim.cli.replay import replay_command

        replay_command(run, as_json=as_json, quiet=quiet or as_json)


@app.command()
def shrink(
    run: _RunFolder,
    broken: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of its failures; the first when left out.")
    ] = None,
    within: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long it may search.")] = 120,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to; default RUN/shrunk.")
    ] = None,
    quiet: _Quiet = False,
) -> None:
    """Make a failing run small: a scenario of few commands, and a test of it."""
    with failures(f"dexsim shrink {run}"):
        from sim.cli.shrink import shrink_command

        shrink_command(run, broken=broken, within_s=within, to=to, quiet=quiet)


@app.command()
def hunt(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of unified diffs.")],
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="Swarm runs for each defect.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The first seed of the swarm.")] = 0,
    shrink: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long to make each catch small; 0: not at all."),
    ] = 30,
    least: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="How many must be caught; all when left out.")
    ] = None,
    workers: _Workers = 1,
    quiet: _Quiet = False,
) -> None:
    """Plant each defect of a folder into a copy of the tree, and see which invariant notices."""
    with failures():
        from sim.cli.hunt import hunt_command
        from sim.hunt.hunt import Plan

        hunt_command(folder, Plan(seed, runs, shrink), least=least, workers=workers, quiet=quiet)


@app.command()
def compare(
    left: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    right: Annotated[Path, typer.Argument(metavar="RUN", help="Another run's folder.")],
    business: Annotated[
        bool,
        typer.Option("--business", help="Only the business must be equal: backends and chains may differ."),
    ] = False,
) -> None:
    """Show two runs side by side, and where they part."""
    with failures():
        from sim.cli.compare import compare_command

        compare_command(left, right, business=business)


@app.command()
def gate(  # noqa: PLR0913  # one parameter an option
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="A suite, like scenarios/suites/pr.yaml.")],
    profile: Annotated[
        Literal["pr", "nightly", "release"] | None,
        typer.Option(help="How thorough; as the suite says when left out."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where digests and metrics are committed.")
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Commit what was played; read the diff.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML there, too.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; one a core when left out.")] = None,
    window: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Which fresh seeds: the CI's run number when left out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default runs/gate/<suite>.")] = None,
    quiet: _Quiet = False,
) -> None:
    """Play a suite of scenarios by many seeds and say whether it may be released."""
    with failures(f"dexsim gate {suite}"):
        from sim.cli.gate import GateOptions, gate_command

        gate_command(GateOptions(suite, profile, baseline, accept, junit, jobs, window, out, quiet))


@app.command()
def check(path: Annotated[Path, typer.Argument(help="A scenario file or a folder of them.")]) -> None:
    """Check scenario files without running them."""
    with failures():
        from sim.cli.look import check_command

        check_command(path)


@app.command("list")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="scenarios, agents, prices, links, invariants, measures, faults, backends, chains, presets.",
        ),
    ],
) -> None:
    """List what there is of a kind."""
    with failures():
        from sim.cli.look import list_command

        list_command(kind)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="Whatever `dexsim list` shows, or exit-codes, or funding.")],
) -> None:
    """Explain what `list` shows, the exit-codes, or the funding models side by side."""
    with failures():
        from sim.cli.look import explain_command

        explain_command(name)


@app.command()
def report(run: _RunFolder) -> None:
    """Write a run's report.html anew."""
    with failures():
        from sim.cli.run import report_command

        report_command(run)


@app.command()
def deploy(
    target: Annotated[
        str, typer.Option(metavar="TARGET", help="aws, or localstack: any endpoint, see DEXSIM_ENDPOINT.")
    ],
    stack: Annotated[str, typer.Option(help="The stack's name.")] = "dex",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the template; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change set, change nothing.")] = False,
) -> None:
    """Zip the system, create or update its stack, print its outputs."""
    with failures():
        from sim.cli.deploy import deploy_command

        deploy_command(target, stack, settings or [], dry_run=dry_run)


@app.command()
def redrive(
    target: Annotated[
        str, typer.Option(metavar="TARGET", help="aws, or localstack: any endpoint, see DEXSIM_ENDPOINT.")
    ],
    stack: Annotated[str, typer.Option(help="The stack's name.")] = "dex",
) -> None:
    """Put commands that the matcher's queue gave up on back onto it."""
    with failures():
        from sim.cli.redrive import redrive_command

        redrive_command(target, stack)


@app.command()
def lake(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="Over trades, funding and daily.")],
    source: Annotated[
        str, typer.Option("--from", metavar="PLACE", help="A run's folder, a folder, or s3://bucket.")
    ] = "runs/latest",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
) -> None:
    """Ask the data lake in SQL (DuckDB)."""
    with failures():
        from sim.cli.lake import lake_command

        lake_command(sql, source, as_json=as_json)


@app.command()
def up(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="Which markets and traders; a file, or a name.")
    ] = "testnet",
    chain: Annotated[str | None, typer.Option(help="model or anvil; the scenario's when left out.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of HTTP and WebSocket; 0: a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets everybody in, as containers need.")] = "127.0.0.1",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change any setting; may be repeated."),
    ] = None,
) -> None:
    """Run the exchange in real time on 127.0.0.1 until Ctrl-C: HTTP, WebSocket, matcher, chain."""
    with failures():
        from sim.cli.up import up_command

        up_command(scenario, chain, host, port, settings or [])


_PORT = Annotated[int, typer.Option(min=1, max=65535, help="On which it was told to listen.")]


@app.command()
def status(
    port: _PORT = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Tell how the exchange of `dexsim up` is."""
    with failures():
        from sim.cli.testnet import status_command

        status_command(port, as_json=as_json)


@app.command()
def fund(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose wallet: made when it is new.")],
    usdc: Annotated[int, typer.Argument(metavar="USDC", min=1, help="How much, in whole USDC.")],
    port: _PORT = 8080,
) -> None:
    """Put money into a wallet of `dexsim up`, through the Vault; prints its account and key."""
    with failures():
        from sim.cli.testnet import fund_command

        fund_command(name, usdc, port)


@app.command()
def down(port: _PORT = 8080) -> None:
    """Stop the exchange of `dexsim up`."""
    with failures():
        from sim.cli.testnet import down_command

        down_command(port)


@app.command()
def openapi() -> None:
    """Print the door's OpenAPI document."""
    import orjson

    from system.api.openapi import document

    typer.echo(orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode())


@app.command()
def asyncapi() -> None:
    """Print the WebSocket's AsyncAPI document."""
    import orjson

    from system.api.asyncapi import document

    typer.echo(orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode())


def main() -> None:
    """Enter here: the console script."""
    app()
