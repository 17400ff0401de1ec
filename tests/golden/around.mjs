// SPDX-License-Identifier: Apache-2.0
// What stands around conversations: the headers a key may come in, counting of tokens, vectors,
// and a caller who leaves in the middle of a stream.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { setTimeout as pause } from "node:timers/promises";
import * as converse from "./callers/converse.mjs";
import { apis, newCell, PROFILE, providers, whyPending } from "./cells.mjs";
import { converseIn } from "./direct.mjs";
import { VECTORS } from "./fakes/http.mjs";
import { KEY as OPENAI } from "./fakes/openai.mjs";
import { rows } from "./rows.mjs";

const same = (found, wanted, what) => (JSON.stringify(found) === JSON.stringify(wanted) ? []
  : [`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`]);

/* --- keys --- */

const openaiBody = (model) => ({ model, messages: [{ role: "user", content: "golden:plain Hi." }] });
const KEYS = {
  "chat bearer": ["/v1/chat/completions", (k) => ({ authorization: `Bearer ${k}` }), openaiBody],
  "chat api-key": ["/v1/chat/completions", (k) => ({ "api-key": k }), openaiBody],
  "chat x-litellm-api-key": ["/v1/chat/completions", (k) => ({ "x-litellm-api-key": `Bearer ${k}` }),
    openaiBody],
  "messages x-api-key": ["/v1/messages", (k) => ({ "x-api-key": k, "anthropic-version": "2023-06-01" }),
    (model) => ({ ...openaiBody(model), max_tokens: 64 })],
  "messages bearer": ["/v1/messages", (k) => ({ authorization: `Bearer ${k}`,
    "anthropic-version": "2026-10-21" }), (model) => ({ ...openaiBody(model), max_tokens: 64 })],
  "gemini x-goog-api-key": ["/v1beta/models/MODEL:generateContent", (k) => ({ "x-goog-api-key": k }),
    () => ({ contents: [{ parts: [{ text: "golden:plain Hi." }] }] })],
  "gemini ?key=": ["/v1beta/models/MODEL:generateContent?key=KEY", () => ({}),
    () => ({ contents: [{ parts: [{ text: "golden:plain Hi." }] }] })],
};

async function byKey(gateway, model, name, key) {
  const [path, headers, body] = KEYS[name];
  const url = gateway.url + path.replace("MODEL", model).replace("KEY", key);
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body(model)),
    headers: { "content-type": "application/json", ...headers(key) } });
  return { status: answer.status, text: await answer.text() };
}

/* --- leaving --- */

/* The first words of an endless answer, then nothing more is read. */
const LEAVE = {
  async chat({ url, key, model, text }) {
    const c = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const s = await c.chat.completions.create({ model, stream: true, max_completion_tokens: 64,
      messages: [{ role: "user", content: text }] });
    for await (const e of s) if (e.choices[0]?.delta?.content) break;
    s.controller.abort();
  },
  async responses({ url, key, model, text }) {
    const c = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const s = await c.responses.create({ model, stream: true, input: text, max_output_tokens: 64 });
    for await (const e of s) if (e.type === "response.output_text.delta") break;
    s.controller.abort();
  },
  async messages({ url, key, model, text }) {
    const c = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
    const s = await c.messages.create({ model, stream: true, max_tokens: 64,
      messages: [{ role: "user", content: text }] });
    for await (const e of s) if (e.type === "content_block_delta") break;
    s.controller.abort();
  },
  async gemini({ url, key, model, text }) {
    const c = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
    const leave = new AbortController();
    const s = await c.models.generateContentStream({ model, contents: text,
      config: { maxOutputTokens: 64, abortSignal: leave.signal } });
    try {
      for await (const e of s) if (e.text) leave.abort();
    } catch { /* it was left */ }
  },
};

