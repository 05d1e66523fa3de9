"""Runs notebooks for the tasks of a workspace emulator, in the session of the test's process.

A task's own start of Spark takes longer than most of the notebooks. ``tests/bundle/task.py``, which the emulator starts
for each task, asks this server to run ``python -m local notebook``, prints what that printed, and ends as that ended.
"""

import contextlib
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pyspark.sql import SparkSession

from local.cli import local_cli
from tests.support.catalog import forget_tables


@contextlib.contextmanager
def notebook_server(spark: SparkSession) -> Iterator[str]:
    """The server's address, for as long as the context lasts."""
    # One notebook at a time: each has this process's standard output and current folder.
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            words = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with one_at_a_time:
                # Two runs may have two warehouses, whose schema has one name.
                forget_tables(spark, "pinterest*")
                answer = json.dumps(_run(words)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name it has there
            """Nothing: a test's output is the test's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def _run(words: list[str]) -> dict[str, object]:
    """Exit code and output of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: object = local_cli.main(["notebook", *words])
        except SystemExit as ended:
            code = ended.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}
