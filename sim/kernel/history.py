"""The history of a run: one JSON line per input and event, compressed, with a rolling digest.

Everything that decides the course of a run passes through here, so that two runs are equal
exactly when their digests are, and the first line that differs names where they parted.
`docs/determinism.md` lists the kinds of events and their keys.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import orjson
import zstandard

from system.model.errors import DexError, Divergence

SUFFIX = ".jsonl.zst"
DIGEST_SIZE = 32
_NEWLINE = orjson.OPT_APPEND_NEWLINE
_FLUSH_BYTES = 256 * 1024
_MOST_BLOCKS = 16  # that wait to be hashed and compressed before the run waits for them
_READ_BYTES = 1024 * 1024
_KIND_WITHIN = 48
# Level 1 costs a third of level 3 and histories repeat themselves so much that the size hardly differs.
_LEVEL = 1
# Not orjson: it reads an integer above 64 bits as a float.
_decode = msgspec.json.Decoder(dict).decode


class HistoryUnreadable(DexError):
    """A history file is missing, cut off or damaged: (path, problem, remedy)."""

    def __str__(self) -> str:
        path, problem, remedy = self.args
        return f"{path}: {problem}; {remedy}"


def _plain(value: Any) -> Any:
    """Turn what JSON has no word for into what it has: bytes to hex, records to arrays."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"history: expected plain JSON values, was {type(value).__name__}: {value!r}")


def _line(event: dict[str, Any]) -> bytes:
    """Pack an event whose numbers may exceed 64 bits (shares of the Vault do); orjson refuses those."""
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return text.encode() + b"\n"


class HistoryWriter:
    """Append events to a history.

    Events are compared and hashed as bytes, so a caller builds each kind's keys always in the same
    order. An event costs one dumps and one append. Hashing and compressing happen in blocks and on a
    thread of its own, as both let go of Python's lock: they were an eighth of a run.

    Args:
        path: where the file goes. None with `keep` false leaves only the digest.
        expected: an earlier history; the first event that differs raises Divergence.
        keep: without a path, hold the compressed history in memory, for `reader()`.
        after: how many events came before; this history goes on behind them, in `expected` as well.
    """

    __slots__ = (
        "_blocks",
        "_compressor",
        "_expected",
        "_hash",
        "_pending",
        "_sink",
        "_worker",
        "count",
        "counts",
        "path",
    )

    def __init__(
        self,
        path: Path | None = None,
        expected: HistoryReader | None = None,
        *,
        keep: bool = False,
        after: int = 0,
    ) -> None:
        self.path = path
        self.count = after
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._hash = blake2b(digest_size=DIGEST_SIZE)
        # One buffer, not a list: lines that stay alive fragment the heap and cost three times as much.
        self._pending = bytearray()
        self._worker: ThreadPoolExecutor | None = None
        self._blocks: deque[Future[None]] = deque()  # handed to the thread, in order
        self._expected = islice(expected.lines(), after, None) if expected is not None else None
        self._sink: IO[bytes] | None = None
        self._compressor: zstandard.ZstdCompressionObj | None = None
        if path is not None or keep:
            self._sink = path.open("wb") if path is not None else BytesIO()
            # The checksum makes one flipped bit an error instead of a different history.
            self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()

    def add(self, event: dict[str, Any]) -> None:
        """Append one event; `event["e"]` is its kind.

        Raises:
            Divergence: the earlier history has another event here (number counted from 1, expected, was).
        """
        try:
            line = orjson.dumps(event, _plain, _NEWLINE)
        except TypeError:
            line = _line(event)
        self.count += 1
        self.counts[event["e"]] += 1
        pending = self._pending
        pending += line
        if self._expected is not None:
            self._compare(line)
        if len(pending) > _FLUSH_BYTES:
            self._flush()

    @property
    def digest(self) -> str:
        """Return the blake2b-256 of all lines so far, in hex."""
        self._catch_up()
        return self._hash.hexdigest()

    def close(self) -> None:
        """Finish the file. Raises Divergence when the earlier history goes on."""
        self._finish()
        if self._expected is not None:
            rest = next(self._expected, None)
            self._expected = None
            if rest is not None:
                raise Divergence(self.count + 1, rest.decode(), "the end of the run")

    def reader(self) -> HistoryReader:
        """Return a reader of what was written; the writer must be closed."""
        if self._compressor is not None:
            raise ValueError("history: expected a closed writer, was still open")
        if self.path is not None:
            return HistoryReader(self.path)
        if isinstance(self._sink, BytesIO):
            return HistoryReader(self._sink.getvalue())
        raise ValueError("history: expected a path or keep=True, was digest only")

    def _compare(self, line: bytes) -> None:
        assert self._expected is not None
        expected = next(self._expected, None)
        if expected is None:
            raise Divergence(self.count, "the end of the run", line[:-1].decode())
        if expected != line[:-1]:
            raise Divergence(self.count, expected.decode(), line[:-1].decode())

    def _flush(self) -> None:
        """Hand what is pending to the thread."""
        block, self._pending = self._pending, bytearray()
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, "history")
        self._blocks.append(self._worker.submit(self._press, block))
        if len(self._blocks) > _MOST_BLOCKS:
            self._blocks.popleft().result()

    def _press(self, block: bytearray) -> None:
        self._hash.update(block)
        if self._compressor is not None and self._sink is not None:
            self._sink.write(self._compressor.compress(block))

    def _catch_up(self) -> None:
        """Wait until everything so far is hashed and compressed. Raises OSError: it could not be written."""
        while self._blocks:
            self._blocks.popleft().result()
        self._press(self._pending)
        self._pending = bytearray()

    def _finish(self) -> None:
        try:
            self._catch_up()
        finally:
            if self._worker is not None:
                self._worker.shutdown()
                self._worker = None
        if self._compressor is not None and self._sink is not None:
            self._sink.write(self._compressor.flush())
            self._compressor = None
            if self.path is not None:
                self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the file is still made whole, and the error is not hidden behind a Divergence.
        if error is None:
            self.close()
        else:
            self._finish()


