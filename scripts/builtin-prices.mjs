#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Writes src/policy/price_builtin.c from the price tables of two packages, both under the MIT
// licence, at the versions that are locked:
//
//     LiteLLM's model_prices_and_context_window_backup.json     tests/differential/requirements.lock
//     npm's @pydantic/genai-prices                              scripts/prices/package-lock.json
//
//     tests/differential/record                                 (installs the first in build/litellm)
//     npm ci --prefix scripts/prices --ignore-scripts
//     node scripts/builtin-prices.mjs build/litellm > src/policy/price_builtin.c
//
// LiteLLM's rows of the providers below come first: of what people call, not of all there is.  The
// second table adds the older models that the first has dropped, by name.  Which members are prices
// is read from src/policy/price_columns.h.  Everything else comes by `kanmon prices import`.
import fs from 'node:fs';
import path from 'node:path';

const HERE = path.dirname(new URL(import.meta.url).pathname);
const [venv] = process.argv.slice(2);

// LiteLLM's providers, and what kanmon calls them; `only`: of many hosted models those.
const OPEN = /deepseek-(ai\/DeepSeek-)?(v[34]|r1)|llama-?(v3p[13]|v?4|3\.[13])|qwen3(?!.*-vl)|kimi-k[23]|glm-?[45]|gpt-oss|minimax-m[23]/i;
const BEDROCK = /^((us|us-gov|eu|apac|au|jp|in|global)\.)?(anthropic|amazon|meta|mistral|cohere|deepseek|openai|qwen|moonshotai?|zai|minimax)\./;
const PROVIDERS = {
  openai: { name: 'openai' },
  anthropic: { name: 'anthropic' },
  gemini: { name: 'gemini' },
  azure: { name: 'azure' },
  bedrock: { name: 'bedrock', only: BEDROCK },
  bedrock_converse: { name: 'bedrock', only: BEDROCK },
  'vertex_ai-language-models': { name: 'vertex_ai' },
  'vertex_ai-anthropic_models': { name: 'vertex_ai' },
  mistral: { name: 'mistral' },
  deepseek: { name: 'deepseek' },
  perplexity: { name: 'perplexity', only: /^perplexity\/(sonar|pplx-embed)/ },
  together_ai: { name: 'together_ai', only: OPEN },
  fireworks_ai: { name: 'fireworks_ai', only: new RegExp(`^fireworks_ai/(accounts/fireworks/models/)?[^/]*(${OPEN.source})`, 'i') },
  groq: { name: 'groq' },
  xai: { name: 'xai' },
  cohere: { name: 'cohere' },
  cohere_chat: { name: 'cohere' },
  cerebras: { name: 'cerebras' },
  moonshot: { name: 'moonshot' },
  voyage: { name: 'voyage' },
};
const MODES = new Set(['chat', 'responses', 'embedding', 'audio_transcription', 'audio_speech', 'moderation',
  'rerank', 'realtime', undefined]);
const IMAGES = /^(openai|azure|gemini)$/; // of these; by size and quality they come by an import
const SIZED = /\d+-x-\d+|-step|max-x/;

// What their own tools cost where a model's row does not say it, by the providers' price lists:
// a web search, a session of the code interpreter (Anthropic's is by the hour: one), and a thousand
// file searches.  Google bills no more than the tokens of its code execution.
const TOOLS = {
  openai: '{search_context_cost_per_query:{search_context_size_medium:0.01},code_interpreter_cost_per_session:0.03,file_search_cost_per_1k_calls:2.5}',
  azure: '{code_interpreter_cost_per_session:0.033,file_search_cost_per_1k_calls:2.5}',
  anthropic: '{search_context_cost_per_query:{search_context_size_medium:0.01},code_interpreter_cost_per_session:0.05}',
  gemini: '{code_interpreter_cost_per_session:0}',
  vertex_ai: '{code_interpreter_cost_per_session:0}',
  xai: '{search_context_cost_per_query:{search_context_size_medium:0.005},code_interpreter_cost_per_session:0.005,file_search_cost_per_1k_calls:2.5}',
};

