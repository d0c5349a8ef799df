// An echo server on Node's package `ws`, which knows the commands of client.rs.

"use strict";

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
    verifyClient: ({ origin }, decide) => decide(!origin?.includes("evil"), 403),
});

server.on("connection", (socket, request) => {
    let size = Infinity;
    socket.on("message", (data, isBinary) => {
        const [command, argument, ...rest] = isBinary ? [] : data.toString().split(" ");
        if (command === "close") {
            return socket.close(Number(argument), rest.join(" "));
        }
        if (command === "header") {
            return socket.send(request.headers[argument.toLowerCase()]);
        }
        if (command === "path") {
            return socket.send(request.url);
        }
        if (command === "ping") {
            return socket.ping([argument, ...rest].join(" "));
        }
        if (command === "frames") {
            size = Number(argument);
        }
        sendInFrames(socket, data, size, isBinary);
    });
    socket.on("pong", (payload) => socket.send(payload.toString()));
});

function sendInFrames(socket, data, size, binary) {
    let start = 0;
    for (; start + size < data.length; start += size) {
        socket.send(data.subarray(start, start + size), { binary, fin: false });
    }
    socket.send(data.subarray(start), { binary, fin: true });
}

server.on("listening", () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
