// SPDX-License-Identifier: Apache-2.0
// What cannot be carried: every parameter of every inbound API before every provider that speaks
// another protocol, without and with drop_params.  A row is data:
//
//     [API, what is added to a plain request, its name in an error, mark,
//      { refused: providers that have none like it, silent: those where it is left out unasked,
//        judged: those whose models may know members that nobody here does: they say so }]
//
// Wherever a row says nothing it is carried: `mark` stands in what the vendor gets.  Refused is a
// 400 that names the parameter, the provider and the setting, and no vendor is asked; with that
// setting the call succeeds, and what the vendor gets has no mark.  Left out unasked is only what
// changes no answer: who asks, where it is kept, how fast it shall be.  The fakes refuse members
// that their vendor does not know, so nothing can slip through under another name.
import { newCell, providers } from "./cells.mjs";

const CLAUDES = "anthropic bedrock bedrock-invoke vertex-claude";
const GEMINIS = "gemini vertex-gemini";
const OPENAIS = "openai azure";
const EVERYBODY = Object.keys(providers).join(" ");
const NATIVE = { chat: `${OPENAIS} vllm`, responses: OPENAIS, messages: "anthropic bedrock-invoke vertex-claude",
  gemini: GEMINIS };

const fn = (name) => ({ type: "function", function: { name, parameters: { type: "object",
  properties: {} } } });
const flat = (name) => ({ type: "function", name, parameters: { type: "object", properties: {} } });

/* The path, a plain body that names its conversation, how a member is added. */
const APIS = {
  chat: (model, text) => ["/v1/chat/completions",
    { model, max_completion_tokens: 64, messages: [{ role: "user", content: text }] }],
  responses: (model, text) => ["/v1/responses", { model, max_output_tokens: 64, input: text }],
  messages: (model, text) => ["/v1/messages",
    { model, max_tokens: 64, messages: [{ role: "user", content: text }] }],
  gemini: (model, text) => [`/v1beta/models/${model}:generateContent`,
    { contents: [{ role: "user", parts: [{ text }] }], generationConfig: { maxOutputTokens: 64 } }],
};

const config = (more) => ({ generationConfig: { maxOutputTokens: 64, ...more } });

