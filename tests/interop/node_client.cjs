// Does with Node's package `ws` what node_client.py asks it to: one call a line, one answer a line.

"use strict";

const { createInterface } = require("node:readline");
const { once } = require("node:events");
const { WebSocket } = require("ws");

let socket;
let messages;
let ended;
let traffic; // Bytes received and sent before the first message.

const actions = {
    async open(url, subprotocols, options) {
        socket?.terminate();
        socket = new WebSocket(url, subprotocols, options);
        messages = new Queue();
        socket.on("message", (data, binary) => messages.push([data.toString("base64"), binary]));
        socket.on("error", () => {});
        ended = new Promise((end) => {
            socket.on("close", (code, reason) => end([code, reason.toString()]));
        });
        return Promise.race([
            once(socket, "open").then(() => {
                traffic = bytes();
                return {};
            }),
            once(socket, "unexpected-response").then(([, answer]) => {
                answer.resume();
                return { status: answer.statusCode };
            }),
        ]);
    },
    subprotocol: () => socket.protocol,
    extensions: () => socket.extensions,
    traffic: () => bytes().map((count, index) => count - traffic[index]),
    send(content, binary, size) {
        const data = Buffer.from(content, "base64");
        let start = 0;
        for (; start + size < data.length; start += size) {
            socket.send(data.subarray(start, start + size), { binary, fin: false });
        }
        socket.send(data.subarray(start), { binary, fin: true });
    },
    receive: () => messages.shift(),
    async ping(content) {
        socket.ping(Buffer.from(content, "base64"));
        const [payload] = await once(socket, "pong");
        return payload.toString("base64");
    },
    close(code, reason) {
        socket.close(code, reason);
        return ended;
    },
    ending: () => ended,
};

const bytes = () => [socket._socket.bytesRead, socket._socket.bytesWritten];

// Received values, until they are read; the first reader that waits gets the next one.
class Queue {
    #items = [];
    #takers = [];

    push(item) {
        const take = this.#takers.shift();
        if (take) take(item);
        else this.#items.push(item);
    }

    shift() {
        return this.#items.length
            ? this.#items.shift()
            : new Promise((take) => this.#takers.push(take));
    }
}

async function act(action, values) {
    return { value: await actions[action](...values) };
}

async function main() {
    for await (const line of createInterface({ input: process.stdin })) {
        const [action, ...values] = JSON.parse(line);
        const answer = await act(action, values).catch((error) => ({ error: String(error) }));
        console.log(JSON.stringify(answer));
    }
    process.exit();
}

main();
