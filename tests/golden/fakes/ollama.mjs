// SPDX-License-Identifier: Apache-2.0
// Ollama's own API: /api/chat in lines of JSON, after ollama-js 0.6.4 and its server's types.
import { Bad, any, base64, bool, either, list, map, obj, oneOf, str, word } from "./shape.mjs";
import { ascii, brokenAt, disturbed, json, start, stream, VECTORS } from "./http.mjs";

const message = obj({
  "role!": word("system", "user", "assistant", "tool"), "content!": str, thinking: str,
  images: list(base64), tool_name: str, tool_call_id: str,
  tool_calls: list(obj({ id: str, type: str, "function!": obj({ index: any, "name!": str,
    "arguments!": map(any) }) })),
});
const body = obj({
  "model!": str, "messages!": list(message), stream: bool, format: either(word("json", ""), map(any)),
  keep_alive: any, logprobs: bool, top_logprobs: any, truncate: bool, shift: bool,
  tools: list(obj({ "type!": word("function"), "function!": obj({ "name!": str,
    description: str, parameters: map(any) }) })),
  think: oneOf(bool, word("low", "medium", "high", "max")), options: map(any),
});
const OPTIONS = ["num_keep", "seed", "num_predict", "top_k", "top_p", "min_p", "typical_p",
  "repeat_last_n", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty",
  "stop", "num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread"];

export function seen(b) {
  const turns = [];
  const add = (role, parts) => {
    if (turns.at(-1)?.role === role) turns.at(-1).parts.push(...parts);
    else turns.push({ role, parts });
  };
  let n = 0;
  for (const m of b.messages) {
    if (m.role === "system") continue;
    if (m.role === "tool") {
      add("user", [{ result: { name: m.tool_name, id: m.tool_call_id, text: m.content } }]);
      continue;
    }
    add(m.role, [
      ...(m.thinking ? [{ think: m.thinking }] : []), ...(m.content ? [{ text: m.content }] : []),
      ...(m.images ?? []).map((data) => ({ image: { type: "image/png", data } })),
      ...(m.tool_calls ?? []).map((c) => ({ call: { id: c.id ?? `position ${n++}`,
        name: c.function.name, input: c.function.arguments } }))]);
  }
  return {
    system: b.messages.filter((m) => m.role === "system").map((m) => m.content).join("\n"), turns,
    tools: (b.tools ?? []).map((t) => ({ name: t.function.name,
      description: t.function.description, schema: t.function.parameters })),
    choice: undefined, max: b.options?.num_predict, temperature: b.options?.temperature,
    stop: b.options?.stop, schema: typeof b.format === "object" ? b.format : undefined,
    thinks: Boolean(b.think),
  };
}

const FAULTS = { invalid: 400, context: 400, auth: 401, model: 404, rate: 429, server: 500,
  overloaded: 503 };

/* The server's errors are a text. */
function refuse(x, kind, text, { retryAfter } = {}) {
  json(x, FAULTS[kind], { error: kind === "context" ? "the prompt is longer than the context " +
    "length: exceeds context size" : kind === "model" ? `model '${x.body?.model}' not found` : text },
  retryAfter ? { "retry-after": String(retryAfter) } : {});
}

function* lines(b, answer) {
  const line = (m, more = {}) => ({ model: b.model, created_at: "2026-11-20T11:00:00.123456789Z",
    message: { role: "assistant", content: "", ...m }, done: false, ...more });
  for (const k of answer.blocks) {
    if (k.think && b.think) for (const thinking of k.think) yield line({ thinking });
    for (const content of k.text ?? []) yield line({ content });
    if (k.call) {
      yield line({ tool_calls: [{ id: k.call.id, function: { index: 0, name: k.call.name,
        arguments: k.call.input } }] });
    }
  }
  yield line({}, { done: true, done_reason: answer.finish === "length" ? "length" : "stop",
    total_duration: 5000000, load_duration: 1000000, prompt_eval_duration: 1000000,
    eval_duration: 3000000, prompt_eval_count: answer.usage.input, eval_count: answer.usage.output });
}

export function ollama() {
  return start("ollama", async (x) => {
    if (x.method === "POST" && x.path === "/api/embed") {
      const texts = [x.body.input].flat();
      return json(x, 200, { model: x.body.model, embeddings: texts.map((_, i) => VECTORS[i]),
        total_duration: 1, load_duration: 1, prompt_eval_count: 8 });
    }
    if (x.method !== "POST" || x.path !== "/api/chat") return json(x, 404, "404 page not found");
    try {
      body(x.body, "");
      for (const name of Object.keys(x.body.options ?? {}))
        if (!OPTIONS.includes(name)) throw new Bad(`options.${name}`, "invalid option provided");
    } catch (e) {
      x.entry.refused = e.message;
      if (!(e instanceof Bad)) throw e;
      return refuse(x, "invalid", e.message);
    }
    const c = x.entry.conversation;
    if (!c) return refuse(x, "invalid", "no golden conversation is named");
    x.entry.seen = seen(x.body);
    const { answer } = c;
    if (disturbed(x, answer, x.body.stream !== false, "application/x-ndjson")) return undefined;
    if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text, answer.fault);
    const all = [...lines(x.body, answer)];
    if (x.body.stream === false) {
      const whole = { ...all.at(-1), message: { role: "assistant",
        content: all.map((l) => l.message.content).join("") } };
      const thinking = all.map((l) => l.message.thinking ?? "").join("");
      const calls = all.flatMap((l) => l.message.tool_calls ?? []);
      if (thinking) whole.message.thinking = thinking;
      if (calls.length) whole.message.tool_calls = calls;
      return json(x, 200, whole);
    }
    const write = answer.escape ? ascii : JSON.stringify;
    const pieces = all.map((l) => `${write(l)}\n`);
    const at = answer.blocks.flatMap((k) => k.text ?? []).length;
    const sent = brokenAt(answer, pieces, at,
      `${JSON.stringify({ error: "it broke in the middle" })}\n`);
    return stream(x, "application/x-ndjson", sent, { cut: answer.cut,
      eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0 });
  });
}
