"""An echo server on the package `websockets`, which knows the commands of client.rs."""

import asyncio
from collections.abc import Iterator, Sequence

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

Payload = str | bytes


async def echo(connection: ServerConnection) -> None:
    size = 0
    async for message in connection:
        command, argument = "", ""
        if isinstance(message, str):
            command, _, argument = message.partition(" ")
        if command == "close":
            code, _, reason = argument.partition(" ")
            await connection.close(int(code), reason)
            return
        if command == "header":
            message = connection.request.headers[argument]
        elif command == "path":
            message = connection.request.path
        elif command == "ping":
            await (await connection.ping(argument))
            message = argument
        elif command == "frames":
            size = int(argument)
        await connection.send(fragments(message, size) if size and message else message)


def fragments(message: Payload, size: int) -> Iterator[Payload]:
    # The package cuts between characters, and counts them.
    for start in range(0, len(message), size):
        yield message[start : start + size]


def choose_subprotocol(_connection: ServerConnection, offered: Sequence[str]) -> str | None:
    return "chat" if "chat" in offered else None


def check_origin(connection: ServerConnection, request: Request) -> Response | None:
    if "evil" in request.headers.get("Origin", ""):
        return connection.respond(403, "no\n")
    return None


async def main() -> None:
    async with serve(
        echo,
        "127.0.0.1",
        0,
        process_request=check_origin,
        select_subprotocol=choose_subprotocol,
        max_size=None,
    ) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on ws://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
