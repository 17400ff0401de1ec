// SPDX-License-Identifier: Apache-2.0
// The fakes themselves: each vendor's own SDK against its fake, all rows, nothing between.
import { apis, newCell, PROFILE, providers } from "./cells.mjs";
import * as converse from "./callers/converse.mjs";
import * as ollama from "./callers/ollama.mjs";
import { keys, BEARER } from "./fakes/aws.mjs";
import { KEY as OPENAI } from "./fakes/openai.mjs";
import { KEY as ANTHROPIC } from "./fakes/anthropic.mjs";
import { KEY as GEMINI } from "./fakes/gemini.mjs";
import * as expect from "./expect.mjs";

const [[accessKeyId, { secret: secretAccessKey }]] = Object.entries(keys);

/* [caller, fake, arguments, provider whose rules hold, statuses of the vendor's own] */
export const direct = (f) => [
  { api: apis.chat, provider: providers.openai, name: "chat", plain: true,
    args: { url: f.openai.url, key: OPENAI, model: "gpt-golden" } },
  { api: apis.responses, provider: providers.openai, name: "responses",
    args: { url: f.openai.url, key: OPENAI, model: "gpt-golden" } },
  { api: apis.messages, provider: providers.anthropic, name: "messages",
    status: { overloaded: 529 },
    args: { url: f.anthropic.url, key: ANTHROPIC, model: "claude-haiku-4-5" } },
  { api: apis.gemini, provider: providers.gemini, name: "gemini", status: { unauthorized: 400 },
    args: { url: f.gemini.url, key: GEMINI, model: "gemini-2.5-flash" } },
  { api: { ...converse, name: "converse" }, provider: providers.bedrock, name: "converse",
    status: { unauthorized: 403 },
    args: { url: f.bedrock.url, model: PROFILE, credentials: { accessKeyId, secretAccessKey } } },
  { api: { ...converse, name: "converse" }, provider: providers.bedrock, name: "converse-bearer",
    status: { unauthorized: 403 }, only: ["plain", "tool"],
    args: { url: f.bedrock.url, model: PROFILE, token: BEARER } },
  ...Object.entries(keys).slice(1).map(([id, { secret, token }]) => ({
    api: { ...converse, name: "converse" }, provider: providers.bedrock, name: `converse-${id}`,
    only: ["plain"], args: { url: f.bedrock.url, credentials: { accessKeyId: id,
      secretAccessKey: secret, sessionToken: token }, region: "ap-northeast-1",
    model: "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" +
      "us.anthropic.claude-haiku-4-5-20251001-v1:0" } })),
  { api: { ...ollama, name: "ollama" }, provider: providers.ollama, name: "ollama",
    args: { url: f.ollama.url, model: "llama-golden" } },
];

/* The row with the number of a cell in its first words: what a fake saw is found by it. */
function numbered(row, cell) {
  const copy = structuredClone(row);
  const [part] = copy.ask.turns[0].parts;
  part.text = part.text.replace(/golden:[a-z0-9-]+/, (marker) => `${marker}.${cell}`);
  return copy;
}

/* One conversation in one cell, to its end: complaints. */
export async function converseIn({ api, provider, row: plain, stream, args, fake, model, status }) {
  const faults = [];
  const cell = newCell();
  const row = numbered(plain, cell);
  const first = await api.call({ ...args, ask: row.ask, stream });
  const entry = fake.log.findLast((e) => e.cell === cell);
  if (entry?.refused) return [`the vendor refuses: ${entry.refused}`];
  if (entry?.fault) return [`the fake failed: ${entry.fault.stack}`];
  if (args.gateway && row.refused?.[provider.name]) {
    return [...(entry ? ["the vendor was asked"] : []), ...expect.told(first, {
      answer: { fault: {} }, expect: { status: 400 } }, provider, api)];
  }
  if (row.answer.fault) {
    const wanted = { ...row, expect: { ...row.expect, status: status ?? row.expect.status } };
    return expect.told(first, wanted, provider, api);
  }
  if (!entry?.seen) return [`the vendor was not asked: ${JSON.stringify(first).slice(0, 600)}`];
  faults.push(...expect.asked(entry.seen, row, provider, api, false));
  if (row.answer.broken) return [...faults, ...expect.brokenOff(first, row)];
  faults.push(...expect.answered(first, row.answer, provider, api, { model }));
  if (!row.then || faults.length) return faults;
  const again = await api.call({ ...args, ask: row.ask, stream, back: { carry: first.carry,
    calls: first.calls, results: row.then.results } });
  const second = fake.log.findLast((e) => e.cell === cell);
  if (second.refused) return [`the vendor refuses the second turn: ${second.refused}`];
  if (second === entry)
    return [`the vendor was not asked again: ${JSON.stringify(again).slice(0, 600)}`];
  faults.push(...expect.asked(second.seen, row, provider, api, true).map((s) => `2nd turn: ${s}`));
  faults.push(...expect.answered(again, row.then.answer, provider, api, { model })
    .map((s) => `2nd turn: ${s}`));
  return faults;
}

