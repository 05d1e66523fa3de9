"""S3 of the stack: moto's server on loopback, in memory.

python -m local.stack.s3 --port 4566
"""

import argparse
import logging

from local.runtime.part_process import HOST, build_part_parser, run_part


def run(options: argparse.Namespace) -> None:
    """Serves until it is ended."""
    from moto.server import main  # noqa: PLC0415 - takes a second

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main(["--host", HOST, "--port", str(options.port)])


if __name__ == "__main__":
    run_part(build_part_parser("local.stack.s3", "S3 in memory."), run)
