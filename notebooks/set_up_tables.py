# Databricks notebook source
# MAGIC %md
# MAGIC # Make the tables
# MAGIC Makes the tables of a leg and the view `posts` where they are missing, brings older ones up to date by adding
# MAGIC columns only, and checks the rest. It is harmless to run it again. A job runs it once before the tasks that work
# MAGIC side by side: three that make the same table at once get in each other's way.

# COMMAND ----------

# DBTITLE 1,The library
# The wheel that a job installs; else the sources beside this notebook, in a Git folder or a bundle's files.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations import summaries
from pinterest_transforms.tables import creation

# COMMAND ----------

# DBTITLE 1,Settings
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest, or pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: the catalog manages them)")

settings = Settings(
    leg=dbutils.widgets.get("leg"),
    user_id=dbutils.widgets.get("user_id"),
    catalog=dbutils.widgets.get("catalog"),
    schema=dbutils.widgets.get("schema"),
    warehouse=dbutils.widgets.get("warehouse"),
)

# COMMAND ----------

# DBTITLE 1,Make what is missing
creation.set_up(spark, settings)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The tables
# MAGIC `delta_version` grows with every commit. `schema_version` is the library's: a table with a newer one needs a
# MAGIC newer library.

# COMMAND ----------

# DBTITLE 1,The tables and their versions
display(summaries.versions(spark, settings))
