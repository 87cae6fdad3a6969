"""What a reader has heard of each channel, by the numbers of its messages, and what it has missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Hole(NamedTuple):
    """Numbers of a channel that did not come; `new`: right behind a subscription that is usual (FANO-003)."""

    channel: str
    numbers: tuple[int, ...]
    upto: int  # the newest number that was heard
    new: bool


class Hearing:
    """Counts the messages of one connection's channels.

    A number may come late, as news takes different ways; only what has not come for a while is
    missing. Whoever has been away asks for the state anyway: nobody counts what nobody hears.
    """

    __slots__ = ("_begun", "_begun_at", "_early", "_last", "_looks", "_missing", "_unsure")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._looks = 0
        self._missing: dict[str, dict[int, int]] = {}  # by channel: numbers, and how many looks came before
        self._early: dict[str, int] = {}  # the first number, where it came before the subscription's answer
        self._begun: dict[str, int] = {}  # by channel: the last number when it was subscribed to
        self._begun_at: dict[str, int] = {}  # and how many looks came before that
        self._unsure: dict[str, int] = {}  # channels to ask about all the same, and likewise

    def hear(self, channel: str, seq: int) -> None:
        """Take a message's number; ones that come again change nothing."""
        last = self._last.get(channel)
        if last is None:
            self._last[channel] = self._early[channel] = seq
        elif seq == last + 1:
            self._last[channel] = seq
        elif seq > last:
            self._miss(channel, last, seq)
            self._last[channel] = seq
        elif channel in self._missing:
            self._missing[channel].pop(seq, None)

    def subscribed(self, last: Mapping[str, int]) -> None:
        """Take the answer to a subscription: the number of each channel's last message."""
        for channel, seq in last.items():
            if channel in self._begun:  # it comes back: what was told meanwhile may have no number
                self._unsure[channel] = self._looks
            self._begun[channel] = seq
            self._begun_at[channel] = self._looks
            early = self._early.pop(channel, None)
            if early is not None and early > seq + 1:
                self._miss(channel, seq, early)
        self.told(last)

    def told(self, last: Mapping[str, int]) -> None:
        """Take the numbers of the last messages: so the very last one is missed too."""
        for channel, seq in last.items():
            if channel not in self._last:
                self._last[channel] = seq
            elif seq > self._last[channel]:
                self._miss(channel, self._last[channel], seq + 1)
                self._last[channel] = seq

    def _miss(self, channel: str, last: int, seq: int) -> None:
        missing = self._missing.setdefault(channel, {})
        for number in range(last + 1, seq):
            missing[number] = self._looks

    def look(self) -> list[Hole]:
        """Return what was missing at the last look already, and has not come since."""
        before = self._looks
        self._looks += 1
        found = []
        for channel, missing in self._missing.items():
            due = tuple(number for number, since in missing.items() if since < before)
            if due:
                found.append(Hole(channel, due, self._last[channel], self._is_new(channel, missing)))
        known = {hole.channel for hole in found}
        found += [
            Hole(channel, (), self._last[channel], new=True)
            for channel, since in self._unsure.items()
            if since < before and channel not in known
        ]
        return found

    def _is_new(self, channel: str, missing: Mapping[int, int]) -> bool:
        """Tell whether all that is missing may have been told to lists without this subscriber.

        Each instance of fan-out has a list of its own: one may have told it the first message, and
        another, which read its list before, not the next ones.
        """
        if min(missing) == self._begun.get(channel, 0) + 1:
            return True
        return all(since == self._begun_at.get(channel) for since in missing.values())

    def whole(self, hole: Hole) -> None:
        """Take note that the state as of `hole.upto`, or a later one, is known."""
        missing = self._missing.get(hole.channel, {})
        for number in [each for each in missing if each <= hole.upto]:
            del missing[number]
        self._unsure.pop(hole.channel, None)
