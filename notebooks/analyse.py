# Databricks notebook source
# MAGIC %md
# MAGIC # Answers
# MAGIC Answers ten questions from the clean tables, each as a table and a chart. A post counts once, and only if it
# MAGIC has the values that the question needs; a tie shows every winner; years are UTC. Each answer is also saved as a
# MAGIC table of its name, which dashboards read.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import importlib.util
import os
import sys

if importlib.util.find_spec("pinterest_transforms") is None:
    sys.path.insert(0, os.path.abspath("../src"))

from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.analysis.charts import figure_for
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from pinterest_transforms.tables import answer_tables
from pinterest_transforms.operations import summaries
from pinterest_transforms.tables.creation import ensure_tables

# COMMAND ----------

# DBTITLE 1,Read the widgets, refresh the answers
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
ensure_tables(spark, settings)
found = answer_tables.read_answers(spark, settings, answer_tables.refresh_answers(spark, settings, log=print))


def show(name):
    print(answer_named(name).question)
    display(found[name])
    display(figure_for(name, found[name]))


# COMMAND ----------

# MAGIC %md ## Data freshness
# MAGIC Rows of each clean table, and when its newest record arrived (UTC).

# COMMAND ----------

display(summaries.freshness(spark, settings))

# COMMAND ----------

# MAGIC %md ## Most popular category in each country

# COMMAND ----------

show("top_category_by_country")

# COMMAND ----------

# MAGIC %md ## Posts of each category in each year

# COMMAND ----------

show("posts_by_category_and_year")

# COMMAND ----------

# MAGIC %md ## Most popular category in each year

# COMMAND ----------

show("top_category_by_year")

# COMMAND ----------

# MAGIC %md ## Poster with the most followers in each country

# COMMAND ----------

show("top_user_by_country")

# COMMAND ----------

# MAGIC %md ## Country of the poster with the most followers

# COMMAND ----------

show("top_user_country")

# COMMAND ----------

# MAGIC %md ## Most popular category in each age group

# COMMAND ----------

show("top_category_by_age_group")

# COMMAND ----------

# MAGIC %md ## Median follower count of each age group

# COMMAND ----------

show("median_followers_by_age_group")

# COMMAND ----------

# MAGIC %md ## Users who joined in each year

# COMMAND ----------

show("users_joined_by_year")

# COMMAND ----------

# MAGIC %md ## Median follower count by joining year

# COMMAND ----------

show("median_followers_by_join_year")

# COMMAND ----------

# MAGIC %md ## Median follower count by age group and joining year

# COMMAND ----------

show("median_followers_by_age_group_and_join_year")
