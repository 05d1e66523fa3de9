# Databricks notebook source
# MAGIC %md
# MAGIC # Clean the streams
# MAGIC Reads the three Kinesis streams, archives every record as it came, cleans it with the rules of the batch leg
# MAGIC and merges it into one table per kind: one row per post, the latest version wins. Each stream has its own query
# MAGIC and checkpoint. With the trigger `available_now` the notebook reads what is there and ends (a scheduled job on
# MAGIC serverless compute); with an interval such as `5 seconds` it runs until it is cancelled, or until the file
# MAGIC `stop` appears beside the checkpoints (a continuous job on classic compute).

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys
import uuid

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.entities import entities_named
from pinterest_transforms.logs import configure_logging
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.operations import summaries, undo
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig, check_streams
from pinterest_transforms.tables.creation import ensure_tables
from pinterest_transforms.ingest.streams import rebuild_streams, ingest_streams

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.dropdown("entity", "all", ["all", "pin", "geo", "user"], "Entity")
dbutils.widgets.text("run_id", "", "Run id (empty: a random one)")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.text("raw_days", "30", "Retention of raw records, in days (0: forever)")
dbutils.widgets.text("region", "us-east-1", "AWS region of the streams")
dbutils.widgets.text("endpoint", "", "Kinesis endpoint URL (empty: AWS)")
dbutils.widgets.text(
    "credential", "", "Service credential (empty: keys of the secret scope, or the role of the compute)"
)
dbutils.widgets.text("scope", "", "Secret scope that holds access_key and secret_key")
dbutils.widgets.text(
    "initial_position", "trim_horizon", "Initial position: latest, trim_horizon or a time such as 2026-01-31T12:00:00Z"
)
dbutils.widgets.text("trigger", "available_now", "Trigger: available_now, or an interval such as 5 seconds")
dbutils.widgets.dropdown(
    "rebuild", "false", ["false", "true"], "Rebuild the tables from the raw records, read no stream"
)
dbutils.widgets.text("undo", "", "Run to be undone (empty: ingest)")
dbutils.widgets.dropdown("new_checkpoint", "false", ["false", "true"], "Start a new checkpoint at the initial position")
dbutils.widgets.dropdown("allow_losses", "false", ["false", "true"], "Continue even if records may be lost")
dbutils.widgets.dropdown("log_format", "text", ["text", "json"], "Log format")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Connect to Kinesis
# MAGIC All streams must exist and be readable, unless the tables are rebuilt from the raw records, or `undo` names a
# MAGIC run: then the tables are made as if its records had never come.

# COMMAND ----------

# DBTITLE 1,Read the widgets, check the streams
configure_logging(dbutils.widgets.get("log_format"))
leg = Leg(spark, Settings.from_widgets(dbutils, leg="stream"))
scope, credential = dbutils.widgets.get("scope"), dbutils.widgets.get("credential")
source = KinesisSourceConfig(
    region=dbutils.widgets.get("region"),
    endpoint=dbutils.widgets.get("endpoint"),
    initial_position=dbutils.widgets.get("initial_position"),
    trigger=dbutils.widgets.get("trigger"),
    service_credential=credential,
    access_key=dbutils.secrets.get(scope, "access_key") if scope else "",
    secret_key=dbutils.secrets.get(scope, "secret_key") if scope else "",
    allow_losses=dbutils.widgets.get("allow_losses") == "true",
    new_checkpoint=dbutils.widgets.get("new_checkpoint") == "true",
)
run_id = dbutils.widgets.get("run_id") or uuid.uuid4().hex
entities = entities_named(dbutils.widgets.get("entity"))
rebuild = dbutils.widgets.get("rebuild") == "true"
undone_run = dbutils.widgets.get("undo")
if not (rebuild or undone_run):
    client = source.client(dbutils.credentials.getServiceCredentialsProvider(credential) if credential else None)
    check_streams(client, leg.settings, entities)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Ingest the streams
# MAGIC One row per stream: how many records were read, merged, there already, rejected and repaired.

# COMMAND ----------

# DBTITLE 1,Archive, clean, merge
ensure_tables(leg)
if undone_run:
    done = undo.undo_run(leg, entities, undone_run, allow_losses=source.allow_losses)
    display(undo.undone_frame(spark, done))
elif rebuild:
    rebuild_streams(leg, entities, run_id, allow_losses=source.allow_losses)
else:
    ingest_streams(leg, entities, run_id, source, client)

display(summaries.read_run_totals(leg, run_id))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Rejected and repaired records
# MAGIC How many records have each reason, and fields that the schema does not know.

# COMMAND ----------

# DBTITLE 1,Count the reasons
totals = summaries.read_quarantine_totals(leg).toPandas()
for kind in ("rejected", "repaired"):
    display(totals[totals["kind"] == kind])
display(summaries.read_unknown_fields(leg))
