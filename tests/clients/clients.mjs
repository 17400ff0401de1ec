// SPDX-License-Identifier: Apache-2.0
// Runs the clients: see run.  First against the fakes alone, then through the gateway.
import { appendFileSync, readFileSync } from "node:fs";
import { apis, providers, whyPending } from "../golden/cells.mjs";
import { KEY as ANTHROPIC } from "../golden/fakes/anthropic.mjs";
import { startAll } from "../golden/fakes/all.mjs";
import { KEY as GEMINI } from "../golden/fakes/gemini.mjs";
import { KEY as OPENAI } from "../golden/fakes/openai.mjs";
import { Gateway } from "../golden/gateway.mjs";
import { rows, scripts } from "../golden/rows.mjs";
import { makers, tests } from "./aisdk.mjs";
import { checkClaude, claude, claudeServers } from "./claude.mjs";
import { claudeCode, shapes } from "./claude_code.mjs";
import { checkCodex, codex } from "./codex.mjs";
import { checkGeminiCli, geminiCli } from "./gemini_cli.mjs";
import { checkClaudeServers, checkClaudeTool, checkCodexTool, known, printed, servers } from "./mcp.mjs";

const options = { filters: [], binary: process.env.KANMON_BINARY };
for (let i = 2; i < process.argv.length; i++) {
  const word = process.argv[i];
  if (word === "--binary") options.binary = process.argv[++i];
  else if (word === "--counts") options.counts = process.argv[++i];
  else if (word === "--fakes") options.fakes = true;
  else if (word === "--servers") options.servers = JSON.parse(readFileSync(process.argv[++i], "utf8"));
  else if (word === "--long") options.long = true;
  else options.filters.push(word);
}
const sum = { passed: 0, failed: 0, pending: 0 };
let cell = 100000;

async function run(name, pending, test) {
  if (!options.filters.every((f) => name.includes(f))) return;
  if (pending) {
    sum.pending++;
    console.log(`pending ${name} (${pending})`);
    return;
  }
  let faults;
  try {
    faults = await test();
  } catch (e) {
    faults = [`${e.message} ${e.responseBody ?? ""} ${e.stack}`];
  }
  for (const what of faults) console.log(`FAILED ${name}: ${what}`.slice(0, 2000));
  sum[faults.length ? "failed" : "passed"]++;
}

async function sdk(name, pending, maker, args) {
  for (const [what, test] of Object.entries(tests))
    await run(`${name} ${what}`, pending, () => test(maker(args), ++cell));
}

/* A refusal in the words that the program itself acts on: how it ends, and how soon. */
const runTold = async (name, told, ask) => run(name, null, async () => {
  const { code, result, events, said } = await ask();
  const end = JSON.stringify(result ?? events);
  return code !== 0 && told.test(end) ? [] : [`it ended with ${code}: ${said} ${end.slice(-800)}`];
});

/* Without the tools that OpenAI runs it needs no drop_params; its groups are functions then. */
const FUNCTIONS_ONLY = "web_search = \"disabled\"\n";
/* With them and without drop_params it is told what to set. */
function checkRefused({ code, events }) {
  const said = JSON.stringify(events);
  return code !== 0 && /litellm_settings\.drop_params: true/.test(said) && /'web_search'/.test(said)
    ? [] : [`it ended with ${code}: ${said.slice(-800)}`];
}

const runCodex = async (name, pending, args) => run(name, pending, async () =>
  checkCodex(await codex({ ...args, prompt: `golden:codex.${++cell} What does golden.txt say?` })));

/* A tool of a group came back to it as one, for it answers with words of its own. */
const runGroup = async (name, args, fake) => run(name, null, async () => {
  const at = String(++cell);
  const { code, events, said } = await codex({ ...args, prompt: `golden:codex-group.${at} Close it.` });
  const text = events.filter((e) => e.item?.type === "agent_message").at(-1)?.item.text;
  const sent = JSON.stringify(fake.log.filter((e) => e.cell === at).at(-1)?.body ?? null);
  return code === 0 && text === "Nobody is there." && /multi_agent_v1__close_agent/.test(sent) &&
    !/unsupported call/.test(sent) ? [] : [`it ended with ${code}: ${text} ${said} ${
    JSON.stringify(events.slice(-2))} ${sent.slice(-1500)}`];
});

