// SPDX-License-Identifier: Apache-2.0
// The real binary with a model for each provider and row: "bedrock.tool".
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync }
  from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../e2e/lib/ports.mjs";

const TOP = resolve(import.meta.dirname, "../..");
const MASTER = "sk-golden-master";

/* USD for a token, all of them different, so that a mix-up shows. */
export const PRICE = { input: 0.000003, output: 0.000015, cached: 0.0000003, written: 0.00000375 };

function newest() {
  const built = ["asan", "dev", "release"].map((p) => join(TOP, "build", p, "kanmon"))
    .filter((p) => existsSync(p));
  if (!built.length) throw new Error("no kanmon: build it, or name it with --binary");
  return built.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

export class Gateway {
  constructor(binary, fakes, providers, rows) {
    this.binary = binary ? resolve(binary) : newest();
    this.folder = mkdtempSync(join(tmpdir(), "kanmon-golden-"));
    this.key = MASTER;
    this.log = join(this.folder, "kanmon.log");
    this.account = join(this.folder, "account.json");
    writeFileSync(this.account, fakes.account);
    const f = { ...fakes, account: this.account };
    this.models = [];
    for (const provider of Object.values(providers)) {
      for (const row of rows) {
        this.models.push({ model_name: `${provider.name}.${row.name}`,
          litellm_params: { ...provider.params(f), input_cost_per_token: PRICE.input,
            output_cost_per_token: PRICE.output, cache_read_input_token_cost: PRICE.cached,
            cache_creation_input_token_cost: PRICE.written, ...row.params } });
      }
    }
  }

  async start({ env = {}, models = this.models, retries = 0, settings = {} } = {}) {
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    const config = join(this.folder, "config.yaml"); // JSON is YAML
    writeFileSync(config, JSON.stringify({
      model_list: models, general_settings: { master_key: MASTER },
      ...(this.mcp ? { mcp_servers: this.mcp } : {}),
      litellm_settings: { request_timeout: 60 }, router_settings: { num_retries: retries },
      kanmon_settings: { state_dir: join(this.folder, "state"), workers: 2,
        performance: { circuit_breaker_failures: 1000000 }, ...settings },
    }, null, 1));
    const keep = ["PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"];
    const clean = Object.fromEntries(keep.filter((n) => process.env[n]).map((n) => [n, process.env[n]]));
    const out = openSync(this.log, "a");
    this.process = spawn(this.binary, ["serve", "--config", config, "--port", String(this.port)],
      { env: { ...clean, ...env }, stdio: ["ignore", out, out] });
    for (let i = 0; i < 1200; i++) {
      if (this.process.exitCode !== null)
        throw new Error(`kanmon ended with ${this.process.exitCode}:\n${this.said()}`);
      try {
        const answer = await fetch(`${this.url}/health/readiness`);
        if (answer.status === 200) return this;
      } catch { /* not yet */ }
      await pause(50);
    }
    throw new Error(`kanmon was not ready in time:\n${this.said()}`);
  }

  said() { return readFileSync(this.log, "utf8").slice(-4000); }

  async admin(path, body) {
    const answer = await fetch(`${this.url}${path}`, { method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${MASTER}`, "content-type": "application/json" },
      body: body && JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /* All rows of the books. */
  async spend() {
    const all = [];
    for (;;) {
      const page = await this.admin(`/spend/logs?limit=5000&offset=${all.length}`);
      all.push(...page);
      if (page.length < 5000) return all;
    }
  }

  /* Ends it; a sanitizer's word or a bad end is an error. */
  async stop() {
    if (!this.process || this.process.exitCode !== null) {
      if (this.process?.exitCode) throw new Error(`kanmon ended with ${this.process.exitCode}:\n${this.said()}`);
      return;
    }
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    const [code] = await ended;
    const said = readFileSync(this.log, "utf8");
    const found = /^.*(Sanitizer|runtime error)[^]*/m.exec(said);
    if (found) throw new Error(found[0].slice(0, 6000));
    if (code !== 0) throw new Error(`kanmon ended with ${code}:\n${this.said()}`);
    if (!process.env.KM_KEEP) rmSync(this.folder, { recursive: true, force: true });
  }
}
