// SPDX-License-Identifier: Apache-2.0
// OpenAI's chat completions: the platform ("openai"), a compatible server with reasoning in
// reasoning_content ("compatible"), and Azure's two surfaces ("azure"), after the types of
// openai 7.55 and Microsoft's reference of 2024-10-21.
import { Bad, any, bool, either, int, list, map, nullable, num, obj, oneOf, str, tagged,
  word } from "./shape.mjs";
import { ascii, brokenAt, disturbed, json, sse, start, stream, VECTORS } from "./http.mjs";
import * as responses from "./responses.mjs";
import { entraToken } from "./entra.mjs";
import { ranked } from "./vectors.mjs";

export const KEY = "sk-openai-upstream";

const cacheable = { prompt_cache_breakpoint: any };
const textPart = obj({ "type!": word("text"), "text!": str, ...cacheable });
const parts = tagged("type", {
  text: textPart,
  image_url: obj({ "type!": any, ...cacheable,
    "image_url!": obj({ "url!": str, detail: word("auto", "low", "high") }) }),
  file: obj({ "type!": any, ...cacheable,
    "file!": obj({ file_data: str, file_id: str, filename: str }) }),
  input_audio: obj({ "type!": any, ...cacheable,
    "input_audio!": obj({ "data!": str, "format!": word("wav", "mp3") }) }),
});
const texts = either(str, list(textPart, { least: 1 }));
const call = obj({ "id!": str, "type!": word("function"),
  "function!": obj({ "name!": str, "arguments!": str }) });
const messages = (extension) => list(tagged("role", {
  system: obj({ "role!": any, "content!": texts, name: str }),
  developer: obj({ "role!": any, "content!": texts, name: str }),
  user: obj({ "role!": any, "content!": either(str, list(parts, { least: 1 })), name: str }),
  assistant: obj({ "role!": any, content: nullable(either(str, list(tagged("type", {
    text: textPart, refusal: obj({ "type!": any, "refusal!": str }) }), { least: 1 }))),
  refusal: nullable(str), name: str, audio: nullable(any), annotations: list(any),
  tool_calls: list(call, { least: 1 }), ...(extension ? { reasoning_content: str, reasoning: str } : {}) }),
  tool: obj({ "role!": any, "content!": texts, "tool_call_id!": str }),
}), { least: 1 });
const fn = obj({ "name!": str, description: str, parameters: map(any), strict: nullable(bool) });

const bodyFields = (extension) => ({
  "messages!": messages(extension), "model!": str, frequency_penalty: nullable(num),
  logit_bias: nullable(map(num)), logprobs: nullable(bool), max_completion_tokens: nullable(int),
  max_tokens: nullable(int), metadata: nullable(map(str)), modalities: nullable(list(str)),
  n: nullable(int), parallel_tool_calls: bool, prediction: nullable(any),
  presence_penalty: nullable(num), prompt_cache_key: nullable(str),
  reasoning_effort: nullable(word("none", "minimal", "low", "medium", "high", "xhigh", "max")),
  response_format: tagged("type", {
    text: obj({ "type!": any }), json_object: obj({ "type!": any }),
    json_schema: obj({ "type!": any, "json_schema!": obj({ "name!": str, description: str,
      schema: map(any), strict: nullable(bool) }) }) }),
  safety_identifier: nullable(str), seed: nullable(int), service_tier: nullable(str),
  stop: nullable(oneOf(str, list(str, { most: 4 }))), store: nullable(bool),
  stream: nullable(bool),
  stream_options: nullable(obj({ include_usage: bool, include_obfuscation: bool })),
  temperature: nullable(num), tool_choice: either(word("none", "auto", "required"),
    obj({ "type!": word("function"), "function!": obj({ "name!": str }) })),
  tools: list(obj({ "type!": word("function"), "function!": fn })), top_logprobs: nullable(int),
  top_p: nullable(num), user: str, verbosity: nullable(word("low", "medium", "high")),
});
const body = (extension) => obj(bodyFields(extension));

/* What vLLM's ChatCompletionRequest has beside it, and what it has not.  The real one takes what it
 * does not know and says so in its log only; here that is an error. */
