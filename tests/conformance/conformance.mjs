// SPDX-License-Identifier: Apache-2.0
// Runs the official conformance suite and says a line a scenario.  See ./run for the options.
//
// A run is one line of the suite (0.1.16, or 0.2 with the requirements of a revision) against one
// server.  Required is what the suite itself scores for that revision; the rest is run and said, and
// fails nothing.  There is no list of failures to expect: a required scenario that fails, that
// checks nothing or that was not run ends this with status 1.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../e2e/lib/ports.mjs";
import { startClient } from "./client.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const suite = (line) => join(here, "node_modules", `conformance-${line}`, "dist", "index.js");
const fixture = join(here, "fixture", "server.mjs");
// kanmon with one kind of server more, built beside it with the tests (native/).
const nativeOf = (binary) => join(dirname(resolve(binary)), "kanmon_fixture");

// title: [line, arguments, how many scenarios are required at least]
const suites = {
  "0.1.16": ["v1", ["--suite", "active"], 30],
  "2025-11-25": ["v2", ["--requirements", "2025-11-25"], 30],
  "2026-07-28": ["v2", ["--requirements", "2026-07-28"], 37],
};
// kanmon as the client of the suite's own servers.
const clientSuites = {
  "0.1.16": ["v1", ["--suite", "all"], 23],
  "2025-11-25": ["v2", ["--requirements", "2025-11-25"], 18],
  "2026-07-28": ["v2", ["--requirements", "2026-07-28"], 32],
};
const suitesOf = (where) => (where === "client" ? clientSuites : suites);
const runLimitMs = 120_000;
const startLimitMs = 30_000;

const children = new Set();
const ends = []; // of what runs in this process

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
  children.add(child);
  child.on("exit", () => children.delete(child));
  return child;
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.stdin?.end();
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(force);
}

// The first line of a child's output.
function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    const late = setTimeout(() => reject(new Error("a server did not say its address")), startLimitMs);
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.includes("\n")) {
        clearTimeout(late);
        resolve(text.slice(0, text.indexOf("\n")));
      }
    });
    child.on("exit", () => reject(new Error("a server ended before it said its address")));
  });
}

async function runSuite(where, title, address, folder) {
  const [line, options] = suitesOf(where)[title];
  const words = where === "client"
    ? ["client", "--command", `sh ${join(here, "client.sh")}`, "--timeout", String(runLimitMs)]
    : ["server", "--url", address];
  const child = start(process.execPath, [suite(line), ...words, ...options, "-o", folder], {
    cwd: folder, stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KM_CLIENT: address },
  });
  const late = setTimeout(() => child.kill("SIGKILL"), runLimitMs);
  let text = "";
  child.stdout.on("data", (chunk) => { text += chunk; });
  child.stderr.on("data", (chunk) => { text += chunk; });
  await once(child, "close");
  clearTimeout(late);
  return text;
}

// What 0.1.16 does not ask of every client: it says so in its list alone.
let extensions;
async function listExtensions() {
  const child = start(process.execPath, [suite("v1"), "list", "--client"]);
  let text = "";
  for await (const part of child.stdout) text += part;
  return new Set([...text.matchAll(/- (\S+) \[extension\]/g)].map((m) => m[1]));
}