async function leaves(gateway, api, provider, fake) {
  const at = newCell();
  await LEAVE[api]({ url: gateway.url, key: gateway.key, model: `${provider}.endless`,
    text: `golden:endless.${at} Go on.` });
  for (let i = 0; i < 400; i++) {
    if (fake.log.some((e) => e.cell === at && e.left)) return [];
    await pause(25); // between two looks
  }
  return ["the vendor still sends ten seconds after the caller left"];
}

/* --- servers behind `openai/` that have chat completions only --- */

export const aroundModels = (f) => [false, true].map((only) => ({
  model_name: only ? "chat-only" : "chat-unsaid",
  litellm_params: { model: "openai/gpt-golden", api_base: `${f.vllm.url}/v1`, api_key: OPENAI,
    ...(only ? { use_chat_completions_api: true } : {}) } }));

function chatOnlyCells(gateway, f, add) {
  const client = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
  for (const stream of [false, true]) {
    for (const name of ["plain", "tools-there-and-back", "thinking-there-and-back"]) {
      add(`responses by way of chat ${name} ${stream ? "stream" : "whole"}`, null, () =>
        converseIn({ api: apis.responses, provider: providers.vllm, row: rows.find((r) =>
          r.name === name), stream, fake: f.vllm, args: { url: gateway.url, key: gateway.key,
          model: "chat-only" } }));
    }
  }
  add("a chat at such a server is passed on", null, async () => {
    const r = await client().chat.completions.create({ model: "chat-only",
      messages: [{ role: "user", content: "golden:plain Hi." }] });
    return same(r.choices[0].message.content, "Hello there!", "answer");
  });
  add("responses where it was not said are the server's to refuse", null, async () => {
    try {
      await client().responses.create({ model: "chat-unsaid", input: "golden:plain Hi." });
    } catch (e) {
      return same(e.status, 404, "status");
    }
    return ["it was answered"];
  });
}

/* --- vectors --- */

export const embedders = (f) => {
  const of = (provider, more) => ({ ...providers[provider].params(f), ...more });
  return {
    openai: [of("openai", { model: "openai/golden-embed" }), "openai"],
    azure: [of("azure", { model: "azure/golden-embed" }), "azure"],
    gemini: [of("gemini", { model: "gemini/gemini-embedding-001" }), "gemini"],
    ollama: [of("ollama", { model: "ollama/golden-embed" }), "ollama"],
    titan: [of("bedrock", { model: "bedrock/amazon.titan-embed-text-v2:0" }), "bedrock"],
    cohere: [of("bedrock", { model: "bedrock/cohere.embed-multilingual-v3" }), "bedrock"],
  };
};

async function embeds(gateway, name, format) {
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
  const r = await client.embeddings.create({ model: `embed.${name}`, input: ["one", "two"],
    ...(format ? { encoding_format: format } : {}) });
  return [...same(r.data.map((d) => [...d.embedding]), VECTORS, "vectors"),
    ...same(r.data.map((d) => d.index), [0, 1], "order"),
    ...(r.usage.prompt_tokens > 0 ? [] : [`usage: ${JSON.stringify(r.usage)}`])];
}

/* --- all of it --- */

