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
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.operations.landing_access import ACCESS, resolve_landing_path

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.dropdown("access", "volume", list(ACCESS), "Access to the landing")
dbutils.widgets.text("landing", "", "Path of the landing (empty: derived from the user id)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("catalog", "main", "Catalog of the volume")
dbutils.widgets.text("schema", "", "Schema of the volume")
dbutils.widgets.text("mount_name", "", "Mount name below /mnt (empty: name of the bucket)")
dbutils.widgets.text("scope", "pinterest", "Secret scope that holds access_key and secret_key")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Path of the landing
# MAGIC If the landing cannot be read, the error names what works on this compute.

# COMMAND ----------

# DBTITLE 1,Resolve the landing's path
landing = resolve_landing_path(
    dbutils,
    Settings.from_widgets(dbutils, leg="batch"),
    dbutils.widgets.get("access"),
    mount_name=dbutils.widgets.get("mount_name"),
    scope=dbutils.widgets.get("scope"),
)
print(f"landing: {landing}")

# COMMAND ----------

# DBTITLE 1,Return the path to the caller
dbutils.notebook.exit(landing)
