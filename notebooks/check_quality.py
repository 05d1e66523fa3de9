# Databricks notebook source
# MAGIC %md
# MAGIC # Check the quality
# MAGIC The quality gate, last task of the batch job. It fails the run, in one line with the value and the threshold, if
# MAGIC - more than `max_rejected_ratio` of a topic's records in this run were rejected: a producer changed or broke;
# MAGIC - the newest record of a topic arrived over `max_age_hours` ago, or none ever did: a producer or the sink has
# MAGIC   stopped. The time of arrival counts, not the time of a run: a run without new records passes as long as the
# MAGIC   data is new enough.
# MAGIC
# MAGIC Clean tables and answers stay as they are: no run has to be repeated once the cause is fixed.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.logs import configure_logging
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.operations import quality_gate, summaries
from pinterest_transforms.tables import creation

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest or, for the stream leg, pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.text("run_id", "", "Run id (empty: all runs of the last 24 hours)")
dbutils.widgets.text("max_rejected_ratio", "0.2", "Maximum share of rejected records, 0 to 1")
dbutils.widgets.text("max_age_hours", "48", "Maximum age of the newest record, in hours (0: no limit)")
dbutils.widgets.dropdown("log_format", "text", ["text", "json"], "Log format")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Metrics of each topic
# MAGIC Records that this run read, merged and rejected, and when the newest record of each topic arrived (UTC).

# COMMAND ----------

# DBTITLE 1,Collect the metrics
configure_logging(dbutils.widgets.get("log_format"))
leg = Leg(spark, Settings.from_widgets(dbutils))
run_id = dbutils.widgets.get("run_id")
thresholds = quality_gate.QualityThresholds.from_text(
    dbutils.widgets.get("max_rejected_ratio"), dbutils.widgets.get("max_age_hours")
)
creation.register_tables(leg)
metrics = quality_gate.collect_metrics(leg, run_id)
display(quality_gate.metrics_frame(spark, metrics))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Reasons for rejection
# MAGIC Counts over the whole table `quarantine`, which holds the records with their raw text.

# COMMAND ----------

# DBTITLE 1,Count the reasons
display(summaries.read_rejected_by_reason(leg))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Result
# MAGIC The cell fails if a metric exceeds its threshold.

# COMMAND ----------

# DBTITLE 1,Compare with the thresholds
quality_gate.check_metrics(metrics, thresholds, run_id)
