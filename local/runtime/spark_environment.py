"""The environment of Java and Spark: without the settings of other installations of Spark, Hadoop and Java."""

import os
import pwd
import re
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from local import PROJECT

# What Python's workers of Spark import: the library, and the Kinesis source.
_SOURCES = (str(PROJECT / "src"), str(PROJECT))
# Variables by which another installation of Spark, Hadoop or Java would change the session.
_FOREIGN_PREFIXES = ("SPARK_", "PYSPARK_", "_PYSPARK_", "HADOOP_", "HDFS_", "YARN_", "MAPRED_", "HIVE_")
_FOREIGN = ("MASTER", "CLASSPATH", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "PYTHONSTARTUP", "PYTHONHASHSEED")
_TOOL_OPTIONS = "JAVA_TOOL_OPTIONS"
# Of Java's own variable, the options for compiling and for reaching the network. An agent, a collector or a Spark
# setting in it would stop the start or change the session.
_TOOL_OPTION = re.compile(r"-XX:TieredStopAtLevel=[0-4]|-D(https?|ftp|socks|java\.net|javax\.net)[.A-Z]\S*")


def filter_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what other installations of Spark, Hadoop and Java have set.

    >>> filter_environment({"SPARK_HOME": "/opt/spark", "JAVA_TOOL_OPTIONS": "-javaagent:a -XX:TieredStopAtLevel=1"})
    {'JAVA_TOOL_OPTIONS': '-XX:TieredStopAtLevel=1'}
    """
    own = {
        name: value
        for name, value in environment.items()
        if name not in _FOREIGN and not name.startswith(_FOREIGN_PREFIXES)
    }
    if _TOOL_OPTIONS in own:
        own[_TOOL_OPTIONS] = " ".join(option for option in own[_TOOL_OPTIONS].split() if _TOOL_OPTION.fullmatch(option))
    return {name: value for name, value in own.items() if value or name != _TOOL_OPTIONS}


def remove_other_sparks() -> None:
    """Takes the Python side of another Spark out of the path of modules; before anything of pyspark is imported."""
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    try:
        own = Path(str(distribution("pyspark").locate_file(""))).resolve()
    except PackageNotFoundError:
        return
    others = {entry for entry in given if _holds_spark(Path(entry)) and Path(entry).resolve() != own}
    if others:
        os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in given if entry not in others)
        sys.path[:] = [entry for entry in sys.path if entry not in others]


def _holds_spark(folder: Path) -> bool:
    return (folder / "pyspark").is_dir() or folder.name.startswith(("pyspark.zip", "py4j-"))


def build_java_environment() -> dict[str, str]:
    """What every Java process of this project starts with; in this locale file names are UTF-8, as Python has them."""
    return {**filter_environment(os.environ), "LC_ALL": "C.UTF-8"}


def set_spark_environment() -> dict[str, str]:
    """Makes the environment of this process this project's own; that of Spark's Java process is returned."""
    import pyspark  # noqa: PLC0415 - not before other Sparks are left out

    own = filter_environment(os.environ)
    paths = own.get("PYTHONPATH", "").split(os.pathsep)
    ours = {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        # By it Spark finds its jars where it starts executors in separate processes.
        "SPARK_SCALA_VERSION": "2.13",
        # A machine whose own name has no address can do without one.
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([*_SOURCES, *filter(None, paths)])),
    }
    for name in set(os.environ) - set(own):
        del os.environ[name]
    os.environ.update(own | ours)
    return build_java_environment() | ours


def build_identity_options() -> list[str]:
    """Options that give Java the temporary folder of Python, and a user where the system has no name for this one."""
    options = [f"-Djava.io.tmpdir={tempfile.gettempdir()}"]
    if name := make_user_name():
        home = os.environ.get("HOME", "")
        folder = home if Path(home).is_absolute() and os.access(home, os.W_OK) else tempfile.gettempdir()
        options += [f"-Duser.name={name}", f"-Duser.home={folder}"]
    return options


def make_user_name() -> str:
    """A name for the user of this process, if the system has none, as in a container; else empty."""
    try:
        return "" if pwd.getpwuid(os.getuid()).pw_name else f"uid-{os.getuid()}"
    except KeyError:
        return f"uid-{os.getuid()}"
