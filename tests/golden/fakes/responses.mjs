// SPDX-License-Identifier: Apache-2.0
// OpenAI's Responses: the complete sequence of events, after the types of openai 7.55.
import { Bad, any, bool, either, int, list, map, nullable, num, obj, str, tagged, word }
  from "./shape.mjs";
import { ascii, brokenAt, disturbed, json, sse, stream } from "./http.mjs";
import { refuse } from "./openai.mjs";

const content = either(str, list(tagged("type", {
  input_text: obj({ "type!": any, "text!": str, prompt_cache_breakpoint: any }),
  input_image: obj({ "type!": any, image_url: str, file_id: str, detail: str }),
  input_file: obj({ "type!": any, file_data: str, file_id: str, file_url: str, filename: str }),
  output_text: obj({ "type!": any, "text!": str, annotations: list(any), logprobs: list(any) }),
  refusal: obj({ "type!": any, "refusal!": str }),
})));
const message = obj({ type: word("message"), "role!": word("user", "assistant", "system",
  "developer"), "content!": content, id: str, status: str, phase: any });
const typed = tagged("type", {
  message,
  function_call: obj({ "type!": any, "call_id!": str, "name!": str, "arguments!": str, id: str,
    status: str, namespace: any, caller: any }),
  function_call_output: obj({ "type!": any, "call_id!": str, "output!": content, id: str,
    status: str, caller: any }),
  reasoning: obj({ "type!": any, "id!": str, "summary!": list(any), content: nullable(list(any)),
    encrypted_content: nullable(str), status: str }),
  custom_tool_call: any, custom_tool_call_output: any, local_shell_call: any,
});
const input = either(str, list((v, path) => (v?.type ? typed : message)(v, path)));
const tools = list((v, path) => (v?.type === "function" ? obj({ "type!": any, "name!": str,
  description: nullable(str), parameters: nullable(map(any)), strict: nullable(bool) })
  : any)(v, path));

const body = obj({
  background: nullable(bool), include: nullable(list(str)), "input!": input,
  instructions: nullable(str), max_output_tokens: nullable(int), max_tool_calls: nullable(int),
  metadata: nullable(map(str)), "model!": str, parallel_tool_calls: nullable(bool),
  previous_response_id: nullable(str), prompt_cache_key: nullable(str), prompt_cache_options: any,
  reasoning: nullable(obj({ effort: nullable(word("none", "minimal", "low", "medium", "high",
    "xhigh", "max")), summary: nullable(str), generate_summary: nullable(str), context: any })),
  safety_identifier: nullable(str), service_tier: nullable(str), store: nullable(bool),
  stream: nullable(bool), stream_options: nullable(obj({ include_obfuscation: bool })),
  temperature: nullable(num), text: obj({ verbosity: nullable(str), format: tagged("type", {
    text: obj({ "type!": any }), json_object: obj({ "type!": any }),
    json_schema: obj({ "type!": any, "name!": str, "schema!": map(any), description: str,
      strict: nullable(bool) }) }) }),
  tool_choice: either(word("none", "auto", "required"), obj({ "type!": str, name: str, mode: str,
    tools: list(any) })),
  tools, top_logprobs: nullable(int), top_p: nullable(num), truncation: nullable(str), user: str,
  client_metadata: any,
});

const textsOf = (c) => (typeof c === "string" ? [{ text: c }] : c.map((p) => {
  if (p.type === "input_file")
    return { document: /^data:application\/pdf;base64,(.*)$/.exec(p.file_data)?.[1] };
  if (p.type !== "input_image") return { text: p.text ?? p.refusal };
  const [, type, data] = /^data:([^;]+);base64,(.*)$/.exec(p.image_url);
  return { image: { type, data } };
}));

export function seen(b) {
  const turns = [];
  const system = b.instructions ? [b.instructions] : [];
  const add = (role, one) => {
    if (turns.at(-1)?.role === role) turns.at(-1).parts.push(...one);
    else turns.push({ role, parts: one });
  };
  for (const i of typeof b.input === "string" ? [{ role: "user", content: b.input }] : b.input) {
    if (i.role === "system" || i.role === "developer")
      system.push(...textsOf(i.content).map((p) => p.text));
    else if (i.role) add(i.role, textsOf(i.content));
    else if (i.type === "function_call") {
      add("assistant", [{ call: { id: i.call_id, name: i.name, input: JSON.parse(i.arguments) } }]);
    } else if (i.type === "function_call_output") {
      add("user", [{ result: { id: i.call_id,
        text: textsOf(i.output).map((p) => p.text).join("") } }]);
    } else if (i.type === "reasoning") {
      add("assistant", [{ think: i.summary.map((s) => s.text).join(""),
        signature: i.encrypted_content }]);
    }
  }
  return {
    system: system.join("\n"), turns,
    tools: (b.tools ?? []).map((t) => ({ name: t.name, description: t.description,
      schema: t.parameters })),
    choice: b.tool_choice?.name ? { name: b.tool_choice.name } : b.tool_choice,
    max: b.max_output_tokens, temperature: b.temperature, stop: undefined,
    schema: b.text?.format?.schema,
    thinks: Boolean(b.reasoning?.effort && b.reasoning.effort !== "none"),
  };
}

function items(answer) {
  return answer.blocks.map((k, i) => {
    if (k.think) {
      return { id: `rs_${i}`, type: "reasoning", summary: [{ type: "summary_text",
        text: k.think.join("") }], encrypted_content: k.signature };
    }
    if (k.call) {
      return { id: `fc_${i}`, type: "function_call", status: "completed", call_id: k.call.id,
        name: k.call.name, arguments: JSON.stringify(k.call.input),
        ...(k.call.group ? { namespace: k.call.group } : {}) };
    }
    return { id: `msg_${i}`, type: "message", role: "assistant", status: "completed",
      content: [k.refusal ? { type: "refusal", refusal: k.text.join("") }
        : { type: "output_text", text: k.text.join(""), annotations: (k.cites ?? []).map(
          ({ url, title }) => ({ type: "url_citation", start_index: 0,
            end_index: [...k.text.join("")].length, url, title })), logprobs: [] }] };
  });
}

