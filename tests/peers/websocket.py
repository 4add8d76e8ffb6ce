"""A WebSocket server at PORT, and a client that connects to ADDRESS. Prints as JSON what both got to see."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

BINARY = bytes(range(256)) * 4096
seen = {"server": [], "client": []}


def short(message):
    return message if isinstance(message, str) else f"{len(message)} bytes, {message == BINARY}"


async def echo(socket):
    headers = socket.request.headers
    seen["headers"] = sorted(name.lower() for name in headers if name.lower() != "host")
    await socket.send("welcome")
    try:
        async for message in socket:
            seen["server"].append(short(message))
            await socket.send(message)
    except ConnectionClosed:
        seen["server"].append("broken")
    seen["server"].append([socket.close_code, socket.close_reason])


async def main(port, address):
    async with serve(echo, "127.0.0.1", port, max_size=None):
        async with connect(f"ws://{address}/chat?room=1", max_size=None) as socket:
            seen["client"].append(await socket.recv())
            for message in ("h\u00e9llo", BINARY, ""):
                await socket.send(message)
                seen["client"].append(short(await socket.recv()))
            await (await socket.ping(b"are you there"))
            await socket.close(4001, "enough")
        seen["client"].append([socket.close_code, socket.close_reason])
        seen["compression"] = socket.response.headers.get("sec-websocket-extensions")
    print(json.dumps(seen))


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
