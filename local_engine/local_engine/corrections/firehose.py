"""Restore Firehose's buffering: one object per size or interval, not per record.

Stock ministack writes one object per record at once, ignores CompressionFormat and
keeps every record in memory. Here records wait until SizeInMBs or IntervalInSeconds
(times the engine's time scale) is reached, and are written back to back, without a
delimiter; a failing bucket is tried again until the stream is deleted.

Source: aws-facts, section 3 (Data Firehose Developer Guide, "Understand data
delivery in Amazon Data Firehose", "Configure buffering hints").
"""

from __future__ import annotations

import contextvars
import gzip
import logging
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_engine.context import TRACE_HEADER
from local_engine.seams import Seam
from local_engine.switches import LOG_PATH

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_FIREHOSE = Seam("services.firehose")
_S3 = Seam("services.s3")
_CLOUDWATCH = Seam("services.cloudwatch")
_APP = Seam("app")

_S3_TYPES = ("ExtendedS3", "S3")
_DEFAULT_INTERVAL_S = 300
_DEFAULT_SIZE_MB = 5
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 5.0
_PUT_LIMIT_S = 60.0

_log = logging.getLogger("reprise")


@dataclass(slots=True, kw_only=True)
class _Buffer:
    """Records of one destination that wait for their object."""

    stream: dict[str, Any]
    destination: dict[str, Any]
    due_at: float
    """On the monotonic clock."""
    opened_at: float
    """When its first record came, on the monotonic clock."""
    context: contextvars.Context
    """Account and region of the stream."""
    records: list[tuple[str, bytes]] = field(default_factory=list)
    size_bytes: int = 0
    failures: int = 0


class _Deliveries:
    """All buffers, and the thread that empties them."""

    def __init__(self, time_scale: float) -> None:
        self._time_scale = time_scale
        self._changed = threading.Condition()
        self._open: dict[int, _Buffer] = {}
        self._full: list[_Buffer] = []
        threading.Thread(target=self._run, name="reprise-firehose", daemon=True).start()

    def add(
        self, stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]
    ) -> None:
        """Buffer records; the object follows when it is full or due."""
        hints = destination["config"].get("BufferingHints") or {}
        interval_s = float(hints.get("IntervalInSeconds", _DEFAULT_INTERVAL_S)) * self._time_scale
        limit_bytes = float(hints.get("SizeInMBs", _DEFAULT_SIZE_MB)) * 1024 * 1024
        with self._changed:
            key = id(destination)
            buffer = self._open.get(key)
            if buffer is None:
                buffer = self._open[key] = _Buffer(
                    stream=stream,
                    destination=destination,
                    due_at=time.monotonic() + interval_s,
                    opened_at=time.monotonic(),
                    context=contextvars.copy_context(),
                )
            buffer.records += records
            buffer.size_bytes += sum(len(data) for _, data in records)
            if buffer.size_bytes >= limit_bytes:
                self._full.append(self._open.pop(key))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            for buffer in self._take_due():
                LOG_PATH.wait()
                try:
                    delivered = buffer.context.run(_deliver, buffer)
                except Exception:  # noqa: BLE001 - the record is kept, whatever failed
                    _log.exception("delivery of stream %s failed", buffer.stream["name"])
                    delivered = False
                if not delivered:
                    self._put_back(buffer)

    def _take_due(self) -> list[_Buffer]:
        with self._changed:
            while True:
                now = time.monotonic()
                due = [key for key, buffer in self._open.items() if buffer.due_at <= now]
                ready = [
                    buffer for buffer in self._full if buffer.due_at <= now or not buffer.failures
                ]
                if due or ready:
                    self._full = [buffer for buffer in self._full if buffer not in ready]
                    return ready + [self._open.pop(key) for key in due]
                times = [b.due_at for b in [*self._open.values(), *self._full]]
                self._changed.wait(min(times) - now if times else None)

    def _put_back(self, buffer: _Buffer) -> None:
        """Try the same object again later, unless its stream is gone."""
        if not buffer.context.run(_exists, buffer.stream):
            return
        wait_s = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2**buffer.failures)
        buffer.failures += 1
        buffer.due_at = time.monotonic() + wait_s
        with self._changed:
            self._full.append(buffer)


def apply(options: EngineOptions) -> None:
    """Buffer what stock would write at once."""
    deliveries = _Deliveries(options.time_scale)
    stock = _FIREHOSE["_deliver_records_to_s3"]

    def deliver_records(
        stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]
    ) -> None:
        # Stock keeps every record here, for no reader.
        destination["records"].clear()
        config = destination["config"]
        partitioning = (config.get("DynamicPartitioningConfiguration") or {}).get("Enabled")
        if partitioning or config.get("DataFormatConversionConfiguration"):
            stock(stream, destination, records)
        else:
            deliveries.add(stream, destination, records)

    _FIREHOSE.replace("_deliver_records_to_s3", deliver_records)


def _exists(stream: dict[str, Any]) -> bool:
    return _FIREHOSE["_streams"].get(stream["name"]) is stream


def _deliver(buffer: _Buffer) -> bool:
    """Write one object; return whether the bucket took it."""
    # Firehose is not among the services whose hops Lambda's recursion guard counts.
    TRACE_HEADER.set("")
    stream, config = buffer.stream, buffer.destination["config"]
    processed = _FIREHOSE["_apply_lambda_processors"](stream, buffer.destination, buffer.records)
    body = b"".join(data for _, data in processed)
    if not body:
        return True
    extension = config.get("FileExtension") or ""
    if config.get("CompressionFormat") == "GZIP":
        body, extension = gzip.compress(body), extension or ".gz"
    arrived = _FIREHOSE["_arrival_time"](config)
    prefix = _FIREHOSE["_evaluate_prefix"](config.get("Prefix", ""), arrived)
    stamp = _FIREHOSE["_java_time"]("yyyy-MM-dd-HH-mm-ss", arrived)
    name = f"{stream['name']}-{stream.get('version', 1)}-{stamp}-{uuid.uuid4()}{extension}"
    bucket = _FIREHOSE["_s3_bucket_from_arn"](config["BucketARN"])
    age_s = time.monotonic() - buffer.opened_at
    dimensions = {"DeliveryStreamName": stream["name"]}
    record = _CLOUDWATCH["record_metric"]
    record("AWS/Firehose", "DeliveryToS3.DataFreshness", age_s, "Seconds", dimensions)
    return _put_object(bucket, f"{prefix}{name}", body)


def _put_object(bucket: str, key: str, body: bytes) -> bool:
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body)),
        "host": "s3.localhost",
    }

    async def put(*request: Any) -> Any:
        return await _S3["handle_request"](*request, internal=True)

    status, _, answer = _APP["call_service_handler_sync"](
        put, "PUT", f"/{bucket}/{key}", headers, body, {}, timeout=_PUT_LIMIT_S
    )
    if status >= 300:  # noqa: PLR2004
        _log.warning("Firehose: s3://%s/%s was refused: %s", bucket, key, answer)
    return bool(status < 300)  # noqa: PLR2004
