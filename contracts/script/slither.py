"""Runs slither on the contracts and compares what it finds with the reviewed findings in slither.json.

It fails on a finding that nobody has looked at, and on one that is gone. With --write it takes today's
findings, and leaves the reasons of new kinds to be written.

A finding is named by its detector and its place, not by a line, so that it survives edits elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).resolve().parents[1]
REVIEWED = CONTRACTS / "slither.json"
SLITHER = Path(sys.executable).with_name("slither")
TO_DO = "to be reviewed"

Findings = dict[str, list[str]]


def run() -> list[dict[str, Any]]:
    """Compile a clean copy with forge, and let slither read what forge has built."""
    forge = next(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge"))
    environment = os.environ | {"PATH": f"{forge.parent}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copytree(CONTRACTS / "src", folder / "src")
        for name in ("foundry.toml", "solc-wrap"):
            shutil.copy(CONTRACTS / name, folder)
        (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
        build = [forge, "build", "--build-info", "--ast"]
        subprocess.run(build, cwd=folder, env=environment, check=True, capture_output=True)
        told = folder / "slither-found.json"
        words = "--compile-force-framework foundry --foundry-ignore-compile --exclude-dependencies"
        command = [SLITHER, ".", *words.split(), "--filter-paths", "node_modules", "--json", told]
        process = subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True, text=True
        )
        if not told.exists():
            raise SystemExit(process.stderr[-2000:])
        found: list[dict[str, Any]] = json.loads(told.read_text())["results"].get("detectors", [])
        return found


def place_of(element: dict[str, Any]) -> str:
    """Return Contract.function.variable, as far as the element has them."""
    names = [element["name"]]
    parent = element.get("type_specific_fields", {}).get("parent")
    while parent and parent.get("type") in {"contract", "function", "struct"}:
        names.append(parent["name"])
        parent = parent.get("type_specific_fields", {}).get("parent")
    return ".".join(reversed(names))


def grouped(found: list[dict[str, Any]]) -> Findings:
    """Return the places by detector, sorted; a detector may find several things in one place."""
    groups: Findings = {}
    for finding in found:
        groups.setdefault(finding["check"], []).append(place_of(finding["elements"][0]))
    return {check: sorted(groups[check]) for check in sorted(groups)}


def difference(now: Findings, reviewed: dict[str, dict[str, Any]]) -> list[str]:
    """Return what is new, gone, or without a reason."""
    problems = []
    for check in sorted({*now, *reviewed}):
        seen, known = list(now.get(check, [])), list(reviewed.get(check, {}).get("where", []))
        for place in list(seen):
            if place in known:
                known.remove(place)
                seen.remove(place)
        problems += [f"new: {check} in {place}" for place in seen]
        problems += [f"gone: {check} in {place}" for place in known]
        if check in reviewed and reviewed[check].get("because", TO_DO) == TO_DO:
            problems.append(f"no reason: {check}")
    return problems


def main(arguments: list[str]) -> int:
    """Compare, or write."""
    now = grouped(run())
    reviewed = json.loads(REVIEWED.read_text()) if REVIEWED.exists() else {}
    if "--write" in arguments:
        written = {
            check: {"because": reviewed.get(check, {}).get("because", TO_DO), "where": places}
            for check, places in now.items()
        }
        REVIEWED.write_text(json.dumps(written, indent=1) + "\n")
        return 0
    problems = difference(now, reviewed)
    for problem in problems:
        print(problem)
    if problems:
        print("mend the contract, or say in slither.json why it is right as it is (--write adds the places)")
    else:
        print(f"slither: {sum(map(len, now.values()))} findings, all reviewed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
