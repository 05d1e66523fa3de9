"""``make build/landing``: a landing that is there is used as it is, or refused where other posts are given."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile, and with a Python that generates an empty landing."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nmkdir -p build/landing; echo "$@" >build/arguments\n', encoding="ascii")
    python.chmod(0o700)
    return tmp_path


def make(project: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and last line of ``make``, with everything set up already."""
    environment = {"PATH": os.environ["PATH"], **variables}
    given = ["make", "-s", "-o", ".make/local", "BIN=bin", *arguments]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(given, cwd=project, env=environment, text=True, check=False, **output)
    return done.returncode, [line for line in done.stdout.splitlines() if not line.startswith("make:")][-1]


def test_other_posts_than_a_landing_was_made_with_are_refused(project: Path) -> None:
    """Silently, a run would take the old ones; and nothing that is there is removed without a request."""
    make(project, "build/landing", "POSTS=200")
    assert "--posts 200 --seed 1" in (project / "build" / "arguments").read_text()
    using = (0, "using build/landing, made with POSTS=200 SEED=1")
    assert make(project, "build/landing") == using
    assert make(project, "build/landing", "SEED=1", POSTS="200") == using

    refused = "error: build/landing was made with POSTS=200 SEED=1, not {0}: make clean build/landing {0}"
    assert make(project, "build/landing", "POSTS=20") == (2, refused.format("POSTS=20"))
    assert make(project, "build/landing", "POSTS=200", SEED="7") == (2, refused.format("POSTS=200 SEED=7"))
    assert make(project, "clean", "build/landing", "POSTS=20", "SEED=7")[0] == 0
    assert "--posts 20 --seed 7" in (project / "build" / "arguments").read_text()


def test_a_landing_of_unknown_origin_is_used_unless_posts_are_given(project: Path) -> None:
    (project / "build" / "landing").mkdir(parents=True)
    assert make(project, "build/landing") == (0, "using build/landing, made with unknown POSTS and SEED")
    assert make(project, "build/landing", "POSTS=9")[0] == 2
