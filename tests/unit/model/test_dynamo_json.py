"""DynamoDB's JSON and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.dynamo_json import marshal, unmarshal

VALUES = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none() | st.binary(),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_what_goes_in_comes_out_though_it_was_text_between(item):
    assert unmarshal(json.loads(json.dumps(marshal(item)))) == item


def test_types_are_dynamodbs():
    item = {
        "s": "x",
        "n": 10**30,
        "t": True,
        "f": False,
        "z": None,
        "b": b"\x00",
        "l": [1, "a"],
        "m": {"k": [{}]},
    }
    assert marshal(item) == {
        "s": {"S": "x"},
        "n": {"N": "1" + "0" * 30},
        "t": {"BOOL": True},
        "f": {"BOOL": False},
        "z": {"NULL": True},
        "b": {"B": "AA=="},
        "l": {"L": [{"N": "1"}, {"S": "a"}]},
        "m": {"M": {"k": {"L": [{"M": {}}]}}},
    }


def test_bytes_may_come_as_bytes():
    assert unmarshal({"b": {"B": b"\x01"}}) == {"b": b"\x01"}


@pytest.mark.parametrize("value", [1.5, {1}, (1,), object()])
def test_what_a_row_cannot_hold(value):
    with pytest.raises(TypeError, match="expected str, int, bool"):
        marshal({"x": value})


def test_what_a_row_never_held():
    with pytest.raises(TypeError, match="was SS"):
        unmarshal({"x": {"SS": ["a"]}})
    with pytest.raises(ValueError):
        unmarshal({"x": {"N": "1.5"}})
