# Databricks notebook source
# MAGIC %md
# MAGIC # Check the landing
# MAGIC The first task of the batch job: it checks that the landing can be read and holds topics of this user id, and
# MAGIC lists its files. Otherwise it fails with one line that names what is missing.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations.landing_summary import landing_summary

# COMMAND ----------

# DBTITLE 1,Read the widgets
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("landing", "", "Landing path")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: the catalog manages them)")

settings = Settings(
    user_id=dbutils.widgets.get("user_id"),
    catalog=dbutils.widgets.get("catalog"),
    schema=dbutils.widgets.get("schema"),
    landing=dbutils.widgets.get("landing"),
    warehouse=dbutils.widgets.get("warehouse"),
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Files of each topic
# MAGIC A topic without files has not received any record yet. If the newest file is too old, check the S3 sink first
# MAGIC (MSK Connect, state of the connector), then the producers. Files that are not ingested are listed by name: the
# MAGIC sink writes `<topic>+<partition>+<offset>.json`, or `.json.gz` where it compresses.

# COMMAND ----------

# DBTITLE 1,List the files
display(landing_summary(spark, settings, log=print))
