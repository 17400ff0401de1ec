// SPDX-License-Identifier: Apache-2.0
// The official TypeScript SDKs log in to the gateway of the environment with their own OAuth:
// KANMON_URL, KANMON_KEY.  test_oauth_sdk.py starts it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";

const base = process.env.KANMON_URL;
const me = { name: "tests", version: "1" };

// What a user does in a browser: opens the address, shows the key, is sent back.
async function browse(url, key) {
  const page = await fetch(url);
  assert.equal(page.status, 200);
  const text = await page.text();
  const cookie = page.headers.get("set-cookie").split(";")[0];
  const request = /name="request" value="([^"]+)"/.exec(text)[1];
  const back = await fetch(`${base}/oauth/authorize`, {
    method: "POST", redirect: "manual", headers: { cookie, origin: base },
    body: new URLSearchParams({ request, key, decision: "allow" }) });
  assert.equal(back.status, 303, await back.text());
  return new URL(back.headers.get("location")).searchParams;
}

class Provider {
  redirectUrl = "http://127.0.0.1:41998/callback";
  clientMetadata = { client_name: "SDK", redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] };
  log = [];
  state() { return "of the client"; }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.log.push("registered"); this.client = client; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.log.push("tokens"); this.kept = tokens; }
  redirectToAuthorization(url) { this.log.push("browser"); this.url = url; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
}

const kinds = [
  ["v1", () => new ClientV1(me), HttpV1],
  ["v2 legacy", () => new ClientV2(me, { versionNegotiation: { mode: "legacy" } }), HttpV2],
  ["v2 stateless", () => new ClientV2(me, { versionNegotiation: { mode: { pin: "2026-07-28" } } }),
    HttpV2],
];

for (const [title, make, Http] of kinds)
  for (const path of ["/mcp", "/mcp/kanmon"])
    test(`${title} logs in to ${path}, lists, refreshes`, async () => {
      const provider = new Provider();
      const url = new URL(base + path);
      const first = new Http(url, { authProvider: provider });
      await assert.rejects(make().connect(first), (error) => /unauthorized/i.test(error.name + error.message));
      assert.deepEqual(provider.log, ["registered", "browser"]);
      assert.equal(provider.url.searchParams.get("resource"), url.href);
      assert.equal(provider.url.searchParams.get("scope"), "mcp");
      const answer = await browse(provider.url, process.env.KANMON_KEY);
      assert.equal(answer.get("state"), "of the client");
      if (Http === HttpV2) await first.finishAuth(answer);
      else await first.finishAuth(answer.get("code"));
      assert.deepEqual(provider.log, ["registered", "browser", "tokens"]);
      const before = provider.kept;

      const client = make();
      await client.connect(new Http(url, { authProvider: provider }));
      const { tools } = await client.listTools();
      assert.ok(tools.some((tool) => tool.name.endsWith("key_info")));
      await client.close();

      // A token that is not taken any more is refreshed, without a browser.
      provider.kept = { ...before, access_token: "kmat_gone" };
      const again = make();
      await again.connect(new Http(url, { authProvider: provider }));
      assert.ok((await again.listTools()).tools.length > 0);
      await again.close();
      assert.deepEqual(provider.log, ["registered", "browser", "tokens", "tokens"]);
      assert.notEqual(provider.kept.access_token, before.access_token);
      assert.notEqual(provider.kept.refresh_token, before.refresh_token);
    });
