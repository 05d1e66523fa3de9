from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import lit

from local.runtime import spark_session
from local.runtime.java import check_java, run_java
from local.runtime.spark_java_process import MODULE_OPTIONS
from local.runtime.spark_session import GIB, choose_driver_memory, format_unused_archive
from pinterest_transforms.error_format import one_line


def _use_delta(spark: SparkSession, folder: Path, schema: str) -> DataFrame:
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    spark.sql(
        f"CREATE TABLE {schema}.t (id BIGINT COMMENT 'key', a STRING) USING delta LOCATION '{folder}' "
        "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    spark.range(10).select("id", lit("old").alias("a")).write.mode("append").format("delta").saveAsTable(f"{schema}.t")
    spark.sql(
        f"MERGE INTO {schema}.t t USING {{new}} n ON t.id = n.id WHEN MATCHED THEN UPDATE SET * "
        "WHEN NOT MATCHED THEN INSERT *",
        new=spark.range(5, 15).select("id", lit("new").alias("a")),
    )
    spark.sql(f"DELETE FROM {schema}.t WHERE id = 3")
    return spark.table(f"{schema}.t")


def test_delta_works_on_a_connect_session_too(connect: SparkSession, tmp_path: Path) -> None:
    table = _use_delta(connect, tmp_path / "t", "session_connect")

    rows = sorted((r.id, r.a) for r in table.collect())
    assert rows == [(i, "old" if i < 5 else "new") for i in range(15) if i != 3]
    connect.sql("DROP SCHEMA session_connect CASCADE")


def test_both_sessions_are_what_they_say(spark: SparkSession, connect: SparkSession) -> None:
    assert "connect" not in type(spark).__module__
    assert "connect" in type(connect).__module__
    assert isinstance(connect.range(1), DataFrame)


def test_a_session_is_utc_and_loopback_only(either: SparkSession) -> None:
    assert either.conf.get("spark.sql.session.timeZone") == "UTC"
    assert either.conf.get("spark.driver.bindAddress") == "127.0.0.1"


@pytest.mark.parametrize(
    ("gib", "expected"), [(1, "2048m"), (8, "2048m"), (16, "4096m"), (32, "8192m"), (256, "8192m")]
)
def test_the_driver_gets_a_quarter_of_the_memory_within_bounds(gib: int, expected: str) -> None:
    assert choose_driver_memory(gib * GIB) == expected


def test_a_session_litters_no_folder(spark: SparkSession, tmp_path: Path) -> None:
    before = {path.name for path in Path.cwd().iterdir()}
    spark.range(3).write.format("delta").save(str(tmp_path / "t"))

    assert {path.name for path in Path.cwd().iterdir()} == before
    assert not {"metastore_db", "spark-warehouse", "derby.log", "artifacts"} & before


def test_java_is_opened_to_spark_as_by_its_own_start_script(spark: SparkSession) -> None:
    wanted = spark._jvm.org.apache.spark.launcher.JavaModuleOptions.defaultModuleOptionArray()

    # Nothing here multiplies matrices, and Java would warn of that module at each start.
    assert set(wanted) - set(MODULE_OPTIONS) == {
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--add-modules=jdk.incubator.vector",
    }


@pytest.mark.parametrize(
    "stale",
    [b"crc\0\0\0\2\0\1\2\3\4", b"", b"other"],
    ids=["of another object", "empty", "of another program"],
)
def test_a_checksum_file_beside_an_object_is_no_reason_to_fail(
    either: SparkSession, tmp_path: Path, stale: bytes
) -> None:
    (tmp_path / "a.json").write_text('{"index": 1}\n', encoding="utf-8")
    (tmp_path / ".a.json.crc").write_bytes(stale)

    assert [row.value for row in either.read.text(f"{tmp_path}/a.json").collect()] == ['{"index": 1}']


def test_a_data_file_with_a_wrong_byte_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(1000).coalesce(1).write.format("delta").save(f"{tmp_path}/t")
    (file,) = (tmp_path / "t").glob("*.parquet")
    assert not list(tmp_path.rglob(".*.crc")), "Hadoop starts two processes for each"
    content = bytearray(file.read_bytes())
    content[200] ^= 1
    file.write_bytes(content)

    with pytest.raises(Exception) as error:  # noqa: PT011 - py4j's or pyspark's
        spark.read.format("delta").load(f"{tmp_path}/t").collect()

    assert "could not verify page integrity, CRC checksum verification failed" in one_line(error.value)


def test_an_archive_of_another_java_is_told_with_what_writes_a_new_one(tmp_path: Path) -> None:
    archive = tmp_path / "classes.jsa"
    assert format_unused_archive(archive, "17.0.15+6") == ""
    archive.write_bytes(b"\0" * 600 + b"OpenJDK 64-Bit Server VM (17.0.15+6) for linux-amd64")
    assert format_unused_archive(archive, "17.0.15+6") == format_unused_archive(archive, "") == ""
    assert format_unused_archive(archive, "17.0.1") == (
        "classes.jsa is not of this Java (17.0.1), so it starts slower; python -m local classes writes it again"
    )


def test_java_names_itself_in_an_archive_as_it_prints_its_version(tmp_path: Path) -> None:
    java, archive = check_java(), tmp_path / "classes.jsa"
    code, printed = run_java([java.command, "-Xshare:dump", f"-XX:SharedArchiveFile={archive}"], 60)
    assert code == 0, printed
    assert java.build
    assert format_unused_archive(archive, java.build) == ""
    assert format_unused_archive(archive, f"{java.build}0") != ""


@pytest.mark.parametrize("content", [None, b"", b"no archive"], ids=["missing", "empty", "not an archive"])
def test_java_starts_without_a_word_whatever_its_class_archive_holds(tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "classes.jsa"
    if content is not None:
        archive.write_bytes(content)
    options = spark_session._class_archive_options(archive)
    assert bool(options) is (content is not None)
    code, printed = run_java([check_java().command, *options, "-version"], 60)
    assert (code, "classes.jsa" in printed, "warning" in printed.lower()) == (0, False, False)
