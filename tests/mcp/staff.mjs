// SPDX-License-Identifier: Apache-2.0
// An OpenID provider (oidc-provider) whose access tokens are JWTs, as a company's issuer would be:
// prints {"issuer": url} and serves until its standard input ends.
//
//     POST /token              client_credentials of robot, resource=urn:kanmon or urn:other
//     POST /turn?keep=yes|no   new keys; the old ones are published still, or gone
//     POST /status?is=503      from now on for the key set; 200: as ever
//     GET  /asked              how often the key set was asked for
//     POST /forge?how=...      tokens that jose signs and the provider never would
import { createServer } from "node:http";
import { createPublicKey } from "node:crypto";

import * as jose from "jose";
import Provider from "oidc-provider";

const server = createServer((q, s) => route(q, s));
const issuer = await new Promise((done) => server.listen(0, "127.0.0.1", () =>
  done(`http://127.0.0.1:${server.address().port}`)));
let handle, keys = [], asked = 0, status = 200, turns = 0;

async function makeKey(alg) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), alg, use: "sig", kid: `${alg}-${turns}` };
}

// One issuer, another key set: what a provider does when its keys turn.
async function turn(keep) {
  turns += 1;
  keys = [await makeKey("RS256"), await makeKey("ES256"), ...(keep ? keys : [])];
  handle = new Provider(issuer, {
    jwks: { keys },
    clients: [{ client_id: "robot", client_secret: "horse", grant_types: ["client_credentials"],
      redirect_uris: [], response_types: [] }],
    features: {
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({ scope: "mcp boss", audience: resource,
          accessTokenFormat: "jwt", accessTokenTTL: Number(ctx.get("x-lifetime") || 3600),
          jwt: { sign: { alg: ctx.get("x-alg") || "RS256" } } }),
        useGrantedResource: () => true,
      },
    },
    pkce: { required: () => true },
    scopes: ["openid", "offline_access", "mcp", "boss"],
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
    ttl: { AccessToken: 3600, ClientCredentials: (ctx) => Number(ctx.get("x-lifetime") || 3600) },
  }).callback();
}

const claims = () => ({ iss: issuer, aud: "urn:kanmon", sub: "robot", client_id: "robot",
  iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 300 });

// Tokens with the right claims, proven in ways that prove nothing.
async function forge(how) {
  const [rs, es] = keys;
  const pem = createPublicKey({ key: rs, format: "jwk" }).export({ type: "spki", format: "pem" });
  const sign = async (key, header, body = claims()) =>
    new jose.SignJWT(body).setProtectedHeader({ typ: "at+jwt", ...header }).sign(key);
  const own = await jose.importJWK(rs, "RS256");
  const stranger = (await jose.generateKeyPair("RS256", { extractable: true }));
  switch (how) {
    case "none": return new jose.UnsecuredJWT(claims()).encode();
    case "hs": // the public key as a shared secret
      return sign(new TextEncoder().encode(pem), { alg: "HS256", kid: rs.kid });
    case "hs-jwk":
      return sign(new TextEncoder().encode(JSON.stringify({ kty: rs.kty, n: rs.n, e: rs.e })),
        { alg: "HS256", kid: rs.kid });
    case "stranger": return sign(stranger.privateKey, { alg: "RS256", kid: rs.kid });
    case "jwk": // it brings its key along
      return sign(stranger.privateKey, { alg: "RS256", jwk: await jose.exportJWK(stranger.publicKey) });
    case "jku":
      return sign(stranger.privateKey, { alg: "RS256", kid: rs.kid, jku: `${issuer}/forged` });
    case "issuer": return sign(own, { alg: "RS256", kid: rs.kid }, { ...claims(), iss: `${issuer}/` });
    case "expired": return sign(own, { alg: "RS256", kid: rs.kid }, { ...claims(), exp: 1 });
    case "audience": return sign(own, { alg: "RS256", kid: rs.kid }, { ...claims(), aud: "urn:other" });
    case "kid": return sign(own, { alg: "RS256", kid: es.kid }); // another key's name
    case "good": return sign(own, { alg: "RS256", kid: rs.kid });
  }
}

async function route(q, s) {
  const url = new URL(q.url, issuer);
  const say = (code, body) => s.writeHead(code, { "content-type": "application/json" })
    .end(JSON.stringify(body));
  if (url.pathname === "/turn") {
    await turn(url.searchParams.get("keep") === "yes");
    return say(200, {});
  }
  if (url.pathname === "/asked") return say(200, asked);
  if (url.pathname === "/status") return say(200, status = Number(url.searchParams.get("is")));
  if (url.pathname === "/forge") return say(200, await forge(url.searchParams.get("how")));
  if (url.pathname === "/jwks") {
    asked += 1;
    if (status !== 200) return say(status, {});
  }
  return handle(q, s);
}

await turn(false);
console.log(JSON.stringify({ issuer }));
process.stdin.resume().on("end", () => process.exit(0));
