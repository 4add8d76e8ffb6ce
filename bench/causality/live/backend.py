"""Answers everything after so many milliseconds, more or less: `backend.py MEDIAN`."""

import asyncio
import math
import random
import sys

MEDIAN = float(sys.argv[1]) / 1000
chance = random.Random(MEDIAN)


async def serve(reader, writer):
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(MEDIAN * math.exp(chance.gauss(0, 0.4)))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "", 8080, backlog=256)
    await server.serve_forever()


asyncio.run(main())
