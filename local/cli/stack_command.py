"""``python -m local stack``: the whole system on this machine until Ctrl-C, and the batch notebooks over its bucket."""

import argparse
import os
import signal
import sys
import time
from typing import NoReturn

from local.cli.batch_command import BATCH_NOTEBOOKS, NOTEBOOKS, make_folder, run_notebooks
from local.cli.command_session import open_runner, run_emulation
from local.cli.step_progress import StepProgress
from local.runtime.jars import fetch_delta_jars
from local.stack.kafka_broker import fetch_kafka_jars
from local.stack.s3a_session import build_s3a_settings, fetch_s3a_jars
from local.stack.stack import Stack, read_environment
from pinterest_transforms.settings import Settings

_GLANCE = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def fetch_jars(options: argparse.Namespace) -> None:
    """Fetches the jars, and prints their files."""
    files = fetch_delta_jars()
    if options.stack:
        files += [*fetch_kafka_jars(), *fetch_s3a_jars()]
    print(*files, sep="\n")


def run(options: argparse.Namespace) -> None:
    """Starts the stack, or runs the batch notebooks over the bucket of one that runs."""
    (_run_stack if options.what == "up" else _run_batch)(options)


def _run_stack(options: argparse.Namespace) -> None:
    began = time.monotonic()
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with StepProgress() as steps, Stack(options.folder, options.user_id, steps) as stack:
            steps(f"making a source of {options.posts:,} posts")
            size = ("--posts", str(options.posts), "--seed", str(options.seed))
            run_emulation("generate", *size, "--replace", environment=stack.environment)
            with steps.pause():
                print(_format_addresses(stack, time.monotonic() - began), flush=True)
            steps("running until Ctrl-C")
            while True:
                time.sleep(_GLANCE)
                stack.check()
    except KeyboardInterrupt:
        print("stopped: every part has ended", file=sys.stderr)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    # One is enough: what comes while the parts are stopped must not leave one behind.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _format_addresses(stack: Stack, seconds: float) -> str:
    environment, folder = stack.environment, stack.folder
    python = ".venv/bin/python"
    streams = f'{python} -m local stream --warehouse {folder}/stream --endpoint "$AWS_ENDPOINT_URL_KINESIS"'
    return f"""\
started in {seconds:.0f} s; state and logs in {folder}
  source       {stack.mariadb.name}, 127.0.0.1:{stack.mariadb.port}
  API          {environment["PINTEREST_API_URL"]}
  REST proxy   {stack.proxy.url}
  Kafka        {stack.bootstrap}
  sink         {stack.sink.url}, writes to s3://{stack.settings.bucket}
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


def _run_batch(options: argparse.Namespace) -> None:
    from local.notebooks.bucket_filesystem import Buckets  # noqa: PLC0415 - boto3 is slow to import

    environment = read_environment(options.folder)
    warehouse = options.warehouse or options.folder / "warehouse"
    make_folder(warehouse, "warehouse", warehouse)
    # Also for boto3, and for Spark's own processes.
    os.environ.update(environment)
    settings = Settings(
        user_id=environment["PINTEREST_USER_ID"], landing=environment["PINTEREST_LANDING"], warehouse=str(warehouse)
    )
    with open_runner(warehouse, build_s3a_settings(environment)) as (runner, _):
        runner.dbutils_state.filesystem = Buckets(environment["AWS_ENDPOINT_URL_S3"])
        names = [name for name in BATCH_NOTEBOOKS if name != "analyse" or options.what == "batch"]
        run_notebooks(runner, settings, [NOTEBOOKS / name for name in names], access="external_location")
