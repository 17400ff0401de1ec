// SPDX-License-Identifier: Apache-2.0
// An authorization server that exchanges tokens (RFC 8693, oidc-provider's own hook for grants, the
// subject token verified by jose against the key set of another issuer), and an MCP server on the
// official SDK that takes its tokens and nothing else.  Prints {"mcp", "issuer", "endpoint"} and
// serves until its standard input ends.
//
//     node exchanging.mjs '{"jwks": "http://.../keys", "issuer": "http://..."}'
//
//     POST /token              the exchange; clients poster (secret in the form) and basic
//     GET  /set?how=..&for=..  for the subjects named (all without): good, denied, target, echo,
//                              garbage, down, forever (no expires_in), brief (2 s),
//                              refresh, or slow-MS
//     GET  /asked              what came to /token: form fields and header names
//     GET  /mcp/sse            the same server over HTTP with SSE (2024-11-05)
//     GET  /mcp/revoke         tokens used so far are good no more
//     GET  /mcp/offer          a tool more, of which those hear who listen
//     GET  /mcp/seen           [[authorization], ...] of what came to the MCP server
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as jose from "jose";
import Provider, { errors } from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () =>
  done(`http://127.0.0.1:${server.address().port}`)));
const front = createServer((q, s) => mcp(q, s));
const resource = `${await listen(front)}/mcp`;
const back = createServer((q, s) => route(q, s));
const issuer = await listen(back);

const GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
const ENTRA = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TYPE = "urn:ietf:params:oauth:token-type:access_token";
const { publicKey, privateKey } = await jose.generateKeyPair("RS256", { extractable: true });
const key = { ...(await jose.exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "one" };
const theirs = jose.createRemoteJWKSet(new URL(options.jwks));
const client = { client_secret: "horse", grant_types: [GRANT, ENTRA], redirect_uris: [],
  response_types: [] };
const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [
    { ...client, client_id: "poster", token_endpoint_auth_method: "client_secret_post" },
    { ...client, client_id: "basic", token_endpoint_auth_method: "client_secret_basic" },
  ],
  features: { devInteractions: { enabled: false }, resourceIndicators: { enabled: true,
    getResourceServerInfo: () => ({}) } },
  scopes: ["openid", "tools"],
});

const how = new Map(), asked = [];
async function exchange(ctx) {
  const { params } = ctx.oidc, entra = params.grant_type === ENTRA;
  asked.push({ ...params, headers: Object.keys(ctx.headers), auth: ctx.oidc.client.clientId });
  if (!entra && (params.subject_token_type !== TYPE || params.requested_token_type !== TYPE
      || (!params.audience && params.resource !== resource)))
    throw new errors.InvalidRequest("not what RFC 8693 wants");
  if (entra && params.requested_token_use !== "on_behalf_of")
    throw new errors.InvalidRequest("not what Entra ID wants");
  let subject;
  try {
    ({ payload: subject } = await jose.jwtVerify(params.subject_token ?? params.assertion, theirs,
      { issuer: options.issuer, audience: "kanmon" }));
  } catch { // as careless servers do, it repeats what was sent
    throw new errors.InvalidGrant(`cannot take ${params.subject_token}`);
  }
  const mode = how.get(subject.sub) ?? how.get("") ?? "good";
  if (mode === "denied") throw new errors.InvalidGrant(`over: ${params.subject_token}`);
  if (mode === "target" || (params.audience && params.audience !== "urn:tools"))
    throw new errors.InvalidTarget();
  if (mode === "down") { ctx.status = 503; ctx.body = "down"; return; }
  if (mode === "garbage") { ctx.body = "<html>Welcome!"; return; }
  if (mode.startsWith("slow-")) await new Promise((done) => setTimeout(done, mode.slice(5)));
  const token = await new jose.SignJWT({ scope: params.scope, via: subject.jti })
    .setProtectedHeader({ alg: "RS256", kid: "one", typ: "at+jwt" }).setIssuer(issuer)
    .setAudience(resource).setSubject(subject.sub).setJti(randomUUID()).setIssuedAt()
    .setExpirationTime(mode === "brief" ? "2s" : "1h").sign(privateKey);
  ctx.body = { token_type: "Bearer", issued_token_type: mode === "refresh"
    ? "urn:ietf:params:oauth:token-type:refresh_token" : TYPE,
    access_token: mode === "echo" ? params.subject_token : token,
    ...(mode !== "forever" && { expires_in: mode === "brief" ? 2 : 3600 }) };
}
const names = ["subject_token", "subject_token_type", "requested_token_type", "resource",
  "audience", "scope", "assertion", "requested_token_use"];
