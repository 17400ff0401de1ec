// SPDX-License-Identifier: Apache-2.0
// The vendors' own APIs below their prefixes: every row by the vendor's own SDK, whose endpoint
// is the gateway's prefix and whose key is a virtual key; the answer must be what the vendor
// itself gives (direct.mjs), and the key's spend exactly its price.  Then what must never reach
// the vendor: what the key has no right to, no budget for, or what has no price.
import { AnthropicVertex } from "@anthropic-ai/vertex-sdk";
import { GoogleGenAI as OldestGenAI } from "@google/genai-oldest";
import { OAuth2Client } from "google-auth-library";
import { readFileSync } from "node:fs";
import { AzureOpenAI } from "openai";
import { setTimeout as pause } from "node:timers/promises";
import { apis, newCell, PROFILE, providers } from "./cells.mjs";
import { costOf } from "./books.mjs";
import * as converse from "./callers/converse.mjs";
import * as invoke from "./callers/invoke.mjs";
import { converseIn } from "./direct.mjs";
import { Gateway, PRICE } from "./gateway.mjs";
import { rows } from "./rows.mjs";
import { keys } from "./fakes/aws.mjs";
import { KEY as OPENAI } from "./fakes/openai.mjs";
import { KEY as ANTHROPIC } from "./fakes/anthropic.mjs";
import { KEY as GEMINI, LOCATION, PROJECT } from "./fakes/gemini.mjs";

const [[akid, { secret }]] = Object.entries(keys);
const AUTH = { unauthorized: 502 }; // the gateway's credentials, not the caller's
// what the oldest supported SDK of Google's has words for (it takes no JSON Schema, and breaks
// characters that come in two pieces)
const OLDEST = ["plain", "settings", "no-bound", "image", "length", "filter", "thinking", "empty",
  "rate-limited", "unauthorized"];

/* Google's access token is the gateway's key; project and location are whatever one likes. */
function vertexClaude(url, key, ask) {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: key });
  return new AnthropicVertex({ baseURL: url, region: "mars-north1", projectId: "my-own", authClient,
    maxRetries: 0, timeout: 90000, ...(ask.temperature !== undefined
      ? { defaultHeaders: { "anthropic-version": "vertex-2023-10-16" } } : {}) });
}

/* { prefix, api, provider, model, unpriced: a model nobody has a price for, args(key, url) } */
const doors = (gateway) => {
  const at = (prefix) => `${gateway.url}${prefix}`;
  const aws = (key) => ({ accessKeyId: key, secretAccessKey: "any" });
  return [
    { prefix: "/openai", name: "chat", api: apis.chat, provider: providers.openai,
      model: "gpt-golden", status: AUTH, args: (key) => ({ url: at("/openai"), key }) },
    { prefix: "/openai", name: "responses", api: apis.responses, provider: providers.openai,
      model: "gpt-golden", status: AUTH, args: (key) => ({ url: at("/openai"), key }) },
    { prefix: "/anthropic", name: "messages", api: apis.messages, provider: providers.anthropic,
      model: "claude-haiku-4-5", status: { ...AUTH, overloaded: 529 },
      args: (key) => ({ url: at("/anthropic"), key }) },
    { prefix: "/gemini", name: "gemini", api: apis.gemini, provider: providers.gemini,
      model: "gemini-2.5-flash", status: AUTH, args: (key) => ({ url: at("/gemini"), key }) },
    { prefix: "/gemini", name: "gemini-oldest", api: apis.gemini, provider: providers.gemini,
      model: "gemini-2.5-flash", status: AUTH, only: OLDEST,
      args: (key) => ({ url: at("/gemini"), key, Sdk: OldestGenAI }) },
    { prefix: "/v1beta", name: "v1beta-oldest", api: apis.gemini, provider: providers.gemini,
      model: "listed-gemini", status: AUTH, only: OLDEST,
      args: (key) => ({ url: gateway.url, key, Sdk: OldestGenAI }) },
    { prefix: "/vertex_ai", name: "vertex-claude", api: apis.messages,
      provider: providers["vertex-claude"], model: "claude-haiku-4-5@20251001",
      status: { ...AUTH, overloaded: 529 },
      args: (key) => ({ key, made: (...a) => vertexClaude(at("/vertex_ai/v1"), ...a) }) },
    { prefix: "/vertex_ai", name: "vertex", api: apis.gemini, provider: providers["vertex-gemini"],
      model: "gemini-2.5-flash", status: AUTH,
      args: (key) => ({ url: at("/vertex_ai"), key, options: { vertexai: true, apiKey: key } }) },
    { prefix: "/bedrock", name: "converse", api: { ...converse, name: "converse" },
      provider: providers.bedrock, model: PROFILE, status: AUTH,
      args: (key) => ({ url: at("/bedrock"), credentials: aws(key) }) },
    { prefix: "/bedrock", name: "converse-bearer", api: { ...converse, name: "converse" },
      provider: providers.bedrock, model: PROFILE, status: AUTH, only: ["plain", "tool"],
      args: (key) => ({ url: at("/bedrock"), token: key }) },
    { prefix: "/bedrock", name: "converse-arn", api: { ...converse, name: "converse" },
      provider: providers.bedrock, status: AUTH, only: ["plain"], model:
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
      args: (key) => ({ url: at("/bedrock"), credentials: aws(key) }) },
    { prefix: "/bedrock", name: "invoke", api: { ...invoke, name: "messages" },
      provider: providers["bedrock-invoke"], model: PROFILE, status: AUTH,
      args: (key) => ({ url: at("/bedrock"), credentials: aws(key) }) },
    { prefix: "/azure", name: "azure", api: apis.chat, provider: providers.azure,
      model: "gpt-golden", status: AUTH, args: (key) => ({ key, made: (k) => new AzureOpenAI({
        endpoint: at("/azure"), apiKey: k, apiVersion: "2024-10-21", maxRetries: 0 }) }) },
  ];
};

