// SPDX-License-Identifier: Apache-2.0
// Amazon Bedrock's runtime: Converse, ConverseStream and InvokeModel of Claude.  Signatures are
// verified by the AWS SDK's signer, bodies by the SDK's model of them, frames are written by
// the SDK's codec; what AWS checks beyond its model is in rules().
import { ConverseRequest$, ConverseStreamRequest$ } from "@aws-sdk/client-bedrock-runtime";
import { EventStreamCodec } from "@smithy/eventstream-codec";
import * as claude from "./anthropic.mjs";
import { BEARER, Denied, signedBy } from "./aws.mjs";
import { Bad, bool, int, list, obj, str } from "./shape.mjs";
import { check } from "./smithy.mjs";
import { ascii, brokenAt, disturbed, json, start, stream, VECTORS } from "./http.mjs";

const utf8 = new TextDecoder();
const codec = new EventStreamCodec((b) => utf8.decode(b), (s) => new TextEncoder().encode(s));
const header = (value) => ({ type: "string", value });

export const frame = (kind, type, body) => Buffer.from(codec.encode({
  headers: { [`:${kind}-type`]: header(type), ":content-type": header("application/json"),
    ":message-type": header(kind) },
  body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
}));

/* What AWS refuses though the model of the request allows it. */
function rules(b, model) {
  const text = (t, path) => {
    if (t !== undefined && !t.trim()) {
      throw new Bad("", `The text field in the ContentBlock object at ${path} is blank. Add text ` +
        "to the text field, and try again.");
    }
  };
  (b.system ?? []).forEach((s, i) => text(s.text, `system.${i}`));
  if (!b.messages?.length) throw new Bad("", "A conversation must start with a user message.");
  let open = [];
  b.messages.forEach((m, i) => {
    if (!["user", "assistant"].includes(m.role))
      throw new Bad(`messages.${i}.role`, "failed to satisfy enum value set: [user, assistant]");
    if (i === 0 && m.role !== "user")
      throw new Bad("", "A conversation must start with a user message. Try again with a " +
        "conversation that starts with a user message.");
    if (i && b.messages[i - 1].role === m.role)
      throw new Bad("", "A conversation must alternate between user and assistant roles. Make " +
        "sure the conversation alternates between user and assistant roles and try again.");
    if (!m.content.length)
      throw new Bad("", `The content field in the Message object at messages.${i} is empty. Add ` +
        "a ContentBlock object to the content field and try again.");
    const results = m.content.filter((k) => k.toolResult);
    const ids = results.map((k) => k.toolResult.toolUseId);
    if (ids.length !== open.length || open.some((one) => !ids.includes(one))) {
      throw new Bad("", ids.length > open.length
        ? `The number of toolResult blocks at messages.${i}.content exceeds the number of toolUse ` +
          "blocks of previous turn."
        : `Expected toolResult blocks at messages.${i}.content for the following Ids: ${open}`);
    }
    const last = m.content.findLastIndex((k) => k.toolResult);
    if (m.content.slice(0, Math.max(last, 0)).some((k) => !k.toolResult && !k.cachePoint))
      throw new Bad("", "toolResult blocks must come first");
    m.content.forEach((k, j) => {
      const at = `messages.${i}.content.${j}`;
      text(k.text, at);
      if (k.image && !["png", "jpeg", "gif", "webp"].includes(k.image.format))
        throw new Bad(`${at}.image.format`, "failed to satisfy enum value set");
      if (k.document && !/^(?!.*\s\s)[A-Za-z0-9 \-()[\]]+$/.test(k.document.name))
        throw new Bad(`${at}.document.name`, "The document name can only contain alphanumerics");
      for (const c of k.toolResult?.content ?? []) text(c.text, at);
      if (k.toolUse && (!/^[a-zA-Z0-9_.:-]{1,64}$/.test(k.toolUse.toolUseId) ||
          !/^[a-zA-Z0-9_-]{1,64}$/.test(k.toolUse.name)))
        throw new Bad(`${at}.toolUse`, "Member must satisfy regular expression pattern");
      if (k.toolUse && (typeof k.toolUse.input !== "object" || Array.isArray(k.toolUse.input)))
        throw new Bad("", "The format of the value at " + at + ".toolUse.input is invalid. " +
          "Provide a json object for the field and try again.");
      const signature = k.reasoningContent?.reasoningText?.signature;
      if (k.reasoningContent?.reasoningText && !/^c2lnbm/.test(signature ?? ""))
        throw new Bad(at, "Invalid `signature` in `thinking` block");
    });
    open = m.role === "assistant" ? m.content.filter((k) => k.toolUse)
      .map((k) => k.toolUse.toolUseId) : [];
  });
  if (open.length) throw new Bad("", `Expected toolResult blocks for the following Ids: ${open}`);
  const tools = b.messages.some((m) => m.content.some((k) => k.toolUse || k.toolResult));
  if (tools && !b.toolConfig) {
    throw new Bad("", "The toolConfig field must be defined when using toolUse and toolResult " +
      "content blocks.");
  }
  if (b.toolConfig && !b.toolConfig.tools.length)
    throw new Bad("toolConfig.tools", "Member must have length greater than or equal to 1");
  for (const { toolSpec: t } of b.toolConfig?.tools ?? []) {
    if (!t) continue;
    if (t.description === "") throw new Bad("toolSpec.description", "Member must have length >= 1");
    if (t.inputSchema.json?.type !== "object")
      throw new Bad("", "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be " +
        "one of the following: object.");
  }
  const t = b.inferenceConfig?.temperature;
  if (t !== undefined && (t < 0 || t > 1))
    throw new Bad("inferenceConfig.temperature", "Member must have value less than or equal to 1");
  const f = b.outputConfig?.textFormat;
  if (f) {
    if (f.type !== "json_schema") throw new Bad("outputConfig.textFormat.type", "enum [json_schema]");
    JSON.parse(f.structure.jsonSchema.schema);
  }
  const more = b.additionalModelRequestFields ?? {};
  for (const name of Object.keys(more)) {
    if (!["thinking", "output_config", "top_k", "tool_choice", "anthropic_beta"].includes(name)) {
      throw new Bad("", `The model returned the following errors: ${name}: Extra inputs are not ` +
        "permitted");
    }
  }
  const thinks = more.thinking && more.thinking.type !== "disabled";
  if (thinks && (b.toolConfig?.toolChoice?.any || b.toolConfig?.toolChoice?.tool))
    throw new Bad("", "The model returned the following errors: Thinking may not be enabled when " +
      "tool_choice forces tool use.");
  if (thinks && t !== undefined && t !== 1)
    throw new Bad("", "The model returned the following errors: `temperature` may only be set to " +
      "1 when thinking is enabled.");
  if (/-4-5/.test(model) && more.thinking?.type === "adaptive")
    throw new Bad("", "The model returned the following errors: adaptive thinking is not " +
      "supported on this model");
  if (more.thinking?.type === "enabled" && (more.thinking.budget_tokens < 1024 ||
      (b.inferenceConfig?.maxTokens ?? Infinity) <= more.thinking.budget_tokens)) {
    throw new Bad("", "The model returned the following errors: `max_tokens` must be greater " +
      "than `thinking.budget_tokens`.");
  }
}

