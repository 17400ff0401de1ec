// SPDX-License-Identifier: Apache-2.0
// The books: each call is one row of /spend/logs with the vendor's own usage and its price.
import { PRICE } from "./gateway.mjs";

/* What one answer costs; reasoning is part of the output. */
export function costOf(u, says) {
  const cached = says.cached ? u.cached ?? 0 : 0;
  const written = says.written ? u.written ?? 0 : 0;
  return (u.input - cached - written) * PRICE.input + cached * PRICE.cached +
    written * PRICE.written + u.output * PRICE.output;
}

/* calls: { model, row, provider } as they were made. */
export async function checkBooks(gateway, calls) {
  if (!calls.length) return [];
  const found = new Map();
  for (const row of await gateway.spend()) {
    const name = row.model_group || row.model;
    found.set(name, [...found.get(name) ?? [], row]);
  }
  const groups = new Map(calls.map((c) => [c.model, c]));
  const out = [];
  for (const [model, { row, provider }] of groups) {
    if (row.answer.fault || row.answer.broken || row.refused?.[provider.name]) continue;
    const faults = [];
    const answers = [row.answer, ...(row.then ? [row.then.answer] : [])];
    const rows = found.get(model) ?? [];
    const made = calls.filter((c) => c.model === model).length;
    const right = answers.map((a) => ({ input: a.usage.input, output: a.usage.output,
      cost: costOf(a.usage, provider.says) }));
    // a cell that failed in its first turn has no second: at least one row for each call
    if (rows.length < made || rows.length > made * answers.length)
      faults.push(`${rows.length} rows for ${made} conversations`);
    for (const r of rows) {
      const fits = right.some((w) => r.prompt_tokens === w.input && r.completion_tokens === w.output &&
        Math.abs(r.spend - w.cost) < 1e-9);
      if (!fits) {
        faults.push(`${r.prompt_tokens} + ${r.completion_tokens} tokens, ${r.spend} USD instead of ` +
          right.map((w) => `${w.input} + ${w.output}, ${w.cost.toFixed(9)}`).join(" or "));
      }
    }
    out.push({ part: "books", group: "books", name: `books ${model}`, faults: [...new Set(faults)] });
  }
  return out;
}
