"""The sender's own files when the disk is full, the power fails, or two runs have one: nothing is lost."""

import json
import re
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulation.cli.emulation_cli import main
from pinterest_transforms.tables.locks import try_lock
from tests.emulation import fake_api_server as api
from tests.emulation.emulation_commands import build_arguments, count_source_records, count_stored
from tests.emulation.fake_api_server import Server


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files of this process become no larger: what a full disk is to who writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def kept_records(failed: Path) -> Counter[tuple[str, int]]:
    """The whole lines of a failed file, by topic and key."""
    found: Counter[tuple[str, int]] = Counter()
    for line in failed.read_bytes().splitlines() if failed.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        found[f"abc123.{record['entity']}", record["key"]] += 1
    return found


@pytest.mark.parametrize(
    ("file", "size"), [("failed.jsonl", 0), ("failed.jsonl", 700), ("cursor", 100), ("cursor", 15)]
)
def test_a_full_disk_ends_the_run_and_loses_nothing(
    server: Server, source: Path, tmp_path: Path, capsys, file: str, size: int
) -> None:
    server.usual = api.each(lambda record: 50002 if file == "failed.jsonl" and record["key"] % 50 == 0 else None)
    given = build_arguments("batches", server, source, tmp_path, "--all")
    with largest_file(size):
        assert main(given) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(rf"error: file {tmp_path}/{file} cannot be written: File too large(; [a-z, ]+)?\n", error)
    assert main(given) in (0, 1)
    assert "starts with the first post" in (said := capsys.readouterr().err) or "resumes after" in said or not said
    failed = kept_records(tmp_path / "failed.jsonl")
    assert set(count_stored(server)) | set(failed) == set(count_source_records(source))
    assert {key % 50 for _, key in failed} <= {0}
    assert not (tmp_path / "cursor").exists()


CUT_OFF = {
    "in the head": lambda line: line[:5],
    "in a value": lambda line: line[:-20],
    "in a letter": lambda line: line[: line.index("é".encode()) + 1],
    "before its end": lambda line: line,
    "nothing but zeros": lambda line: bytes(len(line)),
}


@pytest.mark.parametrize("where", CUT_OFF)
def test_a_truncated_line_does_not_affect_others(
    server: Server, source: Path, tmp_path: Path, capsys, where: str
) -> None:
    failed = tmp_path / "failed.jsonl"
    whole = json.dumps(
        {"entity": "pin", "key": 1, "reason": "no", "value": {"index": 1, "title": "Café"}}, ensure_ascii=False
    )
    failed.write_bytes(whole.encode() + b"\n" + CUT_OFF[where](whole.encode()))
    server.usual = api.status(422, "no")
    assert main(build_arguments("batches", server, source, tmp_path, "--rows", "1")) == 1
    lines = failed.read_bytes().splitlines()
    assert len(lines) == 2 + int(re.search(r"failed (\d+)", capsys.readouterr().out)[1])
    server.usual = api.accept
    given = build_arguments("batches", server, source, tmp_path, "--resend", str(failed))
    given[given.index("--failed") + 1] = str(tmp_path / "again.jsonl")
    code = 0 if where == "before its end" else 1
    assert main(given) == code
    said = (
        f" s; truncated, cannot be sent: line 2 of {failed}\n" if code else f" s; all sent: {failed} can be removed\n"
    )
    assert capsys.readouterr().out.endswith(said)
    assert count_stored(server) == kept_records(failed)


def test_a_file_without_failed_records_is_an_error(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    for number, text in enumerate(("index,title\n", '{"index": 1}\n', "[1]\n", "\xe9\n")):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(text, encoding="latin-1")
        assert main(build_arguments("batches", server, source, tmp_path, "--resend", str(file))) == 2
        said = f"error: line 1 of {file} must have entity, key and value of a failed record\n"
        assert capsys.readouterr().err == said
    assert server.taken == []


NO_PLACE = {
    "0 bytes": b"",
    "a part of the position": b'{"settled": 0, "after": null, "order": "every p',
    "the start of it": b'{"s',
    "zeros": bytes(300),
}


@pytest.mark.parametrize("what", NO_PLACE)
def test_a_cursor_without_a_position_starts_over(
    server: Server, source: Path, tmp_path: Path, capsys, what: str
) -> None:
    cursor = tmp_path / "cursor"
    cursor.write_bytes(NO_PLACE[what])
    assert main(build_arguments("batches", server, source, tmp_path, "--all")) == 0
    assert capsys.readouterr().err.splitlines()[0] == f"cursor {cursor} is empty: starts with the first post"
    assert count_stored(server) == count_source_records(source)
    assert not cursor.exists()


@pytest.mark.parametrize("text", ["notes", '{"settled": 7}\n', "{}\n{}\n", "7"])
def test_a_file_that_is_no_cursor_is_not_changed(
    server: Server, source: Path, tmp_path: Path, capsys, text: str
) -> None:
    cursor = tmp_path / "cursor"
    cursor.write_text(text)
    assert main(build_arguments("batches", server, source, tmp_path, "--all")) == 2
    assert capsys.readouterr().err == (
        f"error: cursor must be a file this command wrote, got {cursor}: "
        "--restart starts over, --cursor FILE uses another file\n"
    )
    assert cursor.read_text() == text


@pytest.mark.parametrize("more", [[], ["--restart"]])
def test_a_cursor_is_locked_by_one_run(server: Server, source: Path, tmp_path: Path, capsys, more: list[str]) -> None:
    cursor = tmp_path / "cursor"
    cursor.write_text("the place of the other run")
    given = build_arguments("batches", server, source, tmp_path, "--all", *more)
    with cursor.open("r+b") as other:
        assert try_lock(other.fileno())
        assert main(given) == 2
        said = f"error: cursor {cursor} is in use by another run: choose another one with --cursor FILE\n"
        assert capsys.readouterr().err == said
    assert server.taken == []
    assert cursor.read_text() == "the place of the other run"
    cursor.unlink()
    assert main(given) == 0