export function seen(b) {
  const one = (k) => {
    if (k.text !== undefined) return { text: k.text };
    if (k.image) return { image: { type: `image/${k.image.format}`, data: k.image.source.bytes } };
    if (k.toolUse)
      return { call: { id: k.toolUse.toolUseId, name: k.toolUse.name, input: k.toolUse.input } };
    if (k.toolResult) {
      const { content, status, toolUseId: id } = k.toolResult;
      const image = content.find((c) => c.image)?.image;
      return { result: { id, text: content.map((c) => c.text ?? (c.json ? JSON.stringify(c.json) : ""))
        .join(""), ...(status === "error" ? { error: true } : {}),
      ...(image ? { image: { type: `image/${image.format}`, data: image.source.bytes } } : {}) } };
    }
    if (k.document) return { document: k.document.source.bytes };
    const r = k.reasoningContent;
    if (r?.reasoningText) return { think: r.reasoningText.text, signature: r.reasoningText.signature };
    return r ? { redacted: r.redactedContent } : null;
  };
  const choice = b.toolConfig?.toolChoice;
  const more = b.additionalModelRequestFields ?? {};
  const schema = b.outputConfig?.textFormat?.structure.jsonSchema.schema;
  return {
    system: (b.system ?? []).map((s) => s.text).filter(Boolean).join("\n"),
    turns: b.messages.map((m) => ({ role: m.role, parts: m.content.map(one).filter(Boolean) })),
    tools: (b.toolConfig?.tools ?? []).filter((t) => t.toolSpec).map(({ toolSpec: t }) => ({
      name: t.name, description: t.description, schema: t.inputSchema.json })),
    choice: choice?.tool ? { name: choice.tool.name } : choice?.any ? "required"
      : choice?.auto ? "auto" : undefined,
    max: b.inferenceConfig?.maxTokens, temperature: b.inferenceConfig?.temperature,
    caches: JSON.stringify([b.system, b.messages]).split('"cachePoint":').length - 1,
    stop: b.inferenceConfig?.stopSequences, schema: schema && JSON.parse(schema),
    thinks: Boolean(more.thinking && more.thinking.type !== "disabled"),
  };
}

const STOP = { stop: "end_turn", length: "max_tokens", tools: "tool_use",
  filter: "guardrail_intervened", refusal: "content_filtered" };
