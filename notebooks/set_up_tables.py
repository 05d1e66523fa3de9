# Databricks notebook source
# MAGIC %md
# MAGIC # Set up the tables
# MAGIC Creates the missing tables of a leg and its views, migrates older tables by adding columns, and checks the
# MAGIC rest. It is idempotent. A job runs it once before its parallel tasks, because concurrent CREATE TABLE statements
# MAGIC for one table fail.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.operations import summaries
from pinterest_transforms.tables import creation

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest or, for the stream leg, pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Create and migrate
# MAGIC A table that is complete stays as it is.

# COMMAND ----------

# DBTITLE 1,Create and migrate
leg = Leg(spark, Settings.from_widgets(dbutils))
creation.set_up(leg)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The tables
# MAGIC `delta_version` grows with every commit. `schema_version` is the library's: a table with a newer version needs a
# MAGIC newer library.

# COMMAND ----------

# DBTITLE 1,Show the tables and their versions
display(summaries.read_versions(leg))
