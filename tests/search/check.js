// Looks up each Qt name of docs/qt-map.md with the search of the built documentation, rustdoc's own
// script: `node check.js path/to/target/doc path/to/docs/qt-map.md`.
//
// A name is found when one of the results that match all of it, as an alias or as a name, is an
// item of the row's second column.

"use strict";

const fs = require("fs");
const path = require("path");

// What is not a name to search for: operations of the language, containers.
const ELSEWHERE = ["swap", "QList"];

async function main([docs, map]) {
  const find = await openSearch(path.resolve(docs));
  if ((await find("QNoSuchClass")).length > 0) throw new Error("the search finds anything");

  let count = 0;
  const lost = [];
  for (const { names, words, ours } of fs.readFileSync(map, "utf8").split("\n").flatMap(wordsOfRow)) {
    const found = (await Promise.all(names.map(find))).flat();
    const isOurs = name => words.includes(name) || (ours.includes("the same names") && isSame(name, names[0]));
    if (!found.some(isOurs)) lost.push(`${names[0]}: the search has [${found}], the row has ${ours}`);
    count += 1;
  }
  if (count < 200) throw new Error(`${map} has ${count} names only`);
  if (lost.length > 0) throw new Error(`not found in the search:\n${lost.join("\n")}`);
  console.log(`${count} Qt names lead to the items of their rows`);
}

// Returns the search, as a function from a word to the names of the items that match all of it.
async function openSearch(docs) {
  const scripts = path.join(docs, "static.files");
  const script = name => {
    const file = fs.readdirSync(scripts).find(file => new RegExp(`^${name}-\\w+\\.js$`).test(file));
    return require(path.join(scripts, file));
  };
  const load = (...names) => (0, eval)(fs.readFileSync(path.join(docs, "search.index", ...names), "utf8"));
  globalThis.nonnull = value => value;
  const { Stringdex, RoaringBitmap } = script("stringdex");
  const { docSearch, DocSearch } = await script("search").initSearch(Stringdex, RoaringBitmap, {
    loadRoot: callbacks => { Object.assign(globalThis, callbacks); load("root.js"); },
    loadTreeByHash: hash => load(`${hash}.js`),
    loadDataByNameAndHash: (name, hash) => load(name, `${hash}.js`),
  });
  return async word => {
    const results = await docSearch.execQuery(DocSearch.parseQuery(word), null, "slotwork");
    const found = [];
    for await (const { is_alias: isAlias, alias, item } of results.others) {
      if (isSame(isAlias ? alias : item.name, word)) found.push(item.name);
    }
    return found;
  };
}

function isSame(name, word) {
  return name.replaceAll("_", "").toLowerCase() === word.replaceAll("_", "").toLowerCase();
}

// The Qt names of a row that has something of ours, each with the words of the second column.
//
// Names are members, classes, macros, and the signals behind that word, in rows that begin with one.
// Of `Class::member()` one of both has to be found.
function wordsOfRow(row) {
  const [qt, ours, remark] = row.split(" | ").map(column => column.replace(/^[| ]+|[| ]+$/g, ""));
  const isOurs = ours && remark !== undefined && !/^(not ported|Qt has none)/.test(remark);
  if (!/^\| (signals? )?`/.test(row) || !isOurs) return [];
  const words = ours.match(/\w+/g);
  const [before, ...behind] = qt.split(/\bsignals? /);
  const quoted = text => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  const names = quoted(before).filter(name => /\)$|^[Qq][A-Z_]/.test(name)).concat(quoted(behind.join(" ")));
  return names
    .map(name => name.match(/^((?:\w+::)*)(\w+)(?:\(.*\))?$/))
    .filter(match => match && !ELSEWHERE.includes(match[2]))
    .map(([, scope, name]) => ({ names: [name, ...scope.split("::").filter(Boolean)], words, ours }));
}

main(process.argv.slice(2)).catch(error => {
  console.error(error.message);
  process.exitCode = 1;
});
