"""A loopback server that reads what senders send and counts it: as fast as it can, or as fast as shards may.

It prints its port, and ends when its standard input does. ``GET /counted`` answers what it has taken since it was last
asked: records and bytes, and seconds from the first request to the last one.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass

from aiohttp import web

# Kinesis' own limits of a shard, a second.
SHARD_RECORDS, SHARD_BYTES = 1_000, 1_048_576
_FULL = b'{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded"}'
_PUT = b'{"ShardId":"shardId-000000000000","SequenceNumber":"1"}'


@dataclass
class _Shard:
    """What one shard still takes now: a second's worth at most, filled again as time goes by."""

    records: float = SHARD_RECORDS
    bytes: float = SHARD_BYTES
    filled: float = 0.0

    def fits(self, records: int, size: int) -> int:
        """How many of the records it takes, all of them of about one size."""
        now = time.monotonic()
        passed, self.filled = min(1.0, now - self.filled), now
        self.records = min(SHARD_RECORDS, self.records + passed * SHARD_RECORDS)
        self.bytes = min(SHARD_BYTES, self.bytes + passed * SHARD_BYTES)
        each = size / records
        taken = int(max(0, min(records, self.records, self.bytes / each)))
        self.records, self.bytes = self.records - taken, self.bytes - taken * each
        return taken


class _Counting:
    def __init__(self) -> None:
        self._shards: dict[str, _Shard] = {}
        self._began = self._ended = 0.0
        self._records = self._bytes = 0

    async def topic(self, request: web.Request) -> web.Response:
        """The Kafka REST proxy: takes everything."""
        body = await request.read()
        records = len(json.loads(body)["records"])
        self._took(records, len(body))
        offsets = b",".join([b'{"partition":0,"offset":1,"error_code":null,"error":null}'] * records)
        return web.Response(body=b'{"offsets":[' + offsets + b"]}", content_type="application/json")

    async def stream(self, request: web.Request) -> web.Response:
        """``PutRecords`` of a stream with one shard: takes as much as the shard may."""
        body = await request.read()
        records = len(json.loads(body)["records"])
        taken = self._shards.setdefault(request.path, _Shard()).fits(records, len(body))
        self._took(taken, len(body) * taken // records)
        said = b",".join([_PUT] * taken + [_FULL] * (records - taken))
        answer = b'{"FailedRecordCount":%d,"Records":[%b]}' % (records - taken, said)
        return web.Response(body=answer, content_type="application/json")

    async def counted(self, _: web.Request) -> web.Response:
        """What was taken since the last call of this."""
        found = {"records": self._records, "bytes": self._bytes, "seconds": self._ended - self._began}
        self._records = self._bytes = 0
        self._began = 0.0
        return web.Response(text=json.dumps(found), content_type="application/json")

    def _took(self, records: int, size: int) -> None:
        self._ended = time.monotonic()
        self._began = self._began or self._ended
        self._records, self._bytes = self._records + records, self._bytes + size


async def _until_told(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """Serves until standard input ends."""
    counting = _Counting()
    app = web.Application(client_max_size=16 * 1024**2)
    app.router.add_post("/topics/{topic}", counting.topic)
    app.router.add_put("/streams/{stream}/records", counting.stream)
    app.router.add_get("/counted", counting.counted)
    asyncio.run(_until_told(app))


if __name__ == "__main__":
    main()
