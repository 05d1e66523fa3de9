"""S3 and Kinesis of the stack on loopback: moto's server, in a process of its own. What it holds ends with it.

    python -m local.stack_aws --port 4566

moto loses records of calls that come at the same moment, so they are taken one after another.
"""

import argparse
import logging
import threading
from collections.abc import Sequence

from local.stack_process import HOST, end_with_parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m local.stack_aws", description="S3 and Kinesis in memory.")
    parser.add_argument("--port", required=True, type=int, help="its loopback port")
    asked = parser.parse_args(arguments)
    end_with_parent()
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - takes a second
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import run_simple  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app, one_at_a_time = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def serve(environ, start_response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - WSGI
        with one_at_a_time:
            return list(app(environ, start_response))

    run_simple(HOST, asked.port, serve, threaded=True)


if __name__ == "__main__":
    main()
