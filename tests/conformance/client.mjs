// SPDX-License-Identifier: Apache-2.0
// kanmon as the client of a scenario, which client.sh hands over for the suite.
//
//     scenario's server <── kanmon serve, with it as an upstream <── this: a plain client and a browser
//
// All that is judged (the handshake, headers, streams, discovery, registration, tokens) is kanmon's.
// This one asks kanmon for lists and calls as a person's program would, opens the addresses kanmon
// asks it to open, and sends the forms.  It knows nothing of OAuth.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { freePort } from "../e2e/lib/ports.mjs";

const key = "sk-of-the-driver";
const limitMs = 30_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The suite starts all scenarios at once; so many of them have a gateway at a time.
const mostAtOnce = 6;

// A scenario: what the suite said of it, and what there is to say of its end.
// { scenario, context, url, stateless, binary, folder, said: [], child }

function entry({ scenario, context, url }) {
  const it = { url, transport: "http" };
  if (!scenario.startsWith("auth/")) return it;
  it.auth_type = "oauth2";
  for (const name of ["client_id", "client_secret"]) if (context[name]) it[name] = context[name];
  if (context.private_key_pem) it.client_private_key = context.private_key_pem;
  if (scenario.startsWith("auth/client-credentials")) it.oauth2_flow = "client_credentials";
  return it;
}

async function gateway(play) {
  const { folder } = play;
  const until = Date.now() + limitMs;
  const port = await freePort();
  const config = join(folder, "config.yaml");
  // JSON is YAML.  Who trusts this machine's own addresses is the operator, not the scenario.
  writeFileSync(config, JSON.stringify({
    mcp_servers: { it: entry(play) },
    general_settings: { master_key: key },
    kanmon_settings: {
      state_dir: join(folder, "state"), workers: 1,
      oauth: { trusted_hosts: ["localhost", "127.0.0.1"],
        client_document: "https://conformance-test.local/client-metadata.json" },
    },
  }));
  const log = openSync(join(folder, "gateway.log"), "a");
  const child = play.child = spawn(play.binary, ["serve", "--config", config, "--port", String(port)],
    { stdio: ["ignore", "ignore", log] });
  closeSync(log);
  while (child.exitCode === null && Date.now() < until) {
    const ready = await fetch(`http://127.0.0.1:${port}/health/readiness`).catch(() => undefined);
    if (ready?.ok) return `http://127.0.0.1:${port}`;
    await pause(10);
  }
  throw new Error(readFileSync(join(folder, "gateway.log"), "utf8"));
}

// --- a client of the handshake era or of the stateless one

const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

class Client {
  constructor(base, play) {
    this.url = `${base}/mcp/it`;
    this.ids = 0;
    this.play = play;
    this.stateless = play.stateless;
  }

