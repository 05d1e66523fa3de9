"""``python -m local stack``: the whole system on this machine until Ctrl-C, and the batch notebooks over its bucket."""

import argparse
import os
import signal
import subprocess
import sys
import time
from typing import NoReturn

from local.stack.stack import Stack, StackConfig, read_environment
from local.stack.stack_part import StackError

_GLANCE = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(options: argparse.Namespace) -> None:
    """Runs the chosen action.

    Raises:
        PinterestError: it cannot.
    """
    if options.what == "up":
        _up(options)
    else:
        _batch(options)


def _up(options: argparse.Namespace) -> None:
    from local.cli.step_progress import StepReporter  # noqa: PLC0415 - as in cli

    plan = StackConfig(options.folder, options.user_id)
    began = time.monotonic()
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with StepReporter() as steps, Stack(plan, steps) as stack:
            steps(f"making a source of {options.posts:,} posts")
            create_source(stack, options.posts, options.seed)
            with steps.paused():
                print(_format_addresses(stack, plan, time.monotonic() - began), flush=True)
            steps("running until Ctrl-C")
            while True:
                time.sleep(_GLANCE)
                stack.check()
    except KeyboardInterrupt:
        print("stopped: nothing of it runs any more", file=sys.stderr)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    # One is enough: what comes while the parts are stopped must not leave one behind.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def create_source(stack: Stack, posts: int, seed: int) -> None:
    """Makes the source in the stack's MariaDB, with the emulation's own command.

    Raises:
        StackError: it cannot be made.
    """
    made = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "emulation", "generate", "--posts", str(posts), "--seed", str(seed), "--replace"],
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StackError(f"the source must be made, got {made.stderr.strip().removeprefix('error: ')}")


def _format_addresses(stack: Stack, plan: StackConfig, seconds: float) -> str:
    """Addresses, and what to do with them."""
    environment, settings, folder = stack.environment, plan.settings, plan.folder
    python = ".venv/bin/python"
    streams = f'{python} -m local stream --warehouse {folder}/stream --endpoint "$AWS_ENDPOINT_URL_KINESIS"'
    return f"""\
started in {seconds:.0f} s; state and logs in {folder}
  source       {stack.mariadb.name}, 127.0.0.1:{stack.mariadb.port}
  API          {environment["PINTEREST_API_URL"]}
  REST proxy   {stack.proxy.url}
  Kafka        {stack.bootstrap}
  sink         {stack.sink.url}, writes to s3://{settings.bucket}
  S3           {stack.s3.url}
  Kinesis      {stack.kinesis.url}

in another terminal, in this folder:
  . {folder}/environment
  {python} -m emulation batches --all
  {python} -m local stack batch --folder {folder}
  {python} -m emulation streaming --streams create
  {python} -m emulation streaming --all
  {streams} --region {environment["AWS_DEFAULT_REGION"]}
"""


def _batch(options: argparse.Namespace) -> None:
    from local.cli.batch_command import PARAMETERS, make_warehouse  # noqa: PLC0415 - Spark's Python takes a second to import
    from local.cli.stack_batch import run_notebooks  # noqa: PLC0415
    from local.cli.step_progress import StepReporter  # noqa: PLC0415
    from local.notebooks.display import Screen  # noqa: PLC0415
    from local.runtime.spark_session import command_session  # noqa: PLC0415
    from local.stack.s3a_session import build_s3a_settings  # noqa: PLC0415

    environment = read_environment(options.folder)
    warehouse = (options.warehouse or options.folder / "warehouse").absolute()
    make_warehouse(warehouse)
    # Also for boto3, and for Spark's own processes.
    os.environ.update(environment)
    with StepReporter() as steps:
        screen = Screen()
        screen.paused = steps.paused
        steps("starting Spark")
        with command_session(warehouse, extra=build_s3a_settings(environment)) as spark:
            names = [name for name in PARAMETERS if name != "analyse" or options.what == "batch"]
            run_notebooks(spark, names, warehouse, environment, screen, steps)
            steps("stopping Spark")
