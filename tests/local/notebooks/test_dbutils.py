import io
from collections.abc import Callable
from pathlib import Path

import pytest

from local.notebooks.notebook_runner import Runner
from local.notebooks.source_format import NotebookError
from pinterest_transforms.errors import PinterestError

CANARY = "canary-7f3a9"
Write = Callable[..., Path]


def test_parameters_win_over_defaults(runner: Runner, write: Write) -> None:
    path = write(
        "dbutils.widgets.text('a', 'default a', 'A')\ndbutils.widgets.dropdown('b', 'one', ['one', 'two'])",
        "dbutils.notebook.exit([dbutils.widgets.get(name) for name in 'ab'])",
    )

    assert runner.run(path) == "['default a', 'one']"
    assert runner.run(path, {"a": "1", "b": "two"}) == "['1', 'two']"


@pytest.mark.parametrize(
    ("cell", "parameters", "message"),
    [
        ("dbutils.widgets.dropdown('a', 'x', ['x', 'y'])", {"a": "z"}, "widget a must be one of x, y, got 'z'"),
        ("dbutils.widgets.dropdown('a', 'w', ['x', 'y'])", {}, "widget a must be one of x, y, got 'w'"),
        ("dbutils.widgets.text('a', '')\ndbutils.widgets.get('b')", {}, "widget must be one of a, got 'b'"),
    ],
)
def test_wrong_parameters_are_told(
    runner: Runner, write: Write, cell: str, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(PinterestError) as told:
        runner.run(write(cell), parameters)

    assert str(told.value).endswith(message)


def test_a_secret_is_read_and_never_shown(
    runner: Runner, write: Write, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINTEREST_SECRET_AWS_KEYS_ACCESS_KEY", CANARY)
    get = "s = dbutils.secrets.get('aws-keys', 'access-key')\n"
    show = "import pandas as pd\nprint(s)\ndisplay(s)\ndisplay(pd.DataFrame({'s': [s], s: [1]}))\n"
    write_it = "import pathlib\nassert s.startswith('canary')\nprint(dbutils, dbutils.secrets, [s], flush=True)"

    runner.run(write(get + show + write_it))
    with pytest.raises(NotebookError) as told:
        runner.run(write(get + "raise ValueError('key ' + s)"))

    assert CANARY not in out.getvalue()
    assert out.getvalue().count("[REDACTED]") == 5
    assert str(told.value) == "book.py, cell 1, line 3: ValueError: key [REDACTED]"


def test_a_secret_that_is_not_there_is_told_with_its_place(runner: Runner, write: Write) -> None:
    with pytest.raises(NotebookError) as told:
        runner.run(write("dbutils.secrets.get('aws-keys', 'none')"))

    assert str(told.value).endswith(
        "secret 'none' of scope 'aws-keys' must be set in the environment as PINTEREST_SECRET_AWS_KEYS_NONE"
    )
