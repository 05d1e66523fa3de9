"""Resources for access to the landing: a volume, an external location, or none. A choice, so Python and not YAML."""

from databricks.bundles.core import Bundle, Resources
from databricks.bundles.external_locations import ExternalLocation, Lifecycle, Privilege, PrivilegeAssignment
from databricks.bundles.volumes import Volume, VolumeType

from resources.variables import Variables, mistakes, value


def load_resources(bundle: Bundle) -> Resources:
    """The resources of the landing; the first thing that the CLI runs, so wrong choices are reported here."""
    resources = Resources()  # type: ignore[no-untyped-call]
    if found := mistakes(bundle):
        for mistake in found:
            resources.add_diagnostic_error(mistake)
        return resources
    access = value(bundle, Variables.landing_access)
    url = f"s3://{value(bundle, Variables.bucket)}"
    if credential := value(bundle, Variables.storage_credential):
        resources.add_external_location("bucket", _location(bundle, url, credential))
        # By reference, so that the volume waits for the location.
        url = "${resources.external_locations.bucket.url}"
    if access == "volume":
        resources.add_volume("landing", _volume(VolumeType.EXTERNAL, "What the S3 sink writes.", url))
    elif access == "managed_volume":
        resources.add_volume("landing", _volume(VolumeType.MANAGED, "Landing that files are uploaded to."))
    return resources


def _volume(kind: VolumeType, comment: str, url: str | None = None) -> Volume:
    return Volume(
        catalog_name="${var.catalog}",
        schema_name="${resources.schemas.batch.name}",
        name="landing",
        volume_type=kind,
        storage_location=url,
        comment=comment,
    )


def _location(bundle: Bundle, url: str, credential: str) -> ExternalLocation:
    """The location, on which all access depends: a deploy without the credential's name must not remove it."""
    principal = value(bundle, Variables.service_principal)
    return ExternalLocation(
        name="pinterest_landing_${var.user_id}",
        url=url,
        credential_name=credential,
        comment="Bucket that the S3 sink writes to.",
        # The role may read and nothing else (infrastructure/templates/databricks.yaml). The workspace's own trial would
        # fail on a bucket in which nothing has landed yet.
        read_only=True,
        skip_validation=True,
        # File events want a queue, and the landing is listed.
        enable_file_events=False,
        grants=[PrivilegeAssignment(principal=principal, privileges=[Privilege.READ_FILES])] if principal else [],
        lifecycle=Lifecycle(prevent_destroy=True),
    )