  async post(message, headers = {}) {
    return fetch(this.url, {
      method: "POST", body: JSON.stringify(message), signal: AbortSignal.timeout(limitMs),
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", accept: "application/json, text/event-stream",
        ...(this.session ? { "mcp-session-id": this.session } : {}),
        "mcp-protocol-version": this.stateless ? "2026-07-28" : "2025-11-25", ...headers },
    });
  }

  async open() {
    if (this.stateless) return;
    const answer = await this.post({ jsonrpc: "2.0", id: ++this.ids, method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "driver", version: "1" } } });
    this.session = answer.headers.get("mcp-session-id");
    await answer.text();
    await (await this.post({ jsonrpc: "2.0", method: "notifications/initialized" })).text();
  }

  // The answer to a request; what is asked on the way is answered.
  async ask(method, params = {}) {
    const id = ++this.ids;
    if (this.stateless) {
      params = { ...params, _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities } };
    }
    const answer = await this.post({ jsonrpc: "2.0", id, method, params },
      this.stateless ? { "mcp-method": method, ...headersOf(params) } : {});
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) return answer.json();
    let text = "";
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
      text += part;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const data = /^data: (.+)$/m.exec(text.slice(0, end))?.[1];
        const message = data && JSON.parse(data);
        if (message?.id === id && !message.method) return message;
        if (message?.method && message.id !== undefined)
          await (await this.post({ jsonrpc: "2.0", id: message.id, ...await this.reply(message) })).text();
      }
    }
    throw new Error("the stream ended");
  }

  async reply({ method, params }) {
    if (method === "elicitation/create" && params.mode === "url") {
      const done = await browse(params.url, this.play);
      return { result: { action: done ? "accept" : "decline" } };
    }
    if (method === "elicitation/create") {
      const content = {};
      for (const [name, property] of Object.entries(params.requestedSchema?.properties ?? {}))
        if ("default" in property) content[name] = property.default;
      return { result: { action: "accept", content } };
    }
    if (method === "roots/list") return { result: { roots: [] } };
    return { result: { role: "assistant", model: "none", content: { type: "text", text: "Paris" } } };
  }

  // A call and all its rounds.
  async call(name, args = {}, tool = undefined) {
    let params = { name, arguments: args };
    for (let round = 0; round < 8; round++) {
      const answer = await this.ask("tools/call", { ...params, tool });
      if (answer.result?.resultType !== "input_required") return answer;
      const inputResponses = {};
      for (const [key, asked] of Object.entries(answer.result.inputRequests ?? {}))
        inputResponses[key] = (await this.reply(asked)).result;
      params = { name, arguments: args, inputResponses };
      if (answer.result.requestState !== undefined) params.requestState = answer.result.requestState;
    }
    throw new Error("it asks without end");
  }

  async tools() {
    const listed = await this.ask("tools/list");
    if (!listed.result) throw new Error(JSON.stringify(listed));
    return listed.result.tools;
  }
}

// Headers that repeat the message, as the stateless era wants them.
function headersOf(params) {
  const headers = params.name ? { "mcp-name": params.name } : {};
  const properties = params.tool?.inputSchema?.properties ?? {};
  delete params.tool;
  for (const [name, { "x-mcp-header": header }] of Object.entries(properties)) {
    const value = params.arguments?.[name];
    if (!header || value === undefined || value === null) continue;
    const text = String(value);
    const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?base64?");
    headers[`mcp-param-${header}`] = plain ? text : `=?base64?${Buffer.from(text).toString("base64")}?=`;
  }
  return headers;
}

// --- a browser: one form of kanmon's, then wherever it is sent

const attribute = (text) => text.replace(/&(amp|lt|gt|quot|#39);/g,
  (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name]);

const words = (page) => page.replace(/<style>.*?<\/style>|<[^>]+>/gs, " ").trim();

async function browse(address, play) {
  const page = await fetch(address);
  const cookie = page.headers.get("set-cookie")?.split(";")[0] ?? "";
  const fields = new URLSearchParams({ decision: "allow", key });
  for (const [, name, value] of (await page.text()).matchAll(/name="(\w+)" value="([^"]+)"/g))
    if (name !== "decision" && name !== "key") fields.set(name, attribute(value));
  const sent = await fetch(new URL("/oauth/mcp/login", address),
    { method: "POST", headers: { cookie, "content-type": "application/x-www-form-urlencoded" }, body: fields });
  const text = await sent.text();
  let next = /id="onward" href="([^"]+)"/.exec(text)?.[1];
  if (!next) {
    play.said.push(words(text));
    return false;
  }
  next = attribute(next);
  for (let hop = 0; hop < 5; hop++) {
    const own = next.startsWith(new URL(address).origin);
    const answer = await fetch(next, { redirect: "manual", headers: own ? { cookie } : {} });
    const to = answer.headers.get("location");
    const body = await answer.text();
    if (!to) {
      if (!answer.ok) play.said.push(`${next}: ${answer.status} ${words(body)}`);
      return answer.ok;
    }
    next = new URL(to, next).href;
  }
  return false;
}