provider.registerGrantType(GRANT, exchange, names);
provider.registerGrantType(ENTRA, exchange, names);
const handle = provider.callback();

async function route(q, s) {
  const url = new URL(q.url, issuer);
  const say = (body) => s.writeHead(200, { "content-type": "application/json" })
    .end(JSON.stringify(body));
  if (url.pathname === "/asked") return say(asked);
  if (url.pathname === "/set") {
    if (!url.searchParams.get("how")) how.clear();
    else how.set(url.searchParams.get("for") ?? "", url.searchParams.get("how"));
    asked.length = seen.length = 0;
    return say({});
  }
  return handle(q, s);
}

// --- the MCP server: handshake era, with sessions that belong to a subject ---
const seen = [], over = new Set(), used = new Set(), sessions = new Map(), streams = new Map();
let extra = 0;
const offer = (server, name) => server.registerTool(name, { description: "One more." },
  async () => ({ content: [] }));
function serve(id) {
  const server = new McpServer({ name: "exchanging", version: "1" });
  server.registerTool("whoami", { description: "Says who calls." }, async (extra) => ({
    content: [{ type: "text", text: JSON.stringify({ session: id, ...extra.authInfo.extra }) }] }));
  for (let i = 1; i <= extra; i++) offer(server, `extra-${i}`);
  return server;
}

async function overSse(q, s, who, path, query) {
  if (path === "/mcp/messages") {
    const stream = streams.get(new URLSearchParams(query).get("sessionId"));
    return stream?.sub === who.sub ? stream.transport.handlePostMessage(q, s)
      : s.writeHead(stream ? 403 : 404).end();
  }
  const transport = new SSEServerTransport("/mcp/messages", s);
  streams.set(transport.sessionId, { transport, sub: who.sub });
  s.on("close", () => streams.delete(transport.sessionId));
  return serve(transport.sessionId).connect(transport);
}

async function mcp(q, s) {
  const say = (status, body) =>
    s.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (q.url === "/mcp/seen") return say(200, seen);
  if (q.url === "/mcp/revoke") {
    for (const jti of used) over.add(jti);
    return say(200, {});
  }
  if (q.url === "/mcp/offer") {
    extra++;
    for (const session of sessions.values()) offer(session.server, `extra-${extra}`);
    return say(200, { name: `extra-${extra}` });
  }
  seen.push([q.headers.authorization ?? ""]);
  let who;
  try {
    ({ payload: who } = await jose.jwtVerify((q.headers.authorization ?? "").slice(7),
      publicKey, { issuer, audience: resource }));
  } catch { /* nobody */ }
  if (!who || over.has(who.jti)) return say(401, {});
  used.add(who.jti);
  q.auth = { token: "", clientId: "", scopes: [], extra: { sub: who.sub, via: who.via,
    jti: who.jti, scope: who.scope } };
  const [path, query] = q.url.split("?");
  if (path === "/mcp/sse" || path === "/mcp/messages") return overSse(q, s, who, path, query);
  let body = "";
  for await (const part of q) body += part;
  const message = body ? JSON.parse(body) : undefined;
  let session = sessions.get(q.headers["mcp-session-id"]);
  if (session && session.sub !== who.sub) return say(403, {});
  if (!session) {
    if (q.headers["mcp-session-id"]) return say(404, {});
    const id = randomUUID();
    session = { id, sub: who.sub, server: serve(id), transport: new StreamableHTTPServerTransport({
      sessionIdGenerator: () => id, enableJsonResponse: true }) };
    await session.server.connect(session.transport);
    if (message?.method === "initialize") sessions.set(id, session);
  }
  await session.transport.handleRequest(q, s, message);
}

console.log(JSON.stringify({ mcp: resource, issuer, endpoint: `${issuer}/token` }));
process.stdin.resume().on("end", () => process.exit(0));
