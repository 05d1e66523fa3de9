# Databricks notebook source
# MAGIC %md
# MAGIC # Erase posts
# MAGIC Erases posts, by their keys or by their user, from the clean tables, `quarantine`, raw records and answers. No
# MAGIC later batch, replay or rebuild brings them back. For data stewards: pause the leg's jobs before.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.logs import configure_logging
from pinterest_transforms.operations import erasure
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.tables.creation import ensure_tables

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest, or pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("landing", "", "Landing whose files are rewritten by a purge: a volume or a mount")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.text("ind", "", "Keys of the posts, separated by commas")
dbutils.widgets.text("user_name", "", "Or the user's first and last name")
dbutils.widgets.text("date_joined", "", "And the day that user joined, such as 2016-03-01")
dbutils.widgets.dropdown("mode", "dry_run", list(erasure.MODES), "Count, erase, or erase and remove the bytes")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Find the posts
# MAGIC Two users may have one name, so the day of joining is needed, too. No name is printed here.

# COMMAND ----------

# DBTITLE 1,Read the widgets, look up the user
leg = Leg(spark, Settings.from_widgets(dbutils))
configure_logging("text")
ensure_tables(leg)
keys = set(erasure.parse_keys(dbutils.widgets.get("ind")))
user_name, date_joined = (dbutils.widgets.get(name) for name in ("user_name", "date_joined"))
if user_name or date_joined:
    keys |= set(erasure.find_keys_of_user(leg, user_name, date_joined))
print(f"{len(keys)} posts")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Erase them
# MAGIC `dry_run` counts rows and changes nothing. `erase` deletes the rows; older versions of the tables still hold
# MAGIC them. `purge` also rewrites files and removes older versions at once. After a failure run it again: it finishes
# MAGIC what is left.

# COMMAND ----------

# DBTITLE 1,Count, or erase and show the receipt
mode = dbutils.widgets.get("mode")
receipt = erasure.count_rows(leg, keys) if mode == "dry_run" else erasure.erase(leg, keys, purge=mode == "purge")
display(erasure.receipt_frame(spark, receipt))
