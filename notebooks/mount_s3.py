# Databricks notebook source
# MAGIC %md
# MAGIC # Access the landing
# MAGIC The S3 sink writes the Kafka topics to a bucket. This notebook gives access to that bucket and returns the path
# MAGIC of the landing, the folder that holds `topics/`. It is idempotent.
# MAGIC
# MAGIC | `access` | compute | requirement |
# MAGIC |---|---|---|
# MAGIC | `managed_volume` | every compute | a managed volume that files are uploaded to |
# MAGIC | `volume` | every compute | an external volume over the bucket |
# MAGIC | `external_location` | every compute | an external location over the bucket |
# MAGIC | `mount_keys` | classic, dedicated access | keys `access_key` and `secret_key` in a secret scope |
# MAGIC | `mount_instance_profile` | classic, dedicated access | an instance profile on the cluster |

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations.landing_access import ACCESS, resolve_landing_path

# COMMAND ----------

# DBTITLE 1,Read the widgets
dbutils.widgets.dropdown("access", "volume", list(ACCESS), "Way to the landing")
dbutils.widgets.text("landing", "", "Landing path (empty: made from the names)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("catalog", "main", "Catalog of the volume")
dbutils.widgets.text("schema", "", "Schema of the volume")
dbutils.widgets.text("mount_name", "", "Name below /mnt (empty: the bucket's)")
dbutils.widgets.text("scope", "pinterest", "Secret scope of the keys")

settings = Settings(
    user_id=dbutils.widgets.get("user_id"),
    catalog=dbutils.widgets.get("catalog"),
    schema=dbutils.widgets.get("schema"),
    landing=dbutils.widgets.get("landing"),
)

# COMMAND ----------

# DBTITLE 1,Resolve the landing's path
landing = resolve_landing_path(
    dbutils,
    settings,
    dbutils.widgets.get("access"),
    mount_name=dbutils.widgets.get("mount_name"),
    scope=dbutils.widgets.get("scope"),
)
print(f"landing: {landing}")

# COMMAND ----------

dbutils.notebook.exit(landing)
