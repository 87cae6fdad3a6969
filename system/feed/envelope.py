"""What fan-out reads of a publication: its messages, and of each only whom it is for.

A message is passed on as the very bytes that were published: building objects of its data, only to
dump them again, cost more than all the rest.
"""

from __future__ import annotations

import msgspec


class Envelope(msgspec.Struct):
    """The one field of a message that decides who gets it."""

    channel: str


read_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
read_channel = msgspec.json.Decoder(Envelope).decode
