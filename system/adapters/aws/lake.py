"""The data lake on S3."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from system.adapters.aws.failures import Asking


class S3Lake:
    """`ports.lake.Lake` over one bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        """Write or overwrite one object."""
        with Asking(f"lake.put {key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes | None:
        """Read one object, None when it is missing."""
        with Asking(f"lake.get {key}"):
            try:
                body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    return None
                raise
        return body

    def list(self, prefix: str) -> list[str]:
        """Return all keys below a prefix, sorted."""
        keys: list[str] = []
        with Asking(f"lake.list {prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            ):
                keys += [found["Key"] for found in page.get("Contents", ())]
        return sorted(keys)
