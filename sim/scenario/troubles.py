"""Pydantic's findings in the harness's words: where, what was expected, what was there, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from sim.scenario.loader import Place, Trouble
from sim.scenario.part import Misfit, suggest
from sim.scenario.units import UnitError


def troubles_of(error: ValidationError, data: Any) -> list[Trouble]:
    """Turn a validation error into (place in the data, problem, remedy), one for each place."""
    troubles: dict[Place, Trouble] = {}
    for found in error.errors(include_url=False):
        trouble = _trouble(found, data)
        troubles.setdefault(trouble[0], trouble)
    return list(troubles.values())


def _trouble(found: Any, data: Any) -> Trouble:
    place = _place(found["loc"], data)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, Misfit):
        inside, problem, remedy = cause.args
        return (*place, *inside), problem, remedy
    if isinstance(cause, UnitError):
        problem, remedy = cause.args
        return place, problem, remedy
    if found["type"] == "missing":
        name = found["loc"][-1]
        return (*place, name), f"`{name}` is missing", f"add `{name}: ...`"
    return _choice(found, place) or _shape(found, place)


def _choice(found: Any, place: Place) -> Trouble | None:
    """Say which words are known, where one of several was expected."""
    context = found.get("ctx", {})
    match found["type"]:
        case "union_tag_not_found":
            name = str(context["discriminator"]).strip("'")
            return (*place, name), f"`{name}` is missing", f"add `{name}: ...`"
        case "union_tag_invalid":
            name = str(context["discriminator"]).strip("'")
            tag = str(context["tag"])
            return (*place, name), f"no {name} `{tag}`", suggest(tag, _words(context["expected_tags"]))
        case "literal_error":
            was = str(found["input"])
            known = _words(str(context["expected"]).replace(" or ", ", "))
            return place, f"no {place[-1] if place else 'word'} `{was}`", suggest(was, known)
    return None


def _words(listed: object) -> list[str]:
    return [word.strip(" '") for word in str(listed).split(",")]


def _shape(found: Any, place: Place) -> Trouble:
    """Say what kind of value was expected."""
    context = found.get("ctx", {})
    expected = {
        "int_type": "a whole number",
        "string_type": "text",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "tuple_type": "a list",
        "greater_than_equal": f"a number of at least {context.get('ge')}",
        "less_than_equal": f"a number of at most {context.get('le')}",
        "too_short": "at least one item",
        "string_pattern_mismatch": f"text like {context.get('pattern')}",
    }.get(found["type"])
    if expected is None:
        message = str(found["msg"])
        return (
            place,
            f"{message[0].lower()}{message[1:]}, was `{found['input']}`",
            "see docs/scenario-files.md",
        )
    return place, f"expected {expected}, was `{found['input']}`", "see docs/scenario-files.md"


def _place(location: Sequence[str | int], data: Any) -> Place:
    """Follow pydantic's location into the data; what is not in the data names a member of a union."""
    place: list[str | int] = []
    here = data
    for step in location:
        in_list = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if in_list or (isinstance(here, dict) and step in here):
            here = here[step]
            place.append(step)
    return tuple(place)
