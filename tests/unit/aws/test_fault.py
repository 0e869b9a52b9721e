from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from reprise.aws.fault import code_of, store_errors
from reprise.errors import StoreError


def test_a_refusal_keeps_service_operation_and_code() -> None:
    with pytest.raises(StoreError) as caught, store_errors("dynamodb", "GetItem"):
        raise ClientError({"Error": {"Code": "Throttled", "Message": "slow"}}, "GetItem")
    error = caught.value
    assert (error.service, error.operation, error.code) == ("dynamodb", "GetItem", "Throttled")
    assert str(error) == "dynamodb.GetItem failed: Throttled: slow"
    assert isinstance(error.__cause__, ClientError)


def test_a_call_that_got_nowhere_is_named_by_its_error() -> None:
    with pytest.raises(StoreError, match="ConnectTimeoutError"), store_errors("s3", "PutObject"):
        raise ConnectTimeoutError(endpoint_url="https://s3")


def test_a_refusal_without_code_is_unknown() -> None:
    assert code_of(ClientError({}, "GetItem")) == "Unknown"


def test_a_defect_of_ours_is_not_hidden() -> None:
    with pytest.raises(KeyError), store_errors("s3", "PutObject"):
        raise KeyError("x")


def test_an_error_of_ours_passes_unaltered() -> None:
    error = StoreError("a", "b", "c", "d")
    with pytest.raises(StoreError) as caught, store_errors("s3", "PutObject"):
        raise error
    assert caught.value is error
