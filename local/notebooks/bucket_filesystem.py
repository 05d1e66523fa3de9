"""``dbutils.fs`` over the bucket of a running stack: ``s3a://``, as on a cluster."""

import boto3

from local.notebooks.dbutils import FileInfo, Filesystem

_SCHEME = "s3a://"


class Buckets(Filesystem):
    """``dbutils.fs`` that lists buckets too."""

    def __init__(self, endpoint: str | None) -> None:
        self._s3 = boto3.client("s3", endpoint_url=endpoint)

    def ls(self, path: str) -> list[FileInfo]:
        """Lists a folder of this machine or of a bucket."""
        if not path.startswith(_SCHEME):
            return super().ls(path)
        bucket, _, key = path.removeprefix(_SCHEME).partition("/")
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
        folders = [folder["Prefix"] for folder in found.get("CommonPrefixes", [])]
        return [FileInfo(f"{_SCHEME}{bucket}/{name}", f"{name.rstrip('/').rpartition('/')[2]}/") for name in folders]
