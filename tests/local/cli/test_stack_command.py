"""``python -m local stack`` when it is asked to end; the stack itself is a fake."""

import signal
from types import SimpleNamespace
from typing import ClassVar

import pytest

from local.cli import stack_command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("call")  # it puts the signals' handlers back
def test_one_request_to_end_stops_the_stack(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = []

    class FakeStack:
        environment: ClassVar[dict[str, str]] = {}

        def __init__(self, *_: object) -> None:
            """Nothing is started."""

        def __enter__(self) -> "FakeStack":
            return self

        def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
            # A second request while the parts are stopped does nothing.
            signal.raise_signal(number)
            left.append(kind)

        def check(self) -> None:
            signal.raise_signal(number)

    monkeypatch.setattr(stack_command, "_GLANCE", 0.0)
    monkeypatch.setattr(stack_command, "Stack", FakeStack)
    monkeypatch.setattr(stack_command, "run_emulation", lambda *_, **__: "")
    monkeypatch.setattr(stack_command, "_format_addresses", lambda *_: "started")

    stack_command.run(SimpleNamespace(what="up", folder=None, user_id="abc", posts=1, seed=1))

    assert left == [KeyboardInterrupt]
    out, err = capsys.readouterr()
    assert out == "started\n"
    assert err.endswith("stopped: every part has ended\n")
