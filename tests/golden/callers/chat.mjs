// SPDX-License-Identifier: Apache-2.0
// OpenAI's chat completions by OpenAI's own SDK.
import OpenAI from "openai";

export const title = "OpenAI chat";
/* What this API can say of an answer. */
export const shows = { cached: true, written: true, reasoning: true, signature: true, think: true };

const cached = (p) => (p.cache ? { cache_control: { type: "ephemeral" } } : {}); // LiteLLM's
const part = (p) => {
  if (p.image) {
    return { type: "image_url", image_url: { url: `data:${p.image.type};base64,${p.image.data}` } };
  }
  if (p.document) {
    return { type: "file", file: { filename: `${p.document.name}.pdf`,
      file_data: `data:application/pdf;base64,${p.document.data}` } };
  }
  return { type: "text", text: p.text, ...cached(p) };
};

export function request(ask) {
  const messages = ask.system ? [{ role: "system", content: ask.cacheSystem
    ? [part({ text: ask.system, cache: true })] : ask.system }] : [];
  for (const t of ask.turns) {
    if (t.role === "assistant") {
      const calls = t.parts.filter((p) => p.call);
      messages.push({ role: "assistant", content: t.parts.find((p) => p.text)?.text ?? null,
        ...(calls.length ? { tool_calls: calls.map(({ call: c }) => ({ id: c.id, type: "function",
          function: { name: c.name, arguments: JSON.stringify(c.input) } })) } : {}) });
      continue;
    }
    for (const { result: r } of t.parts.filter((p) => p.result))
      messages.push({ role: "tool", tool_call_id: r.id, content: r.text });
    const rest = t.parts.filter((p) => !p.result);
    if (rest.length === 1 && rest[0].text && !rest[0].cache) messages.push({ role: "user", content: rest[0].text });
    else if (rest.length) messages.push({ role: "user", content: rest.map(part) });
  }
  const c = ask.choice;
  return {
    messages,
    ...(ask.max ? { max_completion_tokens: ask.max } : {}),
    ...(ask.temperature !== undefined ? { temperature: ask.temperature } : {}),
    ...(ask.stop ? { stop: ask.stop } : {}),
    ...(ask.tools ? { tools: ask.tools.map((t) => ({ type: "function", function: {
      name: t.name, description: t.description, parameters: t.schema } })) } : {}),
    ...(c ? { tool_choice: c.name ? { type: "function", function: { name: c.name } } : c } : {}),
    ...(ask.effort ? { reasoning_effort: ask.effort } : {}),
    ...(ask.schema ? { response_format: { type: "json_schema", json_schema: {
      name: ask.schema.name, schema: ask.schema.schema, strict: true } } } : {}),
    ...ask.more,
  };
}

const FINISH = { stop: "stop", length: "length", tool_calls: "tools", content_filter: "filter" };

export const usageOf = (u) => u && ({
  input: u.prompt_tokens, cached: u.prompt_tokens_details?.cached_tokens ?? 0,
  written: u.prompt_tokens_details?.cache_write_tokens ?? 0, output: u.completion_tokens,
  reasoning: u.completion_tokens_details?.reasoning_tokens ?? 0, total: u.total_tokens });

const resultOf = (whole) => {
  const [{ message: m, finish_reason: finish }] = whole.choices;
  return {
    text: m.content ?? "", refusal: m.refusal ?? "", think: m.reasoning_content ?? m.reasoning ?? "",
    signature: m.thinking_blocks?.map((b) => b.signature ?? "").join("") ?? "",
    redacted: m.thinking_blocks?.map((b) => b.data ?? "").join("") ?? "",
    cites: (m.annotations ?? []).map(({ url_citation: c }) => ({ url: c.url, title: c.title,
      of: [...m.content ?? ""].slice(c.start_index, c.end_index).join("") })),
    calls: (m.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name,
      input: JSON.parse(c.function.arguments) })),
    finish: FINISH[finish] ?? finish, usage: usageOf(whole.usage), model: whole.model,
  };
};

export function errorOf(e) {
  if (!(e instanceof OpenAI.APIError)) return { thrown: `${e.constructor.name}: ${e.message}` };
  return { status: e.status, type: e.type ?? e.error?.type, code: e.code, class: e.constructor.name,
    message: e.message, retryAfter: Number(e.headers?.get?.("retry-after")) || undefined };
}

export const client = ({ url, key }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0,
  timeout: 90000 });

/* made: a client of another kind (Azure's) that calls in its place. */
export async function call({ url, key, model, ask, stream, back, made }) {
  const openai = made?.(key) ?? client({ url, key });
  const body = { model, ...request(ask) };
  if (back) {
    body.messages.push(back.carry);
    back.calls.forEach((c, i) => body.messages.push({ role: "tool", tool_call_id: c.id,
      content: back.results[i] }));
  }
  let text = "";
  try {
    if (!stream) {
      const whole = await openai.chat.completions.create(body);
      return { ...resultOf(whole), carry: whole.choices[0].message };
    }
    const runner = openai.chat.completions.stream({ ...body,
      stream_options: { include_usage: true } });
    const extra = { thinking: "", signature: "" };
    const blocks = [];
    for await (const chunk of runner) {
      const d = chunk.choices[0]?.delta ?? {};
      text += d.content ?? "";
      extra.thinking += d.reasoning_content ?? d.reasoning ?? "";
      if (Array.isArray(d.thinking_blocks)) blocks.push(...d.thinking_blocks);
    }
    const whole = await runner.finalChatCompletion();
    const m = whole.choices[0].message;
    delete m.parsed;
    for (const c of m.tool_calls ?? []) delete c.function.parsed_arguments;
    // the SDK keeps the first of what it does not know: put the pieces together
    if (extra.thinking) m.reasoning_content = extra.thinking;
    const signature = blocks.map((b) => b.signature ?? "").join("");
    if (blocks.length) {
      const sealed = blocks.filter((b) => b.type === "redacted_thinking");
      m.thinking_blocks = [...(extra.thinking || signature ? [{ type: "thinking",
        thinking: extra.thinking, signature }] : []), ...sealed];
    }
    return { ...resultOf(whole), carry: m };
  } catch (e) {
    return { error: errorOf(e), text };
  }
}
