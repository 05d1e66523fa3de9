"""The library's version, which follows its code: one version for the wheel, the answer tables and ``runs``.

Serverless compute keeps an installed wheel whose version it has already, and an answer table is written again when the
library's version changed. A number that somebody must remember to raise fails both.
"""

import hashlib
from pathlib import Path

RELEASE = "0.1.0"


def library_version() -> str:
    """Returns the release with a hash of the package's source files, as in ``0.1.0+src3f2a9c01d2e4``.

    The same files give the same version, as a wheel, an editable install or a Git folder, on every platform.
    """
    package = Path(__file__).parent
    paths = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    digest = hashlib.sha256()
    for name in sorted(paths):
        # A checkout on Windows may have other line ends.
        content = paths[name].read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return f"{RELEASE}+src{digest.hexdigest()[:12]}"
