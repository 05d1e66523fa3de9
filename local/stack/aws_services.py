"""S3 and Kinesis of the stack: moto's server on loopback, in memory.

python -m local.stack.aws_services --port 4566
"""

import argparse
from collections.abc import Sequence

from local.kinesis.moto_app import moto_app
from local.runtime.argument_types import int_between
from local.stack.stack_part import HOST, end_with_parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m local.stack.aws_services", description="S3 and Kinesis in memory.")
    parser.add_argument("--port", required=True, type=int_between(0, 65_535), help="its loopback port")
    options = parser.parse_args(arguments)
    end_with_parent()
    from werkzeug.serving import run_simple  # noqa: PLC0415 - takes a while, and errors of options come before

    run_simple(HOST, options.port, moto_app(), threaded=True)


if __name__ == "__main__":
    main()
