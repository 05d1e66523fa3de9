# Databricks notebook source
# MAGIC %md
# MAGIC # Set up the tables
# MAGIC Creates the missing tables of a leg and its views (`posts` and `posts_identified`), migrates older tables by adding
# MAGIC columns, and checks the rest. It is idempotent. A job runs it once before its parallel tasks, because concurrent
# MAGIC CREATE TABLE statements for one table fail.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations import summaries
from pinterest_transforms.tables import creation

# COMMAND ----------

# DBTITLE 1,Read the widgets
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

# DBTITLE 1,Create and migrate
creation.set_up(spark, settings)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The tables
# MAGIC `delta_version` grows with every commit. `schema_version` is the library's: a table with a newer version needs a
# MAGIC newer library.

# COMMAND ----------

# DBTITLE 1,Show the tables and their versions
display(summaries.versions(spark, settings))
