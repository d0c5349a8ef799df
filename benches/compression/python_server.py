"""An echo server on Python's `websockets`, with its own compression or without a history."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    # The clients of the benchmark answer no pings.
    options = {"ping_interval": None}
    if "--without-history" in sys.argv:
        # As by default otherwise.
        alone = ServerPerMessageDeflateFactory(
            server_no_context_takeover=True,
            client_no_context_takeover=True,
            server_max_window_bits=12,
            client_max_window_bits=12,
            compress_settings={"memLevel": 5},
        )
        options |= {"compression": None, "extensions": [alone]}
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        print(f"listening on ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