class HistoryReader:
    """Read a history again, from a file or from the bytes of one; every iteration starts anew."""

    __slots__ = ("_source",)

    def __init__(self, source: Path | bytes) -> None:
        if isinstance(source, Path) and not source.is_file():
            raise HistoryUnreadable(source, "there is no such file", "was the run kept with a folder?")
        self._source = source

    @property
    def name(self) -> str:
        """Return the path, or where else it is."""
        return str(self._source) if isinstance(self._source, Path) else "history in memory"

    def lines(self) -> Iterator[bytes]:
        """Iterate the lines without their newlines.

        Raises:
            HistoryUnreadable: the file is cut off or damaged; raised after the last sound line.
        """
        rest = b""
        for block in self._blocks():
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        if rest:
            raise HistoryUnreadable(self.name, "the last line is cut off", "run the scenario again")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate the events."""
        for number, line in enumerate(self.lines(), start=1):
            yield self._event(number, line)

    def of_kind(self, *kinds: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Iterate the events of some kinds with their numbers; lines of others are not even decoded."""
        wanted = {kind.encode() for kind in kinds}
        for number, line in enumerate(self.lines(), start=1):
            # a line begins with the time and the kind
            start = line.find(b'"e":"', 0, _KIND_WITHIN) + 5
            if start < 5 or line[start : line.find(b'"', start)] in wanted:
                event = self._event(number, line)
                if event["e"] in kinds:
                    yield number, event

    @property
    def digest(self) -> str:
        """Return the blake2b-256 of all lines, in hex."""
        rolling = blake2b(digest_size=DIGEST_SIZE)
        for block in self._blocks():
            rolling.update(block)
        return rolling.hexdigest()

    def _event(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            event: dict[str, Any] = _decode(line)
        except msgspec.DecodeError as error:
            problem = f"event {number} is no JSON: {error}"
            raise HistoryUnreadable(self.name, problem, "run the scenario again") from error
        return event

    def _blocks(self) -> Iterator[bytes]:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        with self._open() as stream:
            try:
                while packed := stream.read(_READ_BYTES):
                    if block := decoder.decompress(packed):
                        yield block
            except zstandard.ZstdError as error:
                raise HistoryUnreadable(self.name, f"damaged ({error})", "run the scenario again") from error
        if not decoder.eof:
            raise HistoryUnreadable(self.name, "cut off before its end", "run the scenario again")

    def _open(self) -> IO[bytes]:
        return self._source.open("rb") if isinstance(self._source, Path) else BytesIO(self._source)
