"""The AWS clients of the command: one session, each client made once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from reprise_cli.place import Place

MAX_CONNECTIONS: Final = 256
_CALL_LIMIT_S: Final = 1800
"""Lambda API reference, CreateFunction, Timeout."""
_SERVICES: Final = {
    "batch": "batch",
    "cloudformation": "cloudformation",
    "cloudwatch": "cloudwatch",
    "dynamodb": "dynamodb",
    "events": "events",
    "firehose": "firehose",
    "functions": "lambda",
    "iam": "iam",
    "kms": "kms",
    "logs": "logs",
    "s3": "s3",
    "scheduler": "scheduler",
    "secrets": "secretsmanager",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
}
"""AWS's names of the services, by ours."""


class Aws:
    """Clients for one place, each made when it is first needed; make them in one thread, use them in many."""

    batch: BatchClient
    cloudformation: CloudFormationClient
    cloudwatch: CloudWatchClient
    dynamodb: DynamoDBClient
    events: EventBridgeClient
    firehose: FirehoseClient
    functions: LambdaClient
    """Configures functions; `calls` invokes them."""
    iam: IAMClient
    kms: Any
    """No stubs of it are installed; likewise `sns`."""
    logs: CloudWatchLogsClient
    s3: S3Client
    scheduler: EventBridgeSchedulerClient
    secrets: SecretsManagerClient
    sns: Any
    sqs: SQSClient
    ssm: SSMClient

    def __init__(self, place: Place) -> None:
        """Go to this place."""
        import boto3

        self._endpoint_url = place.endpoint_url
        self._session = boto3.Session(
            profile_name=place.profile,
            region_name=place.region,
            aws_access_key_id=place.access_key,
            aws_secret_access_key=place.secret_key,
        )

    if not TYPE_CHECKING:  # where types are checked, a name that is no client is a mistake

        def __getattr__(self, name: str) -> object:
            """Make a client; Python asks here for what is not there yet."""
            if name not in _SERVICES:
                raise AttributeError(name)
            client = self._make(_SERVICES[name])
            setattr(self, name, client)
            return client

    @property
    def region(self) -> str:
        """Return the region in use; empty if none is set."""
        return self._session.region_name or ""

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return dict(self._make("sts").get_caller_identity())

    @property
    def account(self) -> str:
        """Return the id of the account that the credentials are of."""
        return str(self._identity["Account"])

    @property
    def caller(self) -> str:
        """Return the ARN of whoever the credentials are of."""
        return str(self._identity["Arn"])

    @cached_property
    def calls(self) -> LambdaClient:
        """Return the client that invokes exactly once: the SDK's own retries would hide a second run."""
        client: LambdaClient = self._make("lambda", attempts=1, read_timeout_s=_CALL_LIMIT_S)
        from reprise.aws.clients import keep_alive

        keep_alive(client)
        return client

    def _make(self, service: str, *, attempts: int = 4, read_timeout_s: int = 60) -> Any:  # noqa: ANN401 - typed by its callers
        from botocore.config import Config

        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            connect_timeout=5,
            read_timeout=read_timeout_s,
            max_pool_connections=MAX_CONNECTIONS,
            tcp_keepalive=True,
        )
        make: Any = self._session.client
        return make(service, endpoint_url=self._endpoint_url, config=config)
