"""``python -m orchestration publish``: the DAG's file of a user id, put where Airflow reads it."""

import sys
from collections.abc import Sequence
from dataclasses import fields

from orchestration.publishing import Dag, publish
from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import add_user_id

USAGE, FAILED = 2, 1


def parser() -> OneLineParser:
    """What the command line takes."""
    top = OneLineParser(prog="python -m orchestration", description="The DAG that starts the batch leg once a day.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    about = "Writes <id>_dag.py into a folder or a bucket from which Airflow reads DAGs."
    command = commands.add_parser("publish", help="write <id>_dag.py into a folder or a bucket", description=about)
    command.add_argument("--to", required=True, metavar="DIR|s3://BUCKET/PREFIX/", help="where Airflow reads DAGs")
    add_user_id(command)
    command.add_argument("--job-name", metavar="NAME", help="name of the deployed job, if it is not production's")
    command.add_argument("--retries", type=int, metavar="N", help="tries after the first one")
    command.add_argument("--retry-seconds", type=int, metavar="N", help="pause before each of them")
    command.add_argument("--poll-seconds", type=int, metavar="N", help="time between two questions whether a run ended")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code: 0, 1 if the file cannot be written, 2 for an invalid command line."""
    try:
        given = vars(parser().parse_args(arguments))
        dag = Dag(**{field.name: given[field.name] for field in fields(Dag)})
        place, written = publish(dag, given["to"])
    except PinterestError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE if isinstance(error, SettingsError) else FAILED
    print(f"published {place}" if written else f"{place} is there already, and the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