const priced = { input_cost_per_token: PRICE.input, output_cost_per_token: PRICE.output,
  cache_read_input_token_cost: PRICE.cached, cache_creation_input_token_cost: PRICE.written };

/* Each vendor's model by its own name, for its price; and one by a name of model_list. */
export function models(f) {
  const wanted = ["openai", "anthropic", "gemini", "vertex-gemini", "vertex-claude", "bedrock",
    "azure"];
  const list = wanted.map((name) => [`listed-${name}`, providers[name].params(f)]);
  const { model: _, ...bedrock } = providers.bedrock.params(f);
  list.push(["listed-arn", { ...bedrock, model: "bedrock/converse/arn:aws:bedrock:us-east-1:" +
    "123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0" }]);
  return list.map(([model_name, params]) => ({ model_name, litellm_params: { ...params, ...priced } }));
}

/* What the environment alone gives to models that are not in model_list. */
export const environment = (f, account) => ({
  OPENAI_API_KEY: OPENAI, OPENAI_API_BASE: `${f.openai.url}/v1`,
  ANTHROPIC_API_KEY: ANTHROPIC, ANTHROPIC_API_BASE: f.anthropic.url,
  GEMINI_API_KEY: GEMINI, GEMINI_API_BASE: f.gemini.url,
  AZURE_API_KEY: OPENAI, AZURE_API_BASE: f.azure.url,
  AWS_ACCESS_KEY_ID: akid, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: "us-east-1",
  AWS_BEDROCK_RUNTIME_ENDPOINT: f.bedrock.url,
  VERTEXAI_PROJECT: PROJECT, VERTEXAI_LOCATION: LOCATION, VERTEXAI_API_BASE: f.vertex.url,
  VERTEXAI_CREDENTIALS: account,
});

const makeKey = async (gateway, more = {}) => (await gateway.admin("/key/generate", more)).key;
const spendOf = async (gateway, key) =>
  (await gateway.admin(`/key/info?key=${key}`)).info.spend;