const runClaude = async (name, pending, args, fake) => run(name, pending, async () => {
  const at = String(++cell);
  const came = await claude({ ...args, prompt: `golden:claude.${at} What does golden.txt say?` });
  const mine = fake.log.filter((e) => e.cell === at);
  const refused = mine.filter((e) => e.refused).map((e) => `the vendor refuses: ${e.refused}`);
  return [...refused, ...checkClaude(came, mine.map((e) => e.body))];
});

/* It sends topK with everything; takesTopK: this server knows that. */
const runGemini = async (name, args, fake, takesTopK) => run(name, null, async () => {
  const at = String(++cell);
  const came = await geminiCli({ ...args, prompt: `golden:gemini-cli.${at} What does golden.txt say?` });
  const mine = fake.log.filter((e) => e.cell === at);
  const refused = mine.filter((e) => e.refused).map((e) => `the vendor refuses: ${e.refused}`);
  const top = mine.map((e) => e.body.top_k ?? e.body.generationConfig?.topK ??
    e.body.additionalModelRequestFields?.top_k);
  const wrong = top.every((k) => (k === undefined) !== Boolean(takesTopK)) ? []
    : [`top_k: ${JSON.stringify(top)}`];
  return [...refused, ...wrong, ...checkGeminiCli(came, mine.map((e) => e.body))];
});

