"""A server with one event loop, aiohttp on both sides; connections to callees are kept."""

import asyncio

from aiohttp import ClientSession, web

import truth


async def call(session, request, host, path):
    truth.note(request, path)
    async with session.get(f"http://{host}:8080{path}") as response:
        await response.read()


async def handle(request):
    session = request.app["session"]
    for group in truth.groups(request.path):
        await asyncio.gather(*(call(session, request.path, *wanted) for wanted in group))
    return web.Response(text="ok\n")


async def session(app):
    app["session"] = ClientSession()
    yield
    await app["session"].close()


app = web.Application()
app.cleanup_ctx.append(session)
app.router.add_get("/{route}/{id}", handle)
web.run_app(app, port=8080, print=None, access_log=None)