const vllmBody = () => {
  const members = ["frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens",
    "max_tokens", "n", "presence_penalty", "reasoning_effort", "seed", "stop", "stream",
    "temperature", "top_logprobs", "top_p", "user", "tool_choice", "tools", "parallel_tool_calls"];
  const check = bodyFields(true);
  return obj({ "messages!": check["messages!"], "model!": str,
    ...Object.fromEntries(members.map((name) => [name, check[name]])),
    response_format: check.response_format,
    stream_options: nullable(obj({ include_usage: bool, continuous_usage_stats: bool })),
    top_k: int, min_p: num, repetition_penalty: num, length_penalty: num, min_tokens: int,
    use_beam_search: bool, stop_token_ids: list(int), include_stop_str_in_output: bool,
    ignore_eos: bool, skip_special_tokens: bool, spaces_between_special_tokens: bool,
    truncate_prompt_tokens: int, prompt_logprobs: int, allowed_token_ids: list(int),
    bad_words: list(str), echo: bool, add_generation_prompt: bool, continue_final_message: bool,
    add_special_tokens: bool, documents: list(map(str)), chat_template: str,
    chat_template_kwargs: map(any), mm_processor_kwargs: map(any), structured_outputs: map(any),
    guided_json: any, guided_regex: str, guided_choice: list(str), guided_grammar: str,
    include_reasoning: bool, priority: int, request_id: str, return_token_ids: bool,
    return_tokens_as_token_ids: bool, cache_salt: str, kv_transfer_params: map(any),
    vllm_xargs: map(any) });
};

/* Each call must be answered, at once, and nothing else may be. */
function order(all) {
  let open = new Set();
  all.forEach((m, i) => {
    if (m.role === "tool") {
      if (!open.delete(m.tool_call_id)) {
        throw new Bad(`messages[${i}].role`, "messages with role 'tool' must be a response to a " +
          "preceding message with 'tool_calls'.");
      }
      return;
    }
    if (open.size) {
      throw new Bad(`messages[${i}].role`, "An assistant message with 'tool_calls' must be " +
        "followed by tool messages responding to each 'tool_call_id'. The following " +
        `tool_call_ids did not have response messages: ${[...open]}`);
    }
    if (m.role === "assistant") {
      if (m.content == null && m.refusal == null && !m.tool_calls)
        throw new Bad(`messages[${i}].content`, "expected a string, got null");
      if (new Set((m.tool_calls ?? []).map((c) => c.id)).size !== (m.tool_calls ?? []).length)
        throw new Bad(`messages[${i}].tool_calls`, "Duplicate tool call ids");
      for (const c of m.tool_calls ?? []) JSON.parse(c.function.arguments);
      open = new Set((m.tool_calls ?? []).map((c) => c.id));
    }
  });
  if (open.size) throw new Bad(`messages`, `tool_call_ids without response: ${[...open]}`);
}

const textsOf = (content) => (content == null ? [] : typeof content === "string"
  ? [{ text: content }] : content.map((p) => {
    if (p.type === "file") {
      return { document: /^data:application\/pdf;base64,(.*)$/.exec(p.file.file_data)?.[1] };
    }
    if (p.type === "image_url") {
      const [, type, data] = /^data:([^;]+);base64,(.*)$/.exec(p.image_url.url) ?? [];
      return data ? { image: { type, data } } : { image: { url: p.image_url.url } };
    }
    return { text: p.text ?? p.refusal };
  }));

/* What the request means, in the words of rows.mjs. */
export function seen(b) {
  const turns = [];
  const add = (role, one) => {
    if (turns.at(-1)?.role === role) turns.at(-1).parts.push(...one);
    else turns.push({ role, parts: one });
  };
  const system = [];
  for (const m of b.messages) {
    if (m.role === "system" || m.role === "developer")
      system.push(...textsOf(m.content).map((p) => p.text));
    else if (m.role === "user") add("user", textsOf(m.content));
    else if (m.role === "tool") {
      add("user", [{ result: { id: m.tool_call_id,
        text: textsOf(m.content).map((p) => p.text).join("") } }]);
    } else {
      add("assistant", [
        ...(m.reasoning_content ?? m.reasoning ? [{ think: m.reasoning_content ?? m.reasoning }] : []),
        ...textsOf(m.content).filter((p) => p.text), ...textsOf(m.refusal),
        ...(m.tool_calls ?? []).map((c) => ({ call: { id: c.id, name: c.function.name,
          input: JSON.parse(c.function.arguments) } }))]);
    }
  }
  return {
    system: system.join("\n"), turns,
    tools: (b.tools ?? []).map((t) => ({ name: t.function.name,
      description: t.function.description, schema: t.function.parameters })),
    choice: b.tool_choice?.function ? { name: b.tool_choice.function.name } : b.tool_choice,
    max: b.max_completion_tokens ?? b.max_tokens, temperature: b.temperature,
    stop: typeof b.stop === "string" ? [b.stop] : b.stop,
    schema: b.response_format?.json_schema?.schema,
    thinks: b.reasoning_effort !== undefined && b.reasoning_effort !== "none",
  };
}

