// SPDX-License-Identifier: Apache-2.0
// Anthropic's Messages: the API, and the same bodies behind Vertex (rawPredict) and Bedrock
// (InvokeModel), after the types of @anthropic-ai/sdk 1.10 and its notes on each version.
import { Bad, any, base64, between, bool, either, int, list, map, match, nullable, obj, str,
  tagged, text, word } from "./shape.mjs";
import { ascii, brokenAt, disturbed, json, sse, start, stream } from "./http.mjs";

export const KEY = "sk-ant-upstream";

const cache = { cache_control: nullable(obj({ "type!": word("ephemeral"), ttl: word("5m", "1h") })) };
const id = match(/^[a-zA-Z0-9_-]+$/);
const toolName = match(/^[a-zA-Z0-9_-]{1,128}$/);
const source = (remote) => tagged("type", {
  base64: obj({ "type!": any, "media_type!": word("image/jpeg", "image/png", "image/gif",
    "image/webp"), "data!": base64 }),
  ...(remote ? { url: obj({ "type!": any, "url!": match(/^https?:/) }) } : {}),
  file: obj({ "type!": any, "file_id!": str }),
});
const textBlock = obj({ "type!": any, "text!": text, citations: nullable(list(any)), ...cache });
const image = (remote) => obj({ "type!": any, "source!": source(remote), ...cache });
const pdf = obj({ "type!": any, "source!": tagged("type", {
  base64: obj({ "type!": any, "media_type!": word("application/pdf"), "data!": base64 }),
  text: obj({ "type!": any, "media_type!": word("text/plain"), "data!": str }),
  url: obj({ "type!": any, "url!": str }), file: obj({ "type!": any, "file_id!": str }),
  content: any }), title: nullable(str), context: nullable(str), citations: any, ...cache });
const result = (remote) => obj({ "type!": any, "tool_use_id!": id, is_error: bool, ...cache,
  content: either(str, list(tagged("type", { text: textBlock, image: image(remote),
    document: pdf }))) });
const turns = (remote, system) => list(tagged("role", {
  ...(system ? { system: obj({ "role!": any, "content!": either(text, list(tagged("type", {
    text: textBlock }), { least: 1 })), ...system }) } : {}),
  user: obj({ "role!": any, "content!": either(text, list(tagged("type", { text: textBlock,
    image: image(remote), document: pdf, tool_result: result(remote) }), { least: 1 })) }),
  assistant: obj({ "role!": any, "content!": either(text, list(tagged("type", {
    text: textBlock,
    thinking: obj({ "type!": any, "thinking!": str, "signature!": str }),
    redacted_thinking: obj({ "type!": any, "data!": base64 }),
    tool_use: obj({ "type!": any, "id!": id, "name!": toolName, "input!": map(any), ...cache,
      caller: any }),
  }))) }),
}), { least: 1 });

/* What a beta of the anthropic-beta header lets in. */
const has = (how, beta) => how.beta?.some((b) => b.startsWith(beta));

const body = (how) => obj({
  ...(has(how, "context-management") ? { context_management: obj({ edits: list(any) }) } : {}),
  ...(how.platform === "api" ? { "model!": str, inference_geo: nullable(str),
    service_tier: word("auto", "standard_only"), container: any }
    // Vertex AI: the value of Anthropic's guide, and what their newest SDK for it sends
    : { "anthropic_version!": how.platform === "vertex" ? word("vertex-2023-10-16", "2026-10-21")
      : word("bedrock-2023-05-31"), anthropic_beta: list(str) }),
  ...(how.platform === "bedrock" ? {} : { stream: bool }),
  "max_tokens!": int, ...cache,
  "messages!": turns(how.platform !== "bedrock", how.platform === "api" && {
    ...(has(how, "per-turn-control") ? { output_config: obj({ effort: str }), clear_at: any } : {}) }),
  metadata: obj({ user_id: nullable(str) }), output_config: obj({
    effort: nullable(word("low", "medium", "high", "xhigh", "max")),
    format: nullable(obj({ "type!": word("json_schema"), "schema!": map(any) })) }),
  stop_sequences: list(text), system: either(str, list(tagged("type", { text: textBlock }))),
  thinking: tagged("type", {
    enabled: obj({ "type!": any, "budget_tokens!": int, display: str }),
    disabled: obj({ "type!": any }), adaptive: obj({ "type!": any, display: str }) }),
  tool_choice: tagged("type", {
    auto: obj({ "type!": any, disable_parallel_tool_use: bool }),
    any: obj({ "type!": any, disable_parallel_tool_use: bool }),
    tool: obj({ "type!": any, "name!": str, disable_parallel_tool_use: bool }),
    none: obj({ "type!": any }) }),
  tools: list(obj({ "name!": toolName, "input_schema!": map(any), description: str, strict: bool,
    type: nullable(word("custom")), eager_input_streaming: nullable(bool), defer_loading: bool,
    allowed_callers: list(str), input_examples: list(any), ...cache })),
  ...(how.version === "2026-10-21" ? {} : { temperature: between(0, 1), top_k: int,
    top_p: between(0, 1) }),
});

