"""Checks of settings that must be there and checkov does not look for: encryption at rest and in transit, access."""

from collections.abc import Iterator, Mapping

from infrastructure.checks.template_view import TemplateView, as_list, as_mapping, find_all, get_path
from infrastructure.templates import Value

_TRUE = (True, "true")
# By resource type: paths of settings with their allowed values; none for any value, such as a key's name.
_SETTINGS: Mapping[str, Mapping[str, tuple[Value, ...]]] = {
    "AWS::ApiGateway::RestApi": {"Policy": ()},
    # IMDSv2
    "AWS::EC2::Instance": {"MetadataOptions.HttpTokens": ("required",)},
    "AWS::Kinesis::Stream": {"StreamEncryption.KeyId": ()},
    "AWS::KafkaConnect::Connector": {
        "KafkaClusterEncryptionInTransit.EncryptionType": ("TLS",),
        "KafkaClusterClientAuthentication.AuthenticationType": ("IAM",),
    },
    "AWS::MSK::Cluster": {
        "EncryptionInfo.EncryptionAtRest.DataVolumeKMSKeyId": (),
        "ClientAuthentication.Sasl.Iam.Enabled": _TRUE,
        "ClientAuthentication.Unauthenticated.Enabled": (False,),
    },
    "AWS::MWAA::Environment": {"KmsKey": ()},
    "AWS::RDS::DBInstance": {
        "KmsKeyId": (),
        "ManageMasterUserPassword": _TRUE,
        "MasterUserSecret.KmsKeyId": (),
        "DBParameterGroupName": (),
    },
}


def check_settings(view: TemplateView) -> Iterator[str]:
    """Stores have a customer managed key, their clients use TLS and are authenticated."""
    for kind, settings in _SETTINGS.items():
        for name, properties in view.find_resources(kind):
            for path, allowed in settings.items():
                found = get_path(properties, *path.split("."))
                if found not in allowed if allowed else not found:
                    must = f"be {allowed[0]}" if allowed else "be set"
                    yield f"{name}: {path} must {must}, got {found}"


def check_encryption_at_rest(view: TemplateView) -> Iterator[str]:
    """Buckets are encrypted with a customer managed key, and disks are encrypted."""
    for name, properties in view.find_resources("AWS::S3::Bucket"):
        rules = as_list(get_path(properties, "BucketEncryption", "ServerSideEncryptionConfiguration"))
        defaults = [as_mapping(as_mapping(rule).get("ServerSideEncryptionByDefault")) for rule in rules]
        if not any(each.get("SSEAlgorithm") == "aws:kms" and each.get("KMSMasterKeyID") for each in defaults):
            yield f"{name}: BucketEncryption must be aws:kms with a key, got {rules or 'none'}"
    for name, properties in view.find_resources("AWS::EC2::Instance"):
        disks = [as_mapping(as_mapping(disk).get("Ebs")) for disk in as_list(properties.get("BlockDeviceMappings"))]
        if not disks or not all(disk.get("Encrypted") is True for disk in disks):
            yield f"{name}: every disk must be Encrypted"


def check_encryption_in_transit(view: TemplateView) -> Iterator[str]:
    """Requests to buckets, to the proxy and through the load balancer use TLS."""
    policies = dict(view.find_resources("AWS::S3::BucketPolicy"))
    for name, _ in view.find_resources("AWS::S3::Bucket"):
        if not any(policy.get("Bucket") == name and _denies_plain_text(policy) for policy in policies.values()):
            yield f"{name}: a bucket policy must deny requests without TLS"
    for name, properties in view.find_resources("AWS::ApiGateway::Method"):
        uri = str(get_path(properties, "Integration", "Uri"))
        if not uri.startswith(("https://", "arn:")):
            yield f"{name}: Uri must begin with https://, got {uri}"
    for name, properties in view.find_resources(
        "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::TargetGroup"
    ):
        # TCP passes through TLS of the two ends.
        if properties.get("Protocol") not in ("TLS", "HTTPS", "TCP"):
            yield f"{name}: Protocol must be TLS, or TCP that passes TLS through, got {properties.get('Protocol')}"


def _denies_plain_text(policy: dict[str, Value]) -> bool:
    for statement in find_all(policy, "Statement"):
        for each in map(as_mapping, as_list(statement)):
            refuses = each.get("Effect") == "Deny" and each.get("Principal") == "*" and each.get("Action") == "s3:*"
            if refuses and get_path(each, "Condition", "Bool", "aws:SecureTransport") in ("false", False):
                return True
    return False
