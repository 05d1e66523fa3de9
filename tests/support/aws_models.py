"""boto3's descriptions of AWS's services are read once per process."""

from collections.abc import Iterator
from functools import cache

import pytest


@pytest.fixture(scope="session", autouse=True)
def aws_models() -> Iterator[None]:
    """Sessions of boto3 share one loader.

    Each loader parses megabytes of JSON anew. A command opens one session in its life; the tests call hundreds of
    commands in one process.
    """
    from botocore import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        yield
