#!/usr/bin/env node
// Compiles the contracts and writes artifacts/; with --check compiles and compares, exit 1 when they differ.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const artifactsDir = join(root, "artifacts");

const LIBRARIES = [
  "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol",
  "@openzeppelin/contracts/governance/TimelockController.sol",
];
const CONTRACTS = [
  "Vault",
  "CXPT",
  "SynthERC20",
  "Settlement",
  "Clearing",
  "MockUSDC",
  "ERC1967Proxy",
  "TimelockController",
];
const SETTINGS = {
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none" },
};

const read = (path) => readFileSync(join(root, path), "utf8");

function solidityFiles(dir) {
  return readdirSync(join(root, dir), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".sol"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

const byCodePoint = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const sourcePaths = [...solidityFiles("src"), "test/MockUSDC.sol"].sort(byCodePoint);

/** The compiler and the libraries change the bytecode as the sources do, so they are hashed with the settings. */
function hashedSettings(solcVersion) {
  const version = (name) => JSON.parse(read(`node_modules/${name}/package.json`)).version;
  const libraries = ["@openzeppelin/contracts", "@openzeppelin/contracts-upgradeable"];
  return JSON.stringify({
    compiler: solcVersion,
    libraries: Object.fromEntries(libraries.map((name) => [name, version(name)])),
    settings: SETTINGS,
  });
}

function sourceHash(settings) {
  const hash = createHash("sha256");
  for (const path of sourcePaths) hash.update(`${path}\0${read(path)}\0`);
  return hash.update(settings).digest("hex");
}

function compile(solc) {
  const sources = Object.fromEntries(sourcePaths.map((path) => [path, { content: read(path) }]));
  for (const path of LIBRARIES) sources[path] = { content: read(`node_modules/${path}`) };
  const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } };
  const input = { language: "Solidity", sources, settings: { ...SETTINGS, outputSelection } };
  const findImport = (path) => {
    try {
      return { contents: read(`node_modules/${path}`) };
    } catch {
      return { error: `not found: ${path}` };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const errors = (output.errors ?? []).filter((error) => error.severity === "error");
  if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  return output.contracts;
}

function render() {
  const solc = require("solc");
  const settings = hashedSettings(solc.version());
  const hash = sourceHash(settings);
  const compiled = compile(solc);
  const files = {};
  for (const name of CONTRACTS) {
    const [unit] = Object.values(compiled).filter((contracts) => contracts[name]);
    const { abi, evm } = unit[name];
    files[`${name}.json`] = {
      contractName: name,
      abi,
      deploymentBytecode: { bytecode: `0x${evm.bytecode.object}` },
      runtimeBytecode: { bytecode: `0x${evm.deployedBytecode.object}` },
      source_hash: hash,
    };
  }
  files["manifest.json"] = {
    about:
      "source_hash = sha256 over, for each path of `sources` in this order, path + NUL + file content + NUL, " +
      "followed by the text of `hashed_settings`. `sources` must be src/**/*.sol and test/MockUSDC.sol, sorted.",
    contracts: CONTRACTS,
    sources: sourcePaths,
    hashed_settings: settings,
    source_hash: hash,
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, `${JSON.stringify(content, null, 1)}\n`]),
  );
}

function differences(files) {
  const present = readdirSync(artifactsDir).filter((name) => name.endsWith(".json"));
  const committed = (name) => (present.includes(name) ? read(`artifacts/${name}`) : null);
  const names = [...new Set([...present, ...Object.keys(files)])].sort(byCodePoint);
  return names.filter((name) => committed(name) !== (files[name] ?? null));
}

mkdirSync(artifactsDir, { recursive: true });
const files = render();
const changed = differences(files);
if (process.argv.includes("--check")) {
  if (changed.length) {
    console.error(`artifacts differ from the sources: ${changed.join(", ")}\nrun: node script/build.mjs`);
    process.exit(1);
  }
  console.log("artifacts match the sources");
} else {
  for (const name of changed) {
    if (files[name]) writeFileSync(join(artifactsDir, name), files[name]);
    else rmSync(join(artifactsDir, name));
  }
  console.log(changed.length ? `written: ${changed.join(", ")}` : "artifacts are up to date");
}
