"""What of the environment reaches Java and Spark; no Spark is started."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from local.runtime.spark_environment import build_identity_options, build_java_environment, filter_environment

KEPT = {"PATH": "/bin", "HOME": "/h", "JAVA_HOME": "/j", "AWS_REGION": "r", "PINTEREST_SPARK_LOG": "warn"}


@pytest.mark.parametrize(
    "name",
    [
        *("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_API_MODE", "SPARK_USER"),
        *("SPARK_LOCAL_IP", "SPARK_LOCAL_DIRS", "SPARK_CLASSPATH", "SPARK_DIST_CLASSPATH", "SPARK_MASTER", "MASTER"),
        *("PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "PYSPARK_PYTHON", "PYTHONSTARTUP"),
        *("PYSPARK_DRIVER_PYTHON", "PYSPARK_PIN_THREAD", "HADOOP_CONF_DIR", "HADOOP_HOME", "HADOOP_USER_NAME"),
        *("YARN_CONF_DIR", "HIVE_CONF_DIR", "CLASSPATH", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"),
    ],
)
def test_what_another_installation_has_set_is_left_out(name: str) -> None:
    assert filter_environment({**KEPT, name: "anything"}) == KEPT


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("-XX:TieredStopAtLevel=1", "-XX:TieredStopAtLevel=1"),
        ("-Dhttps.proxyHost=p -Djavax.net.ssl.trustStore=/t", "-Dhttps.proxyHost=p -Djavax.net.ssl.trustStore=/t"),
        ("-javaagent:/opt/agent.jar", None),
        ("-agentlib:jdwp=transport=dt_socket,server=y,suspend=y -XX:+UseG1GC", None),
        ("-Dspark.master=yarn -XX:TieredStopAtLevel=1 -Xmx9g", "-XX:TieredStopAtLevel=1"),
        ("-Dhttpserver=x", None),
        ("", None),
    ],
)
def test_of_java_s_own_variable_only_what_cannot_change_the_session_is_kept(options: str, kept: str | None) -> None:
    assert filter_environment({"JAVA_TOOL_OPTIONS": options}).get("JAVA_TOOL_OPTIONS") == kept


def test_java_names_files_in_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")

    assert build_java_environment()["LC_ALL"] == "C.UTF-8"


def test_a_user_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(number: int) -> pwd.struct_passwd:
        raise KeyError(number)

    assert [option for option in build_identity_options() if "user." in option] == []
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build_identity_options()[1:] == [f"-Duser.name=uid-{os.getuid()}", f"-Duser.home={tmp_path}"]
    temporary = build_identity_options()[0].removeprefix("-Djava.io.tmpdir=")
    for unusable in ("relative", "/no/such"):
        monkeypatch.setenv("HOME", unusable)
        assert build_identity_options()[2] == f"-Duser.home={temporary}"


def test_a_locale_that_is_not_utf_8_changes_no_name(tmp_path: Path) -> None:
    missing = tmp_path / "Ä日"

    got = subprocess.run(
        [sys.executable, "-m", "local", "batch", "--landing", str(missing), "--warehouse", "w"],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )

    assert got.stderr.decode() == f"error: landing must be a folder that holds topics/, got {str(missing)!r}\n"
