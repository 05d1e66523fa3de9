# Databricks notebook source
# MAGIC %md
# MAGIC # Maintain the tables
# MAGIC For every table of a leg: deletes rows past their retention, compacts small files (`OPTIMIZE`), and deletes
# MAGIC files that no table has referenced for `vacuum_hours` (`VACUUM`). Jobs and streams may run meanwhile. No answer
# MAGIC changes.
# MAGIC
# MAGIC | data | retention | counted from |
# MAGIC |---|---|---|
# MAGIC | raw records (stream leg) | `raw_days` | their arrival |
# MAGIC | records in `quarantine` | `quarantine_days` | their first rejection or repair |
# MAGIC | files of older versions, for active readers | `vacuum_hours`, at least 168 | their replacement |

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.logs import configure_logging
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.tables import creation, maintenance

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest or, for the stream leg, pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.text("raw_days", "30", "Retention of raw records, in days (0: forever)")
dbutils.widgets.text("quarantine_days", "90", "Retention of quarantine, in days (0: forever)")
dbutils.widgets.text("vacuum_hours", "168", "Retention of files of older table versions, in hours")
dbutils.widgets.dropdown("log_format", "text", ["text", "json"], "Log format")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Delete, compact, vacuum
# MAGIC The name of each table is shown when its turn comes.

# COMMAND ----------

# DBTITLE 1,Maintain
configure_logging(dbutils.widgets.get("log_format"))
leg = Leg(spark, Settings.from_widgets(dbutils))
retention = maintenance.Retention.from_text(dbutils.widgets.get("quarantine_days"), dbutils.widgets.get("vacuum_hours"))
creation.register_tables(leg)
done = maintenance.maintain(leg, retention)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Result
# MAGIC Rows that were deleted, and the data files of each table before and after.

# COMMAND ----------

# DBTITLE 1,Show the tables before and after
display(maintenance.results_frame(spark, done))
