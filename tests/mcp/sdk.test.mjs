// SPDX-License-Identifier: Apache-2.0
// The official TypeScript SDKs against the gateway of the environment, over HTTP (KANMON_URL,
// KANMON_KEY) and through the bridge (KANMON_BRIDGE: its command line as JSON).
// test_node_sdk.py starts it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";

const url = new URL(`${process.env.KANMON_URL}/mcp`);
const [command, ...args] = JSON.parse(process.env.KANMON_BRIDGE);
const requestInit = { headers: { authorization: `Bearer ${process.env.KANMON_KEY}` } };
const me = { name: "tests", version: "1" };
const modern = (mode) => new ClientV2(me, { versionNegotiation: { mode } });

const kinds = [
  ["v1", () => new ClientV1(me), HttpV1, StdioV1, "2025-11-25"],
  ["v2 legacy", () => modern("legacy"), HttpV2, StdioV2, "2025-11-25"],
  ["v2 auto", () => modern("auto"), HttpV2, StdioV2, "2026-07-28"],
  ["v2 pinned", () => modern({ pin: "2026-07-28" }), HttpV2, StdioV2, "2026-07-28"],
];

for (const [title, make, Http, Stdio, version] of kinds) {
  const ways = [
    ["HTTP", () => new Http(url, { requestInit }), ["small"]],
    ["stdio", () => new Stdio({ command, args, stderr: "inherit" }), ["small", "large"]],
  ];
  for (const [way, transport, models] of ways) {
    test(`${title} over ${way}: connect, list, call, error`, async () => {
      const client = make();
      await client.connect(transport());
      try {
        const agreed = client.getNegotiatedProtocolVersion?.() ?? client.transport.protocolVersion;
        if (agreed !== undefined) assert.equal(agreed, version);
        assert.equal(client.getServerVersion().name, "kanmon");
        const { tools } = await client.listTools();
        const tool = tools.find((t) => t.name === "kanmon-list_models");
        assert.equal(tool.annotations.readOnlyHint, true);
        assert.equal(tool.outputSchema.type, "object");
        const good = await client.callTool({ name: tool.name, arguments: {} });
        assert.deepEqual(good.structuredContent, { models, more: false });
        const info = await client.callTool({ name: "kanmon-key_info", arguments: {} });
        assert.equal(info.structuredContent.admin, way === "stdio");
        const bad = await client.callTool({ name: tool.name, arguments: { limit: "many" } });
        assert.equal(bad.isError, true);
        await assert.rejects(client.callTool({ name: "kanmon-none", arguments: {} }),
          (error) => error.code === -32602 && /Unknown tool/.test(error.message));
      } finally {
        await client.close();
      }
    });
  }

  test(`${title}: a wrong key is an error`, async () => {
    const init = { headers: { authorization: "Bearer sk-wrong-0123456789abcd" } };
    await assert.rejects(make().connect(new Http(url, { requestInit: init })));
  });
}
