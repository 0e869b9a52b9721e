"""Read S3's notifications off the capture queue, and our own messages of objects that go on.

A notification says where to look, and no more: what it names lies in the stack's own bucket, and every line
there bears its own MAC. What ours say beyond that bears the pipeline's.

Source: S3 user guide, "Event message structure" (keys are URL-encoded; ignore new fields; compare
the major version; test messages on set-up).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

import msgspec

from reprise.capturing.record import Mac
from reprise.capturing.signature import authenticate_own
from reprise.errors import BadRecordError
from reprise.instant import parse_instant
from reprise.monitor.reconcile import ERROR_PREFIXES, READ_BACK_NAME

if TYPE_CHECKING:
    from reprise.capturing.signature import MacKeys
    from reprise.ports import Keyring

_DOMAIN: Final = "reprise.continuation.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What is known of an object that waits, folded: its records are all for one target."""

    function: str
    """Unqualified ARN of the target; says whose gate to ask, and is trusted with nothing else."""
    records: int
    """Records that wait in it."""
    since: str
    """When they were first left folded, ISO 8601."""
    source: str
    """S3 URL of the capture object that they came in."""
    is_counted: bool = True
    """Whether the target's gate counts it among its folded objects."""
    faults: int = 0
    """Times that it could not be read when its turn had come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """A capture object to unpack."""

    bucket: str
    key: str
    version_id: str | None = None
    skip: int = 0
    """Events at its beginning that an earlier run has dealt with."""
    fold: Fold | None = None
    """Set once the object has been read and left folded."""
    mac: Mac | None = field(default=None, compare=False)
    """The pipeline's, as read; not checked yet."""

    @property
    def url(self) -> str:
        """Return the object's S3 URL."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def group(self) -> str | None:
        """Return the name of the target that a folded object waits for: SQS serves targets fairly."""
        return self.fold.function.rpartition(":")[2] if self.fold is not None else None

    @property
    def source(self) -> str:
        """Return the URL of the capture object that its records came in."""
        return self.url if self.fold is None else self.fold.source


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReader:
    """Reads what may be read: objects of the stack's bucket, and of our own words the authentic ones."""

    bucket: str
    keys: Keyring

    def read(self, body: str) -> tuple[ObjectRef, ...]:
        """Return the objects that a message of the capture queue names.

        What an unsigned message says beyond the object is not believed: it is read as S3's own notification
        would be. So are messages of 0.1.0, which are on the queue when a stack is upgraded.

        Raises:
            BadRecordError: `unknown_message`, `bucket_not_allowed` or `bad_mac`.
            StoreError: If the keys cannot be had now.
        """
        refs = read_notification(body)
        for ref in refs:
            if ref.bucket != self.bucket:
                raise BadRecordError(
                    "bucket_not_allowed", f"{ref.url!r} is not in this stack's bucket"
                )
        return tuple(self._believed(ref) for ref in refs)

    def _believed(self, ref: ObjectRef) -> ObjectRef:
        if ref.mac is None:
            return replace(ref, skip=0, fold=None)
        authenticate_own(_content(ref), ref.mac, self.keys, _DOMAIN)
        return ref


def is_taken_back(url: str) -> bool:
    """Tell whether an object holds lines that had not come by the log path."""
    key = url.removeprefix("s3://").partition("/")[2]
    return key.startswith(ERROR_PREFIXES) or key.rpartition("/")[2].startswith(READ_BACK_NAME)


def read_notification(body: str) -> tuple[ObjectRef, ...]:
    """Return the objects that a notification names, believed or not; none for S3's own test message.

    Raises:
        BadRecordError: `unknown_message`, if it is no S3 notification.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRecordError("unknown_message", f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRecordError("unknown_message", "not a JSON object")
    if document.get("Event") == "s3:TestEvent":
        return ()
    records = document.get("Records")
    if not isinstance(records, list):
        raise BadRecordError("unknown_message", "no Records: not an S3 notification")
    return tuple(_read(entry) for entry in records if _is_creation(entry))


def write_continuation(ref: ObjectRef, keys: MacKeys) -> str:
    """Return a message that resumes an object where this run stopped, or opens a folded one.

    Args:
        ref: The object, and where it stands.
        keys: The pipeline's.
    """
    s3: dict[str, Any] = {"bucket": {"name": ref.bucket}, "object": {"key": ref.key}}
    if ref.version_id is not None:
        s3["object"]["versionId"] = ref.version_id
    ours: dict[str, Any] = {"skip": ref.skip}
    if ref.fold is not None:
        ours["fold"] = asdict(ref.fold)
    ours["mac"] = msgspec.to_builtins(keys.sign(_content(ref), _DOMAIN))
    entry = {"eventName": "ObjectCreated:Continue", "s3": s3, "reprise": ours}
    return json.dumps({"Records": [entry]})


def _content(ref: ObjectRef) -> dict[str, Any]:
    content = asdict(ref)
    del content["mac"]
    return content


def _is_creation(entry: object) -> bool:
    """Tell creations from other events; `eventName` comes with and without `s3:`."""
    if not isinstance(entry, dict):
        return True
    name = str(entry.get("eventName", "ObjectCreated:"))
    return name.removeprefix("s3:").startswith("ObjectCreated:")


def _read(entry: dict[str, Any]) -> ObjectRef:
    try:
        s3 = entry["s3"]
        bucket, key = s3["bucket"]["name"], s3["object"]["key"]
        ours = entry.get("reprise", {})
        skip, fold, mac = ours.get("skip"), ours.get("fold"), ours.get("mac")
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRecordError("unknown_message", f"notification lacks {error}") from error
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise BadRecordError("unknown_message", "bucket name and object key must be text")
    if skip is not None and (type(skip) is not int or skip < 0):
        raise BadRecordError("unknown_message", "skip must be a number of events")
    version_id = s3["object"].get("versionId")
    # A continuation is ours, and its key is not encoded; S3 encodes exactly once.
    return ObjectRef(
        bucket=bucket,
        key=unquote_plus(key) if skip is None else key,
        version_id=str(version_id) if version_id is not None else None,
        skip=skip or 0,
        fold=_read_fold(fold) if fold is not None else None,
        mac=_convert(mac, Mac) if mac is not None else None,
    )


def _read_fold(fields: object) -> Fold:
    fold = _convert(fields, Fold)
    try:
        parse_instant(fold.since)
    except ValueError as error:
        raise BadRecordError("unknown_message", f"since: {error}") from error
    return fold


def _convert[T](fields: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(fields, kind)
    except ValueError as error:
        raise BadRecordError("unknown_message", f"{kind.__name__.lower()}: {error}") from error