// [{name, passed, failed, required}] of a suite's summary.  A client may not even be warned.
export function scenarios(text, where, title) {
  const summary = text.slice(text.search(/=== (SUITE )?SUMMARY ===/));
  const cut = summary.indexOf("Not scored for");
  const [scored, rest] = cut < 0 ? [summary, ""] : [summary.slice(0, cut), summary.slice(cut)];
  const unscored = new Set([...rest.matchAll(/^\s+[✓✗] (\S+) \(/gm)].map((m) => m[1]));
  return [...scored.matchAll(/^[✓✗] ([^\s:]+): (\d+) passed, (\d+) failed(?:, (\d+) warnings)?/gm)].map((m) => ({
    name: m[1], passed: Number(m[2]), failed: Number(m[3]) + (where === "client" ? Number(m[4] ?? 0) : 0),
    required: !unscored.has(m[1]) && !(where === "client" && title === "0.1.16" && extensions.has(m[1])),
  }));
}

const totals = { passed: 0, failed: 0 };

// What required did not pass, by name; "" where fewer ran than there are.
function missed(where, title, text) {
  const required = scenarios(text, where, title).filter((one) => one.required);
  const bad = required.filter((one) => one.failed > 0 || one.passed === 0).map((one) => one.name);
  return required.length < suitesOf(where)[title][2] ? ["", ...bad] : bad;
}

// What failed in a scenario, in the suite's own words.
function failures(folder, name) {
  const inside = join(folder, dirname(name));
  const found = readdirSync(folder).filter((entry) => entry.startsWith(`server-${name}-2`)).map((entry) => join(folder, entry));
  if (existsSync(inside))
    found.push(...readdirSync(inside).filter((entry) => entry.startsWith(`${basename(name)}-2`)).map((entry) => join(inside, entry)));
  return found.flatMap((entry) => JSON.parse(readFileSync(join(entry, "checks.json"), "utf8")))
    .filter((check) => check.status === "FAILURE" || check.status === "WARNING")
    .map((check) => `        ${check.id}: ${check.errorMessage ?? check.description}`);
}

function report(where, title, text, folder) {
  const ran = scenarios(text, where, title);
  const bad = [];
  for (const one of ran) {
    const good = one.failed === 0 && one.passed > 0;
    const word = good ? "ok" : one.required ? "FAILED" : "open";
    if (one.required && !good) bad.push(one.name);
    if (one.required) totals[good ? "passed" : "failed"]++;
    console.log(`${word.padEnd(7)} ${where} ${title} ${one.name}: ${one.passed} passed, ${one.failed} failed`
      + (one.required ? "" : " (not scored)"));
  }
  const required = ran.filter((one) => one.required).length;
  const least = suitesOf(where)[title][2];
  if (required < least) {
    totals.failed++;
    console.log(`FAILED  ${where} ${title}: ${required} of ${least} required scenarios ran\n${text.slice(-3000)}`);
  }
  for (const name of bad) console.log(`    ${name}:\n${failures(folder, name).join("\n")}`);
}

// Calls it when first asked for, and once: a server starts beside the runs of others.  What failed
// is tried again by who asks next.
function lazily(begin) {
  let begun;
  return () => (begun ??= begin().catch((why) => {
    begun = undefined;
    throw why;
  }));
}

// "v1-stdio" as kanmon's own names have it.
const wordOf = (server) => server.replaceAll("-", "");

// Lines of mcp_servers, by what they are called here; `urls`: of the fixtures, when they are there.
function upstreams(urls) {
  const stdio = (line) => async () =>
    `{transport: stdio, command: ${JSON.stringify(process.execPath)}, args: ${JSON.stringify([fixture, line, "stdio"])}}`;
  const http = (name, more = "") => async () => `{url: "${await urls[name]()}", transport: http${more}}`;
  return {
    "v1-http": http("v1"),
    "v2-http": http("v2"),
    "v1-stdio": stdio("v1"),
    "v2-stdio": stdio("v2"),
    ...(urls.example && { "example": http("example", ', spec_version: "2025-11-25"') }),
  };
}

// Our own fixture: on stdio in either era.
function ownUpstreams(binary) {
  const command = JSON.stringify(nativeOf(binary));
  return {
    "stdio": async () => `{transport: stdio, command: ${command}, args: [stdio]}`,
    "stdio-handshake": async () =>
      `{transport: stdio, command: ${command}, args: [stdio], spec_version: "2025-11-25"}`,
    "http": async () => "{builtin: fixture}",
  };
}

async function startGateway(binary, folder, name, server, row) {
  const config = join(folder, `${name}.yaml`);
  const port = await freePort();
  writeFileSync(config, [
    "kanmon_settings:",
    `  state_dir: ${JSON.stringify(join(folder, name))}`,
    "  workers: 2",
    "  mcp_servers:",
    `    ${wordOf(server)}: ${row}`,
    "",
  ].join("\n"));
  const log = openSync(join(folder, `${name}.log`), "a");
  const child = start(binary, ["serve", "--config", config, "--port", String(port)],
    { stdio: ["ignore", "ignore", log] });
  closeSync(log);
  const base = `http://127.0.0.1:${port}`;
  for (const until = Date.now() + startLimitMs; ; await new Promise((r) => setTimeout(r, 20))) {
    if (child.exitCode !== null) throw new Error("the gateway ended");
    if (Date.now() > until) throw new Error("the gateway is not ready");
    const ready = await fetch(`${base}/health/readiness`).catch(() => undefined);
    if (ready?.ok) return { base, child };
  }
}

// The suite waits 600 ms for some answers, and a stdio server gets a process for each set of
// capabilities: all of them are there before it begins.  On a busy machine they may take longer than
// kanmon waits for a first list.
const capabilities = [
  {}, { elicitation: {} }, { sampling: {} }, { sampling: {}, elicitation: {} },
  { sampling: {}, elicitation: {}, roots: { listChanged: true } },
];

async function callOnce(url, id, declared) {
  const name = "test_simple_text";
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": declared };
  const headers = {
    "content-type": "application/json", accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name,
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {}, _meta } });
  const answer = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(startLimitMs) });
  return `${answer.status} ${await answer.text()}`;
}

async function warm(url) {
  await Promise.all(capabilities.map(async (declared, id) => {
    let text = "";
    for (const until = Date.now() + startLimitMs; !text.includes("simple text response");) {
      if (Date.now() > until) throw new Error(`${url} does not answer: ${text.slice(0, 400)}`);
      if (text) await new Promise((r) => setTimeout(r, 200));
      text = await callOnce(url, id, declared);
    }
  }));
}

// The suite's own example server, in the checkout that CONFORMANCE_SRC names.  It shakes hands: what
// it has of the stateless era does not pass the suite itself (results lack resultType).
const exampleSuites = ["0.1.16", "2025-11-25"];