// --- what each scenario asks a client to do

const plans = {
  tools_call: (client) => client.call("add_numbers", { a: 5, b: 3 }),
  "elicitation-sep1034-client-defaults": (client) => client.call("test_client_elicitation_defaults"),
  "sse-retry": (client) => client.call("test_reconnection"),
  "json-schema-2020-12-preservation": async (client, tools) => {
    const focal = tools.find((tool) => tool.name === "json_schema_2020_12_tool");
    const echo = tools.find((tool) => tool !== focal);
    return client.call(echo.name, { schema: focal.inputSchema });
  },
  "sep-2322-client-request-state": async (client, tools) => {
    for (const { name } of tools.filter((tool) => tool.name !== "test_mrtr_unrelated")) {
      const calls = [client.call(name)];
      if (tools.some((tool) => tool.name === "test_mrtr_unrelated")) calls.push(client.call("test_mrtr_unrelated"));
      await Promise.all(calls);
    }
  },
  "http-custom-headers": async (client, tools) => {
    for (const { name, arguments: args } of client.play.context.toolCalls)
      await client.call(name, args, tools.find((tool) => tool.name === name));
  },
};

async function everyTool(client, tools) {
  for (const tool of tools) {
    const args = {};
    for (const [name, { type }] of Object.entries(tool.inputSchema?.properties ?? {}))
      args[name] = { number: 1, integer: 1, boolean: true, object: {}, array: [] }[type] ?? "x";
    await client.call(tool.name, args, tool);
  }
}

// Throws where the scenario cannot be played to its end.
async function perform(play) {
  const client = new Client(await gateway(play), play);
  await client.open();
  // A caller without a log-in is offered one tool, to log in; what follows is the server's own.
  let tools = await client.tools();
  for (let tries = 0; tries < 3 && tools.length === 1 && tools[0].name === "login"; tries++) {
    play.said.push(JSON.stringify(await client.call("login")));
    tools = await client.tools();
  }
  play.said.push(`tools: ${tools.map((tool) => tool.name)}`);
  if (tools.length === 1 && tools[0].name === "login") throw new Error("nobody is logged in");
  await (plans[play.scenario] ?? everyTool)(client, tools);
}

async function end(play) {
  const { child, folder } = play;
  if (child && child.exitCode === null && child.signalCode === null) {
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    await gone;
  }
  if (child) play.said.push(readFileSync(join(folder, "gateway.log"), "utf8"));
  rmSync(folder, { recursive: true, force: true });
}

// --- the suite's side: a request is a scenario, its answer is what there was to say

async function read(request, binary, folder) {
  let text = "";
  for await (const part of request) text += part;
  const { scenario, url, "protocol-version": version } = request.headers;
  return { scenario, url, binary, folder, context: JSON.parse(text || "{}"),
    stateless: version === "2026-07-28", said: [] };
}

// Listens on `folder`/client, for client.sh; the address, and how to end it.
export async function startClient(binary, folder) {
  const waiting = [];
  let free = mostAtOnce;
  const server = createServer(async (request, answer) => {
    const play = await read(request, binary, mkdtempSync(join(folder, "client-")));
    let status = 200;
    answer.on("close", () => play.child?.kill("SIGKILL")); // the suite waits no more
    if (free > 0) free--;
    else await new Promise((turn) => waiting.push(turn));
    try {
      if (!answer.closed) await perform(play);
    } catch (why) {
      status = 500;
      play.said.push(why.stack);
    }
    await end(play);
    if (waiting.length) waiting.shift()();
    else free++;
    answer.writeHead(status).end(`${play.said.join("\n")}\n`);
  });
  server.requestTimeout = 0;
  const path = join(folder, "client");
  await once(server.listen(path), "listening");
  return { path, stop: () => server.close().closeAllConnections() };
}
