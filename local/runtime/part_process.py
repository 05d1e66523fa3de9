"""What the processes of emulators and servers share: one loopback port, an end with the process that started them."""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import PinterestError

HOST = "127.0.0.1"
_PR_SET_PDEATHSIG = 1


def build_part_parser(module: str, about: str) -> OneLineParser:
    """A parser with the option that every part has, ``--port``."""
    parser = OneLineParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--port", required=True, type=int, help="its loopback port")
    return parser


def run_part(parser: OneLineParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Runs a part until it is ended, or the process that started it has ended; an error is one line."""
    try:
        options = parser.parse_args()
        end_with_parent()
        run(options)
    except PinterestError as error:
        sys.exit(f"error: {error}")
    except subprocess.TimeoutExpired as error:
        sys.exit(f"error: {Path(error.cmd[0]).name} must end within {error.timeout:g} s")


def serve(app: web.Application | Awaitable[web.Application], port: int) -> None:
    """Serves until this process is ended."""
    web.run_app(app, host=HOST, port=port, access_log=None, print=None, shutdown_timeout=0.1)


def end_with_parent() -> None:
    """Ends this process when the one that started it ends, however that happens.

    On Linux the kernel does it when the thread that started this process ends, also after ``exec``. Elsewhere a thread
    of this program checks once per second.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
