"""S3 of the stack: moto's server on loopback, in memory.

python -m local.stack.s3 --port 4566
"""

import logging
import sys
from collections.abc import Sequence

from local.stack.stack_part import HOST, end_with_parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is ended; the options are those of moto's server."""
    end_with_parent()
    from moto.server import main as serve  # noqa: PLC0415 - takes a second

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    serve(["--host", HOST, *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    main()
