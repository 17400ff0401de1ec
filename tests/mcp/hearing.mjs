// SPDX-License-Identifier: Apache-2.0
// hearing.py with the official TypeScript SDK: hearing.mjs URL KEY [elicitation] [sampling] [roots]
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, key, ...can] = process.argv.slice(2);
const client = new Client({ name: "tests", version: "1" },
  { capabilities: Object.fromEntries(can.map((what) => [what, {}])) });

async function say() {
  const { tools } = await client.listTools();
  const names = tools.map((tool) => tool.name);
  if (names.includes("pid")) await client.callTool({ name: "pid", arguments: {} });
  console.log(JSON.stringify(names));
}

client.setNotificationHandler(ToolListChangedNotificationSchema, say);
await client.connect(new StreamableHTTPClientTransport(new URL(url),
  { requestInit: { headers: { authorization: `Bearer ${key}` } } }));
await say();
process.stdin.on("end", () => process.exit(0)).resume();
