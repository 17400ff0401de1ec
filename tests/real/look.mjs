// SPDX-License-Identifier: Apache-2.0
// The same as look.py with the official TypeScript SDKs: ts1, and ts2-legacy and ts2-auto in either
// era.   node look.mjs CLIENT <targets.json     ->  {target: {row: value}}
import { readFileSync } from "node:fs";

const kind = process.argv[2];
const v1 = kind === "ts1";
const names = v1 ? ["@modelcontextprotocol/sdk/client/index.js", "@modelcontextprotocol/sdk/client/sse.js",
  "@modelcontextprotocol/sdk/client/stdio.js", "@modelcontextprotocol/sdk/client/streamableHttp.js",
  "@modelcontextprotocol/sdk/types.js"] : ["@modelcontextprotocol/client", "@modelcontextprotocol/client/stdio"];
const sdk = Object.assign({}, ...(await Promise.all(names.map((name) => import(name)))));

const LIMIT_MS = 90000;
const READS = 4;
const capabilities = { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } };
const answers = {
  "sampling/createMessage": [sdk.CreateMessageRequestSchema, { model: "m", role: "assistant",
    content: { type: "text", text: "Because." }, stopReason: "endTurn" }],
  "elicitation/create": [sdk.ElicitRequestSchema, { action: "accept", content: { value: "word", name: "Ann",
    check: true, integer: 7, email: "ann@example.org" } }],
  "roots/list": [sdk.ListRootsRequestSchema, { roots: [] }],
};

function transport(target) {
  if (target.transport === "stdio")
    return new sdk.StdioClientTransport({ command: target.command, args: target.args,
      env: target.env, stderr: "ignore" });
  const Kind = target.transport === "sse" ? sdk.SSEClientTransport : sdk.StreamableHTTPClientTransport;
  return new Kind(new URL(target.url));
}

async function connect(target) {
  const me = { name: "looker", version: "1" };
  const client = v1 ? new sdk.Client(me, { capabilities }) : new sdk.Client(me, { capabilities,
    versionNegotiation: { mode: kind === "ts2-auto" ? "auto" : "legacy" } });
  for (const [method, [schema, answer]] of Object.entries(answers))
    client.setRequestHandler(v1 ? schema : method, () => answer);
  await client.connect(transport(target), { timeout: LIMIT_MS });
  return client;
}

async function pages(list, member) {
  const items = [];
  let cursor;
  do {
    const page = await list(cursor === undefined ? undefined : { cursor });
    items.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

async function look(target) {
  const rows = {};
  const row = async (name, run) => {
    try {
      rows[name] = await run();
    } catch (error) {
      rows[name] = { threw: { code: error.code, message: String(error.message ?? error) } };
    }
    return rows[name];
  };
  let c;
  if ((await row("connect", async () => { c = await connect(target); }))?.threw) return rows;
  delete rows.connect;
  const options = { timeout: LIMIT_MS };
  const call = (name, args) => (v1 ? c.callTool({ name, arguments: args }, undefined, options)
    : c.callTool({ name, arguments: args }, options));
  const required = (p) => Object.fromEntries((p.arguments ?? []).filter((a) => a.required).map((a) => [a.name, "5"]));
  const can = c.getServerCapabilities() ?? {};
  const list = (value) => (Array.isArray(value) ? value : []);
  rows.instructions = c.getInstructions() ?? null;
  if (can.resources) {
    const found = list(await row("resources", () => pages((p) => c.listResources(p, options), "resources")));
    await row("templates", () => pages((p) => c.listResourceTemplates(p, options), "resourceTemplates"));
    for (const one of found.slice(0, READS)) await row(`read ${one.uri}`, () => c.readResource({ uri: one.uri }, options));
    await row("error read", () => c.readResource({ uri: "none://such" }, options));
  }
  if (can.prompts) {
    for (const one of list(await row("prompts", () => pages((p) => c.listPrompts(p, options), "prompts"))))
      await row(`prompt ${one.name}`, () => c.getPrompt({ name: one.name, 
        arguments: target.prompts[one.name] ?? required(one) }, options));
    await row("error prompt", () => c.getPrompt({ name: "no-such-prompt", arguments: {} }, options));
  }
  for (const [what, asked] of [["call", target.calls], ["error", target.errors]])
    for (const [name, args] of asked) await row(`${what} ${name} ${JSON.stringify(args)}`, () => call(name, args));
  await row("error tool", () => call(target.none, {}));
  for (const [ref, name, value] of target.completions)
    await row(`complete ${JSON.stringify(ref)} ${name}`, () => c.complete({ ref, argument: { name, value } }, options));
  // some tools are listed only to clients that can be asked, which kanmon says with their first call
  if (can.tools) await row("tools", () => pages((p) => c.listTools(p, options), "tools"));
  await c.close().catch(() => {});
  return rows;
}

const seen = {};
const rest = JSON.parse(readFileSync(0, "utf8"));
const some = async () => {
  for (let target = rest.shift(); target; target = rest.shift()) seen[target.name] = await look(target);
};
await Promise.all([some(), some(), some(), some()]);
process.stdout.write(`\n${JSON.stringify(seen)}\n`, () => process.exit(0));
