// SPDX-License-Identifier: Apache-2.0
// Runs the golden conversations: first the fakes alone, then every inbound API over every
// provider through the real binary.  See README.md.
//
//     node matrix.mjs [--binary PATH] [--counts FILE] [--jobs N] [--fakes] [FILTER...]
//
// A filter is a part of a cell's name: "chat>bedrock", "thinking", "stream".  Without one there
// is a process a core, each with fakes and a gateway of its own and every N-th cell.
import { fork } from "node:child_process";
import { appendFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { apis, providers, whyPending } from "./cells.mjs";
import { converseIn, direct } from "./direct.mjs";
import { startAll } from "./fakes/all.mjs";
import { Gateway } from "./gateway.mjs";
import { identityCells, standIns } from "./identities.mjs";
import { aroundCells, aroundModels, embedders } from "./around.mjs";
import { paramCells, paramModels } from "./params.mjs";
import { prefixCells } from "./prefixes.mjs";
import { roundCells } from "./rounds.mjs";
import { rows, scripts } from "./rows.mjs";
import { vectorCells, vectorFakes, vectorModels } from "./vectors.mjs";
import { checkBooks } from "./books.mjs";

const options = { filters: [], binary: process.env.KANMON_BINARY, share: process.env.KM_SHARE };
for (let i = 2; i < process.argv.length; i++) {
  const word = process.argv[i];
  if (word === "--binary") options.binary = process.argv[++i];
  else if (word === "--counts") options.counts = process.argv[++i];
  else if (word === "--jobs") options.jobs = Number(process.argv[++i]);
  else if (word === "--fakes") options.fakes = true;
  else options.filters.push(word);
}

options.jobs ??= options.filters.length ? 1 : availableParallelism();
const [share, shares] = (options.share ?? "0/1").split("/").map(Number);

const AT_ONCE = 8;
const wanted = (name) => options.filters.every((f) => name.includes(f));
const results = [];
let dealt = 0;

/* Runs cells, some at a time; each is { name, run() -> complaints }. */
async function runAll(cells) {
  const queue = cells.filter((c) => wanted(c.name) && dealt++ % shares === share);
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let cell = queue.shift(); cell; cell = queue.shift()) {
      let faults;
      try {
        faults = cell.pending ? [] : await cell.run();
      } catch (e) {
        faults = [`the test failed: ${e.stack}`];
      }
      results.push({ ...cell, faults });
      for (const what of faults) console.log(`FAILED ${cell.name}: ${what}`);
    }
  }));
}

const modes = (row) => ({ only: [true], never: [false] })[row.streams] ?? [false, true];
const mode = (stream) => (stream ? "stream" : "whole");

function fakeCells(f) {
  const cells = [];
  for (const d of direct(f)) {
    for (const row of rows) {
      if (row.between || row.without?.[d.provider.name] || (d.only && !d.only.includes(row.name)) ||
          (row.apis && !row.apis.includes(d.api.name))) continue;
      for (const stream of modes(row)) {
        cells.push({ part: "fakes", group: d.name, name: `fake ${d.name} ${row.name} ${mode(stream)}`,
          run: () => converseIn({ ...d, row, stream, fake: f[d.provider.fake],
            status: d.status?.[row.name] }) });
      }
    }
  }
  return cells;
}

function gatewayCells(f, gateway, calls) {
  const cells = [];
  for (const api of Object.values(apis)) {
    for (const provider of Object.values(providers)) {
      for (const row of rows) {
        if (row.without?.[provider.name] || (row.apis && !row.apis.includes(api.name))) continue;
        for (const stream of modes(row)) {
          const model = `${provider.name}.${row.name}`;
          const args = { url: gateway.url, key: gateway.key, model, gateway: true };
          cells.push({ part: "gateway", group: `${api.name}>${provider.name}`,
            name: `${api.name}>${provider.name} ${row.name} ${mode(stream)}`,
            pending: whyPending(api.name, provider.name) ?? row.pending?.[`${api.name}>${provider.name}`],
            run: () => {
              calls.push({ model, row, provider });
              return converseIn({ api, provider, row, stream, args, model,
                fake: f[provider.fake], status: provider.status?.[row.name] });
            } });
        }
      }
    }
  }
  return cells;
}

