"""The base of everything a scenario file is made of, and the error it raises about itself."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Misfit(ValueError):
    """A part of a scenario does not fit: (where inside the part, problem, remedy).

    `where` is a tuple of keys and indexes; the loader turns it into file, line and dotted path.
    """


class Part(BaseModel):
    """A frozen piece of a scenario: its fields are its syntax, and no other field is allowed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    raise Misfit((key,), f"unknown field `{key}`", suggest(str(key), cls.model_fields))
        return data


def suggest(word: str, known: Any) -> str:
    """Name the nearest known word, and then all of them."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1)
    listed = f"known here: {', '.join(names) or 'none'}"
    return f"did you mean `{near[0]}`? {listed}" if near else listed
