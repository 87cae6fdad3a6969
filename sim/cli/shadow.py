"""`dexsim run --shadow`."""

from __future__ import annotations

from sim.cli.exits import Exit, escape, fail, out
from sim.cli.run import RunOptions
from sim.cli.summary import print_sides
from sim.shadow import Shadow, shadow


def shadow_command(options: RunOptions) -> None:
    """Play the twins of a scenario; exit 7 when one of them does other business."""
    scenario = options.load()

    def told(found: Shadow) -> None:
        sign = "[bold green]✓[/]" if found.agrees else "[bold red]✗[/]"
        said = f"{found.twin.name}: {found.twin.about}; {found.events:,} events"
        out.print(f"{sign} {escape(said)}", soft_wrap=True)
        if found.parting is not None:
            print_sides("usual", "twin", found.parting.left, found.parting.right)

    found = shadow(scenario, told)
    parted = [each.twin.name for each in found if not each.agrees]
    if parted:
        line = f"{options.line(scenario)} --shadow"
        what = "A run that remembers less does other business."
        raise fail(Exit.DIFFERS, what, ("which", ", ".join(parted)), reproduce=line)