const toolId = (call) => call.id.replace("call_", "tooluse_");
const usageOf = (u) => ({ inputTokens: u.input - (u.cached ?? 0) - (u.written ?? 0),
  outputTokens: u.output, totalTokens: u.input + u.output,
  cacheReadInputTokens: u.cached ?? 0, cacheWriteInputTokens: u.written ?? 0 });

const citation = ({ url, title, words }) => ({ title, sourceContent: [{ text: words }],
  location: { web: { url } } });

function whole(answer) {
  return {
    output: { message: { role: "assistant", content: answer.blocks.map((k) => {
      if (k.redacted) return { reasoningContent: { redactedContent: k.redacted } };
      if (k.think) return { reasoningContent: { reasoningText: { text: k.think.join(""),
        signature: k.signature } } };
      if (k.call)
        return { toolUse: { toolUseId: toolId(k.call), name: k.call.name, input: k.call.input } };
      if (k.cites) return { citationsContent: { content: [{ text: k.text.join("") }],
        citations: k.cites.map(citation) } };
      return { text: k.text.join("") };
    }) } },
    stopReason: answer.stopped ? "stop_sequence" : STOP[answer.finish], usage: usageOf(answer.usage), metrics: { latencyMs: 321 },
  };
}

function* events(answer) {
  yield ["messageStart", { role: "assistant" }];
  for (const [contentBlockIndex, k] of answer.blocks.entries()) {
    const delta = (d) => ["contentBlockDelta", { contentBlockIndex, delta: d, p: "abcdefghij" }];
    if (k.call) {
      yield ["contentBlockStart", { contentBlockIndex, start: { toolUse: { toolUseId: toolId(k.call),
        name: k.call.name } } }];
      const input = JSON.stringify(k.call.input);
      for (let i = 0; input !== "{}" && i < input.length; i += 7)
        yield delta({ toolUse: { input: input.slice(i, i + 7) } });
    } else if (k.redacted) {
      yield delta({ reasoningContent: { redactedContent: k.redacted } });
    } else if (k.think) {
      for (const piece of k.think) yield delta({ reasoningContent: { text: piece } });
      yield delta({ reasoningContent: { signature: k.signature } });
    } else {
      for (const piece of k.text) yield delta({ text: piece });
      for (const c of k.cites ?? []) yield delta({ citation: citation(c) });
    }
    yield ["contentBlockStop", { contentBlockIndex }];
  }
  yield ["messageStop", { stopReason: answer.stopped ? "stop_sequence"
    : STOP[answer.finish] }];
  yield ["metadata", { usage: usageOf(answer.usage), metrics: { latencyMs: 321 } }];
}

const FAULTS = {
  invalid: [400, "ValidationException"], context: [400, "ValidationException"],
  auth: [403, "UnrecognizedClientException"], model: [404, "ResourceNotFoundException"],
  rate: [429, "ThrottlingException"], server: [500, "InternalServerException"],
  overloaded: [503, "ServiceUnavailableException"], forbidden: [403, "AccessDeniedException"],
};

