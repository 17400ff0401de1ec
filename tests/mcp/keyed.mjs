// SPDX-License-Identifier: Apache-2.0
// An MCP server on the official SDK that knows its users by a key of theirs, in X-API-Key or
// Authorization: any key counts, but those that were refused.  A session belongs to the key that
// began it.  Prints {"mcp"} and serves until its standard input ends.
//
//     GET /refuse/KEY          401 for that key from now on
//     GET /seen                [[x-api-key, authorization, method], ...] of what came
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const seen = [], refused = new Set(), sessions = new Map();
const server = createServer(async (q, s) => {
  const say = (status, body) =>
    s.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (q.url === "/seen") return say(200, seen);
  if (q.url.startsWith("/refuse/")) return say(200, refused.add(q.url.slice(8)).size);
  if (q.url !== "/mcp") return say(404, {});
  const key = q.headers["x-api-key"] ?? q.headers.authorization ?? "";
  seen.push([q.headers["x-api-key"] ?? "", q.headers.authorization ?? "", q.method]);
  if (!key || [...refused].some((one) => key.endsWith(one))) return say(401, {});
  let body = "";
  for await (const part of q) body += part;
  const message = body ? JSON.parse(body) : undefined;
  let session = sessions.get(q.headers["mcp-session-id"]);
  if (session && session.key !== key) return say(403, {});
  if (!session) {
    if (q.headers["mcp-session-id"]) return say(404, {});
    const id = randomUUID(), mcp = new McpServer({ name: "keyed", version: "1" });
    session = { key, transport: new StreamableHTTPServerTransport({ sessionIdGenerator: () => id,
      enableJsonResponse: true }) };
    mcp.registerTool("whoami", { description: "Says who calls." }, async () => ({
      content: [{ type: "text", text: `${key} ${id}` }] }));
    await mcp.connect(session.transport);
    if (message?.method === "initialize") sessions.set(id, session);
  }
  await session.transport.handleRequest(q, s, message);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
console.log(JSON.stringify({ mcp: `http://127.0.0.1:${server.address().port}/mcp` }));
process.stdin.resume().on("end", () => process.exit(0));
