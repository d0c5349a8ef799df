// Takes Qt's JavaScript client through the cases: `node client.cjs URL`. Prints a line for each.

"use strict";

const assert = require("node:assert/strict");
const { QWebChannel } = require("qwebchannel");
const WebSocket = require("ws");

const DEADLINE = 10000;
const [url] = process.argv.slice(2);

// What the client complains about; nothing but what a case expects.
const complaints = [];
for (const kind of ["warn", "error"]) console[kind] = (...words) => complaints.push(words.join(" "));

let failed = 0;
async function check(name, action) {
  try {
    await withDeadline(action(), name);
    assert.deepEqual(complaints.splice(0), [], "the client complains");
    console.log(`ok - webchannel: ${name}`);
  } catch (error) {
    failed += 1;
    complaints.length = 0;
    console.log(`not ok - webchannel: ${name}: ${String(error?.message ?? error).replaceAll("\n", " ")}`);
  }
}

function withDeadline(promise, name) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the deadline has passed")), DEADLINE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Opens a channel.
async function open(path) {
  const socket = await openRaw(path);
  const channel = await new Promise((done) => new QWebChannel(socket, done));
  return { socket, channel, ...channel.objects };
}

// Opens a socket; `received` lists the messages of the server.
async function openRaw(path = "/") {
  const socket = new WebSocket(new URL(path, url));
  socket.received = [];
  await new Promise((done, fail) => socket.on("open", done).on("error", fail));
  socket.on("message", (data) => socket.received.push(JSON.parse(data)));
  return socket;
}

// The next emission of a signal, as a list of its arguments.
const next = (signal) => new Promise((done) => {
  const slot = (...values) => { signal.disconnect(slot); done(values); };
  signal.connect(slot);
});

// The end of an object; nothing can be disconnected from it afterwards.
const end = ({ destroyed }) => new Promise((done) => destroyed.connect(done));

const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 5));
};

const rejected = (promise) => promise.then(
  (value) => assert.fail(`resolved with ${JSON.stringify(value)}`),
  (reason) => assert.equal(reason, undefined),
);

// All that the server has sent before is here when this is done.
const settle = ({ demo }) => demo.add(0, 0);

async function members() {
  const { demo } = first;
  await check("init: properties, constants and enumerations", async () => {
    assert.equal(demo.topic, "start");
    assert.equal(demo.version, "1.0");
    assert.deepEqual(demo.Level, { Low: 0, High: 7 });
    assert.ok(!("undefined" in demo), "a constant has a member called undefined");
  });
  await check("a method has a result", async () => assert.equal(await demo.add(2, 3), 5));
  await check("a signal reaches its subscriber", async () => {
    const said = next(demo.said);
    assert.equal(await demo.say("ann", "hello"), 5);
    assert.deepEqual(await said, [{ from: "ann", text: "hello" }]);
  });
  await check("a signal reaches no other client", async () => {
    const before = second.socket.received.length;
    const said = next(demo.said);
    await demo.say("ann", "again");
    await said;
    await settle(second);
    const types = second.socket.received.slice(before).map(({ type }) => type);
    assert.ok(!types.includes(1), `it was sent ${types}`);
  });
  await check("a void method resolves with null", async () => assert.equal(await demo.nothing(), null));
  await check("a signal without arguments", async () => {
    const ticked = next(demo.ticked);
    await demo.tick();
    assert.deepEqual(await ticked, []);
  });
  await check("a signal with several arguments", async () => {
    const moved = next(demo.moved);
    await demo.move(3, -4);
    assert.deepEqual(await moved, [3, -4]);
  });
  await check("optional arguments may be missing", async () => {
    assert.equal(await demo.greet("ann"), "hello ann");
    assert.equal(await demo.greet("ann", "good day"), "good day ann");
  });
  await check("an error rejects", async () => {
    assert.equal(await demo.divide(1, 2), 0.5);
    await rejected(demo.divide(1, 0));
  });
  await check("wrong and too many arguments reject", async () => {
    await rejected(demo.add("a", 1));
    await rejected(demo.add(1));
    await rejected(demo.add(1, 2, 3));
    await rejected(demo.add(1.5, 2));
  });
  await check("a panic rejects, and the next call is served", async () => {
    await rejected(demo.panic());
    assert.equal(await demo.add(1, 1), 2);
  });
  await check("two async methods at a time", async () => {
    assert.deepEqual(await Promise.all([demo.square(3), demo.square(4)]), [9, 16]);
  });
  await check("the error of an async method rejects", async () => rejected(demo.fail()));
  await check("callbacks instead of promises", async () => {
    assert.equal(await new Promise((done) => demo.add(4, 5, done)), 9);
  });
  await check("the caller is known", async () => {
    assert.equal(await demo.address(), first.socket._socket.localPort);
  });
}

