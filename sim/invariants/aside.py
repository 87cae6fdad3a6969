"""Judges an instant in a process of its own, while the run goes on.

A fork sees every table as it was when it was made and costs the run a few milliseconds; judging a
hundred thousand orders on the spot costs it a third of a second. What is judged, and when in
virtual time, is the same.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any

POSSIBLE = hasattr(os, "fork")


class Aside:
    """One call under way in a child process; its result comes back pickled."""

    __slots__ = ("_child", "_from_child")

    def __init__(self, call: Callable[[], Any]) -> None:
        self._from_child, to_parent = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._from_child)
            _answer(call, to_parent)
        os.close(to_parent)

    def result(self) -> Any:
        """Wait for the child and return what its call returned.

        Raises:
            RuntimeError: the call raised, or the child was killed.
        """
        with os.fdopen(self._from_child, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(self._child, 0)
        if not said:
            ended = os.waitstatus_to_exitcode(status)
            raise RuntimeError(f"judging aside: expected an answer, was a child that ended with {ended}")
        result, error = pickle.loads(said)
        if error:
            raise RuntimeError(f"judging aside: {error}")
        return result


def _answer(call: Callable[[], Any], to_parent: int) -> None:
    """Run the child: one call, one answer, and out without what Python does at an end (flush, threads)."""
    try:
        answer: tuple[Any, str] = (call(), "")
    except BaseException:  # the parent raises it
        answer = (None, traceback.format_exc())
    try:
        with os.fdopen(to_parent, "wb") as pipe:
            pickle.dump(answer, pipe)
    finally:
        os._exit(0)