const FINISH = { stop: "stop", length: "length", tools: "tool_calls", filter: "content_filter",
  refusal: "stop" };

export const usageOf = (u, reports) => ({
  prompt_tokens: u.input, completion_tokens: u.output, total_tokens: u.input + u.output,
  ...(reports.vllm ? { prompt_tokens_details: u.cached ? { cached_tokens: u.cached } : null } : {
    prompt_tokens_details: { cached_tokens: u.cached ?? 0, audio_tokens: 0,
      ...(reports.written ? { cache_write_tokens: u.written ?? 0 } : {}) },
    completion_tokens_details: { reasoning_tokens: u.reasoning ?? 0, audio_tokens: 0,
      accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  }),
});

const base = (b, object) => ({ id: "chatcmpl-golden", object, created: 1700000000,
  model: `${b.model}-2026-01-01`, service_tier: "default", system_fingerprint: "fp_golden" });

/* Characters of all the text. */
function annotations(answer) {
  let at = 0;
  return answer.blocks.filter((k) => k.text && !k.refusal).flatMap((k) => {
    const start_index = at;
    at += [...k.text.join("")].length;
    return (k.cites ?? []).map(({ url, title }) => ({ type: "url_citation", url_citation: {
      start_index, end_index: at, url, title } }));
  });
}

function whole(b, answer, how) {
  const calls = answer.blocks.filter((k) => k.call);
  const words = answer.blocks.filter((k) => k.text && !k.refusal).map((k) => k.text.join(""));
  const refusal = answer.blocks.filter((k) => k.refusal).map((k) => k.text.join("")).join("");
  const thought = answer.blocks.filter((k) => k.think).map((k) => k.think.join("")).join("");
  return {
    ...base(b, "chat.completion"),
    choices: [{ index: 0, logprobs: null, finish_reason: FINISH[answer.finish],
      ...(how.azure ? { content_filter_results: { hate: { filtered: false, severity: "safe" } } }
        : {}),
      message: {
        role: "assistant", content: words.length || !calls.length && !refusal
          ? words.join("") : null,
        refusal: refusal || null, annotations: annotations(answer),
        ...(thought && how.reasoning ? { [how.vllm ? "reasoning" : "reasoning_content"]: thought }
          : {}),
        ...(calls.length ? { tool_calls: calls.map(({ call: c }) => ({ id: c.id, type: "function",
          function: { name: c.name, arguments: JSON.stringify(c.input) } })) } : {}),
      } }],
    usage: usageOf(answer.usage, how),
  };
}

function* chunks(b, answer, how) {
  const options = b.stream_options ?? {};
  const chunk = (choices, more = {}) => ({ ...base(b, "chat.completion.chunk"), choices,
    ...(options.include_usage ? { usage: null } : {}), ...more });
  const delta = (d, finish = null) => chunk([{ index: 0, delta: d, logprobs: null,
    finish_reason: finish }]);
  if (how.azure) {
    yield { ...chunk([]), id: "", created: 0, model: "", prompt_filter_results: [{
      prompt_index: 0, content_filter_results: { hate: { filtered: false, severity: "safe" } } }] };
  }
  yield delta({ role: "assistant", content: "", refusal: null });
  let calls = 0;
  for (const k of answer.blocks) {
    if (k.think && how.reasoning)
      for (const piece of k.think)
        yield delta({ [how.vllm ? "reasoning" : "reasoning_content"]: piece });
    for (const piece of k.text ?? [])
      yield delta(k.refusal ? { refusal: piece } : { content: piece });
    if (!k.call) continue;
    const index = calls++;
    const input = JSON.stringify(k.call.input);
    yield delta({ tool_calls: [{ index, id: k.call.id, type: "function",
      function: { name: k.call.name, arguments: "" } }] });
    for (let i = 0; i < input.length; i += 7)
      yield delta({ tool_calls: [{ index, function: { arguments: input.slice(i, i + 7) } }] });
  }
  if (annotations(answer).length) yield delta({ annotations: annotations(answer) });
  yield delta({}, FINISH[answer.finish]);
  if (options.include_usage) yield chunk([], { usage: usageOf(answer.usage, how) });
}

const FAULTS = {
  invalid: [400, "invalid_request_error", "invalid_value"],
  context: [400, "invalid_request_error", "context_length_exceeded"],
  auth: [401, "invalid_request_error", "invalid_api_key"],
  model: [404, "invalid_request_error", "model_not_found"],
  rate: [429, "requests", "rate_limit_exceeded"],
  server: [500, "server_error", null],
  overloaded: [503, "server_error", "server_overloaded"],
};

export function refuse(x, kind, message, { param = null, retryAfter } = {}) {
  const [status, type, code] = FAULTS[kind];
  const text = kind === "context" ? "This model's maximum context length is 8192 tokens. " +
    "However, your messages resulted in 9000 tokens. Please reduce the length of the messages."
    : message;
  json(x, status, { error: { message: text, type, param, code } }, {
    "x-request-id": "req_golden", ...(retryAfter ? { "retry-after": String(retryAfter) } : {}) });
}

async function chat(x, how) {
  try {
    (how.vllm ? vllmBody() : body(how.reasoning))(x.body, "");
    order(x.body.messages);
  } catch (e) {
    x.entry.refused = e.message;
    if (!(e instanceof Bad)) throw e;
    return refuse(x, "invalid", e.kind === "unknown"
      ? `Unrecognized request argument supplied: ${e.path}` : e.message, { param: e.path });
  }
  const c = x.entry.conversation;
  if (!c) return refuse(x, "invalid", "no golden conversation is named");
  x.entry.seen = seen(x.body);
  const { answer } = c;
  if (disturbed(x, answer, x.body.stream, "text/event-stream")) return undefined;
  if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text, answer.fault);
  if (!x.body.stream) {
    return json(x, 200, whole(x.body, answer, how), { "x-request-id": "req_golden" });
  }
  const write = answer.escape ? ascii : JSON.stringify;
  const events = [...chunks(x.body, answer, how)].map((e) => sse(write(e)));
  const at = (how.azure ? 1 : 0) + 1 + (answer.blocks ?? []).flatMap((k) => k.text ?? []).length;
  const ended = brokenAt(answer, [...events, "data: [DONE]\n\n"], at, sse(JSON.stringify({
    error: { message: "it broke in the middle", type: "server_error", param: null,
      code: "server_error" } })));
  return stream(x, "text/event-stream; charset=utf-8", ended, { cut: answer.cut,
    eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0,
    headers: { "x-request-id": "req_golden" } });
}

