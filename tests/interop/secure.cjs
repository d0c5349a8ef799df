// Node's `ws` over TLS: `secure.cjs client PORT` echoes its input, `secure.cjs server` echoes all.
"use strict";

const fs = require("node:fs");
const https = require("node:https");
const WebSocket = require("ws");

const certificate = fs.readFileSync("localhost.cert");

function client(port) {
    const text = fs.readFileSync(0, "utf8");
    const socket = new WebSocket(`wss://localhost:${port}`, { ca: certificate });
    socket.on("open", () => socket.send(text));
    socket.on("message", (data) => {
        process.stdout.write(data.toString());
        socket.close();
    });
}

function server() {
    const listener = https.createServer({ cert: certificate, key: fs.readFileSync("localhost.key") });
    new WebSocket.Server({ server: listener }).on("connection", (socket) => {
        socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    listener.listen(0, "localhost", () => console.log(listener.address().port));
}

if (process.argv[2] === "server") server();
else client(process.argv[3]);
