// SPDX-License-Identifier: Apache-2.0
// The official TypeScript SDKs, asking for lists; as odd_client.py.  MODE is "v1", "legacy" or a
// revision.
import { readFileSync } from "node:fs";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";

const [what, where, more, mode, python] = process.argv.slice(2);
const methods = { tools: ["listTools", "name"], resources: ["listResources", "uri"],
  resourceTemplates: ["listResourceTemplates", "uriTemplate"], prompts: ["listPrompts", "name"] };
const me = { name: "tests", version: "1" };
const client = mode === "v1" ? new ClientV1(me) : new ClientV2(me, {
  versionNegotiation: { mode: mode === "legacy" ? mode : { pin: mode } } });
const [Stdio, Http] = mode === "v1" ? [StdioV1, HttpV1] : [StdioV2, HttpV2];
const old = mode === "v1" || mode === "legacy";
const transport = what === "alone"
  ? new Stdio({ command: python, args: [more, ...(old ? [] : ["--new"])] })
  : new Http(new URL(where), { requestInit: { headers: { authorization: `Bearer ${more}` } } });

await client.connect(transport);
let said;
if (what === "alone") {
  said = [];
  for (const [number, { list }] of JSON.parse(readFileSync(where, "utf8")).entries()) {
    // The line of both eras hands a bad list over as an empty one in some of its forms.
    said.push(await client[methods[list][0]]({ cursor: String(number) })
      .then((result) => result[list].length === 1, () => false));
  }
} else {
  said = {};
  for (const [list, [method, name]] of Object.entries(methods)) {
    said[list] = (await client[method]())[list].map((item) => item[name]);
  }
}
await client.close();
console.log(JSON.stringify(said));
