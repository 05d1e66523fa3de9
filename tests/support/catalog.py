"""The catalog of a session that several warehouses share: two of them have a schema of one name."""

from pyspark.sql import SparkSession


def forget_tables(spark: SparkSession, *patterns: str) -> None:
    """Drops the views and tables of some schemas from the catalog.

    The tables' files stay: each has a location. The schemas stay, too: a schema that is dropped takes its folder away.

    Args:
        spark: session.
        patterns: of the schemas' names, as ``SHOW SCHEMAS LIKE`` has them.
    """
    spark.sql("USE default")
    for (schema,) in spark.sql(f"SHOW SCHEMAS LIKE '{'|'.join(patterns)}'").collect():
        views = {row.viewName for row in spark.sql(f"SHOW VIEWS IN {schema}").collect()}
        # Both list the session's temporary views, too, which are no schema's.
        names = [row.tableName for row in spark.sql(f"SHOW TABLES IN {schema}").collect() if not row.isTemporary]
        for name in sorted(names, key=lambda name: name not in views):
            spark.sql(f"DROP {'VIEW' if name in views else 'TABLE'} {schema}.`{name}`")
