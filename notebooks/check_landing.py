# Databricks notebook source
# MAGIC %md
# MAGIC # Is the landing there?
# MAGIC The first task of the batch job: before anything works for long, it makes sure that the landing can be read and
# MAGIC holds topics of this user id, and shows what stands in it. If not, it fails with one line that says what is
# MAGIC missing.

# COMMAND ----------

# DBTITLE 1,The library
# The wheel that a job installs; else the sources beside this notebook, in a Git folder or a bundle's files.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations.landing_summary import landing_summary

# COMMAND ----------

# DBTITLE 1,Settings
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
# MAGIC ## What has landed
# MAGIC A topic without files has not sent anything yet. A newest file that is older than it should be: look at the S3
# MAGIC sink first (MSK Connect, its connector's state), then at the senders. Files that are not taken are named: the
# MAGIC sink writes `<topic>+<partition>+<offset>.json`, or `.json.gz` where it compresses.

# COMMAND ----------

# DBTITLE 1,Files of each topic
display(landing_summary(spark, settings, log=print))
