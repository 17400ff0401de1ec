// SPDX-License-Identifier: Apache-2.0
// Anthropic's Messages by Anthropic's own SDK.
import Anthropic from "@anthropic-ai/sdk";

export const title = "Anthropic Messages";
export const shows = { cached: true, written: true, reasoning: true, signature: true, think: true,
  bound: true };

const ephemeral = { type: "ephemeral" };
const part = (p) => {
  if (p.document) {
    return { type: "document", title: p.document.name, source: { type: "base64",
      media_type: "application/pdf", data: p.document.data } };
  }
  if (p.image)
    return { type: "image", source: { type: "base64", media_type: p.image.type, data: p.image.data } };
  if (p.call) return { type: "tool_use", id: p.call.id, name: p.call.name, input: p.call.input };
  if (p.result) {
    const { id, text, image, error } = p.result;
    return { type: "tool_result", tool_use_id: id, content: image ? [part({ text }), part({ image })]
      : text, ...(error ? { is_error: true } : {}) };
  }
  return { type: "text", text: p.text, ...(p.cache ? { cache_control: ephemeral } : {}) };
};

export function request(ask) {
  const c = ask.choice;
  return {
    max_tokens: ask.max ?? 4096, ...(ask.system ? { system: ask.cacheSystem
      ? [part({ text: ask.system, cache: true })] : ask.system } : {}),
    messages: ask.turns.map((t) => ({ role: t.role, content: t.parts.map(part) })),
    ...(ask.temperature !== undefined ? { temperature: ask.temperature } : {}),
    ...(ask.stop ? { stop_sequences: ask.stop } : {}),
    ...(ask.tools ? { tools: ask.tools.map((t) => ({ name: t.name, description: t.description,
      input_schema: t.schema })) } : {}),
    ...(c ? { tool_choice: c.name ? { type: "tool", name: c.name }
      : { type: c === "required" ? "any" : c } } : {}),
    ...(ask.effort ? { thinking: { type: "enabled", budget_tokens: 2048 } } : {}),
    ...(ask.schema ? { output_config: { format: { type: "json_schema",
      schema: ask.schema.schema } } } : {}),
  };
}

const FINISH = { end_turn: "stop", stop_sequence: "stop", max_tokens: "length", tool_use: "tools",
  refusal: "filter" };

export const resultOf = (m) => {
  const of = (type) => m.content.filter((b) => b.type === type);
  const u = m.usage;
  return {
    text: of("text").map((b) => b.text).join(""), refusal: "",
    think: of("thinking").map((b) => b.thinking).join(""),
    signature: of("thinking").map((b) => b.signature).join(""),
    redacted: of("redacted_thinking").map((b) => b.data).join(""),
    cites: of("text").flatMap((b) => (b.citations ?? []).map((c) => ({ url: c.url, title: c.title,
      words: c.cited_text, of: b.text }))),
    calls: of("tool_use").map((b) => ({ id: b.id, name: b.name, input: b.input })),
    finish: FINISH[m.stop_reason] ?? m.stop_reason,
    usage: { input: u.input_tokens + (u.cache_read_input_tokens ?? 0) +
      (u.cache_creation_input_tokens ?? 0), cached: u.cache_read_input_tokens ?? 0,
    written: u.cache_creation_input_tokens ?? 0, output: u.output_tokens,
    reasoning: u.output_tokens_details?.thinking_tokens ?? 0 },
    model: m.model, stopped: m.stop_sequence,
  };
};

export function errorOf(e) {
  if (!(e instanceof Anthropic.APIError)) return { thrown: `${e.constructor.name}: ${e.message}` };
  // before Vertex AI stands Google, whose errors have a status for a type
  return { status: e.status, type: e.error?.error?.type ?? e.type ?? e.error?.error?.status, class: e.constructor.name,
    message: e.message, retryAfter: Number(e.headers?.get?.("retry-after")) || undefined };
}

/* The second turn: what the first answered, and the results of its calls. */
export function answerTo(body, back) {
  if (!back) return body;
  body.messages.push({ role: "assistant", content: back.carry });
  body.messages.push({ role: "user", content: back.calls.map((c, i) => ({ type: "tool_result",
    tool_use_id: c.id, content: back.results[i] })) });
  return body;
}

export async function call({ url, key, model, ask, stream, back, made }) {
  const body = answerTo({ model, ...request(ask) }, back);
  // the newest version of the API has no temperature: who sends one speaks the older
  const anthropic = made ? made(key, ask) : new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0,
    timeout: 90000,
    ...(ask.temperature !== undefined ? { defaultHeaders: { "anthropic-version": "2023-06-01" } }
      : {}) });
  let text = "";
  try {
    let whole;
    if (stream) {
      const runner = anthropic.messages.stream(body);
      runner.on("text", (piece) => { text += piece; });
      whole = await runner.finalMessage();
    } else {
      whole = await anthropic.messages.create(body);
    }
    return { ...resultOf(whole), carry: whole.content };
  } catch (e) {
    return { error: errorOf(e), text };
  }
}
