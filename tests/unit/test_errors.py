from __future__ import annotations

import pytest

from reprise import errors
from reprise.errors import BadRecordError, BadRequestError, RepriseError, StoreError


def test_every_error_of_the_package_has_one_base() -> None:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    assert all(issubclass(error, RepriseError) for error in found)
    assert all(error.__name__.endswith("Error") for error in found)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            BadRequestError("Payload", "is too long", "Send less", status=413),
            "Payload: is too long. Send less",
        ),
        (BadRecordError("bad_mac", "altered"), "bad_mac: altered"),
        (
            StoreError("sqs", "SendMessage", "Throttled", "slow down"),
            "sqs.SendMessage failed: Throttled: slow down",
        ),
    ],
)
def test_an_error_says_what_is_wrong_and_keeps_its_data(error: RepriseError, text: str) -> None:
    assert str(error) == text


def test_a_bad_request_names_its_field_and_the_next_step() -> None:
    error = BadRequestError("Payload", "is too long", "Send less", status=413)
    assert (error.field, error.message, error.next_step, error.status) == (
        "Payload",
        "is too long",
        "Send less",
        413,
    )


def test_a_missing_and_a_forbidden_object_are_store_errors() -> None:
    assert issubclass(errors.ObjectMissingError, StoreError)
    assert issubclass(errors.ObjectDeniedError, StoreError)
