# Databricks notebook source
# MAGIC %md
# MAGIC # Answers
# MAGIC Answers ten questions from the clean tables, each as a table and a chart. A post counts once, and only if it
# MAGIC has the values that the question needs; a tie shows every winner; years are UTC. Each answer is also saved as a
# MAGIC table of its name, which dashboards read.

# COMMAND ----------

# DBTITLE 1,Import the library
# A job installs the wheel; in a Git folder or a bundle's files the sources are beside this notebook.
import os
import sys

sys.path.append(os.path.abspath("../src"))

from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.analysis.charts import draw_answer
from pinterest_transforms.logs import configure_logging
from pinterest_transforms.settings import DEFAULT_USER_ID, Leg, Settings
from pinterest_transforms.tables import answer_tables
from pinterest_transforms.operations import summaries
from pinterest_transforms.operations.explanation import explain, parse_explanation
from pinterest_transforms.tables.creation import ensure_tables

# COMMAND ----------

# DBTITLE 1,Declare the widgets
dbutils.widgets.dropdown("leg", "batch", ["batch", "stream"], "Leg")
dbutils.widgets.text("catalog", "main", "Catalog")
dbutils.widgets.text("schema", "", "Schema (empty: pinterest or, for the stream leg, pinterest_stream)")
dbutils.widgets.text("user_id", DEFAULT_USER_ID, "User id")
dbutils.widgets.text("warehouse", "", "Folder of the tables (empty: managed by the catalog)")
dbutils.widgets.dropdown("log_format", "text", ["text", "json"], "Log format")
dbutils.widgets.text("explain", "", "Explain a number: an answer and column=value (empty: none)")
dbutils.widgets.dropdown("explain_raw", "no", ["no", "yes"], "Explain with raw texts")
dbutils.widgets.text("landing", "", "Landing, for raw texts of the batch leg")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Refresh the answers
# MAGIC An answer is computed again only if a clean table that it needs has changed since.

# COMMAND ----------

# DBTITLE 1,Refresh and read the answers
configure_logging(dbutils.widgets.get("log_format"))
leg = Leg(spark, Settings.from_widgets(dbutils))
ensure_tables(leg)
found = answer_tables.read_answers(leg, answer_tables.refresh_answers(leg))


def show(name):
    print(answer_named(name).question)
    display(found[name])
    display(draw_answer(name, found[name]))


# COMMAND ----------

# MAGIC %md
# MAGIC ## Data freshness
# MAGIC Rows of each clean table, and when its newest record arrived (UTC).

# COMMAND ----------

# DBTITLE 1,Show the data freshness
display(summaries.read_freshness(leg))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Most popular category in each country
# MAGIC The category with the most posts of each country.

# COMMAND ----------

# DBTITLE 1,Most popular category in each country
show("top_category_by_country")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Posts of each category in each year
# MAGIC Posts are counted by the year in which they were made.

# COMMAND ----------

# DBTITLE 1,Posts of each category in each year
show("posts_by_category_and_year")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Most popular category in each year
# MAGIC The category with the most posts of each year.

# COMMAND ----------

# DBTITLE 1,Most popular category in each year
show("top_category_by_year")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Poster with the most followers in each country
# MAGIC A poster counts once per country, with the highest follower count of their posts there.

# COMMAND ----------

# DBTITLE 1,Poster with the most followers in each country
show("top_user_by_country")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Country of the poster with the most followers
# MAGIC One row; if posters of several countries tie, the first country by name.

# COMMAND ----------

# DBTITLE 1,Country of the poster with the most followers
show("top_user_country")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Most popular category in each age group
# MAGIC Age groups are 18-24, 25-35, 36-50 and +50; users under 18 are in none.

# COMMAND ----------

# DBTITLE 1,Most popular category in each age group
show("top_category_by_age_group")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Median follower count of each age group
# MAGIC The exact median over posts.

# COMMAND ----------

# DBTITLE 1,Median follower count of each age group
show("median_followers_by_age_group")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Users who joined in each year
# MAGIC A user is a distinct combination of name, age and joining date.

# COMMAND ----------

# DBTITLE 1,Users who joined in each year
show("users_joined_by_year")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Median follower count by joining year
# MAGIC The exact median over posts, by the year in which their user joined.

# COMMAND ----------

# DBTITLE 1,Median follower count by joining year
show("median_followers_by_join_year")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Median follower count by age group and joining year
# MAGIC The exact median over posts, by both.

# COMMAND ----------

# DBTITLE 1,Median follower count by age group and joining year
show("median_followers_by_age_group_and_join_year")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Posts behind a number
# MAGIC Write an answer and one of its rows into the widget `explain`, such as
# MAGIC `top_category_by_country country=Cameroon`: the posts that were counted, and where their records came from.

# COMMAND ----------

# DBTITLE 1,Show the posts
if dbutils.widgets.get("explain"):
    answer, cell = parse_explanation(dbutils.widgets.get("explain"))
    display(explain(leg, answer, cell, raw=dbutils.widgets.get("explain_raw") == "yes"))