/* vLLM's own: documents come back whether they were asked for or not. */
function rerank(x) {
  const { model, query, documents, top_n: most } = x.body;
  return json(x, 200, { id: "rerank-golden", model, usage: { total_tokens: 19 },
    results: ranked(query, documents, most || undefined).map(([index, relevance_score]) => ({ index,
      document: { text: documents[index] }, relevance_score })) });
}

/* how: azure, vllm, reasoning (a compatible server's reasoning_content), written (cache writes). */
export function openai(name, how) {
  return start(name, async (x) => {
    const azureKey = x.headers["api-key"] === KEY || x.headers.authorization ===
      `Bearer ${entraToken}`;
    const authorized = how.azure ? azureKey : x.headers.authorization === `Bearer ${KEY}`;
    if (!authorized) {
      x.entry.refused = "not authorized";
      return how.azure ? json(x, 401, { error: { code: "401", message: "Access denied due to " +
        "invalid subscription key or wrong API endpoint." } })
        : refuse(x, "auth", "Incorrect API key provided.");
    }
    let { path } = x;
    if (how.azure) {
      const classic = /^\/openai\/deployments\/([^/]+)(\/.*)$/.exec(path);
      if (classic) {
        if (!x.query.get("api-version"))
          return json(x, 404, { error: { code: "404", message: "Resource not found" } });
        x.body.model ??= decodeURIComponent(classic[1]);
        path = `/v1${classic[2]}`;
      } else {
        path = path.replace(/^\/openai\/v1/, "/v1");
      }
    }
    if (x.method === "POST" && path === "/v1/chat/completions") return chat(x, how);
    if (x.method === "POST" && path === "/v1/embeddings") {
      const { input, encoding_format: format } = x.body;
      const coded = (v) => (format === "base64"
        ? Buffer.from(Float32Array.from(v).buffer).toString("base64") : v);
      return json(x, 200, { object: "list", model: x.body.model, data: input.map((_, index) => ({
        object: "embedding", index, embedding: coded(VECTORS[index]) })),
      usage: { prompt_tokens: 8, total_tokens: 8 } });
    }
    if (how.vllm && x.method === "POST" && path === "/v1/rerank") return rerank(x);
    if (how.vllm) return json(x, 404, { detail: "Not Found" });
    if (x.method === "POST" && path === "/v1/responses") return responses.serve(x, how);
    return json(x, 404, { error: { message: `Invalid URL (${x.method} ${x.path})`,
      type: "invalid_request_error", param: null, code: null } });
  });
}
