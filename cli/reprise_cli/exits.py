"""How the command ends: exit codes, and errors that name the field and the next step."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from reprise.errors import BadRequestError, RepriseError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.exceptions import BotoCoreError, ClientError

    from local_engine.control import EngineError
    from reprise_letters.job_store import NoSuchJobError


class ExitCode(IntEnum):
    """What the shell learns."""

    OK = 0
    """Done; for `invoke`: the target answered."""
    FAILED = 1
    """Refused or failed; for `chaos`: the proof failed."""
    USAGE = 2
    """The command line cannot be understood."""
    CAPTURED = 3
    """The call was captured, to be replayed."""
    UNREACHABLE = 4
    """AWS, the local engine or the stack cannot be reached."""
    DAMAGED = 5
    """For `read`: not all of the input could be read; the rest was."""


class CommandError(Exception):
    """The command cannot go on; one line says why and what to do."""

    def __init__(
        self, field: str, message: str, next_step: str, code: ExitCode = ExitCode.FAILED
    ) -> None:
        """Keep the field at fault, what is wrong with it and what to do next."""
        super().__init__(f"{field}: {message}. {next_step}")
        self.field = field
        self.message = message
        self.next_step = next_step
        self.code = code


class UsageError(CommandError):
    """What was asked for cannot be understood, or not be done like this."""

    def __init__(self, field: str, message: str, next_step: str) -> None:
        """Keep what `CommandError` does; the exit code follows."""
        super().__init__(field, message, next_step, ExitCode.USAGE)


class NotFoundError(CommandError):
    """What was asked for is not there, or not yet."""


_UNREACHABLE: Final = frozenset(
    {
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "NoCredentialsError",
        "NoRegionError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "ReadTimeoutError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
_CREDENTIALS: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
_SETTINGS_STEP: Final = (
    "Check AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL, or start the local engine "
    "with `reprise local up` and export what it prints"
)


def explain(error: Exception) -> CommandError | None:
    """Return an error as one line for people, or None if it is a defect of ours."""
    for kind, told in _explained():
        if isinstance(error, kind):
            return told(error)
    return None


def _of_store(error: StoreError) -> CommandError:
    if error.code in _UNREACHABLE:
        return _unreachable(f"{error.service}: {error.code}")
    return CommandError(f"{error.service} {error.operation}", error.code, _step_for(error.code))


def _of_client(error: ClientError) -> CommandError:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    if code in _CREDENTIALS:
        return _unreachable(code)
    message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    return CommandError(error.operation_name, f"{code}: {message}", _step_for(code))


def _of_sdk(error: BotoCoreError) -> CommandError:
    from botocore.exceptions import ConnectionError as AwsConnectionError

    text = str(error).rstrip(".")
    if isinstance(error, AwsConnectionError) or type(error).__name__ in _UNREACHABLE:
        return _unreachable(text)
    return CommandError("AWS", text, _SETTINGS_STEP)


def _of_request(error: RepriseError) -> CommandError:
    return CommandError("request", str(error).rstrip("."), "Correct it, then try again")


def _of_job(error: NoSuchJobError) -> CommandError:
    return CommandError("JOB", str(error), "Look at `reprise audit`")


def _of_engine(error: EngineError) -> CommandError:
    from local_engine.control import EngineMissingError

    if isinstance(error, EngineMissingError):
        return CommandError("engine", error.message, error.next_step, ExitCode.UNREACHABLE)
    return CommandError("engine", str(error).rstrip("."), "Its log is in its state folder")


def _unreachable(message: str) -> CommandError:
    return CommandError("AWS", message, _SETTINGS_STEP, ExitCode.UNREACHABLE)


def _step_for(code: str) -> str:
    if "AccessDenied" in code or code == "UnauthorizedOperation":
        return "Allow this action to your identity"
    return "Try again; if it stays, look the code up in the service's API reference"


def _explained() -> tuple[tuple[type[Exception], Callable[[Any], CommandError]], ...]:
    """Return who explains what; the first that fits."""
    # 8 MB that commands on local files do without, as long as nothing goes wrong.
    from botocore.exceptions import BotoCoreError, ClientError

    from local_engine.control import EngineError
    from reprise_letters.job_store import NoSuchJobError

    return (
        (CommandError, lambda error: error),
        (StoreError, _of_store),
        (NoSuchJobError, _of_job),
        (BadRequestError, lambda error: CommandError(error.field, error.message, error.next_step)),
        (RepriseError, _of_request),
        (ClientError, _of_client),
        (BotoCoreError, _of_sdk),
        (EngineError, _of_engine),
    )