const blocksOf = (m) => (typeof m.content === "string" ? [{ type: "text", text: m.content }]
  : m.content);

/* What the shapes do not say. */
function rules(b) {
  let open = [];
  b.messages.forEach((m, i) => {
    if (m.role === "system") return;
    const at = `messages.${i}`;
    const blocks = blocksOf(m);
    const results = blocks.filter((k) => k.type === "tool_result").map((k) => k.tool_use_id);
    const missing = open.filter((one) => !results.includes(one));
    if (missing.length) {
      throw new Bad(at, "`tool_use` ids were found without `tool_result` blocks immediately " +
        `after: ${missing.join(", ")}. Each \`tool_use\` block must have a corresponding ` +
        "`tool_result` block in the next message.");
    }
    const foreign = results.filter((one) => !open.includes(one));
    if (foreign.length) {
      throw new Bad(`${at}.content.0`, "unexpected `tool_use_id` found in `tool_result` blocks: " +
        `${foreign.join(", ")}. Each \`tool_result\` block must have a corresponding ` +
        "`tool_use` block in the previous message.");
    }
    const last = blocks.findLastIndex((k) => k.type === "tool_result");
    if (last >= 0 && blocks.slice(0, last).some((k) => k.type !== "tool_result"))
      throw new Bad(`${at}.content`, "`tool_result` blocks must come first");
    open = m.role === "assistant" ? blocks.filter((k) => k.type === "tool_use").map((k) => k.id)
      : [];
    if (new Set(open).size !== open.length)
      throw new Bad(`${at}.content`, "`tool_use` ids must be unique");
    if (m.role === "assistant" && b.thinking && b.thinking.type !== "disabled" &&
        open.length && !/thinking/.test(blocks[0].type)) {
      throw new Bad(`${at}.content.0.type`, "Expected `thinking` or `redacted_thinking`, but " +
        `found \`${blocks[0].type}\`. When \`thinking\` is enabled, a final \`assistant\` message ` +
        "must start with a thinking block");
    }
    for (const [j, k] of blocks.entries()) {
      if (k.type === "thinking" && !/^c2lnbm/.test(k.signature))
        throw new Bad(`${at}.content.${j}`, "Invalid `signature` in `thinking` block");
    }
  });
  if (open.length) throw new Bad("messages", "`tool_use` ids were found without `tool_result`");
  if (b.messages[0].role !== "user") throw new Bad("messages.0.role", "first must be user");
  const end = b.messages.at(-1);
  if (end.role === "assistant" && /\s$/.test(blocksOf(end).at(-1)?.text ?? "")) {
    throw new Bad("messages", "final assistant content cannot end with trailing whitespace");
  }
  if (b.tool_choice && b.tool_choice.type !== "none" && !b.tools?.length)
    throw new Bad("tool_choice", "tool_choice may only be specified while providing tools.");
  if (b.messages.some((m) => blocksOf(m).some((k) => /^tool_/.test(k.type))) && !b.tools?.length)
    throw new Bad("tools", "Requests which include `tool_use` or `tool_result` blocks must define tools");
  for (const [i, t] of (b.tools ?? []).entries())
    if (t.input_schema.type !== "object") throw new Bad(`tools.${i}.input_schema.type`, "Field required");
  if (b.thinking?.type === "enabled") {
    if (b.thinking.budget_tokens < 1024)
      throw new Bad("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024");
    if (b.max_tokens <= b.thinking.budget_tokens)
      throw new Bad("max_tokens", "must be greater than `thinking.budget_tokens`");
  }
  if (b.thinking && b.thinking.type !== "disabled") {
    if (["any", "tool"].includes(b.tool_choice?.type))
      throw new Bad("thinking", "Thinking may not be enabled when tool_choice forces tool use.");
    if (b.temperature !== undefined && b.temperature !== 1)
      throw new Bad("temperature", "may only be set to 1 when thinking is enabled.");
  }
  if (b.max_tokens < 1) throw new Bad("max_tokens", "Input should be greater than 0");
}