// What OpenAI's own price list (https://developers.openai.com/api/docs/pricing) says otherwise: audio
// that is transcribed is dearer than text, and its price a minute is an estimate of the same tokens,
// not one beside them; `web_search_preview` of a model that does not reason is 25 USD a thousand, of
// which LiteLLM's table says so but for these.
const CORRECTED = [
  [/^openai\/gpt-4o(-2024-08-06|-2024-11-20)?$/, { search_context_cost_per_query: { search_context_size_medium: 0.025 } }],
  [/^openai\/gpt-4o-transcribe/, { input_cost_per_audio_token: 6e-6, input_cost_per_second: undefined }],
  [/^openai\/gpt-4o-mini-transcribe/, { input_cost_per_audio_token: 3e-6, input_cost_per_second: undefined }],
];

// Of npm's table: models that LiteLLM's has no more.  A glob says Claude on Bedrock in one row.
const OLDER = {
  openai: ['gpt-5', 'gpt-5.1', 'gpt-5.2', 'gpt-5.4', 'gpt-5.5', 'gpt-4o-mini', 'o1'],
  anthropic: ['claude-opus-5', 'claude-sonnet-5', 'claude-opus-4-1', 'claude-sonnet-4-0', 'claude-3-7-sonnet-latest',
    'claude-3-5-sonnet', 'claude-3-5-haiku-latest', 'claude-3-haiku'],
  google: ['gemini-2.0-flash'],
  aws: ['global.anthropic.claude-sonnet-5-v1:0', 'global.anthropic.claude-opus-4-6-v1:0',
    'global.anthropic.claude-sonnet-4-6-v1:0', 'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'global.anthropic.claude-haiku-4-5-20251001-v1:0', 'global.anthropic.claude-sonnet-4-20250514-v1:0',
    'regional.anthropic.claude-sonnet-5-v1:0', 'regional.anthropic.claude-opus-4-6-v1:0',
    'regional.anthropic.claude-sonnet-4-6-v1:0', 'regional.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'regional.anthropic.claude-haiku-4-5-20251001-v1:0', 'regional.anthropic.claude-sonnet-4-20250514-v1:0',
    'regional.anthropic.claude-3-7-sonnet-20250219-v1:0', 'regional.anthropic.claude-3-5-sonnet-20240620-v1:0',
    'regional.anthropic.claude-3-5-sonnet-20241022-v2:0', 'regional.anthropic.claude-3-5-haiku-20241022-v1:0',
    'regional.anthropic.claude-3-haiku-20240307-v1:0'],
  mistral: ['mistral-medium-latest', 'mistral-small-latest', 'codestral', 'mistral-embed'],
  groq: ['llama-3.3-70b-versatile', 'llama-3.1-8b-instant'],
  'x-ai': ['grok-4-0709', 'grok-4-fast-reasoning', 'grok-3', 'grok-3-mini'],
};
const KANMON = { aws: 'bedrock', google: 'gemini', 'x-ai': 'xai' };
const UNITS = { input_mtok: 'input_cost_per_token', output_mtok: 'output_cost_per_token',
  cache_read_mtok: 'cache_read_input_token_cost', cache_write_mtok: 'cache_creation_input_token_cost',
  input_audio_mtok: 'input_cost_per_audio_token', output_audio_mtok: 'output_cost_per_audio_token',
  cache_audio_read_mtok: 'cache_read_input_audio_token_cost' };

// --- LiteLLM's ---

