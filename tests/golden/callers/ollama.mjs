// SPDX-License-Identifier: Apache-2.0
// Ollama's own API by Ollama's own package: to prove the fake.
import { Ollama } from "ollama";

export const title = "Ollama";
export const shows = { cached: false, written: false, reasoning: false, signature: false, think: true };

export function request(ask) {
  const messages = ask.system ? [{ role: "system", content: ask.system }] : [];
  for (const t of ask.turns) {
    for (const { result: r } of t.parts.filter((p) => p.result))
      messages.push({ role: "tool", tool_name: r.name, content: r.text });
    const rest = t.parts.filter((p) => !p.result);
    if (!rest.length) continue;
    const images = rest.filter((p) => p.image).map((p) => p.image.data);
    const calls = rest.filter((p) => p.call).map(({ call: c }) => ({ function: { name: c.name,
      arguments: c.input } }));
    messages.push({ role: t.role, content: rest.map((p) => p.text ?? "").join(""),
      ...(images.length ? { images } : {}), ...(calls.length ? { tool_calls: calls } : {}) });
  }
  return {
    messages, ...(ask.effort ? { think: true } : {}),
    ...(ask.tools ? { tools: ask.tools.map((t) => ({ type: "function", function: { name: t.name,
      description: t.description, parameters: t.schema } })) } : {}),
    ...(ask.schema ? { format: ask.schema.schema } : {}),
    options: { ...(ask.max ? { num_predict: ask.max } : {}),
      ...(ask.temperature !== undefined ? { temperature: ask.temperature } : {}),
      ...(ask.stop ? { stop: ask.stop } : {}) },
  };
}

export async function call({ url, model, ask, stream, back }) {
  const ollama = new Ollama({ host: url });
  const body = { model, ...request(ask), stream };
  if (back) {
    body.messages.push(back.carry);
    back.calls.forEach((c, i) => body.messages.push({ role: "tool", tool_name: c.name,
      content: back.results[i] }));
  }
  let text = "";
  try {
    let last;
    const m = { role: "assistant", content: "" };
    const answer = await ollama.chat(body);
    for await (const line of stream ? answer : [answer]) {
      text += line.message.content;
      m.content += line.message.content;
      if (line.message.thinking) m.thinking = (m.thinking ?? "") + line.message.thinking;
      if (line.message.tool_calls) m.tool_calls = [...m.tool_calls ?? [], ...line.message.tool_calls];
      last = line;
    }
    if (!last?.done) return { error: { thrown: "the stream ended without done" }, text };
    const calls = (m.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name,
      input: c.function.arguments }));
    return { text: m.content, refusal: "", think: m.thinking ?? "", signature: "", calls,
      finish: last.done_reason === "stop" && calls.length ? "tools" : last.done_reason,
      usage: { input: last.prompt_eval_count, cached: 0, written: 0, output: last.eval_count,
        reasoning: 0 }, carry: m };
  } catch (e) {
    return { error: { status: e.status_code, message: e.message, class: e.name }, text };
  }
}
