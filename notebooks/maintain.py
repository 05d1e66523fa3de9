# Databricks notebook source
# MAGIC %md
# MAGIC # Keep the tables small and quick
# MAGIC For every table of a leg: removes what has been kept for long enough, joins small files (`OPTIMIZE`), and
# MAGIC removes files that no table has named for `vacuum_hours` (`VACUUM`). Jobs may run meanwhile, the stream too. No
# MAGIC answer changes.
# MAGIC
# MAGIC | kept | for | by |
# MAGIC |---|---|---|
# MAGIC | raw records (stream leg) | `raw_days` | when they arrived |
# MAGIC | records in `quarantine` | `quarantine_days` | when they were first noted |
# MAGIC | files of older versions, for readers under way | `vacuum_hours`, 168 at least | when they were replaced |

# COMMAND ----------

# DBTITLE 1,The library
# The wheel that a job installs; else the sources beside this notebook, in a Git folder or a bundle's files.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings, parse_int
from pinterest_transforms.tables import creation, maintenance

# COMMAND ----------

# DBTITLE 1,Settings
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

# MAGIC %md ## Remove, join, clear away

# COMMAND ----------

# DBTITLE 1,Maintain
creation.register_tables(spark, settings)
done = maintenance.maintain(spark, settings, retention, log=print)

# COMMAND ----------

# MAGIC %md ## What was done

# COMMAND ----------

# DBTITLE 1,The tables before and after
display(maintenance.results_frame(spark, done))
