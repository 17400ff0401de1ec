// SPDX-License-Identifier: Apache-2.0
// Bedrock's Converse by the AWS SDK: to prove the fake, and for the pass-through.
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from
  "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

export const title = "Bedrock Converse";
export const shows = { cached: true, written: true, reasoning: false, signature: true, think: true };

const part = (p) => {
  if (p.document) {
    return { document: { format: "pdf", name: p.document.name, source: {
      bytes: Buffer.from(p.document.data, "base64") } } };
  }
  if (p.image) return { image: { format: p.image.type.slice(6), source: {
    bytes: Buffer.from(p.image.data, "base64") } } };
  if (p.call) return { toolUse: { toolUseId: p.call.id, name: p.call.name, input: p.call.input } };
  if (p.result) return { toolResult: { toolUseId: p.result.id, content: [{ text: p.result.text }] } };
  return { text: p.text };
};

export function request(ask) {
  const c = ask.choice;
  return {
    ...(ask.system ? { system: [{ text: ask.system }] } : {}),
    messages: ask.turns.map((t) => ({ role: t.role, content: t.parts.map(part) })),
    inferenceConfig: { maxTokens: ask.max, temperature: ask.temperature, stopSequences: ask.stop },
    ...(ask.tools ? { toolConfig: { tools: ask.tools.map((t) => ({ toolSpec: { name: t.name,
      description: t.description, inputSchema: { json: t.schema } } })),
    ...(c && c !== "none" ? { toolChoice: c.name ? { tool: { name: c.name } } : { any: {} } } : {}) } }
      : {}),
    ...(ask.effort ? { additionalModelRequestFields: { thinking: { type: "enabled",
      budget_tokens: 2048 } } } : {}),
    ...(ask.schema ? { outputConfig: { textFormat: { type: "json_schema", structure: { jsonSchema: {
      name: ask.schema.name, schema: JSON.stringify(ask.schema.schema) } } } } } : {}),
  };
}

const FINISH = { end_turn: "stop", stop_sequence: "stop", max_tokens: "length", tool_use: "tools",
  guardrail_intervened: "filter", content_filtered: "filter" };

/* Text that cites is a block of its own kind. */
const textOf = (b) => b.text ?? b.citationsContent?.content.map((c) => c.text).join("") ?? "";

function resultOf(content, reason, u) {
  const thoughts = content.filter((b) => b.reasoningContent?.reasoningText).map((b) =>
    b.reasoningContent.reasoningText);
  return {
    text: content.map(textOf).join(""), refusal: "",
    cites: content.flatMap((b) => (b.citationsContent?.citations ?? b.cites ?? []).map((c) => ({
      url: c.location.web.url, title: c.title, of: textOf(b) }))),
    think: thoughts.map((t) => t.text).join(""), signature: thoughts.map((t) => t.signature).join(""),
    calls: content.filter((b) => b.toolUse).map(({ toolUse: t }) => ({ id: t.toolUseId,
      name: t.name, input: t.input })),
    finish: FINISH[reason] ?? reason,
    usage: u && { input: u.inputTokens + u.cacheReadInputTokens + u.cacheWriteInputTokens,
      cached: u.cacheReadInputTokens, written: u.cacheWriteInputTokens, output: u.outputTokens,
      reasoning: 0 },
    carry: content,
  };
}

export function errorOf(e) {
  return { status: e.$metadata?.httpStatusCode, type: e.name, class: e.name, message: e.message };
}

export async function call({ url, model, ask, stream, back, credentials, token, region }) {
  const bedrock = new BedrockRuntimeClient({ endpoint: url, region: region ?? "us-east-1",
    maxAttempts: 1, requestHandler: new NodeHttpHandler(), // its own choice is HTTP/2
    ...(token ? { token: { token }, authSchemePreference: ["httpBearerAuth"] } : { credentials }) });
  const body = { modelId: model, ...request(ask) };
  if (back) {
    body.messages.push({ role: "assistant", content: back.carry });
    body.messages.push({ role: "user", content: back.calls.map((c, i) => ({ toolResult: {
      toolUseId: c.id, content: [{ text: back.results[i] }] } })) });
  }
  let text = "";
  try {
    if (!stream) {
      const r = await bedrock.send(new ConverseCommand(body));
      return resultOf(r.output.message.content, r.stopReason, r.usage);
    }
    const content = [];
    let reason;
    let usage;
    const r = await bedrock.send(new ConverseStreamCommand(body));
    for await (const e of r.stream) {
      const i = (e.contentBlockStart ?? e.contentBlockDelta)?.contentBlockIndex;
      if (e.contentBlockStart) {
        content[i] = { toolUse: { ...e.contentBlockStart.start.toolUse, input: "" } };
      }
      const d = e.contentBlockDelta?.delta;
      if (d?.text !== undefined) {
        text += d.text;
        content[i] = { ...content[i], text: (content[i]?.text ?? "") + d.text };
      } else if (d?.citation) {
        content[i] = { ...content[i], cites: [...content[i]?.cites ?? [], d.citation] };
      } else if (d?.toolUse) {
        content[i].toolUse.input += d.toolUse.input;
      } else if (d?.reasoningContent) {
        const t = content[i]?.reasoningContent.reasoningText ?? { text: "", signature: "" };
        content[i] = { reasoningContent: { reasoningText: {
          text: t.text + (d.reasoningContent.text ?? ""),
          signature: t.signature + (d.reasoningContent.signature ?? "") } } };
      }
      reason = e.messageStop?.stopReason ?? reason;
      usage = e.metadata?.usage ?? usage;
    }
    if (!reason) return { error: { thrown: "the stream ended without messageStop" }, text };
    for (const b of content) if (b.toolUse) b.toolUse.input = JSON.parse(b.toolUse.input || "{}");
    return resultOf(content, reason, usage);
  } catch (e) {
    return { error: errorOf(e), text };
  } finally {
    bedrock.destroy();
  }
}