function refuse(x, kind, text, code) {
  const [status, name] = FAULTS[kind];
  json(x, status, { message: kind === "context" ? "Input is too long for requested model." : text },
    { "x-amzn-errortype": `${code ?? name}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
      "x-amzn-requestid": "golden" });
}

async function converse(x, model, streaming) {
  try {
    check(streaming ? ConverseStreamRequest$ : ConverseRequest$, x.body);
    rules(x.body, model);
  } catch (e) {
    x.entry.refused = e.message;
    if (!(e instanceof Bad)) throw e;
    return refuse(x, "invalid", e.message);
  }
  const c = x.entry.conversation;
  if (!c) return refuse(x, "invalid", "no golden conversation is named");
  x.entry.seen = seen(x.body);
  const { answer } = c;
  if (disturbed(x, answer, streaming, "application/vnd.amazon.eventstream")) return undefined;
  if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text);
  if (!streaming) return json(x, 200, whole(answer), { "x-amzn-requestid": "golden" });
  const write = answer.escape ? ascii : JSON.stringify;
  const all = [...events(answer)].map(([type, body]) => frame("event", type, write(body)));
  const at = 1 + answer.blocks.flatMap((k) => k.text ?? []).length;
  const sent = brokenAt(answer, all, at, answer.broken === "first"
    ? frame("exception", "throttlingException", { message: "Too many tokens, please wait." })
    : frame("exception", "modelStreamErrorException", { message: "it broke in the middle",
      originalStatusCode: 500, originalMessage: "it broke" }));
  return stream(x, "application/vnd.amazon.eventstream", sent, { cut: answer.cut,
    headers: { "x-amzn-requestid": "golden" },
    eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0 });
}

async function invoke(x, model, streaming) {
  try {
    claude.check(x.body, { platform: "bedrock", beta: x.body.anthropic_beta }, model);
  } catch (e) {
    x.entry.refused = e.message;
    if (!(e instanceof Bad)) throw e;
    return refuse(x, "invalid", e.message);
  }
  const c = x.entry.conversation;
  if (!c) return refuse(x, "invalid", "no golden conversation is named");
  x.entry.seen = claude.seen(x.body);
  const { answer } = c;
  if (disturbed(x, answer, streaming, "application/vnd.amazon.eventstream")) return undefined;
  if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text);
  const counts = { "x-amzn-bedrock-input-token-count": String(answer.usage.input),
    "x-amzn-bedrock-output-token-count": String(answer.usage.output),
    "x-amzn-bedrock-invocation-latency": "321", "x-amzn-requestid": "golden" };
  if (!streaming) return json(x, 200, claude.whole(model, answer), counts);
  const write = answer.escape ? ascii : JSON.stringify;
  const chunk = (e) => frame("event", "chunk", { bytes: Buffer.from(write(e)).toString("base64"),
    p: "abcd" });
  const all = [...claude.events(model, answer)].map((e) => chunk(e.type !== "message_stop" ? e : {
    ...e, "amazon-bedrock-invocationMetrics": { inputTokenCount: answer.usage.input,
      outputTokenCount: answer.usage.output, invocationLatency: 321, firstByteLatency: 100 } }));
  const at = claude.beforeBreak(answer);
  const sent = brokenAt(answer, all, at, frame("exception", "modelStreamErrorException",
    { message: "it broke in the middle", originalStatusCode: 500 }));
  return stream(x, "application/vnd.amazon.eventstream", sent, { cut: answer.cut,
    headers: { "x-amzn-requestid": "golden", "x-amzn-bedrock-content-type": "application/json" },
    eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0 });
}

/* Titan takes one text, Cohere many and says what they are for. */
function embed(x, model) {
  const titan = /titan/.test(model);
  try {
    (titan ? obj({ "inputText!": str, dimensions: int, normalize: bool, embeddingTypes: list(str) })
      : obj({ "texts!": list(str, { least: 1, most: 96 }), "input_type!": str, truncate: str,
        embedding_types: list(str) }))(x.body, "");
  } catch (e) {
    return refuse(x, "invalid", e.message);
  }
  if (titan) {
    const embedding = VECTORS[x.body.inputText === "two" ? 1 : 0];
    return json(x, 200, { embedding, embeddingsByType: { float: embedding }, inputTextTokenCount: 4 });
  }
  const all = x.body.texts.map((t) => VECTORS[t === "two" ? 1 : 0]);
  return json(x, 200, { id: "golden", texts: x.body.texts, response_type: x.body.embedding_types
    ? "embeddings_by_type" : "embeddings_floats", embeddings: x.body.embedding_types
    ? { float: all } : all }, { "x-amzn-bedrock-input-token-count": "8" });
}

/* ahead: milliseconds its clock is before ours; throttled: regions that answer 429. */
export function bedrock({ ahead = 0, throttled = [] } = {}) {
  return start("bedrock", async (x) => {
    if (ahead) x.response.setHeader("date", new Date(Date.now() + ahead).toUTCString());
    if (x.headers.authorization !== `Bearer ${BEARER}`) {
      try {
        await signedBy(x, "bedrock", ahead);
      } catch (e) {
        if (!(e instanceof Denied)) throw e;
        x.entry.refused = e.message;
        return refuse(x, "forbidden", e.message, e.code);
      }
    }
    if (throttled.includes(x.entry.region))
      return refuse(x, "rate", "Too many requests, please wait before trying again.");
    const [, label, action] = /^\/model\/([^/]+)\/([a-z-]+)$/.exec(x.target) ?? [];
    if (!label || x.method !== "POST") return refuse(x, "model", "no such path");
    // one label: ':' and '/' of an id are escaped on the wire
    if (/[:@+ ]/.test(label)) return refuse(x, "invalid", `the model id is not escaped: ${label}`);
    const model = decodeURIComponent(label);
    x.entry.model = model;
    if (/^anthropic\..*-4-5/.test(model)) {
      return refuse(x, "invalid", `Invocation of model ID ${model} with on-demand throughput ` +
        "isn’t supported. Retry your request with the ID or ARN of an inference profile that " +
        "contains this model.");
    }
    if (action === "invoke" && /embed/.test(model)) return embed(x, model);
    switch (action) {
    case "converse": return converse(x, model, false);
    case "converse-stream": return converse(x, model, true);
    case "invoke": return invoke(x, model, false);
    case "invoke-with-response-stream": return invoke(x, model, true);
    default: return refuse(x, "model", `no such action: ${action}`);
    }
  });
}