function response(b, answer, status, output) {
  const u = answer.usage;
  return {
    id: "resp_golden", object: "response", created_at: 1700000000, status, background: false,
    error: null, incomplete_details: status === "incomplete" ? { reason: answer.finish === "length"
      ? "max_output_tokens" : "content_filter" } : null,
    instructions: b.instructions ?? null, max_output_tokens: b.max_output_tokens ?? null,
    model: `${b.model}-2026-01-01`, output, parallel_tool_calls: true,
    previous_response_id: b.previous_response_id ?? null,
    reasoning: { effort: null, summary: null }, store: b.store ?? true,
    temperature: b.temperature ?? 1, text: b.text ?? { format: { type: "text" } },
    tool_choice: b.tool_choice ?? "auto", tools: b.tools ?? [], top_p: 1, truncation: "disabled",
    usage: status === "in_progress" ? null : {
      input_tokens: u.input, input_tokens_details: { cached_tokens: u.cached ?? 0,
        cache_write_tokens: u.written ?? 0 }, output_tokens: u.output,
      output_tokens_details: { reasoning_tokens: u.reasoning ?? 0 },
      total_tokens: u.input + u.output },
    user: null, metadata: b.metadata ?? {},
  };
}

const statusOf = (answer) =>
  (["length", "filter"].includes(answer.finish) ? "incomplete" : "completed");

function* events(b, answer) {
  yield { type: "response.created", response: response(b, answer, "in_progress", []) };
  yield { type: "response.in_progress", response: response(b, answer, "in_progress", []) };
  const all = items(answer);
  for (const [output_index, item] of all.entries()) {
    const k = answer.blocks[output_index];
    const at = { item_id: item.id, output_index };
    if (k.think) {
      yield { type: "response.output_item.added", output_index, item: { ...item, summary: [] } };
      const part = { ...at, summary_index: 0 };
      yield { type: "response.reasoning_summary_part.added", ...part,
        part: { type: "summary_text", text: "" } };
      for (const delta of k.think)
        yield { type: "response.reasoning_summary_text.delta", ...part, delta };
      const text = k.think.join("");
      yield { type: "response.reasoning_summary_text.done", ...part, text };
      yield { type: "response.reasoning_summary_part.done", ...part,
        part: { type: "summary_text", text } };
    } else if (k.call) {
      yield { type: "response.output_item.added", output_index,
        item: { ...item, status: "in_progress", arguments: "" } };
      for (let i = 0; i < item.arguments.length; i += 7) {
        yield { type: "response.function_call_arguments.delta", ...at,
          delta: item.arguments.slice(i, i + 7) };
      }
      yield { type: "response.function_call_arguments.done", ...at, name: item.name,
        arguments: item.arguments };
    } else {
      yield { type: "response.output_item.added", output_index,
        item: { ...item, status: "in_progress", content: [] } };
      const kind = k.refusal ? "refusal" : "output_text";
      const part = { ...at, content_index: 0 };
      const none = k.refusal ? { type: "refusal", refusal: "" }
        : { type: "output_text", text: "", annotations: [], logprobs: [] };
      yield { type: "response.content_part.added", ...part, part: none };
      const more = k.refusal ? {} : { logprobs: [] };
      for (const delta of k.text) yield { type: `response.${kind}.delta`, ...part, delta, ...more };
      const text = k.text.join("");
      for (const [annotation_index, annotation] of (item.content[0].annotations ?? []).entries())
        yield { type: "response.output_text.annotation.added", ...part, annotation_index, annotation };
      yield { type: `response.${kind}.done`, ...part, ...more,
        ...(k.refusal ? { refusal: text } : { text }) };
      yield { type: "response.content_part.done", ...part, part: item.content[0] };
    }
    yield { type: "response.output_item.done", output_index, item };
  }
  const status = statusOf(answer);
  yield { type: `response.${status}`, response: response(b, answer, status, all) };
}

export async function serve(x) {
  try {
    body(x.body, "");
  } catch (e) {
    if (!(e instanceof Bad)) throw e;
    x.entry.refused = e.message;
    return refuse(x, "invalid", e.kind === "unknown" ? `Unknown parameter: '${e.path}'.`
      : e.message, { param: e.path });
  }
  const c = x.entry.conversation;
  if (!c) return refuse(x, "invalid", "no golden conversation is named");
  x.entry.seen = seen(x.body);
  const { answer } = c;
  if (disturbed(x, answer, x.body.stream, "text/event-stream")) return undefined;
  if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text, answer.fault);
  if (!x.body.stream)
    return json(x, 200, response(x.body, answer, statusOf(answer), items(answer)),
      { "x-request-id": "req_golden" });
  const write = answer.escape ? ascii : JSON.stringify;
  const all = [...events(x.body, answer)].map((e, i) =>
    sse(write({ ...e, sequence_number: i }), e.type));
  const at = 2 + 2 + (answer.blocks ?? []).flatMap((k) => k.text ?? []).length;
  const sent = brokenAt(answer, all, at, sse(JSON.stringify({ type: "error", code: "server_error",
    message: "it broke in the middle", param: null, sequence_number: answer.broken === "first" ? 0
      : at }), "error"));
  return stream(x, "text/event-stream; charset=utf-8", sent, { cut: answer.cut,
    eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0,
    headers: { "x-request-id": "req_golden" } });
}
