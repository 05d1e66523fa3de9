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
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings, parse_int
from pinterest_transforms.tables import creation, maintenance

# COMMAND ----------

# DBTITLE 1,Read the widgets
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest, or pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: the catalog manages them)")
dbutils.widgets.text("raw_days", "30", "Days that raw records are kept (0: for ever)")
dbutils.widgets.text("quarantine_days", "90", "Days that records in quarantine are kept (0: for ever)")
dbutils.widgets.text("vacuum_hours", "168", "Hours that files of older versions are kept")

settings = Settings(
    leg=dbutils.widgets.get("leg"),
    user_id=dbutils.widgets.get("user_id"),
    catalog=dbutils.widgets.get("catalog"),
    schema=dbutils.widgets.get("schema"),
    warehouse=dbutils.widgets.get("warehouse"),
    raw_days=parse_int(dbutils.widgets.get("raw_days"), "raw_days", maximum=36_500),
)
retention = maintenance.Retention.from_text(dbutils.widgets.get("quarantine_days"), dbutils.widgets.get("vacuum_hours"))

# COMMAND ----------

# MAGIC %md ## Delete, compact, vacuum

# COMMAND ----------

# DBTITLE 1,Maintain
creation.register_tables(spark, settings)
done = maintenance.maintain(spark, settings, retention, log=print)

# COMMAND ----------

# MAGIC %md ## Result

# COMMAND ----------

# DBTITLE 1,Show the tables before and after
display(maintenance.results_frame(spark, done))
