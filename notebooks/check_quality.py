# Databricks notebook source
# MAGIC %md
# MAGIC # Can the answers be trusted?
# MAGIC The quality gate, last task of the batch job. It fails the run, in one line with the figure and the bar, where
# MAGIC - more than `most_rejected` of what a topic sent in this run was rejected: a sender has changed, or is broken;
# MAGIC - the newest record of a topic arrived more than `stale_hours` ago, or none ever did: a sender or the way here
# MAGIC   has fallen silent. When it arrived counts, not when a run looked: a run that finds nothing passes, as long as
# MAGIC   what is there is new enough.
# MAGIC
# MAGIC What was cleaned and answered stays as it is: nobody has to run anything again once the cause is known.

# COMMAND ----------

# DBTITLE 1,The library
# The wheel that a job installs; else the sources beside this notebook, in a Git folder or a bundle's files.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations import quality_gate, summaries
from pinterest_transforms.tables import creation

# COMMAND ----------

# DBTITLE 1,Settings
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest, or pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: the catalog manages them)")
dbutils.widgets.text("run_id", "", "Run id (empty: all runs of the last day)")
dbutils.widgets.text("most_rejected", "0.2", "Share of records that may be rejected, 0 to 1")
dbutils.widgets.text("stale_hours", "48", "Age the newest record may have, in hours (0: any)")

settings = Settings(
    leg=dbutils.widgets.get("leg"),
    user_id=dbutils.widgets.get("user_id"),
    catalog=dbutils.widgets.get("catalog"),
    schema=dbutils.widgets.get("schema"),
    warehouse=dbutils.widgets.get("warehouse"),
)
run_id = dbutils.widgets.get("run_id")
thresholds = quality_gate.QualityThresholds.from_text(
    dbutils.widgets.get("most_rejected"), dbutils.widgets.get("stale_hours")
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The figures
# MAGIC What this run read and what became of it, and when the newest record of each topic arrived (UTC).

# COMMAND ----------

# DBTITLE 1,Measure
creation.register_tables(spark, settings)
metrics = quality_gate.collect_metrics(spark, settings, run_id)
display(quality_gate.metrics_frame(spark, metrics))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Why records were rejected
# MAGIC Of all that is kept in `quarantine`, where the records stand with their raw text.

# COMMAND ----------

# DBTITLE 1,Reasons
display(summaries.rejected_by_reason(spark, settings))

# COMMAND ----------

# MAGIC %md ## The verdict

# COMMAND ----------

# DBTITLE 1,Fail the run, or let it pass
quality_gate.check_metrics(metrics, thresholds, run_id)
print("passed")
