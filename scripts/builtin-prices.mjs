#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Writes src/policy/price_builtin.c from the data of npm's @pydantic/genai-prices:
//
//     npm install --prefix build/prices @pydantic/genai-prices
//     node scripts/builtin-prices.mjs build/prices DATE-OF-RELEASE > src/policy/price_builtin.c
//
// The rows are the models named below and no others: a small table that can be read, not a
// copy of the data.  Everything else comes by `kanmon prices import`.
import fs from 'node:fs';
import path from 'node:path';

const PICK = {
  openai: ['gpt-5.5', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.2', 'gpt-5.1', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano',
    'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4o', 'gpt-4o-2024-05-13', 'gpt-4o-mini',
    'gpt-3.5-turbo', 'gpt-realtime', 'gpt-realtime-2', 'gpt-realtime-mini', 'gpt-4o-mini-transcribe', 'o1', 'o3', 'o3-mini', 'o4-mini',
    'text-embedding-3-small', 'text-embedding-3-large', 'text-embedding-ada-002'],
  anthropic: ['claude-opus-5', 'claude-sonnet-5', 'claude-opus-4-6', 'claude-opus-4-5', 'claude-opus-4-1',
    'claude-sonnet-4-6', 'claude-sonnet-4-5', 'claude-sonnet-4-0', 'claude-haiku-4-5',
    'claude-3-7-sonnet-latest', 'claude-3-5-sonnet', 'claude-3-5-haiku-latest', 'claude-3-haiku'],
  google: ['gemini-3.1-pro-preview', 'gemini-3.5-flash', 'gemini-3-flash-preview', 'gemini-2.5-pro',
    'gemini-2.5-flash', 'gemini-2.5-flash-lite', 'gemini-2.0-flash', 'gemini-embedding-001'],
  aws: ['global.anthropic.claude-sonnet-5-v1:0', 'global.anthropic.claude-opus-4-6-v1:0',
    'global.anthropic.claude-sonnet-4-6-v1:0', 'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'global.anthropic.claude-haiku-4-5-20251001-v1:0', 'global.anthropic.claude-sonnet-4-20250514-v1:0',
    'regional.anthropic.claude-sonnet-5-v1:0', 'regional.anthropic.claude-opus-4-6-v1:0',
    'regional.anthropic.claude-sonnet-4-6-v1:0', 'regional.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'regional.anthropic.claude-haiku-4-5-20251001-v1:0', 'regional.anthropic.claude-sonnet-4-20250514-v1:0',
    'regional.anthropic.claude-3-7-sonnet-20250219-v1:0', 'regional.anthropic.claude-3-5-sonnet-20240620-v1:0',
    'regional.anthropic.claude-3-5-sonnet-20241022-v2:0', 'regional.anthropic.claude-3-5-haiku-20241022-v1:0',
    'regional.anthropic.claude-3-haiku-20240307-v1:0',
    'amazon.nova-pro-v1:0', 'amazon.nova-lite-v1:0', 'amazon.nova-micro-v1:0'],
  mistral: ['mistral-large-2512', 'mistral-medium-latest', 'mistral-small-latest', 'codestral', 'mistral-embed'],
  deepseek: ['deepseek-chat', 'deepseek-reasoner'],
  groq: ['llama-3.3-70b-versatile', 'llama-3.1-8b-instant', 'openai/gpt-oss-120b', 'openai/gpt-oss-20b'],
  'x-ai': ['grok-4.3', 'grok-4-0709', 'grok-4-fast-reasoning', 'grok-3', 'grok-3-mini'],
};
const PROVIDER = { aws: 'bedrock', google: 'gemini', 'x-ai': 'xai' };
const FIELDS = [['input_mtok', 'input', 'tier_input'], ['output_mtok', 'output', 'tier_output'],
  ['cache_read_mtok', 'cache_read', 'tier_cache_read'], ['cache_write_mtok', 'cache_write', 'tier_cache_write']];
// Columns of the models that hear or see tokens of another price, behind the others.
const KINDS = ['input_audio_mtok', 'output_audio_mtok', 'cache_audio_read_mtok', 'input_image_mtok',
  'cache_image_read_mtok'];

const [dir, date] = process.argv.slice(2);
const home = path.join(dir, 'node_modules/@pydantic/genai-prices');
const { version } = JSON.parse(fs.readFileSync(path.join(home, 'package.json')));
const source = fs.readFileSync(path.join(home, 'dist/index.js'), 'utf8');
const data = eval(source.match(/^const \w+ = (\[[\s\S]*?\n\])/)[1]); // the package's own literal

const pico = (mtok) => String(Math.round(mtok * 1e6));
const today = date;

// Of dated prices the last that had begun at the release; of prices by the hour the dearest.
function current(prices) {
  if (!Array.isArray(prices)) return prices;
  const dated = prices.filter((p) => p.constraint?.start_date && p.constraint.start_date <= today);
  if (dated.length) return dated.at(-1).prices;
  const cost = (p) => (typeof p.prices.input_mtok === 'object' ? p.prices.input_mtok.base : p.prices.input_mtok);
  return prices.filter((p) => !p.constraint?.start_date).sort((x, y) => cost(y) - cost(x))[0].prices;
}