async function played(gateway, door, row, stream, f) {
  // a key with a budget has its output bounded where nobody else bounds it
  const key = await makeKey(gateway, row.ask.max ? { max_budget: 100 } : {});
  const faults = await converseIn({ api: door.api, provider: door.provider, row, stream,
    fake: f[door.provider.fake], status: door.status[row.name],
    args: { ...door.args(key), model: door.model } });
  const { answer, then } = row;
  const cost = [answer, ...(then ? [then.answer] : [])].reduce((sum, a) => sum +
    (a.fault || a.broken ? 0 : costOf(a.usage, door.provider.says)), 0);
  // of a 500 nobody knows what it was worth: the input at least
  const right = (spent) => (row.name === "server-error" ? spent > 0 && spent < 0.01 : answer.broken ? spent > 0 || /first|half|nonsense/.test(answer.broken)
    : Math.round(spent * 1e9) === Math.round(cost * 1e9));
  // a client may leave with the stream's last event, and the books are written at its end
  let spent = await spendOf(gateway, key);
  for (let i = 0; i < 400 && !right(spent); i++) {
    await pause(50);
    spent = await spendOf(gateway, key);
  }
  if (!right(spent)) faults.push(`spend: ${spent} instead of ${cost.toFixed(9)}`);
  return faults;
}

/* What is left bounds an output that the caller did not: the vendor is told how far. */
async function boundedBy(gateway, door, f, stream) {
  const key = await makeKey(gateway, { max_budget: 1000 * PRICE.output });
  const cell = newCell();
  const ask = { turns: [{ role: "user", parts: [{ text: `golden:no-bound.${cell} Hi.` }] }] };
  const got = await door.api.call({ ...door.args(key), model: door.model, stream, ask });
  const entry = f[door.provider.fake].log.find((e) => e.cell === cell);
  const { max } = entry?.seen ?? {};
  return got.error || !(max > 100 && max <= 1000) ? [`${JSON.stringify(got).slice(0, 200)}, ${max}`] : [];
}

/* Refused before the vendor hears of it. */
async function refused(gateway, door, f, limits, status, stream, model = door.model) {
  const key = await makeKey(gateway, limits);
  const fake = f[door.provider.fake];
  const before = fake.log.length;
  const row = rows.find((r) => r.name === "plain");
  const got = await door.api.call({ ...door.args(key), model, stream,
    ask: { ...row.ask, turns: [{ role: "user", parts: [{ text: "golden:plain.refused Hi." }] }] } });
  const mine = fake.log.slice(before).filter((e) => /plain\.refused/.test(JSON.stringify(e.body)));
  return [...(got.error?.status === status ? [] : [`${JSON.stringify(got.error ?? got).slice(0, 300)} ` +
    `instead of ${status}`]), ...(mine.length ? ["the vendor was asked"] : []),
  ...(await spendOf(gateway, key) ? ["it cost something"] : [])];
}

/* Lent credentials: a model nobody listed, by the environment's; no budget, so it passes, unpriced. */
async function unlisted(gateway, door, f) {
  const key = await makeKey(gateway, {});
  const row = rows.find((r) => r.name === "plain");
  const faults = await converseIn({ api: door.api, provider: door.provider, row, stream: true,
    fake: f[door.provider.fake], args: { ...door.args(key), model: UNPRICED[door.name] } });
  return [...faults, ...(await spendOf(gateway, key) ? ["an unpriced call cost something"] : [])];
}

const UNPRICED = { chat: "gpt-unheard-of", responses: "gpt-unheard-of",
  messages: "claude-unheard-of", gemini: "gemini-unheard-of", vertex: "gemini-unheard-of",
  "vertex-claude": "claude-unheard-of",
  converse: "eu.anthropic.claude-unheard-of-v1:0", invoke: "eu.anthropic.claude-unheard-of-v1:0",
  azure: "unheard-of" };

/* --- what is no conversation --- */

const account = [
  ["GET", "/openai/v1/files"], ["POST", "/openai/v1/batches"], ["GET", "/openai/v1/conversations/c1"],
  ["DELETE", "/openai/v1/files/f1"], ["GET", "/openai/v1/vector_stores"],
  ["POST", "/openai/v1//chat/completions"], ["POST", "/openai/v1/chat%2Fcompletions"],
  ["POST", "/openai/v1/Chat/Completions"], ["POST", "/openai/v1/chat/completions/"],
  ["GET", "/anthropic/v1/messages/batches"], ["POST", "/anthropic/v1/messages/batches"],
  ["GET", "/anthropic/v1/files/f/content"], ["GET", "/gemini/v1beta/cachedContents"],
  ["POST", "/gemini/upload/v1beta/files"], ["POST", "/gemini/v1beta/models/a/b:generateContent"],
  ["POST", "/bedrock/async-invoke"], ["GET", "/bedrock/async-invoke"],
  ["POST", "/vertex_ai/v1/projects/p/locations/l/batchPredictionJobs"],
  ["GET", "/vertex_ai/v1/projects/p/locations/l/cachedContents"],
  ["GET", "/azure/openai/files"], ["POST", "/azure/openai/v1/files"],
];

