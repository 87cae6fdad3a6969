"""From YAML text to plain data that remembers where each value was written.

Repeated keys, tags, merge keys and anchors are refused; `extends` is followed one level; `--set
path=value` is laid over the result. Nothing is validated here: `schema.py` does that, and asks
`Document.error` to turn a place inside the data into file, line and dotted path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from system.model.errors import ScenarioError

Place = tuple[str | int, ...]
Trouble = tuple[Place, str, str]
"""(place inside the data, problem, remedy)"""

_TAG = "tag:yaml.org,2002:"


class Document(NamedTuple):
    """Plain data (dict, list, str, int, bool, None) and the origin of each of its places."""

    name: str
    data: dict[str, Any]
    origins: dict[Place, str]

    def error(self, troubles: Sequence[Trouble]) -> ScenarioError:
        """Make one error of all that is wrong: (path, problem, remedy), further triples after it."""
        first, *more = [(self._where(place), problem, remedy) for place, problem, remedy in troubles]
        return ScenarioError(*first, *more)

    def _where(self, place: Place) -> str:
        dotted = _dotted(place)
        for end in range(len(place), -1, -1):
            origin = self.origins.get(place[:end])
            if origin is not None:
                return f"{origin}: {dotted}" if dotted else origin
        return f"{self.name}: {dotted}" if dotted else self.name


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def read_file(path: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read a scenario file, what it extends, and the overrides `path=value`."""
    path = Path(path)
    document = _parse(_text(path), str(path))
    base_name = document.data.pop("extends", None)
    if base_name is not None:
        document = _extend(document, path, base_name)
    return _override(document, overrides)


def read_text(text: str, name: str = "<text>", overrides: Sequence[str] = ()) -> Document:
    """Read scenario text that stands alone (it cannot use `extends`)."""
    document = _parse(text, name)
    if "extends" in document.data:
        raise document.error(
            [(("extends",), "text cannot extend a file", "load it from a file, or write it in full")]
        )
    return _override(document, overrides)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(str(path), f"cannot be read: {error.strerror}", "check the path") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(str(path), f"not UTF-8 text: {error.reason}", "save it as UTF-8") from None


def _extend(document: Document, path: Path, base_name: object) -> Document:
    if not isinstance(base_name, str):
        raise document.error([(("extends",), f"expected a file name, was {base_name!r}", "name one file")])
    base_path = path.parent / base_name
    base = _parse(_text(base_path), str(base_path))
    if "extends" in base.data:
        raise document.error(
            [(("extends",), f"`{base_name}` extends another file itself", "extend the last file directly")]
        )
    origins = dict(base.origins)
    data = _merge(base.data, document.data, document.origins, origins, ())
    return Document(document.name, data, origins)


def _merge(
    base: dict[str, Any],
    top: dict[str, Any],
    top_origins: dict[Place, str],
    origins: dict[Place, str],
    at: Place,
) -> dict[str, Any]:
    """Lay `top` over `base`: mappings are merged, everything else (lists too) is replaced."""
    merged = dict(base)
    for key, value in top.items():
        place = (*at, key)
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge(below, value, top_origins, origins, place)
        else:
            merged[key] = value
            _forget(origins, place)
            origins.update({p: o for p, o in top_origins.items() if p[: len(place)] == place})
    return merged


def _forget(origins: dict[Place, str], place: Place) -> None:
    for known in [known for known in origins if known[: len(place)] == place]:
        del origins[known]


def _override(document: Document, overrides: Sequence[str]) -> Document:
    for override in overrides:
        dotted, equals, text = override.partition("=")
        origin = f"--set {override}"
        place = tuple(step.strip() for step in dotted.split("."))
        if not equals or not all(place):
            raise ScenarioError(
                origin, "expected `path=value`", "write it like `--set markets.0.tick='0.5 USDC'`"
            )
        node = _compose(text, origin)
        value = None if node is None else _build(node, origin, (), {})
        _put(document, place, value, origin)
    return document


def _put(document: Document, steps: tuple[str, ...], value: Any, origin: str) -> None:
    """Set one value; missing mappings on the way are made, list items must exist."""
    target: Any = document.data
    place: Place = ()
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        if isinstance(target, list):
            if not step.isdigit() or int(step) >= len(target):
                raise ScenarioError(
                    origin,
                    f"expected an index of {_dotted(place)} from 0 to {len(target) - 1}, was `{step}`",
                    "count the items of the list from 0",
                )
            place = (*place, int(step))
            if last:
                target[int(step)] = value
            target = target[int(step)]
        elif isinstance(target, dict):
            place = (*place, step)
            if last:
                target[step] = value
            target = target.setdefault(step, {})
        else:
            raise ScenarioError(
                origin,
                f"`{_dotted(place)}` is one value, it has no `{step}`",
                "shorten the path",
            )
    _forget(document.origins, place)
    document.origins[place] = origin


# --- YAML nodes into data -----------------------------------------------------------------------


def _compose(text: str, name: str) -> Node | None:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ScenarioError(where, f"not YAML: {error.problem}", "mend the syntax at this line") from None
    except YAMLError as error:
        raise ScenarioError(name, f"not YAML: {error}", "mend the syntax") from None
    except RecursionError:
        raise ScenarioError(name, "nested too deeply", "a scenario has five levels at most") from None
    return node


def _parse(text: str, name: str) -> Document:
    node = _compose(text, name)
    if not isinstance(node, MappingNode):
        raise ScenarioError(name, "expected a mapping of fields", "start with `scenario: <name>`")
    origins: dict[Place, str] = {}
    return Document(name, _build(node, name, (), origins), origins)


def _build(node: Node, name: str, place: Place, origins: dict[Place, str]) -> Any:
    where = f"{name}:{node.start_mark.line + 1}"
    origins[place] = where
    if node.anchor is not None:
        raise ScenarioError(
            where, f"anchor `{node.anchor}` is not allowed", "write the value out, or use `extends`"
        )
    if isinstance(node, SequenceNode):
        return [_build(item, name, (*place, index), origins) for index, item in enumerate(node.value)]
    if isinstance(node, MappingNode):
        return _mapping(node, name, place, origins)
    assert isinstance(node, ScalarNode)
    return _scalar(node, where)


def _mapping(node: MappingNode, name: str, place: Place, origins: dict[Place, str]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = str(key_node.value)
        if not isinstance(key_node, ScalarNode) or key == "<<":
            raise ScenarioError(
                f"{name}:{line}", "expected a plain field name", "use `extends` to share settings"
            )
        if key in data:
            raise ScenarioError(
                f"{name}:{line}: {_dotted((*place, key))}",
                f"`{key}` is written twice, first in line {lines[key]}",
                "keep one of them",
            )
        data[key] = _build(value_node, name, (*place, key), origins)
        lines[key] = line
        origins[(*place, key)] = f"{name}:{line}"
    return data


def _scalar(node: ScalarNode, where: str) -> Any:
    """Read a scalar; everything but null, true, false and whole numbers stays text.

    A fraction stays text so that no float ever stands for a quantity.
    """
    text: str = node.value
    match str(node.tag).removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _whole(text)
        case "str" | "float" | "timestamp":
            return text
    raise ScenarioError(where, f"tag `{node.tag}` is not allowed", "write a plain value")


def _whole(text: str) -> Any:
    digits = text.replace("_", "")
    return int(digits) if digits.lstrip("+-").isdigit() else text