function names(match) {
  if (match.or) return match.or.flatMap(names);
  if (match.equals) return [match.equals];
  if (match.starts_with) return [`${match.starts_with}*`];
  if (match.ends_with) return [`*${match.ends_with}`];
  if (match.contains) return [`*${match.contains}*`];
  return [];
}

// Claude on Bedrock is one price by region for every prefix and version: a glob says it in one row.
function shorten(provider, id, list) {
  if (provider === 'aws') {
    const core = id.replace(/^(global|regional)\./, '').replace(/-v\d+:\d+$/, '');
    return [id.startsWith('global.') ? `*global.${core}*` : `*${core}*`];
  }
  const all = [...new Set([id, ...list])];
  const prefixes = all.filter((n) => /^[^*]+\*$/.test(n)).map((n) => n.slice(0, -1));
  return all.filter((n) => !prefixes.some((p) => n !== `${p}*` && n.startsWith(p)));
}

const rows = [];
for (const [provider, ids] of Object.entries(PICK)) {
  const models = data.find((p) => p.id === provider).models;
  for (const id of ids) {
    const model = models.find((m) => m.id === id);
    if (!model) throw new Error(`${provider} has no ${id}`);
    const prices = current(model.prices);
    const set = [];
    let tier;
    for (const [theirs, ours, tiered] of FIELDS) {
      const v = prices[theirs];
      if (v === undefined) continue;
      set.push(`.${ours} = ${pico(typeof v === 'object' ? v.base : v)}`);
      if (typeof v === 'object') {
        tier = Math.round((v.tiers[0].start + 1) / 1000) * 1000;
        set.push(`.${tiered} = ${pico(v.tiers[0].price)}`);
      }
    }
    const has = (f) => set.some((s) => s.startsWith(`.${f} =`));
    for (const f of ['input', 'output', 'cache_read', 'cache_write', 'tier_input', 'tier_output',
      'tier_cache_read', 'tier_cache_write']) if (!has(f)) set.push(`.${f} = -1`);
    set.push('.request = -1', '.max_output_tokens = -1', `.tier_tokens = ${tier ?? -1}`,
      `.max_input_tokens = ${model.context_window ?? -1}`);
    const kinds = KINDS.map((k) => (prices[k] === undefined ? '-1' : pico(prices[k].base ?? prices[k])));
    set.push(`.kinds = ${kinds.some((k) => k !== '-1') ? `, ${kinds.join(', ')}` : ''}`);
    rows.push([shorten(provider, id, names(model.match)).map((n) => `${PROVIDER[provider] ?? provider}/${n}`), set]);
  }
}

const at = (set, f) => set.find((s) => s.startsWith(`.${f} = `)).split(' = ')[1];
const ORDER = ['input', 'output', 'cache_read', 'cache_write', 'request', 'max_input_tokens',
  'max_output_tokens', 'tier_tokens', 'tier_input', 'tier_output', 'tier_cache_read', 'tier_cache_write'];
// Breaks a row of numbers where it would be over 100 columns.
const wrap = (text) => text.replace(/(.{1,86})(?:, |$)/g, '$1,\n        ').trim().replace(/,$/, '');
const seen = new Set();
console.log(`/* SPDX-License-Identifier: Apache-2.0 */
/* price_builtin.c - what current models cost: a small table for the time before an import.
 *
 * Source: npm's @pydantic/genai-prices ${version}, released ${date} (MIT licence); written by
 * scripts/builtin-prices.mjs, which names the models.  Do not edit: prices of a deployment go
 * into its litellm_params, those of many models come by \`kanmon prices import\`.
 *
 * Units: pico-USD a token.  Columns: input, output, cache read, cache write, request;
 * tokens of input, of output; then the tier: its threshold, input, output, cache read, write;
 * then audio: input, output, cache read; then images: input, cache read.
 * -1 is unknown.  A row has its names first, parted by spaces; names with a star are asked in
 * this order, so the narrower stands first.  Where a price depends on the hour, the dearest is
 * taken: a budget must hold at any hour.
 */
#include "policy/price_table.h"

const char km_price_builtin_source[] = "@pydantic/genai-prices ${version}, ${date}";

/* clang-format off */
const struct km_price_builtin km_price_builtin[] = {`);
for (const [list, set] of rows) {
  const fresh = list.filter((n) => !seen.has(n));
  fresh.forEach((n) => seen.add(n));
  const lines = [];
  for (const n of fresh) {
    if (lines.length && lines.at(-1).length + n.length < 80) lines[lines.length - 1] += ` ${n}`;
    else lines.push(n);
  }
  console.log(`    { ${lines.map((l, i) => `"${l}${i + 1 < lines.length ? ' ' : ''}"`).join('\n      ')},`);
  console.log(`      { ${wrap(ORDER.map((f) => at(set, f)).join(', ') + at(set, 'kinds'))} } },`);
}
console.log(`};
/* clang-format on */

const size_t km_price_builtin_n = sizeof km_price_builtin / sizeof km_price_builtin[0];`);
