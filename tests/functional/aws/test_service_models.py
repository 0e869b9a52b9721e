from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from botocore.loaders import Loader

from reprise.aws.clients import ServiceModels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("service", ["lambda", "dynamodb", "sqs", "s3", "secretsmanager", "ssm"])
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_models_are_those_that_botocore_reads_itself(service: str, kind: str) -> None:
    theirs = Loader().load_service_model(service, kind)
    ours = Loader(file_loader=ServiceModels()).load_service_model(service, kind)

    assert ours == theirs
    if "operations" in theirs:
        assert list(ours["operations"]) == list(theirs["operations"])


def test_gzipped_model_is_read_and_a_missing_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(b'{"a":1}'))
    models = ServiceModels()

    assert models.exists(str(tmp_path / "packed"))
    assert models.load_file(str(tmp_path / "packed")) == {"a": 1}
    assert not models.exists(str(tmp_path / "nowhere"))
    assert models.load_file(str(tmp_path / "nowhere")) is None
