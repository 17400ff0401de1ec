// SPDX-License-Identifier: Apache-2.0
// Google's token endpoint (a service account's RS256 assertion, verified with node:crypto) and
// the metadata server of Google Cloud.
import { createVerify, generateKeyPairSync } from "node:crypto";
import { json, start } from "./http.mjs";

export const accountToken = "ya29.golden-service-account";
export const metadataToken = "ya29.golden-metadata";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = privateKey.export({ type: "pkcs8", format: "pem" });

/* The JSON file of a service account that the endpoint at `url` accepts. */
export const account = (url) => ({
  type: "service_account", project_id: "golden-project", private_key_id: "golden-key-1",
  private_key: pem, client_email: "golden@golden-project.iam.gserviceaccount.com",
  client_id: "1", token_uri: `${url}/token`, universe_domain: "googleapis.com",
});

function verify(assertion, url) {
  const [head, claims, signature] = assertion.split(".");
  const decode = (part) => JSON.parse(Buffer.from(part, "base64url"));
  if (/[+/=]/.test(assertion)) return "not base64url";
  if (decode(head).alg !== "RS256" || decode(head).kid !== "golden-key-1") return "alg or kid";
  const c = decode(claims);
  const now = Date.now() / 1000;
  if (c.iss !== account(url).client_email) return "iss";
  if (c.aud !== `${url}/token`) return `aud: ${c.aud}`;
  if (c.scope !== "https://www.googleapis.com/auth/cloud-platform") return `scope: ${c.scope}`;
  if (!(c.iat <= now + 60 && c.iat > now - 300)) return "iat";
  if (!(c.exp > now && c.exp <= c.iat + 3600)) return "exp";
  const check = createVerify("RSA-SHA256").update(`${head}.${claims}`);
  return check.verify(publicKey, Buffer.from(signature, "base64url"))
    ? null : "signature";
}

export async function oauth() {
  const server = await start("google-oauth", async (x) => {
    const form = new URLSearchParams(x.raw.toString());
    const bad = (what) => {
      x.entry.refused = what;
      return json(x, 400, { error: "invalid_grant", error_description: `Invalid JWT: ${what}` });
    };
    if (x.method !== "POST" || x.path !== "/token") return json(x, 404, { error: "not_found" });
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer")
      return json(x, 400, { error: "unsupported_grant_type" });
    const what = verify(form.get("assertion") ?? "..", server.url);
    return what ? bad(what) : json(x, 200, { access_token: accountToken, expires_in: 3599,
      token_type: "Bearer" });
  });
  return server;
}

export function metadata() {
  return start("google-metadata", async (x) => {
    x.response.setHeader("metadata-flavor", "Google");
    if (x.headers["metadata-flavor"] !== "Google") return json(x, 403, { error: "flavor" });
    if (x.path === "/computeMetadata/v1/instance/service-accounts/default/token")
      return json(x, 200, { access_token: metadataToken, expires_in: 3599, token_type: "Bearer" });
    return json(x, 404, { error: "not_found" });
  });
}
