"""Encryption, at rest and on the way."""

from collections.abc import Iterator, Mapping

from infrastructure.checks.sight import Sight, every, listed, mapping, within
from infrastructure.templates import Value

_TRUE = (True, "true")
# Of a kind of resource: where its encryption stands, and what it must be; None: anything, such as a key's name.
_AT_REST: Mapping[str, tuple[tuple[tuple[str, ...], tuple[Value, ...] | None], ...]] = {
    "AWS::Kinesis::Stream": (
        (("StreamEncryption", "EncryptionType"), ("KMS",)),
        (("StreamEncryption", "KeyId"), None),
    ),
    "AWS::RDS::DBInstance": (
        (("StorageEncrypted",), _TRUE),
        (("KmsKeyId",), None),
        (("ManageMasterUserPassword",), _TRUE),
        (("MasterUserSecret", "KmsKeyId"), None),
    ),
    "AWS::MSK::Cluster": ((("EncryptionInfo", "EncryptionAtRest", "DataVolumeKMSKeyId"), None),),
    "AWS::Logs::LogGroup": ((("KmsKeyId",), None),),
    "AWS::MWAA::Environment": ((("KmsKey",), None),),
    "AWS::KMS::Key": ((("EnableKeyRotation",), _TRUE),),
}
_IN_TRANSIT: Mapping[str, tuple[tuple[tuple[str, ...], tuple[Value, ...] | None], ...]] = {
    "AWS::MSK::Cluster": (
        (("EncryptionInfo", "EncryptionInTransit", "ClientBroker"), ("TLS",)),
        (("EncryptionInfo", "EncryptionInTransit", "InCluster"), _TRUE),
        (("ClientAuthentication", "Sasl", "Iam", "Enabled"), _TRUE),
    ),
    "AWS::KafkaConnect::Connector": (
        (("KafkaClusterEncryptionInTransit", "EncryptionType"), ("TLS",)),
        (("KafkaClusterClientAuthentication", "AuthenticationType"), ("IAM",)),
    ),
    "AWS::RDS::DBParameterGroup": ((("Parameters", "require_secure_transport"), ("1", "ON")),),
    "AWS::RDS::DBInstance": ((("DBParameterGroupName",), None),),
}


def at_rest(sight: Sight) -> Iterator[str]:
    """Whatever keeps data encrypts it, with a key of the account's own."""
    yield from _expected(sight, _AT_REST)
    for name, properties in sight.of("AWS::S3::Bucket"):
        rules = listed(within(properties, "BucketEncryption", "ServerSideEncryptionConfiguration"))
        defaults = [mapping(mapping(rule).get("ServerSideEncryptionByDefault")) for rule in rules]
        if not any(each.get("SSEAlgorithm") == "aws:kms" and each.get("KMSMasterKeyID") for each in defaults):
            yield f"{name}: BucketEncryption must be aws:kms with a key, got {rules or 'none'}"
        for setting in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"):
            if within(properties, "PublicAccessBlockConfiguration", setting) is not True:
                yield f"{name}: {setting} must be true"
    for name, properties in sight.of("AWS::EC2::Instance"):
        disks = [mapping(mapping(disk).get("Ebs")) for disk in listed(properties.get("BlockDeviceMappings"))]
        if not disks or not all(disk.get("Encrypted") is True for disk in disks):
            yield f"{name}: every disk must be Encrypted"


def in_transit(sight: Sight) -> Iterator[str]:
    """Whatever goes over a network goes over TLS."""
    yield from _expected(sight, _IN_TRANSIT)
    policies = dict(sight.of("AWS::S3::BucketPolicy"))
    for name, _ in sight.of("AWS::S3::Bucket"):
        if not any(policy.get("Bucket") == name and _tls_only(policy) for policy in policies.values()):
            yield f"{name}: a bucket policy must refuse what comes without TLS"
    for name, properties in sight.of("AWS::ApiGateway::Method"):
        uri = str(within(properties, "Integration", "Uri"))
        if not uri.startswith(("https://", "arn:")):
            yield f"{name}: Uri must begin with https://, got {uri}"
    for name, properties in sight.of(
        "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::TargetGroup"
    ):
        # TCP hands on what the two ends have encrypted between them.
        if properties.get("Protocol") not in ("TLS", "HTTPS", "TCP"):
            yield f"{name}: Protocol must be TLS, or TCP that hands TLS on, got {properties.get('Protocol')}"


def _expected(
    sight: Sight, table: Mapping[str, tuple[tuple[tuple[str, ...], tuple[Value, ...] | None], ...]]
) -> Iterator[str]:
    for kind, settings in table.items():
        for name, properties in sight.of(kind):
            for path, allowed in settings:
                found = within(properties, *path)
                if not found or (allowed is not None and found not in allowed):
                    must = f"be {allowed[0]}" if allowed else "be set"
                    yield f"{name}: {'.'.join(path)} must {must}, got {found}"


def _tls_only(policy: dict[str, Value]) -> bool:
    for statement in every(policy, "Statement"):
        for each in map(mapping, listed(statement)):
            refuses = each.get("Effect") == "Deny" and each.get("Principal") == "*" and each.get("Action") == "s3:*"
            if refuses and within(each, "Condition", "Bool", "aws:SecureTransport") in ("false", False):
                return True
    return False
