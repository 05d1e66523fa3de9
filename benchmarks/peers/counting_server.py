"""A loopback server in the place of the Kafka REST proxy: it acknowledges every record, and counts them.

It prints its port, and ends when its standard input does. ``GET /counted`` returns the records since its last call.
"""

import asyncio
import json
import sys

from aiohttp import web

_OFFSET = b'{"partition":0,"offset":1,"error_code":null,"error":null}'


async def _serve() -> None:
    records = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal records
        count = len(json.loads(await request.read())["records"])
        records += count
        body = b'{"offsets":[' + b",".join([_OFFSET] * count) + b"]}"
        return web.Response(body=body, content_type="application/json")

    async def counted(_: web.Request) -> web.Response:
        nonlocal records
        count, records = records, 0
        return web.Response(text=str(count))

    app = web.Application(client_max_size=16 * 1024**2)
    app.router.add_post("/topics/{topic}", take)
    app.router.add_get("/counted", counted)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