async function properties() {
  const { demo } = first;
  await check("a write is seen by both clients", async () => {
    const changes = [next(demo.topicChanged), next(second.demo.topicChanged)];
    demo.topic = "new";
    assert.deepEqual(await Promise.all(changes), [["new"], ["new"]]);
    assert.deepEqual([demo.topic, second.demo.topic], ["new", "new"]);
  });
  await check("a refused write is taken back", async () => {
    demo.topic = "";
    await until(() => demo.topic === "new");
  });
  await check("a clamped write is corrected", async () => {
    demo.percent = 700;
    await until(() => demo.percent === 100);
    demo.percent = 800;
    await until(() => demo.percent === 100);
  });
  await check("a write of another type is taken back", async () => {
    demo.topic = { no: "text" };
    await until(() => demo.topic === "new");
  });
  await check("a write of a constant is taken back", async () => {
    demo.version = "2.0";
    await until(() => demo.version === "1.0");
  });
  await check("1,000 changes in a call are 2 updates at most", async () => {
    const before = first.socket.received.length;
    await demo.countTo(1000);
    await until(() => demo.count === 1000 && second.demo.count === 1000);
    const updates = first.socket.received.slice(before).filter(({ type }) => type === 2);
    assert.ok(updates.length <= 2, `${updates.length} updates`);
  });
  await check("a signal connected and disconnected in its emission", async () => {
    const seen = [];
    const inner = () => seen.push("inner");
    const outer = () => {
      seen.push("outer");
      demo.ticked.disconnect(outer);
      demo.ticked.connect(inner);
    };
    demo.ticked.connect(outer);
    await demo.tick();
    await demo.tick();
    await settle(first);
    demo.ticked.disconnect(inner);
    await demo.tick();
    await settle(first);
    assert.deepEqual(seen, ["outer", "inner"]);
  });
  await check("a signal connected twice is sent once", async () => {
    const seen = [];
    const slots = [() => seen.push(1), () => seen.push(2)];
    slots.forEach((slot) => demo.ticked.connect(slot));
    const before = first.socket.received.length;
    await demo.tick();
    await settle(first);
    assert.deepEqual(seen, [1, 2]);
    assert.equal(first.socket.received.slice(before).filter(({ type }) => type === 1).length, 1);
    slots.forEach((slot) => demo.ticked.disconnect(slot));
    demo.ticked.disconnect(slots[0]);
    demo.destroyed.disconnect(slots[0]);
  });
}

async function objects() {
  const { demo } = first;
  let item;
  await check("an object as a result, with its properties", async () => {
    item = await demo.makeItem("one");
    assert.equal(item.name, "one");
    assert.equal(item.self, item);
  });
  await check("an object as an argument", async () => assert.equal(await demo.nameOf(item), "one"));
  await check("an object is the same in a list", async () => {
    const [same] = await demo.items();
    assert.equal(same, item);
  });
  await check("a property and a signal of such an object", async () => {
    const changed = next(item.nameChanged);
    item.name = "renamed";
    assert.deepEqual(await changed, ["renamed"]);
    const shouted = next(item.shouted);
    await item.shout("ho");
    assert.deepEqual(await shouted, ["HO"]);
  });
  await check("an object of another client is unknown, until it is handed over", async () => {
    const stolen = { "__QObject*__": true, id: item.__id__ };
    await rejected(second.demo.nameOf(stolen));
    await rejected(call(second, item.__id__, "shout", ["no"]));
    const [same] = await second.demo.items();
    assert.equal(same.__id__, item.__id__);
    assert.equal(await second.demo.nameOf(same), "renamed");
  });
  await check("an object in a signal", async () => {
    const added = Promise.all([next(demo.itemAdded), next(second.demo.itemAdded)]);
    await settle(second);
    const made = await demo.makeItem("two");
    const [[here], [there]] = await added;
    assert.equal(here, made);
    assert.equal(there.name, "two");
    assert.notEqual(there, made);
  });
  await check("objects below keys that JSON.parse reorders", async () => {
    const { 9: nine, 10: ten } = await demo.numbered();
    assert.deepEqual([nine, ten].map((list) => list.map(({ name }) => name)), Array(2).fill(["both", "one"]));
    assert.equal(nine[0], ten[0]);
  });
  await check("deleteLater destroys an object for all clients", async () => {
    const there = second.channel.objects[item.__id__];
    const destroyed = [end(item), end(there)];
    await item.deleteLater();
    await Promise.all(destroyed);
    assert.deepEqual([Object.keys(item), Object.keys(there)], [[], []]);
  });
  await check("deleteLater of a registered object rejects", async () => rejected(demo.deleteLater()));
  await check("a list of 1,000 objects", async () => {
    const items = await demo.manyItems(1000);
    assert.equal(items.length, 1000);
    assert.equal(items[999].name, "999");
  });
  await check("a client has 10,000 objects at most", async () => {
    const { socket, demo } = await open();
    await rejected(demo.manyItems(10001));
    assert.equal((await demo.manyItems(9000)).length, 9000);
    await rejected(demo.manyItems(9000));
    socket.close();
  });
  await check("a forged object in a value rejects", async () => {
    const forged = { "__QObject*__": true, id: "x", data: { signals: [], methods: [], properties: [] } };
    for (const value of [forged, [forged], { a: { b: forged } }, { "__QObject*__": 1, id: "demo" }]) {
      await rejected(demo.echo(value));
      await rejected(demo.say(value, "text"));
    }
    // A true one may come in, and does not go out again as a mere value.
    await rejected(demo.echo(demo));
    assert.deepEqual(await demo.echo({ id: 1, "__QObject_": [null] }), { id: 1, "__QObject_": [null] });
  });
}

