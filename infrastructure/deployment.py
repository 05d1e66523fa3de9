"""Deploys the stacks, with the steps that CloudFormation does not have."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infrastructure.api_deployment_hash import find_stale_deployments
from infrastructure.client_software import ARCHIVES, PLUGIN, PROJECT, collect_software, find_archive
from infrastructure.settings_files import check_brokers
from infrastructure.stacks import CloudFormation
from infrastructure.templates import get_template
from orchestration.publishing import Dag
from pinterest_transforms.errors import SettingsError


@dataclass
class Deployment:
    """Deploys stacks.

    Attributes:
        cloud: CloudFormation.
        software: folder of the archives for the client machine and the connector; None if not given.
    """

    cloud: CloudFormation
    software: Path | None = None

    def deploy(self, stack: str) -> None:
        """Deploys a stack with its files.

        Raises:
            DeployError: AWS reports an error.
            SettingsError: a required option is missing.
        """
        print(f"# {stack}", flush=True)
        special = {
            "streaming": self._deploy_streaming,
            "client": self._deploy_client,
            "api": self._deploy_api,
            "orchestration": self._deploy_orchestration,
        }
        special.get(stack, lambda: self.cloud.deploy(stack))()
        if not self.cloud.aws.dry_run:
            for name, value in self.cloud.outputs(stack).items():
                print(f"{name} = {value}", flush=True)

    def check(self, stacks: tuple[str, ...]) -> None:
        """Checks the requirements of the stacks before the first deploy.

        Raises:
            SettingsError: one is missing.
        """
        if "api" in stacks and (found := find_stale_deployments(get_template("api"))):
            raise SettingsError(found[0])
        if {"streaming", "client"} & set(stacks):
            if self.cloud.aws.dry_run:
                print("# streaming and client need --software DIR", flush=True)
            if self.software or not self.cloud.aws.dry_run:
                for pattern in (*ARCHIVES, PLUGIN):
                    find_archive(self._get_software(), pattern)
        if "orchestration" in stacks:
            if self.cloud.aws.dry_run:
                print("# a new orchestration needs --param DagsBucketName=…", flush=True)
            if not self.cloud.status("orchestration") and "DagsBucketName" not in self.cloud.given:
                raise SettingsError(
                    "DagsBucketName must be a globally unique bucket name, given with --param, got none "
                    "(the default, mwaa-dags-bucket, is taken)"
                )

    def brokers(self) -> str:
        """Addresses of the brokers, which MSK returns in any order, and no template can read.

        Sorted, since another order would replace the connector.
        """
        found = self.cloud.aws.run(
            *("kafka", "get-bootstrap-brokers", "--cluster-arn", self._get_streaming_output("ClusterArn")),
            *("--query", "BootstrapBrokerStringSaslIam", "--output", "text"),
            dry_run_result="<brokers>",
        )
        return found if self.cloud.aws.dry_run else ",".join(sorted(check_brokers(found).split(",")))

    def _get_streaming_output(self, name: str) -> str:
        """An output of the streaming stack, or the parameter given in its place."""
        return self.cloud.given.get(name) or self.cloud.output("streaming", name)

    def _deploy_streaming(self) -> None:
        """Deploys all but the connector, uploads its plugin, then deploys it with the brokers' addresses."""
        self.cloud.deploy("streaming")
        plugin = find_archive(self.software, PLUGIN) if self.software else Path("SOFTWARE", PLUGIN)
        key = f"plugins/{plugin.name}"
        self.cloud.aws.run("s3", "cp", "--only-show-errors", str(plugin), f"s3://{self.cloud.settings.bucket}/{key}")
        self.cloud.deploy("streaming", BootstrapBrokers=self.brokers(), PluginKey=key)

    def _deploy_client(self) -> None:
        """Uploads the software to the bucket, then deploys the machine, which installs it from there."""
        brokers = self.brokers()
        target = f"s3://{self._get_streaming_output('BucketName')}/software"
        with tempfile.TemporaryDirectory(prefix="pinterest-software-") as folder:
            if not self.cloud.aws.dry_run:
                collect_software(self._get_software(), self.cloud.settings, brokers, Path(folder))
            source = "SOFTWARE" if self.cloud.aws.dry_run else folder
            self.cloud.aws.run("s3", "sync", "--only-show-errors", "--delete", source, target)
        before = self.cloud.find_output("client", "ClientInstanceId")
        self.cloud.deploy("client")
        if before not in ("", self.cloud.find_output("client", "ClientInstanceId")):
            print("# the machine was replaced: deploy api too, which sends to the old one until then", flush=True)

    def _deploy_api(self) -> None:
        """Deploys the API, its TLS verification, which no template can set, and a new API deployment.

        An API deployment includes the values of parameters, but CloudFormation creates one for changed templates only.
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
            *("--description", "Created by python -m infrastructure deploy.", "--output", "text", "--query", "id"),
        )

    def _deploy_orchestration(self) -> None:
        """Deploys the bucket, uploads the requirements file and the DAG, then deploys the environment."""
        self.cloud.deploy("orchestration")
        bucket = self.cloud.output("orchestration", "DagsBucketName")
        version = self._put_requirements(bucket)
        dag = Dag(user_id=self.cloud.settings.user_id)
        with tempfile.TemporaryDirectory(prefix="pinterest-dag-") as folder:
            file = Path(folder, dag.file_name)
            file.write_text(dag.text(), encoding="utf-8")
            source = f"DAG/{file.name}" if self.cloud.aws.dry_run else str(file)
            self.cloud.aws.run("s3", "cp", "--only-show-errors", source, f"s3://{bucket}/dags/{file.name}")
        self.cloud.deploy("orchestration", RequirementsVersion=version)

    def _put_requirements(self, bucket: str) -> str:
        """Version of the requirements file; uploaded only if it differs, since MWAA restarts for a new one."""
        file = PROJECT / "orchestration/requirements.txt"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        there = self.cloud.aws.find(
            *("s3api", "head-object", "--bucket", bucket, "--key", "requirements.txt"),
            *("--query", "[Metadata.sha256, VersionId]", "--output", "text"),
        )
        known, _, version = (there or "").partition("\t")
        if known == digest:
            return version
        return self.cloud.aws.run(
            *("s3api", "put-object", "--bucket", bucket, "--key", "requirements.txt", "--body", str(file)),
            *("--metadata", f"sha256={digest}", "--query", "VersionId", "--output", "text"),
            dry_run_result="<version>",
        )

    def _get_software(self) -> Path:
        if self.software is None:
            raise SettingsError(
                "software must be given with --software DIR for streaming and client, got none "
                "(docs/operations/infrastructure.md lists its content)"
            )
        return self.software