async function startExample() {
  const cwd = join(resolve(process.env.CONFORMANCE_SRC), "examples", "servers", "typescript");
  if (!existsSync(join(cwd, "everything-server.ts"))) throw new Error(`CONFORMANCE_SRC: no example server in ${cwd}`);
  const install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  if (!existsSync(join(cwd, "node_modules")) && spawnSync("npm", install, { cwd, stdio: "inherit" }).status !== 0)
    throw new Error(`npm ci failed in ${cwd}`);
  const port = await freePort();
  const words = [join(cwd, "node_modules", "tsx", "dist", "cli.mjs"), "everything-server.ts"];
  const child = start(process.execPath, words, { cwd, env: { ...process.env, PORT: String(port) } });
  await firstLine(child);
  child.stdout.resume();
  return `http://127.0.0.1:${port}/mcp`;
}

// A gateway in front of each server, and its runs.  One each: what waits for a client's answer is
// bounded by principal, and all runs against one gateway are of one principal.  Runs of a title are
// together, so that those at one time are of different gateways.
function gatewayRows(where, binary, folder, servers) {
  const gateways = Object.entries(servers).map(([server, row]) => [server, lazily(async () => {
    const { base, child } = await startGateway(binary, folder, `${where}-${server}`, server, await row());
    const url = `${base}/mcp/${wordOf(server)}`;
    if (server.includes("stdio")) await warm(url).catch((why) => stop(child).then(() => { throw why; }));
    return url;
  })]);
  return Object.keys(suites).flatMap((title) => gateways
    .filter(([server]) => server !== "example" || exampleSuites.includes(title))
    .map(([server, address]) => [`${where}/${server}`, title, address]));
}

// [where, title, address]: everything there is to run; address() starts what it is the address of.
function table(binary, folder) {
  const fixtureOf = (line) => lazily(() => firstLine(start(process.execPath, [fixture, line, "http"])));
  const urls = { v1: fixtureOf("v1"), v2: fixtureOf("v2") };
  if (process.env.CONFORMANCE_SRC) urls.example = lazily(startExample);
  const client = lazily(async () => {
    const { path, stop: end } = await startClient(resolve(binary), folder);
    ends.push(end);
    return path;
  });
  const native = lazily(async () => {
    if (!existsSync(nativeOf(binary))) throw new Error(`no ${nativeOf(binary)}: build the tests, or leave "own" out`);
  });
  const own = Object.fromEntries(Object.entries(ownUpstreams(binary))
    .map(([server, row]) => [server, () => native().then(row)]));
  return [
    ...Object.keys(clientSuites).map((title) => ["client", title, client]),
    ...gatewayRows("gateway", binary, folder, upstreams(urls)),
    ...gatewayRows("own", nativeOf(binary), folder, own),
    ["direct/v1-http", "0.1.16", urls.v1], ["direct/v1-http", "2025-11-25", urls.v1],
    ["direct/v2-http", "2026-07-28", urls.v2],
    ...(urls.example ? exampleSuites.map((title) => ["direct/example", title, urls.example]) : []),
  ];
}

async function main(words) {
  let binary = process.env.KANMON_BINARY;
  let jobs = 5; // they wait as much as they work, and there are two cores
  const groups = [];
  while (words.length) {
    const word = words.shift();
    if (word === "--binary") binary = words.shift();
    else if (word === "--jobs") jobs = Number(words.shift());
    else groups.push(word);
  }
  const folder = mkdtempSync(join(tmpdir(), "kanmon-conformance-"));
  const wanted = ([where, title]) => !groups.length ||
    groups.some((g) => `${where}/${title}`.startsWith(g));
  try {
    const rows = table(binary, folder).filter(wanted);
    const work = rows.entries();
    const run = async ([where, title, address]) => {
      const own = mkdtempSync(join(folder, "run-"));
      if (where === "client") extensions ??= await listExtensions();
      const began = performance.now();
      const text = await address().then((to) => runSuite(where, title, to, own)).catch((why) => why.stack);
      console.log(`        ${where} ${title}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
      return { where, title, own, text };
    };
    const doubtful = [];
    await Promise.all(Array.from({ length: jobs }, async () => {
      for (const [, row] of work) {
        const ran = await run(row);
        const bad = missed(ran.where, ran.title, ran.text);
        if (!bad.length) report(ran.where, ran.title, ran.text, ran.own);
        else doubtful.push([row, ran.text.startsWith("Error") ? [ran.text] : bad]);
      }
    }));
    // The suite waits 600 ms for some answers, which a machine with other work may miss: what
    // failed beside others runs once more, alone, and that counts.
    for (const [row, bad] of doubtful) {
      console.log(`        ${row[0]} ${row[1]}: once more, alone, for ${bad.join(" ")}`);
      const ran = await run(row);
      report(ran.where, ran.title, ran.text, ran.own);
    }
    if (!rows.length) totals.failed++;
  } finally {
    for (const end of ends) end();
    await Promise.all([...children].map(stop));
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`conformance: ${totals.passed} passed, ${totals.failed} failed`);
  if (process.env.KM_COUNTS) appendFileSync(process.env.KM_COUNTS, `${totals.passed} ${totals.failed}\n`);
  process.exitCode = totals.failed ? 1 : 0;
}

await main(process.argv.slice(2));