const fakes = await startAll();
let gateway;
try {
  await sdk("fake ai-sdk chat", null, makers.chat, { url: fakes.openai.url, key: OPENAI, model: "gpt-g" });
  await sdk("fake ai-sdk responses", null, makers.responses,
    { url: fakes.openai.url, key: OPENAI, model: "gpt-g" });
  await sdk("fake ai-sdk messages", null, makers.messages,
    { url: fakes.anthropic.url, key: ANTHROPIC, model: "claude-haiku-4-5" });
  await sdk("fake ai-sdk gemini", null, makers.gemini,
    { url: fakes.gemini.url, key: GEMINI, model: "gemini-2.5-flash" });
  for (const shape of Object.keys(shapes)) {
    await run(`fake claude-code ${shape}`, null, () => claudeCode({ url: fakes.anthropic.url,
      key: ANTHROPIC, model: "claude-haiku-4-5" }, shape, ++cell));
  }
  await runClaude("fake claude", null, { url: fakes.anthropic.url, key: ANTHROPIC,
    model: "claude-haiku-4-5" }, fakes.anthropic);
  await runCodex("fake codex", null, { url: fakes.openai.url, key: OPENAI, model: "gpt-golden" });
  if (!options.fakes) {
    gateway = new Gateway(options.binary, fakes, providers, [...rows, ...scripts]);
    // by this name it knows what the model can do; by another it asks as it asks its newest
    for (const p of ["anthropic", "bedrock", "gemini"])
      gateway.models.push({ model_name: `kept.${p}`, litellm_params: providers[p].params({ ...fakes,
        account: gateway.account }) });
    gateway.models.push({ model_name: "claude-haiku-4-5",
      litellm_params: providers.anthropic.params(fakes) });
    gateway.mcp = { ...options.servers, ...servers };
    await gateway.start();
    const args = { url: gateway.url, key: gateway.key };
    for (const api of Object.keys(apis)) {
      for (const provider of ["openai", "anthropic", "bedrock", "gemini"]) {
        for (const [what, test] of Object.entries(tests)) {
          const row = { agent: "tools-there-and-back", "agent-streamed": "tools-there-and-back",
            object: "schema", refused: "rate-limited", sources: "cites", "sources-streamed": "cites",
            "broken-off": "broken-error" }[what];
          // its provider of Google's hears no error event: it raises for the broken end
          if (what === "broken-off" && api === "gemini") continue;
          await run(`ai-sdk ${api}>${provider} ${what}`, whyPending(api, provider),
            () => test(makers[api]({ ...args, model: `${provider}.${row}` }), ++cell));
        }
      }
    }
    for (const provider of Object.keys(providers)) {
      for (const shape of Object.keys(shapes)) {
        await run(`claude-code messages>${provider} ${shape}`, whyPending("messages", provider),
          () => claudeCode({ ...args, model: `${provider}.thinking-there-and-back` }, shape, ++cell));
      }
    }
    for (const { name, fake } of Object.values(providers)) {
      await runClaude(`claude messages>${name}`, whyPending("messages", name),
        { ...args, model: name === "anthropic" ? "claude-haiku-4-5" : `${name}.claude` }, fakes[fake]);
    }
    for (const provider of ["openai", "anthropic", "bedrock", "gemini"]) {
      await runCodex(`codex responses>${provider}`, whyPending("responses", provider),
        { ...args, model: `${provider}.codex` });
    }
    for (const [provider, takesTopK] of [["openai", false], ...(options.long ? [["vllm", true],
      ["anthropic", true], ["bedrock", true], ["gemini", true]] : [])]) {
      await runGemini(`gemini-cli gemini>${provider}`, { ...args, model: `${provider}.gemini-cli` },
        fakes[providers[provider].fake], takesTopK);
    }
    const spent = await gateway.admin("/key/generate", { max_budget: 0 });
    for (const provider of ["openai", "anthropic", "bedrock", "gemini"]) {
      const model = `${provider}.context-length`;
      await runTold(`claude messages>${provider} knows its prompt is too long`,
        /Prompt is too long/, () => claude({ ...args, model,
          prompt: `golden:context-length.${++cell} Hi.` }));
      await runTold(`codex responses>${provider} knows its prompt is too long`,
        /ran out of room in the model's context window/, () => codex({ ...args, model, settings: FUNCTIONS_ONLY,
          prompt: `golden:context-length.${++cell} Hi.` }));
      await runTold(`codex responses>${provider} stops on a spent budget`, /[Qq]uota exceeded/,
        () => codex({ ...args, key: spent.key, model: `${provider}.codex`, settings: FUNCTIONS_ONLY,
          prompt: `golden:codex.${++cell} Hi.` }));
    }
    await known(gateway);
    for (const [way, provider, row] of [["http", "openai", "mcp-codex-group"],
      ["stdio", "anthropic", "mcp-codex"]]) {
      await run(`codex responses>${provider} mcp ${way}`, whyPending("responses", provider),
        async () => checkCodexTool(await codex({ ...args, model: `${provider}.${row}`,
          prompt: `golden:${row}.${++cell} Say it again.`,
          settings: `${printed(gateway, "codex", way)}required = true\n` }))); // it waits for it
    }
    for (const way of ["http", "stdio"]) {
      // a client of its kind was not here before
      await run(`claude mcp list ${way}`, null, async () =>
        checkClaudeServers(await claudeServers({ ...args, setup: printed(gateway, "claude-code", way) })));
      await run(`claude messages>anthropic mcp ${way}`, whyPending("messages", "anthropic"),
        async () => checkClaudeTool(await claude({ ...args, model: "claude-haiku-4-5",
          prompt: `golden:mcp-claude.${++cell} Say it again.`, tools: "mcp__kanmon__kit-echo",
          setup: printed(gateway, "claude-code", way) })));
    }
    for (const provider of ["anthropic", "bedrock", "gemini"]) {
      const kept = { ...args, model: `kept.${provider}` };
      await runGroup(`codex responses>${provider} group`, { ...args,
        model: `${provider}.codex-group` }, fakes[providers[provider].fake]);
      await runCodex(`codex responses>${provider} without drop_params`, null,
        { ...kept, settings: FUNCTIONS_ONLY });
      await run(`codex responses>${provider} is told of drop_params`, null, async () =>
        checkRefused(await codex({ ...kept, prompt: `golden:codex.${++cell} What?` })));
    }
  }
} finally {
  await gateway?.stop();
  fakes.stop();
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.pending} pending`);
if (options.counts) appendFileSync(options.counts, `${sum.passed} ${sum.failed}\n`);
process.exitCode = sum.failed ? 1 : 0;
