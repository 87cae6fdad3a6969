"""The backends `localstack` and `aws`: state behind AWS's API over HTTP, an account of its own for each run.

`localstack` is whatever answers at DEXSIM_ENDPOINT (or AWS_ENDPOINT_URL): MiniStack, LocalStack, a moto
server. `aws` is where boto3 finds AWS; it refuses an account in which the exchange is already.

Time. An emulator whose clock can be set is told the run's time before each call (`EmulatorClock`, named
by DEXSIM_CLOCK). Elsewhere time is the server's: visibility is then ended by us, when it ends in the
run's time; deduplication and tokens are the server's own affair (docs/divergences.md).
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sim.kernel.backend import Record
from sim.kernel.template.cfn import read
from sim.kernel.template.stack import TEMPLATE, Template, parse_template
from sim.world.aws_backend import AwsBackend
from system.adapters.aws.session import Clients
from system.model.errors import PortError, ProvisionError, TimedOut
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.queue import Topic

CLOCK_VARIABLE = "DEXSIM_CLOCK"
_FORMAT = struct.Struct("<q")
_numbers = itertools.count(1)


class EmulatorClock:
    """A file of eight bytes that an emulator reads instead of the time: nanoseconds, 0 for the machine's."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORMAT.size)

    def set(self, now_ns: int) -> None:
        """Tell the emulator what time it is."""
        _FORMAT.pack_into(self._map, 0, now_ns)

    def close(self) -> None:
        """Give the emulator its own time back."""
        self.set(0)
        self._map.close()


class EndpointBackend(AwsBackend):
    """Makes every STATE resource at an endpoint, and takes away at `close` what it made."""

    def __init__(
        self, name: str, template: Template, clock: Clock, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.name = name
        self._clock = clock
        self._due: dict[str, tuple[str, int]] = {}  # receipt handle -> queue, end of its visibility
        self._time: EmulatorClock | None = None
        self._open = True
        self.account = ""  # of an emulator; on AWS it is whose credentials are found
        clients = self._clients(template, environ)
        if self.account:
            # the names of buckets are one space for all accounts; ours has the account in it
            template = parse_template(read(TEMPLATE), region=template.region, account=self.account)
        self._template = template
        try:
            clients.dynamodb.list_tables(Limit=1)
        except (ClientError, BotoCoreError) as error:
            raise ProvisionError(name, "backend", name, f"does not answer: {error}") from None
        if name == "aws":
            _refuse_what_is_there(clients, template)
        self._virtual(clients, environ)
        try:
            super().__init__(template, clients)
        except BaseException as error:  # Ctrl-C, too: what was made is taken away
            self.clients = clients
            self.close()
            if isinstance(error, ClientError | BotoCoreError):
                raise ProvisionError(name, "backend", name, str(error)) from None
            raise

    def _clients(self, template: Template, environ: Mapping[str, str]) -> Clients:
        if self.name == "aws":
            return Clients(region=template.region)
        url = environ.get("DEXSIM_ENDPOINT") or environ.get("AWS_ENDPOINT_URL", "")
        if not url:
            problem = "no endpoint: set DEXSIM_ENDPOINT, as in DEXSIM_ENDPOINT=http://127.0.0.1:4566"
            raise ProvisionError(self.name, "backend", self.name, problem)
        # emulators keep accounts apart and take them from the key
        self.account = f"9{os.getpid() % 10**7:07d}{next(_numbers) % 10**4:04d}"
        return Clients(url, template.region, self.account, "local")

    def _virtual(self, clients: Clients, environ: Mapping[str, str]) -> None:
        path = environ.get(CLOCK_VARIABLE, "")
        if self.name == "aws" or not path:
            return
        self._time = EmulatorClock(Path(path))
        tell, now_ns = self._time.set, self._clock.now_ns

        def before_call(**_: Any) -> None:
            tell(now_ns())

        for client in (clients.dynamodb, clients.dynamodbstreams, clients.sqs, clients.sns, clients.s3):
            client.meta.events.register("before-call", before_call)

    def receive(self, queue: str, limit: int, visibility_ns: int) -> list[Record]:
        """Return up to 10 Lambda-shaped messages, oldest first; FIFO groups in flight are skipped."""
        if self._time is not None:
            return super().receive(queue, limit, visibility_ns)
        now_ns = self._clock.now_ns()
        for handle in [each for each, (of, end) in self._due.items() if of == queue and end <= now_ns]:
            self.release(queue, handle)
        # far longer than any run takes, so that only the run's time ends it
        records = super().receive(queue, limit, max(visibility_ns, _LONG_NS))
        self._due |= {record["receiptHandle"]: (queue, now_ns + visibility_ns) for record in records}
        return records

    def delete(self, queue: str, receipt_handle: str) -> None:
        """Acknowledge a message; a handle that is void does nothing."""
        if self._time is None and self._due.pop(receipt_handle, None) is None:
            return
        super().delete(queue, receipt_handle)

    def release(self, queue: str, receipt_handle: str) -> None:
        """Give a message back at once (visibility 0); a handle that is void does nothing."""
        if self._time is None and self._due.pop(receipt_handle, None) is None:
            return
        super().release(queue, receipt_handle)

    def _wire(self, template: Template) -> None:
        super()._wire(template)
        self._told: list[str] = []
        self.topic = _Remembering(self.topic, self._told)

    def published(self) -> list[str]:
        """Return and forget the topic's messages since the last call, in order of publication.

        A topic hands on in its own time and order: everything that was published is waited for.
        """
        arrived: Counter[str] = Counter()
        for _ in range(_LOOKS):
            if arrived.total() >= len(self._told):
                break
            arrived.update(super().published())
        else:
            raise TimedOut(f"topic: {len(self._told)} messages published, {arrived.total()} arrived")
        messages = [each for each in self._told if arrived[each]]
        self._told.clear()
        return messages

    def close(self) -> None:
        """Take away what was made; calling it twice is no error."""
        if not self._open:
            return
        self._open = False
        for take in self._takers():
            try:
                take()
            except (ClientError, BotoCoreError, PortError, KeyError):
                continue  # it was not made, or the server is gone
        if self._time is not None:
            self._time.close()

    def _takers(self) -> Any:
        clients, template = self.clients, self._template
        for table in template.tables():
            yield lambda name=table.name: clients.dynamodb.delete_table(TableName=name)
        for url in getattr(self, "_urls", {}).values():
            yield lambda url=url: clients.sqs.delete_queue(QueueUrl=url)
        if arn := getattr(self, "_topic_arn", ""):
            yield lambda: clients.sns.delete_topic(TopicArn=arn)
        for bucket in template.buckets():
            yield lambda name=bucket.name: _empty(clients, name)


class _Remembering:
    """A topic that notes what it was told."""

    def __init__(self, topic: Topic, told: list[str]) -> None:
        self._topic = topic
        self._told = told

    def publish(self, message: str) -> None:
        self._topic.publish(message)
        self._told.append(message)


_LOOKS = 2_000  # each takes some milliseconds
_LONG_NS = 6 * 3_600 * NS


def _refuse_what_is_there(clients: Clients, template: Template) -> None:
    there = set(clients.dynamodb.list_tables()["TableNames"])
    for table in template.tables():
        if table.name in there:
            problem = "is there already: a run makes its own tables and takes them away; use another account"
            raise ProvisionError(table.name, "AWS::DynamoDB::Table", "aws", problem)


def _empty(clients: Clients, bucket: str) -> None:
    for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", ()):
            clients.s3.delete_object(Bucket=bucket, Key=found["Key"])
    clients.s3.delete_bucket(Bucket=bucket)
