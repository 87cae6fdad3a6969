"""The recipes for CI are what GitHub and GitLab read, and every command in them exists."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.cli.main import app
from sim.gate.suite import read_suite

ROOT = Path(__file__).parents[4]
RECIPES = ROOT / "docs" / "ci"
PROFILES = {"pr", "nightly", "release"}
GITHUB_STEP = {"name", "id", "if", "uses", "with", "run", "env"}
GITHUB_JOB = {"if", "runs-on", "timeout-minutes", "steps"}
GITLAB_JOB = {
    "stage", "timeout", "rules", "script", "before_script", "artifacts", "extends", "variables",
}  # fmt: skip


def read(name: str) -> dict[str, Any]:
    # YAML 1.2, as both read it: `on` is a word
    loaded: dict[str, Any] = YAML(typ="safe").load((RECIPES / name).read_text(encoding="utf-8"))
    return loaded


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_githubs_recipe_is_one() -> None:
    recipe = read("github-actions.yml")

    assert set(recipe["on"]) == {"pull_request", "push", "schedule"}
    for job in recipe["jobs"].values():
        assert set(job) <= GITHUB_JOB
        for step in job["steps"]:
            assert set(step) <= GITHUB_STEP
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/checkout@v4"))
    said = " ".join(step.get("run", "") for step in recipe["jobs"]["gate"]["steps"])
    assert set(re.findall(r"profile=(\w+)", said)) == PROFILES


def test_gitlabs_recipe_is_one() -> None:
    recipe = read("gitlab-ci.yml")
    stages, jobs = recipe.pop("stages"), {name: job for name, job in recipe.items() if isinstance(job, dict)}

    for job in jobs.values():
        assert set(job) <= GITLAB_JOB
        whole = {**jobs[job["extends"]], **job} if "extends" in job else job
        assert whole["stage"] in stages
        assert whole["script"]
    assert {job["variables"]["PROFILE"] for job in jobs.values() if "variables" in job} == PROFILES


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_every_command_of_a_recipe_exists(name: str) -> None:
    text = (RECIPES / name).read_text(encoding="utf-8")

    for made in re.findall(r"make ([a-z -]+)$", text, re.MULTILINE):
        assert set(made.split()) <= targets(), made
    (command,) = re.findall(r"dexsim gate (.*)", text)
    (gate,) = (verb for verb in app.registered_commands if verb.callback and verb.callback.__name__ == "gate")
    assert gate.callback is not None
    known = {"--" + word.replace("_", "-") for word in gate.callback.__annotations__} | {"--no-progress"}
    assert set(re.findall(r"--[a-z-]+", command)) <= known
    for suite in re.findall(r"(?:suite=|SUITE: )(\w+)", text):
        assert read_suite(ROOT / "scenarios" / "suites" / f"{suite}.yaml").suite == suite
