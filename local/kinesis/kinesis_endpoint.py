"""A Kinesis endpoint on loopback, for a run on one machine: the emulator, in another process.

What it holds is gone when it ends, which it does when its standard input does: with the process that started it,
whatever becomes of that.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local import PROJECT
from pinterest_transforms.errors import StreamError

REGION = "us-east-1"


@contextmanager
def kinesis_endpoint() -> Iterator[str]:
    """The address of an endpoint that lives as long as this context.

    Raises:
        StreamError: it does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "local.kinesis.kinesis_emulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        # Ctrl-C is for the run, which ends this process when it has ended itself.
        start_new_session=True,
    )
    try:
        assert process.stdout  # noqa: S101 - opened above
        port = process.stdout.readline().strip().decode()
        if not port:
            raise StreamError("the Kinesis endpoint must print its port, got nothing: is aiohttp installed?")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.communicate()