/* What one model generation refuses: claude-haiku-4-5 and its age. */
function generation(b, model) {
  if (!/-4-5/.test(model)) return;
  if (b.thinking?.type === "adaptive")
    throw new Bad("thinking", "adaptive thinking is not supported on this model");
  if (b.output_config?.effort)
    throw new Bad("output_config.effort", "This model does not support the effort parameter.");
  if (b.temperature !== undefined && b.top_p !== undefined)
    throw new Bad("", "`temperature` and `top_p` cannot both be specified for this model.");
}

export function check(b, how, model) {
  body(how)(b, "");
  rules(b);
  generation(b, model);
}

export function seen(b) {
  const one = (k) => {
    switch (k.type) {
    case "text": return { text: k.text };
    case "image": return { image: k.source.url ? { url: k.source.url }
      : { type: k.source.media_type, data: k.source.data } };
    case "thinking": return { think: k.thinking, signature: k.signature };
    case "redacted_thinking": return { redacted: k.data };
    case "tool_use": return { call: { id: k.id, name: k.name, input: k.input } };
    case "document": return { document: k.source.data };
    case "tool_result": {
      const content = typeof k.content === "string" ? [{ text: k.content }] : k.content ?? [];
      const image = content.find((p) => p.source)?.source;
      return { result: { id: k.tool_use_id, text: content.map((p) => p.text ?? "").join(""),
        ...(k.is_error ? { error: true } : {}),
        ...(image ? { image: { type: image.media_type, data: image.data } } : {}) } };
    }
    default: return k;
    }
  };
  const all = [];
  const later = b.messages.filter((m) => m.role === "system").flatMap(blocksOf).map((k) => k.text);
  for (const m of b.messages.filter((one) => one.role !== "system")) {
    const parts = blocksOf(m).map(one);
    if (all.at(-1)?.role === m.role) all.at(-1).parts.push(...parts);
    else all.push({ role: m.role, parts });
  }
  const choice = { any: "required", auto: "auto", none: "none" };
  return {
    system: [...(typeof b.system === "string" ? [b.system] : (b.system ?? []).map((s) => s.text)),
      ...later].join("\n"),
    turns: all,
    tools: (b.tools ?? []).map((t) => ({ name: t.name, description: t.description,
      schema: t.input_schema })),
    choice: b.tool_choice?.type === "tool" ? { name: b.tool_choice.name }
      : choice[b.tool_choice?.type],
    max: b.max_tokens, temperature: b.temperature, stop: b.stop_sequences,
    schema: b.output_config?.format?.schema,
    caches: JSON.stringify([b.system, b.messages]).split('"cache_control":{').length - 1,
    thinks: Boolean(b.thinking && b.thinking.type !== "disabled"),
  };
}

const STOP = { stop: "end_turn", length: "max_tokens", tools: "tool_use", refusal: "refusal",
  filter: "refusal" };

