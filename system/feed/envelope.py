"""What fan-out reads of a publication: its messages, and of each only whom it is for and its number.

A message is passed on as the very bytes that were published: building objects of its data, only to
dump them again, cost more than all the rest.
"""

from __future__ import annotations

import msgspec


class Envelope(msgspec.Struct):
    """Who gets a message, and its number on the channel; 0: it has none yet."""

    channel: str
    seq: int = 0


read_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
read_envelope = msgspec.json.Decoder(Envelope).decode


def numbered(message: bytes, seq: int) -> bytes:
    """Return a message with its number.

    >>> numbered(b'{"channel":"trader.x"}', 7)
    b'{"seq":7,"channel":"trader.x"}'
    """
    return b'{"seq":%d,%b' % (seq, message[1:])