function report(started) {
  const groups = new Map();
  for (const r of results) {
    const g = groups.get(r.group) ?? { passed: 0, failed: 0, pending: 0, why: new Set() };
    groups.set(r.group, g);
    if (r.pending) {
      g.pending++;
      g.why.add(r.pending);
    } else if (r.faults.length) g.failed++;
    else g.passed++;
  }
  const sum = { passed: 0, failed: 0, pending: 0 };
  for (const [name, g] of groups) {
    const why = [...g.why].join("; ");
    console.log(`    ${name.padEnd(28)} ${String(g.passed).padStart(4)} passed ` +
      `${String(g.failed).padStart(4)} failed ${String(g.pending).padStart(4)} pending` +
      `${why ? `  (${why})` : ""}`);
    for (const k of Object.keys(sum)) sum[k] += g[k];
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.pending} pending, ` +
    `${((Date.now() - started) / 1000).toFixed(1)} s`);
  return sum;
}

/* This process's share of the cells. */
async function runShare() {
  const fakes = await startAll();
  let gateway;
  let identities;
  let prefixes;
  let rounds;
  try {
    await runAll([...fakeCells(fakes), ...vectorFakes(fakes)]);
    const others = standIns(fakes).map((c) => ({ ...c, group: "stand-ins" }));
    await runAll(others.filter((c) => !c.alone));
    for (const c of others.filter((one) => one.alone)) await runAll([c]); // they set variables
    if (!options.fakes) {
      gateway = new Gateway(options.binary, fakes, providers, [...rows, ...scripts]);
      for (const [name, [params]] of Object.entries(embedders({ ...fakes, account: gateway.account })))
        gateway.models.push({ model_name: `embed.${name}`, litellm_params: params });
      gateway.models.push(...paramModels({ ...fakes, account: gateway.account }),
        ...vectorModels(fakes), ...aroundModels(fakes));
      await gateway.start();
      const calls = [];
      await runAll(gatewayCells(fakes, gateway, calls));
      identities = await identityCells(options.binary, fakes);
      await runAll(identities.cells);
      prefixes = prefixCells(options.binary, fakes);
      await runAll(prefixes.cells);
      for (const c of prefixes.alone) await runAll([c]); // what no vendor may hear of
      rounds = await roundCells(options.binary, fakes);
      await runAll(rounds.cells);
      const books = await checkBooks(gateway, calls);
      results.push(...books);
      await runAll(aroundCells(gateway, fakes));
      await runAll([...paramCells(gateway, fakes), ...vectorCells(gateway, fakes)]);
      for (const b of books) for (const what of b.faults) console.log(`FAILED ${b.name}: ${what}`);
    }
  } finally {
    await prefixes?.stop();
    await rounds?.stop();
    await identities?.stop();
    await gateway?.stop();
    fakes.stop();
  }
}

/* Each share in a process; what it found comes back when it ends. */
function runShares(jobs) {
  return Promise.all(Array.from({ length: jobs }, (_, i) => new Promise((done) => {
    const child = fork(process.argv[1], process.argv.slice(2),
      { env: { ...process.env, KM_SHARE: `${i}/${jobs}` } });
    let found = [{ group: "process", faults: [`share ${i} ended without a result`] }];
    child.on("message", (message) => { found = message; });
    child.on("exit", () => { results.push(...found); done(); });
  })));
}

const started = Date.now();
if (options.share || options.jobs === 1) await runShare();
else await runShares(options.jobs);
if (options.share) {
  process.send(results.map(({ group, pending, faults }) => ({ group, pending, faults })),
    () => process.exit()); // vendors' clients keep connections open for a minute and more
} else {
  const sum = report(started);
  if (options.counts) appendFileSync(options.counts, `${sum.passed} ${sum.failed}\n`);
  process.exitCode = sum.failed ? 1 : 0;
}