const foreign = [
  ["/openai/v1/responses", { model: "gpt-golden", input: "hi", previous_response_id: "resp_1" }],
  ["/openai/v1/responses", { model: "gpt-golden", input: "hi", conversation: { id: "conv_1" } }],
  ["/openai/v1/responses", { model: "gpt-golden", input: [{ role: "user", content: [
    { type: "input_file", file_id: "file-1" }] }] }],
  ["/openai/v1/responses", "{\"model\":\"gpt-golden\",\"input\":\"hi\"," +
    "\"previous\\u005fresponse_id\":\"resp_1\"}"],
  ["/azure/openai/v1/responses", { model: "gpt-golden", input: "hi", tools: [
    { type: "file_search", vector_store_ids: ["vs_1"] }] }],
  ["/anthropic/v1/messages", { model: "claude-haiku-4-5", max_tokens: 9, messages: [{ role: "user",
    content: [{ type: "document", source: { type: "file", file_id: "file_1" } }] }] }],
  ["/gemini/v1beta/models/gemini-2.5-flash:generateContent", { cachedContent: "cachedContents/1",
    contents: [{ parts: [{ text: "hi" }] }] }],
];

async function asks(gateway, key, method, path, body, headers = {}) {
  const answer = await fetch(gateway.url + path, { method, headers: { "content-type":
    "application/json", authorization: `Bearer ${key}`, ...headers },
  body: method === "GET" ? undefined : typeof body === "string" ? body : JSON.stringify(body ?? {}) });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

const seenBy = (f) => Object.values(f).filter((x) => x.log).reduce((n, x) => n + x.log.length, 0);

/* ?key= is read as the key, and neither the vendor nor the log ever sees it; a key nobody knows is
 * refused before the vendor hears of it, and is not written down either. */
async function keyInQuery(gateway, f, path, more, listed) {
  const key = await makeKey(gateway, { max_budget: 1 });
  const action = `${more ? "streamGenerateContent" : "generateContent"}?${more}`;
  const url = `${gateway.url}${listed ? path : `${path}/v1beta`}/models/` +
    `${listed ? "listed-gemini" : "gemini-2.5-flash"}:${action}`;
  const at = newCell();
  const post = (query) => fetch(`${url}${query}`, { method: "POST", headers: {
    "content-type": "application/json" }, body: JSON.stringify({ contents: [{ role: "user",
    parts: [{ text: `golden:plain.${at} Hi.` }] }] }) });
  const wrong = await post("key=sk-nobody-knows-0123456789");
  const early = f.gemini.log.some((e) => e.cell === at);
  const right = await post(`%6Bey=${key}&x=1`); // escaped, and something behind it
  const text = await right.text();
  const seen = f.gemini.log.filter((e) => e.cell === at);
  const told = JSON.stringify(seen.map((e) => [e.target, e.headers, e.text]));
  const log = readFileSync(gateway.log, "utf8");
  return [...(wrong.status === 401 ? [] : [`${wrong.status} for an unknown key`]),
    ...(early ? ["the vendor was asked for an unknown key"] : []),
    ...(right.status === 200 && /Hel/.test(text) ? [] : [`${right.status} ${text.slice(0, 300)}`]),
    ...(seen.length === 1 ? [] : [`the vendor was asked ${seen.length} times`]),
    ...(told.includes(key) || /key=/i.test(seen[0]?.target) ? [`passed on: ${told}`] : []),
    ...(log.includes(key) || log.includes("sk-nobody-knows") ? ["the log has the key"] : [])];
}

function restCells(gateway, f, add) {
  const quiet = (name, run) => add(name, async () => {
    const before = seenBy(f);
    const { status, text } = await run();
    return [...(status === 403 ? [] : [`${status} ${text.slice(0, 200)}`]),
      ...(seenBy(f) === before ? [] : ["a vendor was asked"])];
  }, true);
  for (const [method, path] of account) {
    quiet(`${method} ${path} is the account's`,
      async () => asks(gateway, await makeKey(gateway), method, path, { model: "gpt-golden" }));
  }
  for (const [path, body] of foreign) {
    quiet(`${path} ${typeof body === "string" ? "escaped" : Object.keys(body).join()} is foreign`,
      async () => asks(gateway, await makeKey(gateway), "POST", path, body));
  }
  add("the administrator may have the account's", async () => {
    const r = await asks(gateway, gateway.key, "GET", "/openai/v1/files");
    const text = /Invalid URL/.test(r.text) && r.status === 404; // the fake's own word
    return text ? [] : [`${r.status} ${r.text.slice(0, 200)}`];
  });
  for (const [path, more, listed] of [["/gemini", ""], ["/gemini", "alt=sse&"], ["/v1beta", "", 1],
    ["/v1beta", "alt=sse&", 1]]) {
    add(`${path}?${more}key= is the gateway's alone`, () => keyInQuery(gateway, f, path, more, listed), true);
  }
  add("a name of model_list is the vendor's own name there", async () => {
    const key = await makeKey(gateway, { max_budget: 1, models: ["listed-bedrock"] });
    const got = await converse.call({ url: `${gateway.url}/bedrock`, model: "listed-bedrock",
      credentials: { accessKeyId: key, secretAccessKey: "any" }, stream: true,
      ask: rows.find((r) => r.name === "plain").ask });
    const wrong = f.bedrock.log.at(-1)?.model !== PROFILE;
    return got.text === "Hello there!" && !wrong ? [] : [JSON.stringify(got).slice(0, 300)];
  }, true);
  add("a name of model_list that is another vendor's is translated", async () => {
    const key = await makeKey(gateway, { max_budget: 1 });
    const got = await apis.messages.call({ url: `${gateway.url}/anthropic`, key, stream: true,
      model: "listed-openai", ask: rows.find((r) => r.name === "plain").ask });
    return got.text === "Hello there!" ? [] : [JSON.stringify(got).slice(0, 300)];
  });
}

/* { cells, stop } */
export function prefixCells(binary, f) {
  const gateway = new Gateway(binary, f, {}, []);
  const fakes = { ...f, account: gateway.account };
  let starting;
  const started = () => (starting ??= gateway.start({ models: models(fakes),
    env: environment(f, gateway.account) }));
  const list = [];
  // the doors are known by name before there is a gateway to open them
  for (const { prefix, name, only, provider, api } of doors({ url: "" })) {
    const open = () => doors(gateway).find((d) => d.name === name);
    const add = (what, run) => list.push({ group: `prefix ${prefix}`,
      name: `prefix ${prefix} ${name} ${what}`, run: async () => { await started(); return run(); } });
    for (const row of rows) {
      if (row.between || row.without?.[provider.name] || (only && !only.includes(row.name)) ||
          (row.apis && !row.apis.includes(api.name))) continue;
      for (const stream of ({ only: [true], never: [false] })[row.streams] ?? [false, true])
        add(`${row.name} ${stream ? "stream" : "whole"}`,
          () => played(gateway, open(), row, stream, f));
    }
    if (!UNPRICED[name]) continue;
    for (const stream of [false, true]) {
      const how = stream ? "stream" : "whole";
      if (!/messages|invoke|claude/.test(name))
        add(`bounded by the budget ${how}`, () => boundedBy(gateway, open(), f, stream));
      add(`over budget ${how}`,
        () => refused(gateway, open(), f, { max_budget: 1e-9 }, 429, stream));
      add(`model denied ${how}`,
        () => refused(gateway, open(), f, { models: ["listed-ollama"] }, 403, stream));
      add(`unknown price ${how}`,
        () => refused(gateway, open(), f, { max_budget: 100 }, 400, stream, UNPRICED[name]));
    }
    add("unlisted model", () => unlisted(gateway, open(), f));
  }
  const alone = [];
  restCells(gateway, f, (name, run, quiet) => (quiet ? alone : list).push({ group: "prefix rest",
    name: `prefix ${name}`, run: async () => { await started(); return run(); } }));
  return { cells: list, alone, stop: async () => { if (starting) await gateway.stop(); } };
}
