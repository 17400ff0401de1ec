// SPDX-License-Identifier: Apache-2.0
// What must come of a row in one cell: at the vendor (what its fake saw of the request) and at
// the caller (what its SDK made of the answer).  Each check gives a list of complaints.
import { deepStrictEqual, strictEqual } from "node:assert";

const brief = (v) => JSON.stringify(v)?.slice(0, 700);
function same(found, wanted, what, faults) {
  try {
    deepStrictEqual(JSON.parse(JSON.stringify(found ?? null)), JSON.parse(JSON.stringify(wanted ?? null)));
  } catch {
    faults.push(`${what}: ${brief(found)} instead of ${brief(wanted)}`);
  }
}

/* Turns with ids made comparable: a call is its place, a result names the call it answers. */
function plain(turns, provider) {
  const calls = new Map();
  const merged = [];
  for (const t of turns) {
    if (merged.at(-1)?.role === t.role) merged.at(-1).parts.push(...t.parts);
    else merged.push({ role: t.role, parts: [...t.parts] });
  }
  // the words of one answer may come in pieces
  for (const t of merged.filter((m) => m.role === "assistant")) {
    t.parts = t.parts.reduce((all, p) => {
      const last = all.at(-1);
      if (p.text === undefined || last?.text === undefined) return [...all, p];
      return [...all.slice(0, -1), { text: last.text.trim() + p.text }];
    }, []).map((p) => (p.text === undefined ? p : { text: p.text.replaceAll("\n", "") }));
  }
  return merged.map((t) => ({ role: t.role, parts: t.parts.flatMap((p) => {
    if (p.text === "") return [];
    if (p.think !== undefined) // whether one that asks no signature gets it back is its codec's to say
      return provider.keeps === "block" ? [p] : [];
    if (p.call) {
      const place = calls.size;
      calls.set(p.call.id ?? `position ${place}`, place);
      return [{ call: p.call.name, input: p.call.input,
        ...(provider.keeps === "call" && p.signature ? { signature: p.signature } : {}) }];
    }
    if (p.document) return [{ document: p.document.data ?? p.document }];
    if (p.cache) return [{ text: p.text }];
    if (p.result) {
      const { text, error, image } = p.result;
      return [{ result: text, of: calls.get(p.result.id) ?? "by name",
        ...(error && provider.keeps === "block" ? { error } : {}), ...(image ? { image } : {}) }];
    }
    return [p];
  }) }));
}

/* What the vendor must have been asked. */
export function asked(seen, row, provider, api, second) {
  const faults = [];
  const { ask } = row;
  const turns = [...ask.turns];
  if (second) {
    let signature;
    const parts = row.answer.blocks.map((b) => {
      if (b.think) {
        ({ signature } = b);
        return { think: b.think.join(""), signature };
      }
      if (b.redacted) return b;
      if (!b.call) return { text: b.text.join("") };
      const call = { ...b, ...(provider.keeps === "call" && signature ? { signature } : {}) };
      signature = undefined;
      return call;
    });
    turns.push({ role: "assistant", parts }, { role: "user", parts: row.answer.blocks
      .filter((b) => b.call).map((b, i) => ({ result: { id: b.call.id, text: row.then.results[i] } })) });
  }
  const found = plain(seen.turns, provider);
  const wanted = plain(turns, provider);
  const results = [...found, ...wanted].flatMap((t) => t.parts).filter((p) => p.result);
  // who has no ids answers in order
  if (results.some((p) => p.of === "by name")) for (const p of results) delete p.of;
  same(found, wanted, "turns", faults);
  same(seen.system, ask.system ?? "", "system", faults);
  if (ask.choice !== "none" || seen.tools.length)
    same(seen.tools, (ask.tools ?? []).map((t) => ({ ...t })), "tools", faults);
  const choice = provider.choiceless || (ask.choice === "none" && /^bedrock$/.test(provider.name))
    ? undefined : ask.choice;
  if (choice !== undefined || ![undefined, null, "auto"].includes(seen.choice))
    same(seen.choice, choice, "tool choice", faults);
  const bounded = ask.max ?? (api.shows.bound ? 4096 : undefined);
  if (!ask.effort && (bounded || !provider.bound)) same(seen.max, bounded, "max tokens", faults);
  if (!bounded && provider.bound && !(seen.max > 0)) faults.push(`max tokens: ${seen.max}`);
  same(seen.temperature, ask.temperature, "temperature", faults);
  if (api.name !== "responses") same(seen.stop, ask.stop, "stop", faults);
  if (ask.cacheSystem) same(seen.caches, 2, "cache points", faults);
  same(seen.schema, ask.schema?.schema, "schema", faults);
  if (Boolean(seen.thinks) !== Boolean(ask.effort)) faults.push(`thinks: ${seen.thinks}`);
  return faults;
}

