// Checks pages of the built documentation: `node pages.js path/to/target/doc`.
//
// The links of the front page and the guides lead somewhere, and the pages of the types begin with
// what a program begins with.

"use strict";

const fs = require("fs");
const path = require("path");

// The first methods of the types; signals come before the settings.
const FIRST = {
  "struct.WebSocketServer.html": ["new", "listen", "new_connection", "next_pending_connection", "set_max_connections"],
  "struct.WebSocket.html": ["new", "open", "connected", "text_message_received", "send_text_message", "set_origin"],
  "struct.EventLoop.html": ["current", "exec", "quit", "spawn", "defer_to", "set_memory_budget"],
  "struct.EventThread.html": ["spawn", "quit"],
  "struct.Timer.html": ["new", "single_shot", "timeout", "set_interval"],
  "struct.SocketNotifier.html": ["new", "readable", "set_readable_enabled"],
  "struct.NestedLoop.html": ["new", "exec"],
  "struct.TlsConfig.html": ["new", "add_identity"],
};

function main([docs]) {
  const root = path.join(path.resolve(docs), "slotwork");
  const faults = [];
  const guides = fs.readdirSync(path.join(root, "guides"), { recursive: true });
  const pages = guides.filter(file => file.endsWith(".html")).map(file => path.join(root, "guides", file));
  if (pages.length < 5) throw new Error(`${pages.length} guides only`);
  for (const page of [path.join(root, "index.html"), ...pages]) faults.push(...deadLinks(page));
  for (const [file, methods] of Object.entries(FIRST)) {
    const text = fs.readFileSync(path.join(root, file), "utf8");
    const places = methods.map(method => text.indexOf(`id="method.${method}"`));
    const isInOrder = places.every((place, i) => place > (places[i - 1] ?? 0));
    if (!isInOrder || text.indexOf('id="method.') !== places[0]) faults.push(`${file}: not in the order ${methods}`);
  }
  if (faults.length > 0) throw new Error(faults.join("\n"));
  console.log(`the links of ${pages.length + 1} pages lead somewhere, ${Object.keys(FIRST).length} types are in order`);
}

// Returns the links of a page to files, or places in them, that do not exist.
function deadLinks(page) {
  const links = [...fs.readFileSync(page, "utf8").matchAll(/<a\b[^>]*\bhref="([^"]*)"/g)].map(([, link]) => link);
  const isChecked = link => !/^\w+:|\/src\//.test(link);
  return links.filter(isChecked).filter(link => {
    const [file, place] = link.split("#");
    const target = file ? path.resolve(path.dirname(page), file) : page;
    if (!fs.existsSync(target)) return true;
    return place && target.endsWith(".html") && !fs.readFileSync(target, "utf8").includes(`id="${place}"`);
  }).map(link => `${page}: ${link} leads nowhere`);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
