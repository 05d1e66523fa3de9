# Databricks notebook source
# MAGIC %md
# MAGIC # Check the landing
# MAGIC The first task of the batch job: it checks that the landing can be read and holds topics of this user id, and
# MAGIC lists its files. Otherwise it fails with one line that names the missing part.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.logs import configure_logging
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.operations.landing_summary import landing_summary

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("landing", "", "Path of the landing, the folder that holds topics/")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.dropdown("log_format", "text", ["text", "json"], "Log format")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Files of each topic
# MAGIC A topic without files has not received any record yet. If the newest file is too old, check the S3 sink first
# MAGIC (MSK Connect, state of the connector), then the producers. Files that are not ingested are listed by name: the
# MAGIC sink writes `<topic>+<partition>+<offset>.json`, or `.json.gz` where it compresses.

# COMMAND ----------

# DBTITLE 1,List the files
configure_logging(dbutils.widgets.get("log_format"))
leg = Leg(spark, Settings.from_widgets(dbutils, leg="batch"))
display(landing_summary(leg))
