#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Prisma's query engine as a program: what prisma's Python client starts and talks to
// over HTTP.  The engine itself is the WebAssembly build in @prisma/client, of the same
// version, over the pg driver; this file is only its HTTP front.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const { PrismaPg } = require("@prisma/adapter-pg");
const { bindAdapter } = require("@prisma/driver-adapter-utils");
const { Pool } = require("pg");
const { readSchema, translate, untag } = require("./graphql.cjs");

function loadEngine() {
  const folder = path.join(path.dirname(require.resolve("@prisma/client/package.json")), "runtime");
  const glue = require(path.join(folder, "query_engine_bg.postgresql.js"));
  const code = new WebAssembly.Module(
    fs.readFileSync(path.join(folder, "query_engine_bg.postgresql.wasm")));
  const instance = new WebAssembly.Instance(code, { "./query_engine_bg.js": glue });
  glue.__wbg_set_wasm(instance.exports);
  return glue.QueryEngine;
}

function databaseUrl() {
  let overwrite = process.env.OVERWRITE_DATASOURCES;
  if (overwrite) {
    if (!overwrite.trim().startsWith("[")) overwrite = Buffer.from(overwrite, "base64").toString();
    const [first] = JSON.parse(overwrite);
    if (first && first.url) return first.url;
  }
  return process.env.DATABASE_URL;
}

async function main() {
  const port = Number(process.argv[process.argv.indexOf("-p") + 1]);
  const QueryEngine = loadEngine();
  const url = new URL(databaseUrl());
  for (const own of ["connection_limit", "pool_timeout", "schema", "pgbouncer"]) {
    url.searchParams.delete(own);  // prisma's, which pg does not know
  }
  const pool = new Pool({ connectionString: url.toString(), max: 10 });
  const datamodel = fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8");
  const models = readSchema(datamodel);
  const engine = new QueryEngine({
    datamodel,
    env: process.env, ignoreEnvVarErrors: true, datasourceOverrides: {},
    logLevel: "error", logQueries: false, configDir: ".", engineProtocol: "json",
  }, () => {}, bindAdapter(new PrismaPg(pool)));
  await engine.connect("{}");

  async function run(body, transaction) {
    const request = JSON.parse(body);
    const many = Array.isArray(request.batch);
    const jobs = (many ? request.batch : [request]).map((item) => translate(item.query, models));
    const send = many
      ? { batch: jobs.map((job) => job.query), transaction: request.transaction ? {} : undefined }
      : jobs[0].query;
    const answer = JSON.parse(await engine.query(JSON.stringify(send), "{}", transaction));
    const shape = (result, job) => (result.errors ? result : {
      data: { [job.alias]: untag(result.data[job.name] ?? Object.values(result.data)[0] ?? null) } });
    if (!many) return shape(answer, jobs[0]);
    if (!answer.batchResult) return answer;
    return { batchResult: answer.batchResult.map((result, i) => shape(result, jobs[i])) };
  }

  async function route(request, body) {
    if (request.url === "/status") return { status: "ok" };
    if (request.url === "/metrics?format=json") return { counters: [], gauges: [], histograms: [] };
    if (request.url === "/transaction/start") {
      return JSON.parse(await engine.startTransaction(body, "{}"));
    }
    const [, id, verb] = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(request.url) ?? [];
    if (id) {
      const end = verb === "commit" ? "commitTransaction" : "rollbackTransaction";
      return JSON.parse((await engine[end](id, "{}")) || "{}");
    }
    return run(body, request.headers["x-transaction-id"]);
  }

  http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece) => { body += piece; });
    request.on("end", async () => {
      let answer;
      try {
        answer = await route(request, body);
      } catch (error) {
        process.stderr.write(`${error.stack}\n${body.slice(0, 500)}\n`);
        answer = { errors: [{ error: String(error), user_facing_error: {
          is_panic: false, message: String(error), meta: {}, error_code: "P2010" } }] };
      }
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
  }).listen(port, "localhost");
}

if (process.argv.includes("--version")) {
  console.log(`query-engine ${require("@prisma/client/package.json").version}`);
} else {
  main().catch((error) => { console.error(error); process.exit(1); });
}
