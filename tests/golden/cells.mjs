// SPDX-License-Identifier: Apache-2.0
// Who serves and who calls: each provider with its fake, its configuration and what it can say;
// each inbound API with its caller.  A cell nobody serves yet is `pending` with its reason: it
// is counted apart and never as passed.
import * as chat from "./callers/chat.mjs";
import * as responses from "./callers/responses.mjs";
import * as messages from "./callers/messages.mjs";
import * as gemini from "./callers/gemini.mjs";
import { keys } from "./fakes/aws.mjs";
import { KEY as OPENAI } from "./fakes/openai.mjs";
import { KEY as ANTHROPIC } from "./fakes/anthropic.mjs";
import { KEY as GEMINI, LOCATION, PROJECT } from "./fakes/gemini.mjs";

let cells = 0;

/* The number of one conversation, said in its first words: what a fake saw is found by it, so no
 * two conversations of a run may share one. */
export const newCell = () => String(++cells);

export const apis = { chat, responses, messages, gemini };
for (const [name, api] of Object.entries(apis)) if (api.name !== name) apis[name] = { ...api, name };

const [[akid, { secret }]] = Object.entries(keys);
export const PROFILE = "jp.anthropic.claude-haiku-4-5-20251001-v1:0";
const CLAUDE = "claude-haiku-4-5";

/* says: what its answers carry; keeps: what it takes back of its own reasoning; bound: what it is
 * told when the caller bounds nothing.  status: where its refusals differ from the table's. */
const AUTH = { unauthorized: 502 }; // the deployment's key is at fault, not the caller's
export const providers = {
  openai: {
    title: "an OpenAI-compatible server", fake: "openai",
    params: (f) => ({ model: "openai/gpt-golden", api_base: `${f.openai.url}/v1`, api_key: OPENAI }),
    says: { cached: true, written: true, reasoning: true, think: true }, refuses: "stop",
    status: AUTH,
  },
  anthropic: {
    title: "Anthropic", fake: "anthropic",
    params: (f) => ({ model: `anthropic/${CLAUDE}`, api_base: f.anthropic.url, api_key: ANTHROPIC }),
    says: { cached: true, written: true, reasoning: true, think: true, signature: true },
    keeps: "block", bound: true, stops: true, refuses: "filter", status: AUTH,
  },
  bedrock: {
    title: "Bedrock Converse", fake: "bedrock",
    params: (f) => ({ model: `bedrock/converse/${PROFILE}`, aws_access_key_id: akid,
      aws_secret_access_key: secret, aws_region_name: "ap-northeast-1",
      aws_bedrock_runtime_endpoint: f.bedrock.url }),
    says: { cached: true, written: true, think: true, signature: true },
    keeps: "block", refuses: "filter", quiet: true, status: AUTH,
  },
  "bedrock-invoke": {
    title: "Bedrock InvokeModel", fake: "bedrock",
    params: (f) => ({ model: `bedrock/invoke/${PROFILE}`, aws_access_key_id: akid,
      aws_secret_access_key: secret, aws_region_name: "us-east-1",
      aws_bedrock_runtime_endpoint: f.bedrock.url }),
    says: { cached: true, written: true, reasoning: true, think: true, signature: true },
    keeps: "block", bound: true, stops: true, refuses: "filter", quiet: true, status: AUTH,
  },
  gemini: {
    title: "Gemini", fake: "gemini",
    params: (f) => ({ model: "gemini/gemini-2.5-flash", api_base: f.gemini.url, api_key: GEMINI }),
    says: { cached: true, reasoning: true, think: true, signature: true },
    keeps: "call", refuses: "stop", status: AUTH,
  },
  "vertex-gemini": {
    title: "Gemini on Vertex AI", fake: "vertex",
    params: (f) => ({ model: "vertex_ai/gemini-2.5-flash", api_base: f.vertex.url,
      vertex_project: PROJECT, vertex_location: LOCATION, vertex_credentials: f.account }),
    says: { cached: true, reasoning: true, think: true, signature: true },
    keeps: "call", refuses: "stop", status: AUTH,
  },
  "vertex-claude": {
    title: "Claude on Vertex AI", fake: "vertex",
    params: (f) => ({ model: `vertex_ai/${CLAUDE}@20251001`, api_base: f.vertex.url,
      vertex_project: PROJECT, vertex_location: LOCATION, vertex_credentials: f.account }),
    says: { cached: true, written: true, reasoning: true, think: true, signature: true },
    keeps: "block", bound: true, stops: true, refuses: "filter", status: AUTH,
  },
  azure: {
    title: "Azure OpenAI", fake: "azure",
    params: (f) => ({ model: "azure/gpt-golden", api_base: f.azure.url, api_key: OPENAI,
      api_version: "2024-10-21" }),
    says: { cached: true, written: true, reasoning: true }, refuses: "stop", status: AUTH,
    thinksIn: "responses", // its chat completions show no reasoning
  },
  vllm: {
    title: "vLLM", fake: "vllm",
    params: (f) => ({ model: "hosted_vllm/gpt-golden", api_base: `${f.vllm.url}/v1`, api_key: OPENAI }),
    says: { cached: true, think: true }, refuses: "stop", status: AUTH,
  },
  ollama: {
    title: "Ollama", fake: "ollama",
    params: (f) => ({ model: "ollama/llama-golden", api_base: f.ollama.url }),
    says: { think: true }, refuses: "stop", choiceless: true, status: AUTH,
  },
};
for (const [name, provider] of Object.entries(providers)) provider.name = name;

/* "api>provider" or "*>provider" or "api>*": why it does not run yet. */
export const pending = {};
export const whyPending = (api, provider) =>
  pending[`${api}>${provider}`] ?? pending[`${api}>*`] ?? pending[`*>${provider}`];