export const table = [
  ["chat", { seed: 7177 }, "seed", "7177", { refused: CLAUDES }],
  ["chat", { frequency_penalty: 0.6171 }, "frequency_penalty", "0.6171", { refused: CLAUDES }],
  ["chat", { presence_penalty: 0.6171 }, "presence_penalty", "0.6171", { refused: CLAUDES }],
  ["chat", { logit_bias: { 50256: -71 } }, "logit_bias", "50256", { refused: `${CLAUDES} ${GEMINIS} ollama` }],
  ["chat", { logprobs: true }, "logprobs", "ogprobs", { refused: `${CLAUDES} ollama` }],
  ["chat", { logprobs: true, top_logprobs: 17 }, "logprobs", "17", { refused: `${CLAUDES} ollama` }],
  ["chat", { n: 2 }, "n", /"(n|candidateCount)":2/, { refused: `${CLAUDES} ollama` }],
  ["chat", { temperature: 0.6171 }, "temperature", "0.6171", {}],
  ["chat", { top_p: 0.6171 }, "top_p", "0.6171", {}],
  ["chat", { top_k: 71 }, "top_k", "71", {}],
  ["chat", { stop: ["STOPHERE"] }, "stop", "STOPHERE", {}],
  ["chat", { verbosity: "low" }, "verbosity", "verbosity", { silent: EVERYBODY }],
  ["chat", { user: "somebody-7" }, "user", "somebody-7", { silent: `bedrock ${GEMINIS} ollama` }],
  ["chat", { metadata: { team: "seven" } }, "metadata", "seven", { silent: EVERYBODY }],
  ["chat", { service_tier: "flex" }, "service_tier", "flex", { refused: `anthropic bedrock-invoke vertex-claude ${GEMINIS} ollama vllm` }],
  ["chat", { store: true }, "store", "store", { silent: EVERYBODY }],
  ["chat", { prompt_cache_key: "cache-7" }, "prompt_cache_key", "cache-7", { silent: EVERYBODY }],
  ["chat", { prediction: { type: "content", content: "predicted-7" } }, "prediction",
    "predicted-7", { silent: EVERYBODY }],
  ["chat", { modalities: ["text", "audio"] }, "modalities", "audio", { refused: EVERYBODY }],
  ["chat", { audio: { voice: "alloy", format: "wav" } }, "audio", "alloy", { refused: EVERYBODY }],
  ["chat", { web_search_options: {} }, "web_search_options", "search", { refused: EVERYBODY }],
  ["chat", { parallel_tool_calls: false, tools: [fn("one"), fn("two")] }, "parallel_tool_calls",
    "arallel", { refused: `${GEMINIS} ollama` }],
  ["chat", { frobnicate: "frob-7" }, "frobnicate", "frob-7", { refused: EVERYBODY, judged: "bedrock" }],
  ["chat", { tools: [fn("one"), { type: "web_search_7", name: "web_search" }] }, "tools",
    "web_search_7", { refused: EVERYBODY }],

  ["responses", { temperature: 0.6171 }, "temperature", "0.6171", {}],
  ["responses", { top_p: 0.6171 }, "top_p", "0.6171", {}],
  ["responses", { top_logprobs: 17 }, "top_logprobs", "17", { refused: EVERYBODY }],
  ["responses", { max_tool_calls: 71 }, "max_tool_calls", "71", { refused: EVERYBODY }],
  ["responses", { metadata: { team: "seven" } }, "metadata", "seven", { silent: EVERYBODY }],
  ["responses", { service_tier: "flex" }, "service_tier", "flex", { refused: `anthropic bedrock-invoke vertex-claude ${GEMINIS} ollama vllm` }],
  ["responses", { text: { verbosity: "low" } }, "text.verbosity", "verbosity", { silent: EVERYBODY }],
  ["responses", { prompt_cache_key: "cache-7" }, "prompt_cache_key", "cache-7", { silent: EVERYBODY }],
  ["responses", { parallel_tool_calls: false, tools: [flat("one"), flat("two")] },
    "parallel_tool_calls", "arallel", { refused: `${GEMINIS} ollama` }],
  ["responses", { tools: [flat("one"), { type: "web_search_7" }] }, "tools", "web_search_7", { refused: EVERYBODY }],
  ["responses", { frobnicate: "frob-7" }, "frobnicate", "frob-7", { refused: EVERYBODY, judged: "bedrock vllm" }],

  ["messages", { temperature: 0.6171 }, "temperature", "0.6171", {}],
  ["messages", { top_p: 0.6171 }, "top_p", "0.6171", {}],
  ["messages", { top_k: 71 }, "top_k", "71", { refused: OPENAIS }],
  ["messages", { stop_sequences: ["STOPHERE"] }, "stop_sequences", "STOPHERE", {}],
  ["messages", { metadata: { user_id: "somebody-7" } }, "user", "somebody-7", { silent: `bedrock ${GEMINIS} ollama` }],
  ["messages", { service_tier: "standard_only" }, "service_tier", "default", { silent: `${GEMINIS} ollama vllm` }],
  ["messages", { mcp_servers: [{ type: "url", url: "https://a.example", name: "seven" }] },
    "mcp_servers", "seven", { refused: EVERYBODY, judged: `bedrock vllm ${OPENAIS}` }],
  ["messages", { tools: [{ type: "web_search_20250305", name: "web_search" }] }, "tools",
    "web_search_20250305", { refused: EVERYBODY }],
  ["messages", { tool_choice: { type: "auto", disable_parallel_tool_use: true }, tools: [
    { name: "one", input_schema: { type: "object" } }, { name: "two", input_schema: { type: "object" } }] },
  "tool_choice.disable_parallel_tool_use", "arallel", { refused: `${GEMINIS} ollama` }],
  ["messages", { frobnicate: "frob-7" }, "frobnicate", "frob-7", { refused: EVERYBODY, judged: `bedrock vllm ${OPENAIS}` }],

  ["gemini", config({ temperature: 0.6171 }), "generationConfig.temperature", "0.6171", {}],
  ["gemini", config({ topP: 0.6171 }), "generationConfig.topP", "0.6171", {}],
  ["gemini", config({ topK: 71 }), "generationConfig.topK", "71", { silent: OPENAIS }],
  ["gemini", config({ seed: 7177 }), "generationConfig.seed", "7177", { refused: CLAUDES }],
  ["gemini", config({ frequencyPenalty: 0.6171 }), "generationConfig.frequencyPenalty", "0.6171", { refused: CLAUDES }],
  ["gemini", config({ presencePenalty: 0.6171 }), "generationConfig.presencePenalty", "0.6171", { refused: CLAUDES }],
  ["gemini", config({ responseLogprobs: true, logprobs: 17 }), "generationConfig.responseLogprobs", "17", { refused: EVERYBODY }],
  ["gemini", config({ candidateCount: 2 }), "generationConfig.candidateCount", /"(n|candidateCount)":2/, { refused: `${CLAUDES} ollama` }],
  ["gemini", config({ stopSequences: ["STOPHERE"] }), "generationConfig.stopSequences",
    "STOPHERE", {}],
  ["gemini", config({ speechConfig: { voiceConfig: {} } }), "generationConfig.speechConfig",
    "speech", { refused: EVERYBODY }],
  ["gemini", config({ responseModalities: ["AUDIO"] }), "generationConfig.responseModalities",
    "AUDIO", { refused: EVERYBODY }],
  ["gemini", { safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }] },
    "safetySettings", "HARASSMENT", { refused: EVERYBODY }],
  ["gemini", { tools: [{ googleSearch: {} }] }, "tools", "googleSearch", { refused: EVERYBODY }],
  ["gemini", { frobnicate: "frob-7" }, "frobnicate", "frob-7", { refused: EVERYBODY }],
];

