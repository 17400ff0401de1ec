// SPDX-License-Identifier: Apache-2.0
// OpenAI's Responses by OpenAI's own SDK.
import { client, errorOf } from "./chat.mjs";

export const title = "OpenAI Responses";
export const shows = { cached: true, written: true, reasoning: true, signature: true, think: true };

const part = (p) => (p.document ? { type: "input_file", filename: `${p.document.name}.pdf`,
  file_data: `data:application/pdf;base64,${p.document.data}` } : p.image ? { type: "input_image", detail: "auto",
  image_url: `data:${p.image.type};base64,${p.image.data}` } : { type: "input_text", text: p.text });

export function request(ask) {
  const input = [];
  for (const t of ask.turns) {
    for (const p of t.parts) {
      if (p.call) {
        input.push({ type: "function_call", call_id: p.call.id, name: p.call.name,
          arguments: JSON.stringify(p.call.input) });
      } else if (p.result) {
        input.push({ type: "function_call_output", call_id: p.result.id, output: p.result.text });
      } else if (t.role === "assistant") {
        input.push({ role: "assistant", content: p.text });
      }
    }
    const rest = t.role === "user" ? t.parts.filter((p) => !p.result) : [];
    if (rest.length) input.push({ role: "user", content: rest.map(part) });
  }
  const c = ask.choice;
  return {
    input, store: false, ...(ask.system ? { instructions: ask.system } : {}),
    ...(ask.max ? { max_output_tokens: ask.max } : {}),
    ...(ask.temperature !== undefined ? { temperature: ask.temperature } : {}),
    ...(ask.tools ? { tools: ask.tools.map((t) => ({ type: "function", name: t.name,
      description: t.description, parameters: t.schema, strict: false })) } : {}),
    ...(c ? { tool_choice: c.name ? { type: "function", name: c.name } : c } : {}),
    ...(ask.effort ? { reasoning: { effort: ask.effort, summary: "auto" },
      include: ["reasoning.encrypted_content"] } : {}),
    ...(ask.schema ? { text: { format: { type: "json_schema", name: ask.schema.name,
      schema: ask.schema.schema, strict: true } } } : {}),
  };
}

const resultOf = (r) => {
  const of = (type) => r.output.filter((o) => o.type === type);
  const parts = of("message").flatMap((m) => m.content);
  const calls = of("function_call");
  const u = r.usage;
  const ends = { max_output_tokens: "length", content_filter: "filter" };
  return {
    text: parts.map((p) => p.text ?? "").join(""),
    refusal: parts.map((p) => p.refusal ?? "").join(""),
    think: of("reasoning").map((o) => o.summary.map((s) => s.text).join("") ||
      (o.content ?? []).map((s) => s.text).join("")).join(""),
    signature: of("reasoning").map((o) => o.encrypted_content ?? "").join(""),
    cites: parts.flatMap((p) => (p.annotations ?? []).map((c) => ({ url: c.url, title: c.title,
      of: [...p.text].slice(c.start_index, c.end_index).join("") }))),
    calls: calls.map((c) => ({ id: c.call_id, name: c.name, input: JSON.parse(c.arguments) })),
    finish: r.status === "incomplete" ? ends[r.incomplete_details.reason]
      : calls.length ? "tools" : r.status === "completed" ? "stop" : r.status,
    usage: u && { input: u.input_tokens, cached: u.input_tokens_details.cached_tokens,
      written: u.input_tokens_details.cache_write_tokens ?? 0, output: u.output_tokens,
      reasoning: u.output_tokens_details.reasoning_tokens, total: u.total_tokens },
    model: r.model,
  };
};

/* Output items as input again: what the SDK's own helpers added goes. */
const carried = (r) => r.output.map(({ parsed_arguments: _, ...o }) => (o.type !== "message" ? o
  : { ...o, content: o.content.map(({ parsed: __, ...p }) => p) }));

export async function call({ url, key, model, ask, stream, back }) {
  const openai = client({ url, key });
  const body = { model, ...request(ask) };
  if (back) {
    body.input.push(...back.carry);
    back.calls.forEach((c, i) => body.input.push({ type: "function_call_output", call_id: c.id,
      output: back.results[i] }));
  }
  let text = "";
  try {
    let whole;
    if (stream) {
      const runner = openai.responses.stream(body);
      let n = 0;
      for await (const e of runner) {
        if (e.sequence_number !== n++) throw new Error(`sequence_number ${e.sequence_number}`);
        if (e.type === "response.output_text.delta") text += e.delta;
        if (e.type === "response.failed") {
          return { error: { status: undefined, code: e.response.error.code,
            message: e.response.error.message }, text };
        }
      }
      whole = await runner.finalResponse();
      // this SDK takes any end of a stream for its end: who reads it must look at the status
      if (whole.status === "in_progress")
        return { error: { thrown: "the stream ended without response.completed" }, text };
    } else {
      whole = await openai.responses.create(body);
    }
    return { ...resultOf(whole), carry: carried(whole) };
  } catch (e) {
    return { error: errorOf(e), text };
  }
}
