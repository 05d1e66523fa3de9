"""The plain notebook way: infer the schema, read everything, replace column by column, dropDuplicates, overwrite.

As published versions of this pipeline do it, faults included (contract, section 4, "Known wrong ways"). One thing
is changed: they ran where a failed cast gives null. Here casts are ``try_cast``, so that they do on Spark 4 as well.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

_PLACEHOLDERS = {
    "description": ["No description available Story format", "No description available", "Untitled"],
    "follower_count": ["User Info Error"],
    "image_src": ["Image src error"],
    "poster_name": ["User Info Error"],
    "tag_list": ["N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"],
    "title": ["No Title Data Available"],
}


def read(spark: SparkSession, topic: str) -> DataFrame:
    """Everything in the topic, with a schema made up from the data."""
    return spark.read.option("inferSchema", "true").json(f"{topic}/partition=*/*.json")


def _text(frame: DataFrame, name: str) -> Column:
    return F.col(name).cast("string") if name in frame.columns else F.lit(None).cast("string")


def clean_pins(frame: DataFrame) -> DataFrame:
    """Pins: placeholders to null, k and M to zeros, path of the save location."""
    for name, values in _PLACEHOLDERS.items():
        frame = frame.withColumn(name, _text(frame, name))
        for value in values:
            frame = frame.withColumn(name, F.when(F.col(name) == value, None).otherwise(F.col(name)))
    frame = frame.withColumn("follower_count", F.regexp_replace("follower_count", "k", "000"))
    frame = frame.withColumn("follower_count", F.regexp_replace("follower_count", "M", "000000"))
    frame = frame.withColumn("follower_count", F.col("follower_count").try_cast("int"))
    frame = frame.withColumn("save_location", F.regexp_replace("save_location", "Local save in ", ""))
    frame = frame.withColumn("ind", _text(frame, "index").try_cast("bigint"))
    frame = frame.select(
        "ind",
        "unique_id",
        "title",
        "description",
        "follower_count",
        "poster_name",
        "tag_list",
        "is_image_or_video",
        "image_src",
        "save_location",
        "category",
    )
    return frame.dropDuplicates()


def clean_geolocations(frame: DataFrame) -> DataFrame:
    """Geolocations: an array of the coordinates, the timestamp parsed."""
    for name in ("latitude", "longitude"):
        frame = frame.withColumn(name, _text(frame, name).try_cast("double"))
    frame = frame.withColumn("coordinates", F.array("latitude", "longitude"))
    frame = frame.drop("latitude", "longitude")
    frame = frame.withColumn("timestamp", F.try_to_timestamp(_text(frame, "timestamp")))
    frame = frame.withColumn("ind", _text(frame, "ind").try_cast("bigint"))
    return frame.select("ind", "country", "coordinates", "timestamp").dropDuplicates()


def clean_users(frame: DataFrame) -> DataFrame:
    """Users: one name of two, the date parsed."""
    frame = frame.withColumn("user_name", F.concat(F.col("first_name"), F.lit(" "), F.col("last_name")))
    frame = frame.drop("first_name", "last_name")
    frame = frame.withColumn("date_joined", F.try_to_timestamp(_text(frame, "date_joined")))
    frame = frame.withColumn("age", _text(frame, "age").try_cast("int"))
    frame = frame.withColumn("ind", _text(frame, "ind").try_cast("bigint"))
    return frame.select("ind", "user_name", "age", "date_joined").dropDuplicates()


CLEANERS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "pin": clean_pins,
    "geo": clean_geolocations,
    "user": clean_users,
}