const list = (names) => (names ?? "").split(" ").filter(Boolean);

async function ask(gateway, api, model, text, more) {
  const [path, body] = APIS[api](model, text);
  const answer = await fetch(gateway.url + path, { method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${gateway.key}` },
    body: JSON.stringify({ ...body, ...more }) });
  return { status: answer.status, text: await answer.text() };
}

/* What a call comes to: its status, its error, and what the vendor saw of the mark. */
async function played(gateway, f, [api, more, , mark], provider, model) {
  const cell = newCell();
  const { status, text } = await ask(gateway, api, `${model}.${provider.name}`,
    `golden:plain.${cell} Hi.`, more);
  const entry = f[provider.fake].log.findLast((e) => e.cell === cell);
  const body = entry ? JSON.stringify(entry.body).replace(/golden:plain\.\d+/, "") : null;
  return { status, text, asked: Boolean(entry), refused: entry?.refused,
    marked: body !== null && (mark instanceof RegExp ? mark.test(body) : body.includes(mark)) };
}

function complaints(name, row, provider, kept, dropped) {
  const [, , param, , { refused, silent, judged }] = row;
  const wrong = [];
  const want = (so, what, r) => { if (!so) wrong.push(`${what}: ${JSON.stringify(r).slice(0, 400)}`); };
  if (list(judged).includes(name)) {
    want(kept.marked && kept.refused, "the vendor should judge it", kept);
  } else if (list(refused).includes(name)) {
    const said = kept.status === 400 ? JSON.parse(kept.text).error.message : "";
    want(kept.status === 400 && !kept.asked, "it should be refused", kept);
    want(said.includes(`'${param}'`), "the parameter is not named", kept);
    want(said.includes(provider), "the provider is not named", kept);
    want(said.includes("litellm_settings.drop_params: true"), "the setting is not named", kept);
    want(dropped.status === 200 && !dropped.marked, "it should be dropped", dropped);
  } else if (list(silent).includes(name)) {
    want(kept.status === 200 && !kept.marked, "it should be left out", kept);
  } else {
    want(kept.status === 200 && kept.marked, "it should be carried", kept);
    want(dropped.status === 200 && dropped.marked, "drop_params should leave it", dropped);
  }
  return wrong;
}

/* Two models a provider: "keep.anthropic", "drop.anthropic". */
export const paramModels = (f) => Object.values(providers).flatMap((p) => [false, true]
  .map((drop) => ({ model_name: `${drop ? "drop" : "keep"}.${p.name}`,
    litellm_params: { ...p.params(f), ...(drop ? { drop_params: true } : {}) } })));

export function paramCells(gateway, f) {
  const all = [];
  for (const row of table) {
    for (const p of Object.values(providers)) {
      if (list(NATIVE[row[0]]).includes(p.name)) continue; // its bytes are passed on
      const [provider] = p.params({ ...f, account: gateway.account }).model.split("/");
      all.push({ group: `parameters of ${row[0]}`, name: `param ${row[0]}>${p.name} ${row[2]}`,
        run: async () => complaints(p.name, row, provider,
          await played(gateway, f, row, p, "keep"), await played(gateway, f, row, p, "drop")) });
    }
  }
  return all;
}
