// SPDX-License-Identifier: Apache-2.0
// The official TypeScript SDKs before the reference server of files, with roots of their own that
// change:   node roots.mjs URL KEY "v1"|"legacy"|REVISION ROOT NEXT
// prints what the server lets it reach with the one, and with the other.
import { pathToFileURL } from "node:url";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";

const [url, key, mode, root, next] = process.argv.slice(2);
const me = { name: "tests", version: "1" };
const capabilities = { roots: { listChanged: true } };
const client = mode === "v1" ? new ClientV1(me, { capabilities }) : new ClientV2(me, { capabilities,
  versionNegotiation: { mode: mode === "legacy" ? mode : { pin: mode } } });
let now = root;
client.setRequestHandler(mode === "v1" ? ListRootsRequestSchema : "roots/list",
  () => ({ roots: [{ uri: pathToFileURL(now).href }] }));
const Http = mode === "v1" ? HttpV1 : HttpV2;
await client.connect(new Http(new URL(url), { requestInit: { headers: { authorization: `Bearer ${key}` } } }));
const reached = async () => (await client.callTool({ name: "list_allowed_directories", arguments: {} }))
  .content[0].text.split("\n").slice(1);
const said = [await reached()];
if (mode === "v1" || mode === "legacy") { // in the newest era nobody says that roots changed
  now = next;
  await client.sendRootsListChanged();
  for (let i = 0; i < 200 && said.at(-1)[0] !== next; i++) said[1] = await reached(); // it asks when it likes
}
await client.close();
console.log(JSON.stringify(said));
