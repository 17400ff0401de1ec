// SPDX-License-Identifier: Apache-2.0
// An MCP server on the official SDK behind an authorization server of its own (oidc-provider):
// prints {"mcp": url, "issuer": url} and serves until its standard input ends.  Tokens are opaque;
// the server asks the provider's own store what they are for.
//
//     node protected.mjs '{"secret": "...", "jwks": {...}, "documents": true}'
//
// documents: a client may be the https address of a document about it (CIMD); /at/URL says where
// the host of such an address is to be found.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import Provider from "oidc-provider";

const options = JSON.parse(process.argv[2] ?? "{}");
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () =>
  done(`http://127.0.0.1:${server.address().port}`)));

const front = createServer((q, s) => mcp(q, s));
const origin = await listen(front);
const resource = `${origin}/mcp`;
const back = createServer((q, s) => handle(q, s));
const issuer = await listen(back);

let found = ""; // where hosts of documents are
const base = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] };
const provider = new Provider(issuer, {
  clients: [
    { ...base, client_id: "robot", client_secret: options.secret ?? "s" },
    { ...base, client_id: "signer", token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "ES256", jwks: options.jwks ?? { keys: [] } },
  ],
  features: {
    clientCredentials: { enabled: true },
    registration: { enabled: true },
    ...(options.documents && { clientIdMetadataDocument: { enabled: true, ack: "draft-02" } }),
    revocation: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: "tools admin", audience: resource,
        accessTokenFormat: "opaque", accessTokenTTL: options.lifetime ?? 3600 }),
      useGrantedResource: () => true,
    },
  },
  // Without its guard against addresses of this machine.
  fetch: (url, { dispatcher, ...more }) => fetch(String(url).replace(/^https:\/\/[^/]+/, found), more),
  pkce: { required: () => true },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
  rotateRefreshToken: true,
  scopes: ["openid", "offline_access", "tools", "admin"],
  ttl: { AccessToken: options.lifetime ?? 3600, ClientCredentials: options.lifetime ?? 3600 },
});
const handle = provider.callback();

// Each use of a refresh token, and what became of it; `slow` holds them up.
const renewals = [];
let slow = 0;
const note = (ctx, error) => {
  if (ctx.oidc?.params?.grant_type === "refresh_token")
    renewals.push({ token: ctx.oidc.params.refresh_token, error: error?.error_description });
};
provider.on("grant.success", (ctx) => note(ctx));
provider.on("grant.error", note);
provider.use(async (ctx, next) => {
  if (ctx.path === "/token" && slow) await new Promise((done) => setTimeout(done, slow));
  await next();
});
const issued = new Set();
provider.on("access_token.issued", (token) => issued.add(token));
provider.on("access_token.saved", (token) => issued.add(token));

// What a token is for; undefined: nothing.
async function read(header) {
  const token = /^Bearer (.+)$/.exec(header ?? "")?.[1];
  if (!token) return undefined;
  const found = await provider.ClientCredentials.find(token) ?? await provider.AccessToken.find(token);
  return found && !found.isExpired && [].concat(found.aud).includes(resource) ? found : undefined;
}

// Ends all that an account has agreed to.
const grants = new Map();
provider.on("grant.success", (ctx) => {
  const { accountId, grantId } = ctx.oidc.entities.AccessToken ?? {};
  if (grantId) grants.set(accountId, [...(grants.get(accountId) ?? []), grantId]);
});
async function forget(account) {
  for (const grant of grants.get(account) ?? []) {
    await provider.AccessToken.revokeByGrantId(grant);
    await provider.RefreshToken.revokeByGrantId(grant);
  }
  grants.delete(account);
}

const seen = [];
const streams = new Map();
async function mcp(q, s) {
  const say = (status, body, headers = {}) =>
    s.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  const meta = `${origin}/.well-known/oauth-protected-resource/mcp`;
  if (q.url === "/.well-known/oauth-protected-resource/mcp")
    return say(200, { resource, authorization_servers: [issuer], scopes_supported: ["tools"] });
  if (q.url === "/seen") return say(200, seen);
  if (q.url === "/renewals") return say(200, renewals);
  if (q.url.startsWith("/slow/")) return say(200, slow = Number(q.url.slice(6)));
  if (q.url.startsWith("/at/")) return say(200, found = decodeURIComponent(q.url.slice(4)));
  if (q.url === "/afresh") { // for the next test: nothing came, and nothing was issued
    seen.length = renewals.length = slow = 0;
    issued.clear();
    return say(200, {});
  }
  if (q.url === "/end-access") { // access tokens alone: log-ins go on
    await Promise.all([...issued].map((token) => token.destroy()));
    issued.clear();
    return say(200, {});
  }
  if (q.url === "/forget") {
    let form = "";
    for await (const part of q) form += part;
    await forget(new URLSearchParams(form).get("account"));
    return say(200, {});
  }
  const [path, query] = q.url.split("?");
  if (!["/mcp", "/mcp/sse", "/mcp/messages"].includes(path)) return say(404, {});
  const token = await read(q.headers.authorization);
  seen.push({ method: q.method, token: token?.jti, client: token?.clientId, scope: token?.scope,
    headers: Object.keys(q.headers), authorization: q.headers.authorization });
  if (!token)
    return say(401, {}, { "www-authenticate": `Bearer resource_metadata="${meta}"` });
  if (path === "/mcp/messages") {
    const stream = streams.get(new URLSearchParams(query).get("sessionId"));
    return stream ? stream.handlePostMessage(q, s) : say(404, {});
  }
  let body = "";
  for await (const part of q) body += part;
  const message = body ? JSON.parse(body) : undefined;
  if (message?.method === "tools/call" && message.params.name === "admin"
      && !token.scope?.split(" ").includes("admin"))
    return say(403, {}, { "www-authenticate":
      `Bearer error="insufficient_scope", scope="tools admin", resource_metadata="${meta}"` });
  const server = new McpServer({ name: "protected", version: "1" });
  for (const name of ["whoami", "admin"])
    server.registerTool(name, { description: "Says who calls." }, async () => ({
      content: [{ type: "text", text: `${token.accountId ?? token.clientId} ${token.scope}` }] }));
  if (path === "/mcp/sse") { // HTTP with SSE: a session lasts as long as its stream
    const stream = new SSEServerTransport("/mcp/messages", s);
    streams.set(stream.sessionId, stream);
    s.on("close", () => streams.delete(stream.sessionId));
    return server.connect(stream);
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined,
    enableJsonResponse: true });
  await server.connect(transport);
  await transport.handleRequest(q, s, message);
}

console.log(JSON.stringify({ mcp: resource, issuer, run: randomUUID() }));
process.stdin.resume().on("end", () => process.exit(0));
