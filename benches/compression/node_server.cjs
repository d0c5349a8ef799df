// An echo server on Node's `ws` that compresses messages of all sizes, with a history or without.
const { WebSocketServer } = require("ws");

const isAlone = process.argv.includes("--without-history");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: {
    threshold: 0,
    serverNoContextTakeover: isAlone,
    clientNoContextTakeover: isAlone,
  },
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
