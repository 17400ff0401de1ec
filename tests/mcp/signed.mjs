// SPDX-License-Identifier: Apache-2.0
// An MCP server on the official SDK, with sessions, that takes signed requests alone: each is signed
// again by @smithy/signature-v4 from what came, and must be the same (golden/fakes/aws.mjs).  Prints
// {"mcp": url, "sts": url, "keys": {...}, "role": arn} and serves until its standard input ends.
//
//     GET /seen       what came: {method, signedBy, region, refused}
//     GET /forget     it knows no session any more
//     GET /afresh     and nothing came, and its clock is right
//     GET /ahead/600  its clock is so many seconds ahead
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

import { Denied, keys, ROLE, signedBy, sts } from "../golden/fakes/aws.mjs";

const seen = [], sessions = new Map();
let ahead = 0;

async function open() {
  const server = new McpServer({ name: "signed", version: "1" });
  let calls = 0;
  server.registerTool("say", { description: "Says it.", inputSchema: { what: z.string() },
    annotations: { readOnlyHint: true } },
  async ({ what }) => ({ content: [{ type: "text", text: `${++calls} ${what}` }] }));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(), enableJsonResponse: true,
    onsessioninitialized: (id) => sessions.set(id, transport) });
  await server.connect(transport);
  return transport;
}

const front = createServer(async (q, s) => {
  const say = (status, body, headers = {}) => s.writeHead(status, {
    "content-type": "application/json", date: new Date(Date.now() + ahead).toUTCString(), ...headers })
    .end(JSON.stringify(body));
  if (q.url === "/seen") return say(200, seen);
  if (q.url === "/forget") return say(200, sessions.clear() ?? null);
  if (q.url === "/afresh") {
    sessions.clear();
    return say(200, seen.length = ahead = 0);
  }
  if (q.url.startsWith("/ahead/")) return say(200, ahead = 1000 * Number(q.url.slice(7)));
  const pieces = [];
  for await (const piece of q) pieces.push(piece);
  const raw = Buffer.concat(pieces);
  const entry = { method: q.method, target: q.url };
  seen.push(entry);
  try {
    const x = { headers: q.headers, method: q.method, target: q.url, raw, entry };
    await signedBy(x, "bedrock-agentcore", ahead);
  } catch (e) {
    if (!(e instanceof Denied)) throw e;
    entry.refused = e.message;
    return say(403, { message: e.message }, { "x-amzn-errortype": e.code });
  }
  const message = raw.length ? JSON.parse(raw) : undefined;
  entry.rpc = message?.method;
  const known = sessions.get(q.headers["mcp-session-id"]);
  if (!known && message?.method !== "initialize")
    return say(q.headers["mcp-session-id"] ? 404 : 400, { jsonrpc: "2.0", id: null,
      error: { code: q.headers["mcp-session-id"] ? -32001 : -32000, message: "Session not found" } });
  return (known ?? await open()).handleRequest(q, s, message);
});
await new Promise((done) => front.listen(0, "127.0.0.1", done));
const roles = await sts();

console.log(JSON.stringify({ mcp: `http://127.0.0.1:${front.address().port}/mcp`, sts: roles.url,
  keys, role: ROLE }));
process.stdin.resume().on("end", () => process.exit(0));
