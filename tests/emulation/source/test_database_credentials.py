"""``db_creds.yaml``: every value as it is written, or a line that says to quote it; never a value in an error."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from emulation.emulation_errors import SourceError
from emulation.source.database_credentials import resolve_database_url

# What YAML would make of them: octal, hexadecimal and base-60 numbers, floats, booleans, null, dates.
GUESSED = ["0123456", "0x1F", "1:30", "1_000", "1.50", "1e3", ".5", "no", "Yes", "off", "null", "~", "2024-01-02", "="]


KEPT = [*GUESSED, "a#b", "p@ss:w/rd", "a%20b", "ünï", "c:d", "$HOME", "a b", "!x"[1:], "-5", "+1", "x'y", 'x"y', "\\n"]


def url_of(tmp_path: Path, text: str | bytes) -> sa.URL:
    file = tmp_path / "db_creds.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return sa.make_url(resolve_database_url(None, "x.db", {}, file))


def test_credential_values_are_literal(tmp_path: Path) -> None:
    for value in KEPT:
        url = url_of(tmp_path, f"HOST: h\nUSER: {value}\nPASSWORD: {value}\nDATABASE: {value}\n")
        assert (url.username, url.password, url.database) == (value, value, value)
        quoted = value.replace("'", "''")
        assert url_of(tmp_path, f"HOST: h\nUSER: u\nPASSWORD: '{quoted}' # mine\n").password == value
    for start in ("\ufeff", "---\n", "# ours\n\n", "\r\n"):
        url = url_of(
            tmp_path, f"{start}HOST: 10.0.0.1   # the writer\r\nUSER: u\r\nPASSWORD: no  \r\nDATABASE: 2024_01"
        )
        assert (url.host, url.password, url.database, url.port) == ("10.0.0.1", "no", "2024_01", 3306)
    for port in ("13", '"13"', "'13'", "0013", "13 # ours"):
        assert url_of(tmp_path, f"HOST: h\nUSER: u\nPASSWORD: p\nPORT: {port}").port == 13


YAML = "{} must be YAML in UTF-8, as NAME: value on each line; a value with special characters in quotes"


NAMES = "{} must have HOST, USER, PASSWORD and may have PORT and DATABASE, got "


PORT = "PORT in {} must be a number from 1 to 65535"


WRONG = {
    **{f"HOST: h\nUSER: u\nPASSWORD: {value}": YAML for value in ("[c4n4ry]", "{c4n4ry: 1}", "\n  - c4n4ry")},
    **{f"HOST: h\nUSER: u\nPASSWORD: {value}": YAML for value in ("%c4n4ry", "@c4n4ry", "*c4n4ry", "c4: n4ry")},
    **{f"HOST: h\nUSER: u\nPASSWORD: {value}": YAML for value in ("'c4n4ry", "c4n4ry:", "c4\tn4ry", '"c4\\n4ry\\q"')},
    **{
        f"HOST: h\nUSER: u\nPASSWORD: c4n4ry\nPORT: {port}": PORT for port in ("0x1F", "0", "65536", "3_306", "-1", "٣")
    },
    "HOST: h\n\tUSER: u\nPASSWORD: c4n4ry": YAML,
    "- HOST: h\n- PASSWORD: c4n4ry": YAML,
    "HOST: h\nPASSWORD: c4n4ry": f"{NAMES}HOST, PASSWORD",
    "HOST:\nUSER:\nPASSWORD:": f"{NAMES}none",
    "HOST: h\nUSER: u\nPASSWORD: c4n4ry\nHOSTS: x": f"{NAMES}HOST, HOSTS, PASSWORD, USER",
    "PASSWORD: !!python/object/apply:os.system ['c4n4ry']": YAML,
    "HOST: h\nUSER: u\nPASSWORD:": f"{NAMES}HOST, USER",
    "HOST: h\nUSER: ''\nPASSWORD: c4n4ry": f"{NAMES}HOST, PASSWORD",
    "HOST: h\nUSER: u\nPASSWORD: c4n4ry\n---\nHOST: i": YAML,
    "[HOST]: h\nPASSWORD: c4n4ry": YAML,
    "": YAML,
}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_one_line(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        url_of(tmp_path, "HOST: h\nUSER: u\nPASSWORD: c4n4ryé\n".encode(encoding))
    assert str(caught.value) == YAML.format(tmp_path / "db_creds.yaml")


def test_invalid_credentials_are_one_line(tmp_path: Path) -> None:
    for text, said in WRONG.items():
        with pytest.raises(SourceError) as caught:
            url_of(tmp_path, text)
        assert str(caught.value) == said.format(tmp_path / "db_creds.yaml"), text
        assert caught.value.__cause__ is None


CREDENTIALS = {
    "HOST: h\nUSER: u\nPASSWORD: 'p@:/'": "mysql+pymysql://u:p%40%3A%2F@h:3306/pinterest_data?charset=utf8mb4",
    "HOST: h\nUSER: u\nPASSWORD: 1\nPORT: 13\nDATABASE: d": "mysql+pymysql://u:1@h:13/d?charset=utf8mb4",
}


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_give_a_database_url(tmp_path: Path, text: str) -> None:
    file = tmp_path / "db_creds.yaml"
    file.write_text(text)
    assert resolve_database_url(None, "x.db", {}, file) == CREDENTIALS[text]
    assert resolve_database_url("given", "x.db", {"PINTEREST_DATABASE": "named"}, file) == "given"
    assert resolve_database_url(None, "x.db", {"PINTEREST_DATABASE": "named"}, file) == "named"
    assert resolve_database_url(None, "x.db", {}, tmp_path / "none.yaml") == "x.db"
