// SPDX-License-Identifier: Apache-2.0
// Conversations of rounds.mjs: rows as of rows.mjs whose tool is an MCP server's behind the gateway
// (tests/mcp/many.py), so that the second request is the gateway's own.
const TOOL = "many-tool_0";
const usage = { input: 40, output: 33 };
const call = (id, x) => ({ call: { id, name: TOOL, input: { x } } });
const SIGNED = { think: ["I must ", "look."], signature: "c2lnbmVkLWFuZC1zZWFsZWQ=" };
const SEALED = { redacted: "c2VhbGVkLXJlYXNvbmluZw==" };

export const roundRows = [
  { name: "rounds-signed", ask: {},
    answer: { blocks: [SIGNED, call("call_1", "seven")], finish: "tools", usage },
    then: { mark: "tool_0 seven", answer: { blocks: [{ text: ["Seven."] }], finish: "stop", usage } } },
  { name: "rounds-sealed", ask: {},
    answer: { blocks: [SEALED, SIGNED, { text: ["One moment."] }, call("call_1", "seven"),
      call("call_2", "eight")], finish: "tools", usage },
    then: { mark: "tool_0 eight", answer: { blocks: [{ text: ["Seven."] }], finish: "stop", usage } } },
];
