"""The error tree: one base, then by whose fault it is."""

from __future__ import annotations


class RepriseError(Exception):
    """Base of every error that this package raises on purpose.

    Example:
        try:
            result = reprise.invoke("orders", payload)
        except reprise.RepriseError as error:
            log.error("the call was not made: %s", error)
    """


class BadRequestError(RepriseError):
    """The caller sent a request that cannot be served; nothing was invoked or captured.

    Example:
        try:
            result = reprise.invoke(name, payload)
        except reprise.BadRequestError as error:
            return {"statusCode": error.status, "body": f"{error.field}: {error.message}"}
    """

    def __init__(self, field: str, message: str, next_step: str, *, status: int = 400) -> None:
        """Keep the field at fault, what is wrong with it and what to do next."""
        super().__init__(f"{field}: {message}. {next_step}")
        self.field = field
        self.message = message
        self.next_step = next_step
        self.status = status


class BadRecordError(RepriseError):
    """A captured record cannot be trusted or read; it belongs in quarantine."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep the quarantine reason (one word) and a sentence for the operator."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class SlowObjectError(RepriseError):
    """A capture object takes longer to read than the unpacker has."""

    def __init__(self, url: str, position: int) -> None:
        """Keep which object it is, and from which item on nothing of it was dealt with."""
        super().__init__(
            f"{url}: takes longer to read than the unpacker has; nothing from item {position} on was"
            " dealt with. Look at it with `reprise read --stats`; give the unpacker more memory, then"
            " redrive its message"
        )
        self.url = url
        self.position = position


class SourceDeniedError(BadRecordError):
    """The secret of who signed a record may not be read: whether it is authentic cannot be told."""


class PayloadError(RepriseError):
    """A payload is not the one that was captured, or is gone."""


class PolicyError(RepriseError):
    """The policy document is invalid; its author must change it."""


class ScheduleError(RepriseError):
    """A schedule cannot be understood; its author must change it."""

    def __init__(self, field: str, message: str, next_step: str) -> None:
        """Keep the field at fault, what is wrong with it and what to do next."""
        super().__init__(f"{field}: {message}. {next_step}")
        self.field = field
        self.message = message
        self.next_step = next_step


class SettingsError(RepriseError):
    """A setting is missing or malformed; the deployer must change it.

    Example:
        try:
            client = reprise.Client()
        except reprise.SettingsError as error:
            sys.exit(str(error))
    """


class IllegalTransitionError(RepriseError):
    """An event was applied to a state of a call, or of a scheduled run, that does not allow it."""


class StoreError(RepriseError):
    """An AWS service that we depend on refused or failed; trying later may help.

    Example:
        try:
            status = client.result_of(call_id, token)
        except reprise.StoreError as error:
            log.warning("%s.%s: %s", error.service, error.operation, error.code)
    """

    def __init__(self, service: str, operation: str, code: str, message: str) -> None:
        """Keep which service call failed and its error code."""
        super().__init__(f"{service}.{operation} failed: {code}: {message}")
        self.service = service
        self.operation = operation
        self.code = code


class ObjectMissingError(StoreError):
    """An S3 object is not there (deleted, expired, or never written)."""


class ObjectDeniedError(StoreError):
    """An S3 object may not be read with our permissions."""
