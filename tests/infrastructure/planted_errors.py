"""Mistakes in templates, each with its message: stack, the mistake, a part of the message."""

from collections.abc import Callable

from infrastructure.templates import Template

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def at(template: Template, *path: str | int) -> object:
    found: object = template["Resources"]
    for name in path:
        found = found[name]  # type: ignore[index]
    return found


def put(*path: str | int, to: object) -> Callable[[Template], None]:
    """A mistake: something else at a path below Resources."""

    def mistake(template: Template) -> None:
        at(template, *path[:-1])[path[-1]] = to  # type: ignore[index]

    return mistake


def drop(*path: str | int) -> Callable[[Template], None]:
    """A mistake: something is not there."""

    def mistake(template: Template) -> None:
        del at(template, *path[:-1])[path[-1]]  # type: ignore[attr-defined]

    return mistake


def elsewhere(*path: str, to: object) -> Callable[[Template], None]:
    """A mistake outside of Resources."""

    def mistake(template: Template) -> None:
        found: object = template
        for name in path[:-1]:
            found = found[name]  # type: ignore[index]
        found[path[-1]] = to  # type: ignore[index]

    return mistake


P = "Properties"
BUCKET_STATEMENT = ("BucketPolicy", P, "PolicyDocument", "Statement", 0)
SINK = ("Connector", P, "ConnectorConfiguration")
CLIENT_STATEMENTS = ("Role", P, "Policies", 0, "PolicyDocument", "Statement")
ARN = "arn:aws:execute-api:us-east-1:123456789012:*/prod"
DENIED = ("Api", P, "Policy", "Statement", 1, "NotResource")
PLANTED = [
    # versions and classes
    ("streaming", elsewhere("Parameters", "KafkaVersion", "Default", to="2.8.1"), "KafkaVersion must be one of"),
    (
        "streaming",
        elsewhere("Parameters", "KafkaVersion", "AllowedValues", to=["3.9.1"]),
        "KafkaVersion must be one of",
    ),
    ("streaming", put("Connector", P, "KafkaConnectVersion", to="3.9.x"), "KafkaConnectVersion must be one of 2.7.1"),
    ("streaming", put(*SINK, "connector.class", to="io.confluent.connect.s3.S3Sink"), "connector.class must be"),
    ("streaming", put(*SINK, "format.class", to="io.confluent.JsonFormat"), "format.class must be"),
    (
        "streaming",
        elsewhere("Parameters", "BrokerType", "AllowedValues", to=["kafka.t3.small"]),
        "BrokerType must be one that new clusters may have, got kafka.t3.small",
    ),
    (
        "orchestration",
        elsewhere("Parameters", "AirflowVersion", "Default", to="3.3.2"),
        "AirflowVersion must be one of",
    ),
    (
        "orchestration",
        put("Airflow", P, "AirflowConfigurationOptions", "secrets.backend", to="airflow.SecretsManager"),
        "secrets.backend must be",
    ),
    # least privilege
    ("client", put(*CLIENT_STATEMENTS, 0, "Action", to="*"), "Action must be named, got *"),
    ("client", put(*CLIENT_STATEMENTS, 0, "Action", to=["kafka-cluster:*"]), "got kafka-cluster:*"),
    ("client", put(*CLIENT_STATEMENTS, 1, "Resource", to="*"), "Resource of kafka-cluster:CreateTopic must be named"),
    ("client", put(*CLIENT_STATEMENTS, 1, "Resource", to=["arn:x", "*"]), "must be named, got *"),
    ("client", put(*CLIENT_STATEMENTS, 1, "NotAction", to="s3:x"), "NotAction must not be in a statement that allows"),
    (
        "client",
        put("Role", P, "AssumeRolePolicyDocument", "Statement", 0, "Principal", to={"AWS": "*"}),
        "Principal must be named, got *",
    ),
    (
        "databricks",
        put("StorageRole", P, "AssumeRolePolicyDocument", "Statement", 0, "Principal", to="*"),
        "Principal must be named, got * in UnityCatalog",
    ),
    ("streaming", put(*BUCKET_STATEMENT, to={**ALLOW, "Principal": "*"}), "Principal must be named"),
    ("streaming", put("BucketKey", P, "KeyPolicy", "Statement", 0, "Action", to="kms:*"), "got kms:*"),
    # nobody from outside
    (
        "network",
        put("ClientToBrokerIn", P, to={"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp"}),
        "ClientToBrokerIn: ingress from 0.0.0.0/0 must not be allowed",
    ),
    ("network", put("ClientToBrokerIn", P, to={"CidrIpv6": "::/0"}), "ingress from ::/0 must not be allowed"),
    ("network", put("ClientToBrokerIn", P, to={"CidrIp": "10.0.0.0/8"}), "ingress must be from a security group"),
    (
        "network",
        put("ClientSecurityGroup", P, "SecurityGroupIngress", to=[{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}]),
        "ClientSecurityGroup: ingress from 0.0.0.0/0 must not be allowed",
    ),
    ("network", put("AirflowToAirflow443In", P, "IpProtocol", to="-1"), "must have a protocol and ports, got all"),
    ("network", drop("BrokerSecurityGroup", P, "SecurityGroupEgress"), "must have egress rules"),
    ("network", put("PublicSubnet", P, "MapPublicIpOnLaunch", to=True), "MapPublicIpOnLaunch must not be True"),
    ("api", put("LoadBalancer", P, "Scheme", to="internet-facing"), "Scheme must not be internet-facing"),
    (
        "streaming",
        drop("Cluster", P, "ClientAuthentication", "Unauthenticated"),
        "ClientAuthentication.Unauthenticated.Enabled must be False, got None",
    ),
    ("client", put("Instance", P, "MetadataOptions", "HttpTokens", to="optional"), "HttpTokens must be required"),
    # encryption
    ("streaming", drop("Bucket", P, "BucketEncryption"), "Bucket: BucketEncryption must be aws:kms"),
    ("streaming", drop("BucketPolicy"), "Bucket: a bucket policy must deny requests without TLS"),
    (
        "orchestration",
        put("DagsBucketPolicy", P, "PolicyDocument", "Statement", 0, "Condition", to={}),
        "DagsBucket: a bucket policy must deny requests without TLS",
    ),
    ("streaming", drop("PinStream", P, "StreamEncryption"), "PinStream: StreamEncryption.KeyId must be set"),
    ("streaming", drop("Cluster", P, "EncryptionInfo", "EncryptionAtRest"), "DataVolumeKMSKeyId must be set"),
    (
        "streaming",
        put("Connector", P, "KafkaClusterEncryptionInTransit", "EncryptionType", to="PLAINTEXT"),
        "EncryptionType must be TLS, got PLAINTEXT",
    ),
    ("source", drop("Database", P, "ManageMasterUserPassword"), "ManageMasterUserPassword must be True"),
    ("source", drop("Database", P, "DBParameterGroupName"), "DBParameterGroupName must be set"),
    ("orchestration", drop("Airflow", P, "KmsKey"), "Airflow: KmsKey must be set"),
    (
        "client",
        put("Instance", P, "BlockDeviceMappings", 0, "Ebs", "Encrypted", to=False),
        "every disk must be Encrypted",
    ),
    (
        "api",
        put("AnyProxy", P, "Integration", "Uri", "Fn::Sub", to="http://${ProxyHost}:8082/{proxy}"),
        "AnyProxy: Uri must begin with https://",
    ),
    # the API
    ("api", drop("PutRecords"), "PUT /streams/{stream-name}/records must be PutRecords, got None"),
    ("api", put("PostStream", P, "HttpMethod", to="PATCH"), "PATCH /streams/{stream-name} must not exist"),
    ("api", put(*DENIED, 0, "Fn::Sub", to=f"{ARN}/POST/topics/*"), "Policy must deny POST /topics/other.pin"),
    ("api", put(*DENIED, 0, "Fn::Sub", to=f"{ARN}/POST/topics/${{UserId}}.*"), "/topics/0ab.pin/../other.pin"),
    # As an API's id a star takes slashes, too.
    (
        "api",
        put(*DENIED, 0, "Fn::Sub", to=f"{ARN}/POST/topics/${{UserId}}.pin"),
        "Policy must deny DELETE /consumers/readers/instances/one%3F/prod/POST/topics/0ab.pin",
    ),
    ("api", put(*DENIED, 0, "Fn::Sub", to=f"{ARN}/POST/topics/${{UserId}}.pins"), "must allow POST /topics/0ab.pin"),
    (
        "api",
        put("LoggingRole", P, "AssumeRolePolicyDocument", "Statement", 0, "Condition", to={"StringEquals": {"a": "b"}}),
        "LoggingRole must let API Gateway assume it without a Condition",
    ),
    ("api", drop(*DENIED, 3), "Policy must allow GET /streams"),
    ("api", put("Stage", "Type", to="AWS::ApiGatewayV2::Stage"), "a stage must exist"),
    ("api", drop("Stage", P, "StageName"), "Policy must allow GET /streams"),
    ("api", drop("Api", P, "Policy", "Statement", 1), "Policy must deny DELETE /consumers/readers/instances/one"),
    (
        "api",
        put("Api", P, "Policy", "Statement", 1, "Effect", to="Allow"),
        "NotResource must not be in a statement that allows",
    ),
    (
        "api",
        put(
            "PutRecord", P, "Integration", "Uri", "Fn::Sub", to="arn:aws:apigateway:us-east-1:kinesis:action/PutRecords"
        ),
        "PUT /streams/{stream-name}/record must be PutRecord, got PutRecords",
    ),
    (
        "api",
        drop("PutRecord", P, "Integration", "IntegrationResponses", 1),
        "Kinesis' 400 must be answered with 400, got 200",
    ),
    (
        "api",
        drop("PutRecord", P, "Integration", "IntegrationResponses", 2),
        "Kinesis' 500 must be answered with 500, got 200",
    ),
    (
        "api",
        put("GetStream", P, "Integration", "IntegrationResponses", 1, "SelectionPattern", to="400"),
        "GetStream: Kinesis' 403 must be answered with 400, got 200",
    ),
    ("api", drop("GetStream", P, "MethodResponses", 2), "GetStream: MethodResponses must have 500"),
    ("api", put("PostStream", P, "AuthorizationType", to="NONE"), "PostStream must require a signature or a key"),
    (
        "api",
        put("PostStream", P, "AuthorizationType", to="AWS_IAM"),
        "PostStream must require a key where Access is API_KEY",
    ),
    ("api", put("AnyProxy", P, "Integration", "TimeoutInMillis", to=30000), "TimeoutInMillis must be at most 29000"),
    ("api", drop("Api", P, "Policy"), "Api: Policy must be set"),
    ("api", drop("Stage", P, "MethodSettings", 0, "ThrottlingRateLimit"), "Stage must have throttling"),
    ("api", put("Stage", P, "MethodSettings", 0, "DataTraceEnabled", to=True), "DataTraceEnabled must be false"),
    # names
    ("streaming", put("Bucket", P, "BucketName", "Fn::Sub", to="${UserId}-bucket"), "BucketName user-0ab-bucket"),
    ("streaming", put("GeoStream", P, "Name", "Fn::Sub", to="streaming-${UserId}-geos"), "Name streaming-0ab-geo"),
    ("streaming", put("Plugin", P, "Name", "Fn::Sub", to="${UserId}-plug"), "must have Name 0ab-plugin"),
    ("client", put("Role", P, "RoleName", "Fn::Sub", to="${UserId}-client"), "RoleName 0ab-ec2-access-role"),
    ("api", put("KinesisAccessRole", P, "RoleName", to="kinesis"), "RoleName 0ab-kinesis-access-role"),
    ("orchestration", put("Airflow", P, "DagS3Path", to="dag/"), "DagS3Path dags/"),
    ("orchestration", elsewhere("Parameters", "EnvironmentName", "Default", to="env"), "Name Databricks-Airflow-env"),
    # parameters
    ("network", elsewhere("Parameters", "UserId", "AllowedPattern", to=".*"), "UserId must have the pattern"),
    (
        "client",
        elsewhere("Parameters", "New", to={"Type": "String", "Description": "Somebody must know."}),
        "New must have a default or be an output of an earlier stack",
    ),
    (
        "source",
        elsewhere(
            "Parameters", "DatabasePassword", to={"Type": "String", "Default": "", "Description": "The password."}
        ),
        "DatabasePassword must not be a secret",
    ),
]