const usage = (u) => ({
  input_tokens: u.input - (u.cached ?? 0) - (u.written ?? 0),
  cache_creation_input_tokens: u.written ?? 0, cache_read_input_tokens: u.cached ?? 0,
  cache_creation: { ephemeral_5m_input_tokens: u.written ?? 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: u.output, service_tier: "standard", server_tool_use: null, inference_geo: null,
  output_tokens_details: { thinking_tokens: u.reasoning ?? 0 },
});

const toolId = (call) => call.id.replace("call_", "toolu_");
const ended = (answer) => ({ stop_reason: answer.stopped ? "stop_sequence" : STOP[answer.finish],
  stop_sequence: answer.stopped ?? null,
  stop_details: answer.finish === "refusal" ? { type: "refusal", category: "general_harms",
    explanation: null } : null });

const citation = ({ url, title, words }) => ({ type: "web_search_result_location", url, title,
  cited_text: words, encrypted_index: "Eo8BCioIAhgBIiQ4" });

export function whole(model, answer) {
  return {
    id: "msg_golden", type: "message", role: "assistant", model,
    content: answer.blocks.map((k) => {
      if (k.think) return { type: "thinking", thinking: k.think.join(""), signature: k.signature };
      if (k.redacted) return { type: "redacted_thinking", data: k.redacted };
      if (k.call)
        return { type: "tool_use", id: toolId(k.call), name: k.call.name, input: k.call.input };
      return { type: "text", text: k.text.join(""), citations: k.cites?.map(citation) ?? null };
    }),
    ...ended(answer), usage: usage(answer.usage),
  };
}

export function* events(model, answer) {
  yield { type: "message_start", message: { ...whole(model, { ...answer, blocks: [] }),
    stop_reason: null, stop_details: null, usage: { ...usage(answer.usage), output_tokens: 1 } } };
  yield { type: "ping" };
  for (const [index, k] of answer.blocks.entries()) {
    const delta = (d) => ({ type: "content_block_delta", index, delta: d });
    if (k.think) {
      yield { type: "content_block_start", index, content_block: { type: "thinking", thinking: "",
        signature: "" } };
      for (const thinking of k.think) yield delta({ type: "thinking_delta", thinking });
      yield delta({ type: "signature_delta", signature: k.signature });
    } else if (k.redacted) {
      yield { type: "content_block_start", index, content_block: { type: "redacted_thinking",
        data: k.redacted } };
    } else if (k.call) {
      yield { type: "content_block_start", index, content_block: { type: "tool_use",
        id: toolId(k.call), name: k.call.name, input: {} } };
      yield delta({ type: "input_json_delta", partial_json: "" });
      const input = JSON.stringify(k.call.input);
      for (let i = 0; input !== "{}" && i < input.length; i += 7)
        yield delta({ type: "input_json_delta", partial_json: input.slice(i, i + 7) });
    } else {
      yield { type: "content_block_start", index, content_block: { type: "text", text: "" } };
      for (const piece of k.text) yield delta({ type: "text_delta", text: piece });
      for (const c of k.cites ?? []) yield delta({ type: "citations_delta", citation: citation(c) });
    }
    yield { type: "content_block_stop", index };
  }
  yield { type: "message_delta", delta: ended(answer), usage: usage(answer.usage) };
  yield { type: "message_stop" };
}

/* How many events go before a stream breaks: all the text there is. */
export const beforeBreak = (answer) =>
  3 + answer.blocks.flatMap((k) => k.text ?? []).length;

export const FAULTS = {
  invalid: [400, "invalid_request_error"], context: [400, "invalid_request_error"],
  auth: [401, "authentication_error"], model: [404, "not_found_error"],
  rate: [429, "rate_limit_error"], server: [500, "api_error"], overloaded: [529, "overloaded_error"],
};

export function errorOf(kind, text) {
  return { type: "error", error: { type: FAULTS[kind][1], message: kind === "context"
    ? "prompt is too long: 210000 tokens > 200000 maximum" : text, details: null },
  request_id: "req_golden" };
}

export function refuse(x, kind, text, { retryAfter } = {}) {
  json(x, FAULTS[kind][0], errorOf(kind, text), { "request-id": "req_golden",
    ...(retryAfter ? { "retry-after": String(retryAfter) } : {}) });
}

/* One call of Messages, wherever it is served. */
export async function messages(x, how, model) {
  try {
    check(x.body, how, model);
  } catch (e) {
    x.entry.refused = e.message;
    if (!(e instanceof Bad)) throw e;
    return refuse(x, "invalid", e.message.replace(/\[(\d+)\]/g, ".$1"));
  }
  const c = x.entry.conversation;
  if (!c) return refuse(x, "invalid", "no golden conversation is named");
  x.entry.seen = seen(x.body);
  const { answer } = c;
  if (disturbed(x, answer, x.body.stream, "text/event-stream")) return undefined;
  if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text, answer.fault);
  const headers = { "request-id": "req_golden" };
  if (!x.body.stream) return json(x, 200, whole(model, answer), headers);
  const write = answer.escape ? ascii : JSON.stringify;
  const all = [...events(model, answer)].map((e) => sse(write(e), e.type));
  const at = beforeBreak(answer);
  const sent = brokenAt(answer, all, at,
    sse(JSON.stringify(errorOf("overloaded", "Overloaded")), "error"));
  return stream(x, "text/event-stream; charset=utf-8", sent, { cut: answer.cut, headers,
    eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0 });
}

export function anthropic() {
  return start("anthropic", async (x) => {
    const key = x.headers["x-api-key"];
    if (key !== undefined ? key !== KEY : x.headers.authorization !== `Bearer ${KEY}`)
      return refuse(x, "auth", "invalid x-api-key");
    const version = x.headers["anthropic-version"];
    if (!["2023-06-01", "2026-10-21"].includes(version))
      return refuse(x, "invalid", "anthropic-version: header is required");
    if (x.method === "POST" && x.path === "/v1/messages/count_tokens") {
      if (x.body.max_tokens !== undefined || x.body.stream !== undefined)
        return refuse(x, "invalid", "max_tokens: Extra inputs are not permitted");
      return json(x, 200, { input_tokens: x.entry.conversation?.answer.usage?.input ?? 21 });
    }
    if (x.method !== "POST" || x.path !== "/v1/messages") return refuse(x, "model", "Not Found");
    const beta = (x.headers["anthropic-beta"] ?? "").split(",").map((b) => b.trim());
    return messages(x, { platform: "api", version, beta }, x.body.model);
  });
}
