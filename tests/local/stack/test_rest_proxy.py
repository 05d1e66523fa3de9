"""The REST proxy's emulator, as far as it goes without a broker; tests/stack has the rest."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from local.runtime.part_process import HOST
from local.stack.rest_proxy import build_app, open_producer, parse_records
from local.stack.stack_part import find_free_port

JSON = "application/vnd.kafka.json.v2+json"


def records(*given: object) -> bytes:
    return json.dumps({"records": list(given)}).encode()


def test_keys_and_values_are_json_texts_and_null_is_none() -> None:
    found = parse_records(records({"key": 7, "value": {"a": "é\n🙂", "b": [1.5, None]}}, {"value": "x"}, {"key": "7"}))

    assert found == [
        (b"7", '{"a":"é\\n🙂","b":[1.5,null]}'.encode()),
        (None, b'"x"'),
        (b'"7"', None),
    ]


def test_long_numbers_stay_as_they_are() -> None:
    ((key, _),) = parse_records(b'{"records":[{"key":12345678901234567890123,"value":1}]}')

    assert key == b"12345678901234567890123"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "Bad Request: the body must be JSON"),
        (b'{"records":', 400, "Bad Request: the body must be JSON"),
        (b'{"records":[{"value":NaN}]}', 400, "Bad Request: the body must be JSON"),
        (b"[]", 422, "the body must be an object with records in it"),
        (b"{}", 422, "the body must be an object with records in it"),
        (b'{"records":[]}', 422, "the body must be an object with records in it"),
        (records(7), 422, "records[0] must be an object of key and value"),
        (records({"value": 1}, {"valeu": 1}), 422, "records[1] must be an object of key and value"),
        (b'{"records":[{"value":"\\ud800"}]}', 422, "records must be of whole characters"),
    ],
)
def test_what_cannot_be_read_is_refused_as_a_whole(body: bytes, status: int, message: str) -> None:
    with pytest.raises(web.HTTPException) as told:
        parse_records(body)

    assert (told.value.status, told.value.text) == (status, message)


async def _answered(method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, object]:
    """The answer of a proxy whose broker is down."""
    kafka = f"{HOST}:{find_free_port()}"
    runner = web.AppRunner(build_app(open_producer(kafka, delivery_ms=300)))
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    url = f"http://{HOST}:{runner.addresses[0][1]}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, data=body, headers=headers) as answer:
        found = answer.status, answer.content_type, await answer.json(content_type=None)
    await runner.cleanup()
    return found


def answered(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, object]:
    return asyncio.run(_answered(method, path, body, headers))


def test_a_broker_that_is_down_is_200_with_50003_on_each_record() -> None:
    body = records({"key": 1, "value": {}}, {"key": 2, "value": {}})

    status, content_type, said = answered("POST", "/topics/abc.pin", body, **{"Content-Type": JSON})

    assert (status, content_type) == (200, "application/vnd.kafka.v2+json")
    assert [(one["partition"], one["offset"], one["error_code"]) for one in said["offsets"]] == [
        (None, None, 50003)
    ] * 2
    assert all(one["error"] for one in said["offsets"])


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.kafka.binary.v2+json", "text/plain"])
def test_records_of_another_kind_are_415(kind: str) -> None:
    status, _, said = answered("POST", "/topics/abc.pin", records({"value": 1}), **{"Content-Type": kind})

    assert (status, said) == (415, {"error_code": 415, "message": "HTTP 415 Unsupported Media Type"})


def test_a_charset_behind_the_kind_is_no_other_kind() -> None:
    # The body is read, and no broker is waited for.
    status, _, said = answered("POST", "/topics/abc.pin", b"{", **{"Content-Type": f"{JSON}; charset=utf-8"})

    assert (status, said) == (400, {"error_code": 400, "message": "Bad Request: the body must be JSON"})


def test_a_wrong_body_path_or_method_is_told_as_the_real_one_tells_it() -> None:
    assert answered("POST", "/topics/abc.pin", b"{", **{"Content-Type": JSON})[::2] == (
        400,
        {"error_code": 400, "message": "Bad Request: the body must be JSON"},
    )
    assert answered("GET", "/nowhere")[::2] == (404, {"error_code": 404, "message": "HTTP 404 Not Found"})
    assert answered("DELETE", "/topics/abc.pin")[::2] == (
        405,
        {"error_code": 405, "message": "HTTP 405 Method Not Allowed"},
    )


def test_its_health_does_not_hang_on_the_broker() -> None:
    assert answered("GET", "/")[::2] == (200, {})
