"""The gate for machines and for a pull request: JUnit XML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from sim.gate.judge import Fault, Judgement
from sim.gate.play import Played
from sim.gate.suite import Cell

_MOST_ROWS = 12


def junit(name: str, todo: Sequence[Cell], played: Mapping[str, Played], found: Judgement) -> str:
    """Return JUnit XML: one case a run, and one for each fault that is no run's."""
    cells: dict[str, list[Fault]] = {}
    for fault in found.faults:
        cells.setdefault(fault.cell, []).append(fault)
    excused = {fault.cell for fault in found.excused}
    others = cells.pop("", [])
    suite = ET.Element("testsuite", name=f"gate.{name}")
    for cell in todo:
        one = played[cell.name]
        case = ET.SubElement(
            suite, "testcase", classname=cell.scenario, name=f"seed {cell.seed}", time=f"{one.seconds}"
        )
        if cell.name in cells:
            _fail(case, cells[cell.name])
        elif cell.name in excused:
            ET.SubElement(case, "skipped", message="in quarantine")
    for fault in others:
        case = ET.SubElement(suite, "testcase", classname=f"gate.{fault.what}", name=fault.where, time="0")
        _fail(case, [fault])
    suite.set("tests", str(len(todo) + len(others)))
    suite.set("failures", str(len(cells) + len(others)))
    suite.set("skipped", str(len(excused - set(cells))))
    suite.set("time", f"{sum(one.seconds for one in played.values()):.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _fail(case: ET.Element, faults: Sequence[Fault]) -> None:
    node = ET.SubElement(
        case, "failure", message=f"{faults[0].what}: {faults[0].said[:200]}", type=faults[0].what
    )
    node.text = "\n".join(f"{f.what} {f.where}: {f.said}\n  again: {f.reproduce}" for f in faults)


def markdown(name: str, todo: Sequence[Cell], found: Judgement) -> str:
    """Return a summary for a pull request."""
    verdict = "open" if found.passed else "closed"
    scenarios = len({cell.scenario for cell in todo})
    lines = [f"## Gate `{name}`: {verdict}", "", f"{len(todo)} runs of {scenarios} scenarios."]
    if found.moved:
        lines[-1] += f" {len(found.moved)} digests moved."
    if found.unknown:
        lines[-1] += f" Of {len(found.unknown)} runs no digest is committed."
    if found.faults:
        lines += ["", "| what | where | said |", "| --- | --- | --- |"]
        lines += [
            f"| {f.what} | `{f.where}` | {f.said.replace('|', '/')[:300]} |"
            for f in found.faults[:_MOST_ROWS]
        ]
        if len(found.faults) > _MOST_ROWS:
            lines.append(f"| | | and {len(found.faults) - _MOST_ROWS} more |")
        lines += ["", "Again:", "", "```sh", found.faults[0].reproduce, "```"]
    moved = [change for change in found.changes if change.mean]
    if moved:
        lines += [
            "",
            "| metric | change | 95 % interval | effect | p (Holm) |",
            "| --- | --- | --- | --- | --- |",
        ]
        for c in moved[:_MOST_ROWS]:
            span = f"{c.low:+.2%} to {c.high:+.2%}"
            lines.append(f"| {c.metric} | {c.mean:+.2%} | {span} | {c.effect:+.2f} | {c.adjusted:.2g} |")
    if found.excused:
        lines += ["", "In quarantine: " + ", ".join(sorted({f"`{f.where}`" for f in found.excused})) + "."]
    return "\n".join(lines) + "\n"
