# Databricks notebook source
# MAGIC %md
# MAGIC # Clean a batch
# MAGIC Reads new files of the landing, cleans their records and merges them into `pins`, `geolocations` and `users`:
# MAGIC one row per post, the latest version wins. No record is lost: an unusable one is *rejected* into `quarantine`;
# MAGIC one with an unusable value is kept without that value and added there as *repaired*. A second run reads only
# MAGIC what is new since the first. With `undo`, the id of an earlier run, it reads nothing: it makes the tables as if
# MAGIC the files of that run had never come.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys
import uuid

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.entities import GEO, PIN, USER, entities_named
from pinterest_transforms.logs import configure_logging
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.operations import summaries, undo
from pinterest_transforms.tables import table_access
from pinterest_transforms.ingest.landing import check_landing, ingest_landing
from pinterest_transforms.tables.creation import ensure_tables

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest)")
dbutils.widgets.text("landing", "", "Path of the landing, the folder that holds topics/")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.dropdown("entity", "all", ["all", "pin", "geo", "user"], "Entity")
dbutils.widgets.text("run_id", "", "Run id (empty: a random one)")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.dropdown("rebuild", "false", ["false", "true"], "Rebuild: clean the whole landing again")
dbutils.widgets.text("undo", "", "Run to be undone (empty: ingest)")
dbutils.widgets.dropdown("allow_losses", "false", ["false", "true"], "Undo even if files with other versions are gone")
dbutils.widgets.dropdown("log_format", "text", ["text", "json"], "Log format")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Check the landing
# MAGIC The landing must exist and hold topics of this user id.

# COMMAND ----------

# DBTITLE 1,Read the widgets, check the landing
configure_logging(dbutils.widgets.get("log_format"))
leg = Leg(spark, Settings.from_widgets(dbutils, leg="batch"))
run_id = dbutils.widgets.get("run_id") or uuid.uuid4().hex
entities = entities_named(dbutils.widgets.get("entity"))
rebuild = dbutils.widgets.get("rebuild") == "true"
check_landing(leg)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Ingest new files, or undo a run
# MAGIC One row per topic: how many records were read, merged, there already, rejected and repaired. Of an undone run:
# MAGIC how many rows it had written, and how many of them an earlier version took the place of.

# COMMAND ----------

# DBTITLE 1,Read, clean, merge; or undo
ensure_tables(leg)
if undone_run := dbutils.widgets.get("undo"):
    allow_losses = dbutils.widgets.get("allow_losses") == "true"
    done = undo.undo_run(leg, entities, undone_run, allow_losses=allow_losses, refresh=False)
    display(undo.undone_frame(spark, done))
else:
    ingest_landing(leg, entities, run_id, rebuild=rebuild)
    display(summaries.read_run_totals(leg, run_id))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The clean tables
# MAGIC The first rows of each.

# COMMAND ----------

# DBTITLE 1,Show the first rows
df_pin = table_access.read(leg, leg.for_entity(PIN).clean_table).drop("_source")
df_geo = table_access.read(leg, leg.for_entity(GEO).clean_table).drop("_source")
df_user = table_access.read(leg, leg.for_entity(USER).clean_table).drop("_source")

for entity, frame in ((PIN, df_pin), (GEO, df_geo), (USER, df_user)):
    if entity in entities:
        print(f"{leg.for_entity(entity).clean_table}, the first few:")
        display(frame.orderBy("ind").limit(3))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Rejected and repaired records
# MAGIC How many records have each reason, and which columns are affected.

# COMMAND ----------

# DBTITLE 1,Count the reasons
totals = summaries.read_quarantine_totals(leg).toPandas()
for kind in ("rejected", "repaired"):
    display(totals[totals["kind"] == kind])

# COMMAND ----------

# MAGIC %md The table `quarantine` holds the records with their raw text.

# COMMAND ----------

# DBTITLE 1,Show the newest records in quarantine
display(summaries.read_quarantine(leg, *(leg.for_entity(entity).topic for entity in entities), limit=3))
