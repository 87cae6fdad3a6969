"""The scripts of this project, for the tests to call."""

import importlib.util
from pathlib import Path


def _load(name: str):
    path = Path(__file__).parents[1] / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


deploy = _load("deploy")
upgrade = _load("upgrade")
