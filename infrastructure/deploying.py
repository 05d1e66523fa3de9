"""Deploys the stacks, each with the steps that CloudFormation cannot take by itself."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infrastructure.settings_files import check_brokers
from infrastructure.software import ARCHIVES, PLUGIN, PROJECT, archive, gather
from infrastructure.stacks import Cloud
from infrastructure.stamping import stale
from infrastructure.templates import template_of
from orchestration.publishing import Dag
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings


@dataclass
class Deployment:
    """One deploy.

    Attributes:
        cloud: CloudFormation.
        settings: whose names.
        region: AWS region.
        say: is told what is done besides AWS commands.
        software: folder of the archives that the client machine and the connector need; None if it was not given.
        rehearsed: whether nothing is run.
    """

    cloud: Cloud
    settings: Settings
    region: str
    say: Callable[[str], None]
    software: Path | None = None
    rehearsed: bool = False

    def deploy(self, stack: str) -> None:
        """Deploys a stack, with what belongs to it.

        Raises:
            DeployError: AWS refuses something.
            SettingsError: something that is needed was not given.
        """
        self.say(f"# {stack}")
        special = {
            "streaming": self._streaming,
            "client": self._client,
            "api": self._api,
            "orchestration": self._orchestration,
        }
        special.get(stack, lambda: self.cloud.deploy(stack))()
        if not self.rehearsed:
            for name, value in (self.cloud.outputs(stack) or {}).items():
                self.say(f"{name} = {value}")

    def check(self, stacks: tuple[str, ...]) -> None:
        """Sees to it that what the stacks need is there, before anything is begun.

        Raises:
            SettingsError: it is not.
        """
        if "api" in stacks and (found := stale(template_of("api"))):
            raise SettingsError(found[0])
        wants_software = bool({"streaming", "client"} & set(stacks))
        if wants_software and not (self.rehearsed and self.software is None):
            folder = self._folder()
            for pattern in (*ARCHIVES, PLUGIN):
                archive(folder, pattern)
        if self.rehearsed and wants_software:
            self.say("# streaming and client need --software DIR")
        if self.rehearsed and "orchestration" in stacks:
            self.say("# a new orchestration needs --param DagsBucketName=…")
        new = "orchestration" in stacks and not self.cloud.status("orchestration")
        if new and "DagsBucketName" not in self.cloud.given:
            raise SettingsError(
                "DagsBucketName must be a name that nobody in AWS has, given with --param, got none "
                "(mwaa-dags-bucket, the default, is somebody's)"
            )

    def brokers(self) -> str:
        """Addresses of the brokers. MSK tells them to whoever asks, in any order, and to no template.

        Sorted, since other addresses would be another connector.
        """
        told = self.cloud.aws.run(
            *("kafka", "get-bootstrap-brokers", "--cluster-arn", self._of_streaming("ClusterArn")),
            *("--query", "BootstrapBrokerStringSaslIam", "--output", "text"),
            stands_for="<brokers>",
        )
        return told if self.rehearsed else ",".join(sorted(check_brokers(told).split(",")))

    def _of_streaming(self, name: str) -> str:
        """An output of the streaming stack, or what was given in its place."""
        return self.cloud.given.get(name) or self.cloud.output("streaming", name)

    def _streaming(self) -> None:
        """Everything but the connector; then its plugin, the brokers' addresses, and the connector with both."""
        self.cloud.deploy("streaming")
        plugin = PLUGIN if self.rehearsed and self.software is None else archive(self._folder(), PLUGIN).name
        key = f"plugins/{plugin}"
        self._copy(str(Path(self.software or "SOFTWARE") / plugin), key)
        self.cloud.deploy("streaming", BootstrapBrokers=self.brokers(), PluginKey=key)

    def _client(self) -> None:
        """The software into the bucket; then the machine, which sets itself up from there."""
        brokers = self.brokers()
        with tempfile.TemporaryDirectory(prefix="pinterest-software-") as folder:
            if not self.rehearsed:
                gather(self._folder(), self.settings, brokers, self.region, Path(folder))
            source = "SOFTWARE" if self.rehearsed else folder
            bucket = self._of_streaming("BucketName")
            self.cloud.aws.run("s3", "sync", "--only-show-errors", "--delete", source, f"s3://{bucket}/software")
        before = self.cloud.known("client", "ClientInstanceId")
        self.cloud.deploy("client")
        if before not in ("", self.cloud.known("client", "ClientInstanceId")):
            self.say("# the machine is a new one: deploy api, too, which sends to the old one until then")

    def _api(self) -> None:
        """The API; whether it takes the proxy's own certificate, which no template can say; and a new deployment.

        A deployment also holds the values of parameters, and CloudFormation makes one for changed templates alone.
        """
        self.cloud.deploy("api")
        api = self.cloud.output("api", "ApiId")
        own = "false" if self.cloud.output("api", "Certificate") == "ACM" else "true"
        self.cloud.aws.run(
            *("apigateway", "update-integration", "--rest-api-id", api),
            *("--resource-id", self.cloud.output("api", "ProxyResourceId"), "--http-method", "ANY"),
            *("--patch-operations", f"op=replace,path=/tlsConfig/insecureSkipVerification,value={own}"),
            *("--output", "text", "--query", "uri"),
        )
        self.cloud.aws.run(
            *("apigateway", "create-deployment", "--rest-api-id", api),
            *("--stage-name", self.cloud.output("api", "Stage")),
            *("--description", "What python -m infrastructure deploy has set.", "--output", "text", "--query", "id"),
        )

    def _orchestration(self) -> None:
        """The bucket; then the requirements file and the DAG into it, and the environment."""
        self.cloud.deploy("orchestration")
        bucket = self.cloud.output("orchestration", "DagsBucketName")
        version = self._requirements(bucket)
        self._publish(bucket)
        self.cloud.deploy("orchestration", RequirementsVersion=version)

    def _requirements(self, bucket: str) -> str:
        """Version of the requirements file in the bucket; put there only if it is another: MWAA starts anew for it."""
        file = PROJECT / "orchestration/requirements.txt"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        there = self.cloud.aws.finds(
            *("s3api", "head-object", "--bucket", bucket, "--key", "requirements.txt"),
            *("--query", "[Metadata.sha256, VersionId]", "--output", "text"),
        )
        known, _, version = (there or "").partition("\t")
        if known == digest:
            return version
        return self.cloud.aws.run(
            *("s3api", "put-object", "--bucket", bucket, "--key", "requirements.txt", "--body", str(file)),
            *("--metadata", f"sha256={digest}", "--query", "VersionId", "--output", "text"),
            stands_for="<version>",
        )

    def _publish(self, bucket: str) -> None:
        """The DAG, by way of a folder: ``aws`` puts it there with the credentials of everything else."""
        dag = Dag(user_id=self.settings.user_id)
        with tempfile.TemporaryDirectory(prefix="pinterest-dag-") as folder:
            (Path(folder) / dag.file_name).write_text(dag.text(), encoding="utf-8")
            source = str(Path("DAG" if self.rehearsed else folder) / dag.file_name)
            self.cloud.aws.run("s3", "cp", "--only-show-errors", source, f"s3://{bucket}/dags/{dag.file_name}")

    def _copy(self, file: str, key: str) -> None:
        self.cloud.aws.run("s3", "cp", "--only-show-errors", file, f"s3://{self.settings.bucket}/{key}")

    def _folder(self) -> Path:
        if self.software is None:
            raise SettingsError(
                "software must be given with --software DIR for streaming and client, got none "
                "(docs/infrastructure.md lists what is in it)"
            )
        return self.software
