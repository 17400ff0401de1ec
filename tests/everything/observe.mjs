// SPDX-License-Identifier: Apache-2.0
// Goes through the features with one client over one transport and writes what it saw:
//     node observe.mjs '{"client": "v1", "transport": "http", "url": "...", "headers": {}}'
//     node observe.mjs '{"client": "v2-auto", "transport": "stdio", "command": "...", "args": []}'
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as SseV1 } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as types from "@modelcontextprotocol/sdk/types.js";
import { Client as ClientV2, SSEClientTransport as SseV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";

import { features, handshake } from "./features.mjs";

const spec = JSON.parse(process.argv[2]);
const me = { name: "observer", version: "1" };
const capabilities = { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } };
const v1 = spec.client === "v1";
const client = v1 ? new ClientV1(me, { capabilities })
  : new ClientV2(me, { capabilities, versionNegotiation: { mode: spec.client === "v2-auto" ? "auto" : "legacy" } });

const questions = [];
const answers = {
  "sampling/createMessage": { model: "m", role: "assistant", content: { type: "text", text: "Because." }, stopReason: "endTurn" },
  "elicitation/create": { action: "accept", content: { name: "Ann", check: true, integer: 7, email: "ann@example.org" } },
  "roots/list": { roots: [{ uri: "file:///somewhere", name: "somewhere" }] },
};
const schemas = {
  "sampling/createMessage": types.CreateMessageRequestSchema,
  "elicitation/create": types.ElicitRequestSchema,
  "roots/list": types.ListRootsRequestSchema,
};
for (const [method, answer] of Object.entries(answers)) {
  client.setRequestHandler(v1 ? schemas[method] : method, (request) => {
    const { _meta, ...params } = request.params ?? {};
    questions.push({ method, params });
    return answer;
  });
}

function transport() {
  const requestInit = { headers: spec.headers ?? {} };
  const { command, args, env } = spec;
  if (spec.transport === "stdio")
    return new (v1 ? StdioV1 : StdioV2)({ command, args, env: { ...process.env, ...env }, stderr: "ignore" });
  const Kind = spec.transport === "sse" ? (v1 ? SseV1 : SseV2) : (v1 ? HttpV1 : HttpV2);
  return new Kind(new URL(spec.url), { requestInit });
}

// What differs from run to run, and what belongs to a revision and not to the answer.
// `execution` of a tool is 2025-11-25's alone; a client that takes 2026-07-28 where it can is shown
// it by a server that cannot.
const ofRevision = new Set(["resultType", "ttlMs", "cacheScope", ...(spec.client === "v2-auto" ? ["execution"] : [])]);
function plain(value, key) {
  if (typeof value === "string") {
    if (key === "blob") value = Buffer.from(value, "base64").toString("latin1").startsWith("Resource") ? atob(value) : value;
    return value.replaceAll(`f-${process.pid}.gz`, "(file)").replace(/\d{1,2}:\d{2}:\d{2}\s?[AP]M/gu, "(time)");
  }
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value)
    .filter(([k, v]) => v !== undefined && !ofRevision.has(k))
    .map(([k, v]) => [k, k === "_meta" ? ownMeta(v) : plain(v, k)])
    .filter(([k, v]) => !(k === "_meta" && Object.keys(v).length === 0));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
const ownMeta = (meta) => Object.fromEntries(
  Object.entries(meta).filter(([k]) => !k.startsWith("io.modelcontextprotocol/serverInfo")));

await client.connect(transport());
const negotiated = client.getNegotiatedProtocolVersion?.();
const helper = {
  client,
  tool: (name, args, options) => (v1 ? client.callTool({ name, arguments: args }, undefined, options)
    : client.callTool({ name, arguments: args }, options)),
  seen: (method) => questions.filter((q) => q.method === method),
};
const rows = { ...features, ...(negotiated === "2026-07-28" ? {} : handshake) };
const out = {};
for (const [name, run] of Object.entries(rows)) {
  questions.length = 0;
  try {
    out[name] = plain((await run(helper)) ?? null);
  } catch (error) {
    out[name] = { threw: String(error.message ?? error) };
  }
}
const found = { negotiated, capabilities: client.getServerCapabilities(), instructions: client.getInstructions(), features: out };
await client.close();
process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0));
