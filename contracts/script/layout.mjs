#!/usr/bin/env node
// The Vault is upgraded in place, so what its storage holds may only grow at the end. Compares the ERC-7201 struct in the
// source with layout.json; with --write appends what is new to it. Reads syntax only: a second, no code is generated.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const committed = join(root, "layout.json");
const CONTRACT = "Vault";
const read = (path) => readFileSync(join(root, path), "utf8");

/** Every node of a syntax tree. */
function* nodes(tree) {
  if (Array.isArray(tree)) for (const one of tree) yield* nodes(one);
  else if (tree && typeof tree === "object") {
    if (tree.nodeType) yield tree;
    for (const value of Object.values(tree)) yield* nodes(value);
  }
}

function parse() {
  const path = `src/${CONTRACT}.sol`;
  const input = {
    language: "Solidity",
    sources: { [path]: { content: read(path) } },
    settings: { outputSelection: { "*": { "": ["ast"] } } },
  };
  const findImport = (name) => ({ contents: read(existsSync(join(root, name)) ? name : `node_modules/${name}`) });
  const output = JSON.parse(require("solc").compile(JSON.stringify(input), { import: findImport }));
  const errors = (output.errors ?? []).filter((error) => error.severity === "error");
  if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  return [...nodes(output.sources[path].ast)];
}

/** The namespaced struct, and the structs of this contract that its members are made of. */
function layout() {
  const all = parse();
  const structs = all.filter((node) => node.nodeType === "StructDefinition");
  const namespaced = structs.filter((node) => /storage-location erc7201:/.test(node.documentation?.text ?? ""));
  if (namespaced.length !== 1) throw new Error(`expected one ERC-7201 struct in ${CONTRACT}, was ${namespaced.length}`);
  const plain = all.filter((node) => node.nodeType === "VariableDeclaration" && node.stateVariable && node.mutability === "mutable");
  if (plain.length) throw new Error(`${CONTRACT} has variables outside of its struct: ${plain.map((node) => node.name)}`);
  const members = (struct) => struct.members.map((member) => `${member.typeDescriptions.typeString} ${member.name}`);
  return {
    namespace: namespaced[0].documentation.text.match(/erc7201:(\S+)/)[1],
    structs: Object.fromEntries(structs.map((struct) => [struct.name, members(struct)])),
  };
}

/** What an upgrade would break: members that are gone, changed or moved. A struct inside of a mapping may grow, too. */
function problems(before, now) {
  const found = [];
  if (before.namespace !== now.namespace) found.push(`namespace: was ${before.namespace}, is ${now.namespace}`);
  for (const [name, members] of Object.entries(before.structs)) {
    members.forEach((member, place) => {
      const is = now.structs[name]?.[place] ?? "nothing";
      if (is !== member) found.push(`${name}, place ${place}: was '${member}', is '${is}'`);
    });
  }
  return found;
}

const now = layout();
const before = existsSync(committed) ? JSON.parse(readFileSync(committed, "utf8")) : { ...now, structs: {} };
const broken = problems(before, now);
if (broken.length) {
  console.error(`an upgrade of ${CONTRACT} would read its storage wrongly:\n  ${broken.join("\n  ")}`);
  console.error("new members go to the end of the struct; nothing may be removed, renamed or retyped");
  process.exit(1);
}
const text = `${JSON.stringify(now, null, 1)}\n`;
if (process.argv.includes("--write")) writeFileSync(committed, text);
else if (JSON.stringify(before) !== JSON.stringify(now)) {
  console.error(`the storage of ${CONTRACT} has grown; run: node script/layout.mjs --write`);
  process.exit(1);
}
console.log(`storage of ${CONTRACT}: ${Object.values(now.structs).flat().length} members where they were`);
