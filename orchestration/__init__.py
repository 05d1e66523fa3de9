"""Airflow: the DAG that starts the batch leg once a day, and the command that publishes it."""
