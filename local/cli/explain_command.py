"""``python -m local explain``: the posts behind a row of an answer, and where their records came from."""

import argparse
import sys
from dataclasses import replace

from local.cli.query_command import find_schemas, open_query_session, schema_settings, write_rows
from pinterest_transforms.analysis.answer_posts import parse_cell
from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.operations.explanation import explain
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables.creation import register_tables


def run(options: argparse.Namespace) -> None:
    """Prints the posts."""
    settings = check_explanation(options)
    with open_query_session(options) as (spark, steps):
        steps("finding the posts")
        leg = Leg(spark, settings)
        register_tables(leg)
        posts = explain(leg, options.answer, options.cell, raw=options.raw)
        write_rows(posts, options.format, sys.stdout, steps.end, widest=None)


def check_explanation(options: argparse.Namespace) -> Settings:
    """Checks what can be checked without Spark; names and places of the tables.

    Raises:
        SettingsError: there is no such answer, column, warehouse, schema or landing.
    """
    parse_cell(answer_named(options.answer), options.cell)
    schemas, chosen = find_schemas(options.warehouse, options.schema)
    if chosen is None:
        raise SettingsError(f"schema must be one of {', '.join(schemas)}, got none (--schema)")
    settings = schema_settings(options.warehouse, chosen)
    if settings.leg == "batch":
        settings = replace(settings, user_id=options.user_id, landing=str(options.landing))
        if options.raw and not options.landing.is_dir():
            raise SettingsError(
                f"landing must be an existing folder, got {options.landing}: raw texts are read from it"
            )
    return settings