async function lifetimes() {
  await check("late registration: the object comes as a result", async () => {
    await first.demo.invite();
    assert.ok(!("guest" in first.channel.objects));
    const guest = await first.demo.guest();
    assert.equal(guest.number, 7);
    const late = await open();
    assert.equal(late.guest.number, 7);
    late.socket.close();
  });
  await check("a registered object that is dropped is destroyed", async () => {
    const destroyed = end(first.channel.objects.guest);
    await first.demo.bye();
    await destroyed;
    const late = await open();
    assert.ok(!("guest" in late.channel.objects));
    late.socket.close();
  });
  await check("two channels on one server", async () => {
    const { socket, channel } = await open("/second");
    assert.deepEqual(Object.keys(channel.objects), ["other"]);
    assert.equal(channel.objects.other.topic, "second");
    socket.close();
  });
  await check("5,000 calls of 10 clients behind a limit of 64", async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => open()));
    const calls = clients.flatMap(({ demo }) =>
      Array.from({ length: 500 }, (_, number) => demo.square(number)));
    const results = await Promise.all(calls);
    assert.deepEqual(results, clients.flatMap(() => Array.from({ length: 500 }, (_, n) => n * n)));
    clients.forEach(({ socket }) => socket.close());
  });
  await check("a client that is killed loses its calls", async () => {
    const { socket, demo } = await open();
    for (let number = 0; number < 50; number += 1) void demo.forever();
    await until(() => first.demo.running === 50);
    socket.terminate();
    await until(() => first.demo.running === 0);
  });
}

// A message that the client itself does not send.
const call = ({ channel }, object, method, args) => new Promise((done, fail) => {
  channel.exec({ type: 6, object, method, args }, (data) => (data === undefined ? fail() : done(data)));
});

const BROKEN = [
  "{", "[]", "5", "", "null", '"type"', "\u0000", '{"type":99}', '{"type":6}', '{"type":6,"id":3}',
  '{"type":6,"id":4,"object":"none","method":"add","args":[]}',
  '{"type":6,"id":5,"object":"demo","method":99,"args":[]}',
  '{"type":6,"id":6,"object":"demo","method":"constructor","args":[]}',
  '{"type":7,"object":"demo","signal":0}', '{"type":7,"object":"demo","signal":99}',
  '{"type":8,"object":"none","signal":1}', '{"type":9,"object":"demo","property":77,"value":1}',
  '{"type":6,"object":"demo","method":"add","id":{"a":1},"args":5}',
  `{"type":6,"object":"demo","method":"echo","id":7,"args":${"[".repeat(1000)}${"]".repeat(1000)}}`,
];

async function rudeClients() {
  await check("broken messages hurt no other client", async () => {
    const socket = await openRaw();
    BROKEN.forEach((text) => socket.send(text));
    socket.send('{"type":6,"id":100,"object":"demo","method":"add","args":[1,2]}');
    await until(() => socket.received.some(({ id }) => id === 100));
    const failures = [3, 4, 5, 6, { a: 1 }, 7].map((id) => ({ type: 10, id }));
    assert.deepEqual(socket.received, [...failures, { type: 10, id: 100, data: 3 }]);
    socket.close();
    await settle(first);
  });
  await check("100 messages in a row without sense end the connection", async () => {
    const socket = await openRaw();
    const closed = new Promise((done) => socket.on("close", done));
    for (let number = 0; number < 100; number += 1) socket.send("?");
    assert.equal(await closed, 1008);
    await settle(first);
  });
  await check("the clients that have gone are forgotten", async () => {
    while (await first.demo.clients() !== 2) await new Promise((done) => setTimeout(done, 10));
  });
}

let first, second;
async function main() {
  [first, second] = [await open(), await open()];
  await members();
  await properties();
  await objects();
  await lifetimes();
  await rudeClients();
  first.socket.close();
  second.socket.close();
  process.exitCode = failed > 0 ? 1 : 0;
}

process.on("unhandledRejection", (reason) => {
  console.log(`not ok - webchannel: an unhandled rejection: ${reason}`);
  process.exitCode = 1;
});
main();
