"""The AWS clients of the command: one session, each client made once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
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


class Aws:
    """Clients for one place; make them in one thread, use them in many."""

    def __init__(self, place: Place) -> None:
        """Go to this place."""
        import boto3  # noqa: PLC0415 - 12 MB that commands on local files do without

        self._endpoint_url = place.endpoint_url
        self._session = boto3.Session(
            profile_name=place.profile,
            region_name=place.region,
            aws_access_key_id=place.access_key,
            aws_secret_access_key=place.secret_key,
        )

    @property
    def region(self) -> str:
        """Return the region in use; empty if none is set."""
        return self._session.region_name or ""

    @cached_property
    def account(self) -> str:
        """Return the id of the account that the credentials are of."""
        return str(self._make("sts").get_caller_identity()["Account"])

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Return the client that reads the stack's outputs."""
        client: CloudFormationClient = self._make("cloudformation")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Return the client of dashboards and metrics."""
        client: CloudWatchClient = self._make("cloudwatch")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """Return the client of the bucket."""
        client: S3Client = self._make("s3")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Return the client of ledger and receipts."""
        client: DynamoDBClient = self._make("dynamodb")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """Return the client of the queues."""
        client: SQSClient = self._make("sqs")
        return client

    @cached_property
    def scheduler(self) -> EventBridgeSchedulerClient:
        """Return the client of the dead-man switch."""
        client: EventBridgeSchedulerClient = self._make("scheduler")
        return client

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Return the client of the sources' keys."""
        client: SecretsManagerClient = self._make("secretsmanager")
        return client

    @cached_property
    def ssm(self) -> SSMClient:
        """Return the client of the policy."""
        client: SSMClient = self._make("ssm")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Return the client of the functions' log groups."""
        client: CloudWatchLogsClient = self._make("logs")
        return client

    @cached_property
    def batch(self) -> BatchClient:
        """Return the client of batch jobs."""
        client: BatchClient = self._make("batch")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """Return the client that configures functions."""
        client: LambdaClient = self._make("lambda")
        return client

    @cached_property
    def calls(self) -> LambdaClient:
        """Return the client that invokes exactly once: the SDK's own retries would hide a second run."""
        client: LambdaClient = self._make("lambda", attempts=1, read_timeout_s=_CALL_LIMIT_S)
        from reprise.aws.clients import keep_alive  # noqa: PLC0415 - loads botocore, as above

        keep_alive(client)
        return client

    def _make(self, service: str, *, attempts: int = 4, read_timeout_s: int = 60) -> Any:  # noqa: ANN401 - typed by its callers
        from botocore.config import Config  # noqa: PLC0415 - as above

        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            connect_timeout=5,
            read_timeout=read_timeout_s,
            max_pool_connections=MAX_CONNECTIONS,
            tcp_keepalive=True,
        )
        make: Any = self._session.client
        return make(service, endpoint_url=self._endpoint_url, config=config)