const header = fs.readFileSync(path.join(HERE, '../src/policy/price_columns.h'), 'utf8');
const columns = [...header.matchAll(/X\([A-Z_0-9]+, "(\w+)", [\w.]+,\s*(?:\\\s*)?(\w+)/g)].map(([, name, forms]) => ({ name, forms }));
const others = [...header.matchAll(/X\("(\w+)"/g)].map((m) => m[1]);
const ABOVE = '(_above_\\d+k?_tokens)?';
const SERVICE = '(_flex|_priority|_batches|_balanced|_ultrafast)?';
const FORMS = { KM_PRICE_STEPPED: ABOVE + SERVICE, KM_PRICE_SERVICE: SERVICE, KM_PRICE_ABOVE: ABOVE };
const counts = new RegExp(`^(${columns.map((c) => c.name + (FORMS[c.forms] ?? '')).join('|')})$`);
const LIMITS = ['max_input_tokens', 'max_output_tokens'];

// 2.5e-06 as it is written: through a decimal of 15 digits, so that no rest of a double is left.
const number = (v) => String(Number(Number(v).toPrecision(15)));
function literal(v) {
  if (Array.isArray(v)) return `[${v.map(literal).join(',')}]`;
  if (v && typeof v === 'object') return `{${Object.entries(v).map(([k, x]) => `${k}:${literal(x)}`).join(',')}}`;
  return typeof v === 'string' && Number.isNaN(Number(v)) ? v : number(v);
}

function prices(entry) {
  const out = {};
  for (const [k, v] of Object.entries(entry)) {
    if (v === null) continue;
    if (LIMITS.includes(k) || counts.test(k)) out[k] = v;
    else if (others.includes(k)) out[k] = v;
  }
  // A batch is half the price where nothing else is said, and half a picodollar is no price.
  for (const k of Object.keys(out)) {
    if (k.endsWith('_batches') && Math.abs(out[k] * 2 - (out[k.slice(0, -8)] ?? NaN)) < 1e-12) delete out[k];
  }
  const search = out.search_context_cost_per_query;
  if (search && new Set(Object.values(search)).size === 1)
    out.search_context_cost_per_query = { search_context_size_medium: Object.values(search)[0] };
  if (out.provider_specific_entry) {
    const { fast, us } = out.provider_specific_entry;
    delete out.provider_specific_entry;
    if (fast || us) out.provider_specific_entry = { ...(fast && { fast }), ...(us && { us }) };
  }
  return out;
}

const site = fs.readdirSync(path.join(venv, 'lib')).map((d) => path.join(venv, 'lib', d, 'site-packages'))[0];
const litellm = JSON.parse(fs.readFileSync(path.join(site, 'litellm/model_prices_and_context_window_backup.json')));
const version = fs.readdirSync(site).map((d) => d.match(/^litellm-([\d.]+)\.dist-info$/)?.[1]).find(Boolean);

const rows = new Map(); // literal -> names
const seen = new Set();
function add(name, text) {
  if (seen.has(name)) return;
  seen.add(name);
  // A row is of one provider: what its prices mean may depend on it.
  const key = `${name.slice(0, name.indexOf('/'))} ${text}`;
  if (!rows.has(key)) rows.set(key, { text, names: [] });
  rows.get(key).names.push(name);
}

for (const [provider, text] of Object.entries(TOOLS)) add(`${provider}/container`, text);
for (const [provider, { name, only }] of Object.entries(PROVIDERS)) {
  for (const [key, entry] of Object.entries(litellm)) {
    const made = entry.mode === 'image_generation' && IMAGES.test(provider);
    if (entry.litellm_provider !== provider || !(made || MODES.has(entry.mode)) || SIZED.test(key) || key.includes('*')) continue;
    if (/\s/.test(key) || (only && !only.test(key))) continue;
    const set = prices(entry);
    if (Object.keys(set).every((k) => LIMITS.includes(k))) continue;
    const full = key.startsWith(`${name}/`) ? key : `${name}/${key}`;
    for (const [names, right] of CORRECTED) if (names.test(full)) Object.assign(set, right);
    for (const k of Object.keys(set)) if (set[k] === undefined) delete set[k];
    add(full, literal(set));
  }
}

// --- the older models ---

const home = path.join(HERE, 'prices/node_modules/@pydantic/genai-prices');
const genai = JSON.parse(fs.readFileSync(path.join(home, 'package.json'))).version;
const source = fs.readFileSync(path.join(home, 'dist/index.js'), 'utf8');
const data = eval(source.match(/^const \w+ = (\[[\s\S]*?\n\])/)[1]); // the package's own literal

// Of dated prices the last; of prices by the hour the dearest: a budget must hold at any hour.
function current(list) {
  if (!Array.isArray(list)) return list;
  const dated = list.filter((p) => p.constraint?.start_date && p.constraint.start_date <= '2026-09-23');
  if (dated.length) return dated.at(-1).prices;
  const cost = (p) => p.prices.input_mtok?.base ?? p.prices.input_mtok;
  return list.filter((p) => !p.constraint?.start_date).sort((x, y) => cost(y) - cost(x))[0].prices;
}

function names(match) {
  if (match.or) return match.or.flatMap(names);
  if (match.equals) return [match.equals];
  if (match.starts_with) return [`${match.starts_with}*`];
  if (match.ends_with) return [`*${match.ends_with}`];
  if (match.contains) return [`*${match.contains}*`];
  return [];
}

function shorten(provider, id, list) {
  if (provider === 'aws') {
    const core = id.replace(/^(global|regional)\./, '').replace(/-v\d+:\d+$/, '');
    return [id.startsWith('global.') ? `*global.${core}*` : `*${core}*`];
  }
  return [...new Set([id, ...list])];
}

for (const [provider, ids] of Object.entries(OLDER)) {
  const { models } = data.find((p) => p.id === provider);
  for (const id of ids) {
    const model = models.find((m) => m.id === id);
    if (!model) throw new Error(`${provider} has no ${id}`);
    const theirs = current(model.prices);
    const set = {};
    if (model.context_window) set.max_input_tokens = model.context_window;
    for (const [unit, ours] of Object.entries(UNITS)) {
      const v = theirs[unit];
      if (v === undefined) continue;
      set[ours] = (v.base ?? v) / 1e6;
      if (v.tiers) set[`${ours}_above_${Math.round((v.tiers[0].start + 1) / 1000)}k_tokens`] = v.tiers[0].price / 1e6;
    }
    for (const n of shorten(provider, id, names(model.match))) add(`${KANMON[provider] ?? provider}/${n}`, literal(set));
  }
}

// --- the file ---

// Strings of at most 84 characters, broken behind one of the marks.
function strings(text, mark) {
  const lines = [''];
  for (const part of text.split(mark)) {
    const piece = lines.length === 1 && !lines[0] ? part : mark + part;
    if (lines.at(-1).length + piece.length > 84) {
      lines[lines.length - 1] += mark;
      lines.push(part);
    } else lines[lines.length - 1] += piece;
  }
  return lines.map((l) => `"${l}"`).join('\n      ');
}

const from = `LiteLLM ${version} and @pydantic/genai-prices ${genai}`;
console.log(`/* SPDX-License-Identifier: Apache-2.0 */
/* price_builtin.c - what current models cost: a table for the time before an import.
 *
 * Source: the price tables of ${from}
 * (both MIT licence); written by scripts/builtin-prices.mjs, which names providers and models.  Do
 * not edit: prices of a deployment go into its litellm_params, those of many models come by
 * \`kanmon prices import\`.
 *
 * A row has its names first, parted by spaces, then LiteLLM's members as price_columns.h has them,
 * in USD.  Names with a star are asked in this order, so the narrower stands first.  Where a price
 * depends on the hour, the dearest is taken: a budget must hold at any hour.  "container" is what a
 * provider's own tools cost with any of its models.
 */
#include "policy/price_table.h"

const char km_price_builtin_source[] = "${from}";

/* clang-format off */
const struct km_price_builtin km_price_builtin[] = {`);
for (const { text, names: list } of rows.values())
  console.log(`    { ${strings(list.join(' '), ' ')},\n      ${strings(text, ',')} },`);
console.log(`};
/* clang-format on */

const size_t km_price_builtin_n = sizeof km_price_builtin / sizeof km_price_builtin[0];`);