export function aroundCells(gateway, f) {
  const cells = [];
  const add = (name, pending, run) => cells.push({ group: "around", name: `around ${name}`, pending, run });
  for (const name of Object.keys(KEYS)) {
    add(`key ${name}`, null, async () => {
      const right = await byKey(gateway, "openai.plain", name, gateway.key);
      const wrong = await byKey(gateway, "openai.plain", name, "sk-wrong-0123456789abcdef");
      return [...same(right.status, 200, `with the key (${right.text.slice(0, 300)})`),
        ...(/Hello there!/.test(right.text) ? [] : [right.text]),
        ...same(wrong.status, 401, "with a wrong key")];
    });
  }
  for (const { name } of Object.values(providers)) {
    add(`messages>${name} count`, whyPending("messages", name), async () => {
      const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.key, maxRetries: 0 });
      const { input_tokens: n } = await client.messages.countTokens({ model: `${name}.plain`,
        system: "Be brief.", messages: [{ role: "user", content: "golden:plain Hi." }] });
      if (name === "anthropic") return same(n, 21, "tokens");
      return n > 2 && n < 40 ? [] : [`tokens: ${n}`];
    });
    add(`gemini>${name} count`, whyPending("gemini", name), async () => {
      const client = new GoogleGenAI({ apiKey: gateway.key, httpOptions: { baseUrl: gateway.url } });
      const { totalTokens: n } = await client.models.countTokens({ model: `${name}.plain`,
        contents: "golden:plain Hi." });
      if (["gemini", "vertex-gemini"].includes(name)) return same(n, 21, "tokens");
      return n > 2 && n < 40 ? [] : [`tokens: ${n}`];
    });
    for (const api of Object.keys(apis)) {
      add(`${api}>${name} leaving`, whyPending(api, name),
        () => leaves(gateway, api, name, f[providers[name].fake]));
    }
  }
  // Claude elsewhere gets a Messages body as it was written, but for what its place is told apart
  const places = [["vertex-claude", f.vertex, "vertex-2023-10-16"],
    ["bedrock-invoke", f.bedrock, "bedrock-2023-05-31"]];
  const betas = { "vertex-claude": [], "bedrock-invoke": ["interleaved-thinking-2025-05-14"] };
  for (const [place, fake, version] of places) for (const stream of [false, true]) for (const beta of
    [undefined, ...betas[place]]) {
    add(`messages>${place} by spans${stream ? ", stream" : ""}${beta ? ", a beta" : ""}`, null, async () => {
      const at = newCell();
      const more = `"messages": [ {"role":"user","content":"golden:plain.${at} H\\u0069."} ], ` +
        "\"temperature\" : 0.50";
      const r = await fetch(`${gateway.url}/v1/messages`, { method: "POST", headers: {
        "x-api-key": gateway.key, "content-type": "application/json",
        ...(beta ? { "anthropic-beta": beta } : {}) },
      body: `{"model":"${place}.plain", "stream":${stream}, "max_tokens":64, ${more} }` });
      const answer = await r.text();
      const entry = fake.log.find((e) => e.cell === at);
      const types = answer.split("\n").filter((l) => l.startsWith("event: ")).map((l) => l.slice(7));
      return [...same(r.status, 200, "status"),
        ...(entry?.text.includes(more) ? [] : [`it was written anew: ${entry?.text}`]),
        ...same([entry?.body.model, entry?.body.anthropic_version], [undefined, version],
          "what it is there"),
        ...same([entry?.body.anthropic_beta], [beta && [beta]], "its betas"),
        ...same(entry?.body.stream, place === "vertex-claude" ? stream : undefined, "stream there"),
        ...same(answer.includes(`"model":"${place}.plain"`), true, "the model's name, set back"),
        ...same(/bedrock-invocation/i.test(answer), false, "Bedrock's metrics"),
        ...(stream ? same([types[0], types.at(-1)], ["message_start", "message_stop"], "events") : [])];
    });
  }
  // the AWS SDK itself, its endpoint the gateway, its bearer key the gateway's
  for (const name of ["plain", "tools-there-and-back", "thinking"]) {
    for (const stream of [false, true]) {
      add(`bedrock>/bedrock ${name} ${stream ? "stream" : "whole"}`,
        whyPending("bedrock", "/bedrock"), () => converseIn({ api: { ...converse, name: "converse" },
          provider: providers.bedrock, row: rows.find((r) => r.name === name), stream,
          fake: f.bedrock, args: { url: `${gateway.url}/bedrock`, token: gateway.key,
            model: PROFILE } }));
    }
  }
  chatOnlyCells(gateway, f, add);
  for (const [name, [, provider]] of Object.entries(embedders(f))) {
    for (const format of [undefined, "float"]) { // base64 is what the SDK asks unasked
      add(`vectors ${name} ${format ?? "as the SDK likes"}`, whyPending("chat", provider),
        () => embeds(gateway, name, format));
    }
  }
  return cells;
}
