// SPDX-License-Identifier: Apache-2.0
// Chats with tools of type mcp, over each provider that refuses a turn whose reasoning was lost:
// the model thinks, calls tools of an MCP server behind the gateway and answers.  What it thought
// must come back to it, signatures and sealed blocks as they were, and the caller must see the
// reasoning of the answer it gets.
import OpenAI from "openai";
import { join } from "node:path";
import { newCell, providers } from "./cells.mjs";
import { Gateway } from "./gateway.mjs";
import { roundRows } from "./round_rows.mjs";

const MANY = join(import.meta.dirname, "../mcp/many.py");
const MCP = { type: "mcp", server_label: "many", server_url: "litellm_proxy/mcp/many",
  require_approval: "never" };
const CLAUDES = ["anthropic", "bedrock", "bedrock-invoke", "vertex-claude"];
const THINKS = [...CLAUDES, "gemini", "vllm"];

const same = (found, wanted, what) => (JSON.stringify(found) === JSON.stringify(wanted) ? []
  : [`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`]);

/* What the caller gets: { text, reasoning }. */
const CALLERS = {
  async chat({ client, model, text, stream }) {
    const r = await client.chat.completions.create({ model, stream, tools: [MCP],
      messages: [{ role: "user", content: text }], max_completion_tokens: 8000,
      reasoning_effort: "medium" });
    if (!stream) return { text: r.choices[0].message.content, calls: 0 };
    const got = { text: "", reasoning: "", calls: 0, blocks: [] };
    for await (const { choices: [c] } of r) {
      got.text += c?.delta.content ?? "";
      got.reasoning += c?.delta.reasoning_content ?? c?.delta.reasoning ?? "";
      got.calls += c?.delta.tool_calls?.length ?? 0;
      got.blocks.push(...(c?.delta.thinking_blocks ?? []));
    }
    return got;
  },
  async responses({ client, model, text, stream }) {
    let r = await client.responses.create({ model, stream, tools: [MCP], input: text,
      max_output_tokens: 8000, reasoning: { effort: "medium" } });
    if (stream) for await (const e of r) if (e.type === "response.completed") r = e.response;
    const reasoning = r.output.filter((i) => i.type === "reasoning").flatMap((i) =>
      [...(i.content ?? []), ...(i.summary ?? [])]).map((p) => p.text).join("");
    return { text: r.output.filter((i) => i.type === "message").at(-1).content[0].text, reasoning,
      calls: r.output.filter((i) => i.type === "function_call").length };
  },
};

async function talk({ gateway, fake, api, name, row, stream }) {
  const at = newCell();
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
  const got = await CALLERS[api]({ client, model: `${name}.${row.name}`, stream,
    text: `golden:${row.name}.${at} Look.` });
  const asked = fake.log.filter((e) => e.cell === at);
  const turn = asked.at(-1).seen.turns.find((t) => t.role === "assistant" || t.role === "model");
  const back = (turn?.parts ?? []).filter((p) => p?.signature || p?.redacted)
    .map((p) => (p.redacted ? { redacted: p.redacted } : p.think && { think: p.think,
      signature: p.signature })).filter(Boolean);
  const wanted = row.answer.blocks.filter((k) => k.think || k.redacted).map((k) => (k.think
    ? { think: k.think.join(""), signature: k.signature } : k));
  const shows = stream || api === "responses";
  return [...same(asked.length, 2, "rounds"), ...same(got.calls, 0, "calls the caller sees"),
    ...same(got.text.endsWith("Seven."), true, `its text (${got.text})`),
    ...(CLAUDES.includes(name) ? same(back, wanted, "what came back of the reasoning") : []),
    ...(shows ? same(got.reasoning, "I must look.", "the reasoning the caller sees") : []),
    ...(got.blocks && CLAUDES.includes(name)
      ? same(got.blocks.length, wanted.length, "blocks the caller sees") : [])];
}

/* A gateway of its own: it has an MCP server, which would be one of every other cell's, too. */
export async function roundCells(binary, fakes) {
  const some = Object.fromEntries(THINKS.map((n) => [n, providers[n]]));
  const gateway = new Gateway(binary, fakes, some, roundRows);
  gateway.mcp = { many: { transport: "stdio", command: "python3", args: [MANY, "1"] } };
  await gateway.start();
  const cells = [];
  for (const api of Object.keys(CALLERS)) for (const name of THINKS) for (const row of roundRows) {
    if (row.name === "rounds-sealed" && !CLAUDES.includes(name)) continue; // it seals no reasoning
    for (const stream of [false, true]) {
      cells.push({ group: "rounds", name: `rounds ${api}>${name} ${row.name} ` +
        `${stream ? "stream" : "whole"}`,
      run: () => talk({ gateway, fake: fakes[providers[name].fake], api, name, row, stream }) });
    }
  }
  return { cells, stop: () => gateway.stop() };
}