/* What it cites, and which words rest on it: where the gateway knew before that it would cite, and
 * in whole answers.  Messages cite blocks, and of who has none that is all of the text. */
function citing(got, answer, provider, api) {
  const wanted = answer.blocks.flatMap((b) => (b.cites ?? []).map((c) => ({ url: c.url,
    title: c.title, of: b.text.join("") })));
  const found = got.cites ?? [];
  const faults = [];
  same(found.map(({ url, title }) => ({ url, title })), wanted.map(({ url, title }) => ({ url, title })),
    "citations", faults);
  found.forEach((c, i) => {
    const all = answer.blocks.flatMap((b) => b.text ?? []).join("");
    const of = api.name === "messages" ? [wanted[i]?.of, all] : [wanted[i]?.of, ""];
    if (!of.includes(c.of)) faults.push(`it cites for ${brief(c.of)} instead of ${brief(of)}`);
  });
  return faults;
}

/* What the caller must have been answered. */
export function answered(got, answer, provider, api, { model } = {}) {
  const faults = [];
  if (got.error) return [`an error instead of an answer: ${brief(got.error)}`];
  const of = (kind) => answer.blocks.filter((b) => b[kind]).flatMap((b) => b[kind]).join("");
  // a filter's reason may stand where a refusal stands
  same(got.text + (answer.finish === "filter" ? "" : got.refusal), of("text"), "text", faults);
  const thinks = (provider.says.think || provider.thinksIn === api.name) && api.shows.think;
  same(got.think, thinks ? of("think") : "", "reasoning", faults);
  const signed = provider.says.signature && api.shows.signature && provider.name !== "gemini" &&
    provider.name !== "vertex-gemini" && api.name !== "responses";
  if (signed) {
    same(got.signature, answer.blocks.map((b) => b.signature ?? "").join(""), "signature", faults);
  }
  if (answer.blocks.some((b) => b.redacted))
    same(got.redacted, of("redacted"), "sealed reasoning", faults);
  same(got.calls.map(({ name, input }) => ({ name, input })), answer.blocks.filter((b) => b.call)
    .map(({ call: { name, input } }) => ({ name, input })), "calls", faults);
  faults.push(...citing(got, answer, provider, api));
  const ids = got.calls.map((c) => c.id).filter(Boolean);
  if (new Set(ids).size !== ids.length) faults.push(`ids of calls: ${ids}`);
  const finish = answer.finish === "refusal" ? [provider.refuses,
    ...(provider.refuses === "stop" ? ["filter"] : [])] : [answer.finish];
  if (answer.stopped && provider.stops && api.name === "messages")
    same(got.stopped, answer.stopped, "stop sequence", faults);
  if (!finish.includes(got.finish)) faults.push(`finish: ${got.finish} instead of ${finish}`);
  const u = answer.usage;
  const wanted = { input: u.input, output: u.output };
  for (const name of ["cached", "written", "reasoning"])
    wanted[name] = provider.says[name] && api.shows[name] ? u[name] ?? 0 : 0;
  const { total, ...found } = got.usage ?? {};
  same(found, wanted, "usage", faults);
  if (total !== undefined && total !== u.input + u.output) faults.push(`total tokens: ${total}`);
  if (model && got.model !== model) faults.push(`model: ${got.model} instead of ${model}`);
  return faults;
}

/* What the caller must have been told of a fault. */
export function told(got, row, provider, api) {
  const faults = [];
  if (!got.error) return [`an answer instead of an error: ${brief(got)}`];
  const { status, retryAfter } = row.expect;
  if (![].concat(status).includes(got.error.status)) faults.push(`status: ${brief(got.error)} instead of ${status}`);
  if (!got.error.message) faults.push(`no message: ${brief(got.error)}`);
  if (!/gemini|ollama/.test(api.name) && !got.error.type && !got.error.thrown)
    faults.push(`no type: ${brief(got.error)}`);
  if (retryAfter && !provider.quiet && api.name !== "ollama" && got.error.retryAfter !== retryAfter)
    faults.push(`retry-after: ${got.error.retryAfter} instead of ${retryAfter}`);
  if (row.answer.fault.kind === "context" && !/long|exceed|maximum/.test(got.error.message))
    faults.push(`nobody would know the input is too long: ${got.error.message}`);
  return faults;
}

/* What the caller must see of a stream that broke: what came before, and that it broke. */
export function brokenOff(got, row) {
  if (!got.error) return [`the break went unseen: ${brief(got)}`];
  const { text, status } = row.expect;
  if (status && got.error.status !== undefined && ![].concat(status).includes(got.error.status))
    return [`status: ${brief(got.error)} instead of ${status}`];
  try {
    if (row.answer.broken === "reset") strictEqual(text.startsWith(got.text ?? ""), true);
    else strictEqual(got.text, text);
  } catch {
    return [`before the break came ${brief(got.text)} instead of ${brief(text)}`];
  }
  return [];
}
