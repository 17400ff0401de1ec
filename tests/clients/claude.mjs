// SPDX-License-Identifier: Apache-2.0
// Claude Code itself in its non-interactive mode: it asks, runs the command it is told to, sends
// the output back and ends with the answer.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

// the program itself: its package's script would only put it in another place
const CLI = new URL(`node_modules/@anthropic-ai/claude-code-${process.platform}-${process.arch}/claude`,
  import.meta.url).pathname;

/* In a home of its own: nothing of it leaves the machine, no update, no metrics. */
async function inside(run, { url = "", key, model = "", setup }) {
  const home = mkdtempSync(join(tmpdir(), "kanmon-claude-"));
  try {
    const env = { PATH: `${dirname(CLI)}:${process.env.PATH}`, HOME: home, ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: key, ANTHROPIC_SMALL_FAST_MODEL: model, KANMON_KEY: key,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1",
      DISABLE_TELEMETRY: "1", CLAUDE_CODE_MAX_RETRIES: "0", TERM: "dumb" };
    if (setup) execFileSync("sh", ["-c", setup], { cwd: home, env, stdio: "ignore" });
    return await run(home, env);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/* Runs it with these words; { code, out, said }. */
async function ran(words, home, env) {
  const child = spawn(CLI, words, { cwd: home, stdio: ["ignore", "pipe", "pipe"], env });
  let out = "";
  let said = "";
  child.stdout.on("data", (d) => { out += d; });
  child.stderr.on("data", (d) => { said += d; });
  const late = setTimeout(() => child.kill("SIGKILL"), 120000);
  const [code] = await once(child, "close");
  clearTimeout(late);
  return { code, out, said: said.slice(-1500) };
}

/* Runs one prompt; { code, result, said }.  setup: a command line before, in the same place. */
export const claude = ({ prompt, tools = "Bash", ...place }) => inside(async (home, env) => {
  writeFileSync(join(home, "golden.txt"), "seven degrees\n");
  // one tool and no other
  const { code, out, said } = await ran(["-p", prompt, "--output-format", "json", "--model", place.model,
    "--allowedTools", tools], home, env);
  return { code, result: out.startsWith("{") ? JSON.parse(out) : { out }, said };
}, place);

/* What it says of its MCP servers; { code, said }. */
export const claudeServers = (place) => inside(async (home, env) => {
  const { code, out, said } = await ran(["mcp", "list"], home, env);
  return { code, said: out + said };
}, place);

/* Complaints about what came of the row "claude"; asked: the bodies that the vendor saw. */
export function checkClaude({ code, result, said }, asked) {
  const faults = [];
  if (code !== 0 || result.is_error)
    faults.push(`it ended with ${code}: ${said} ${JSON.stringify(result).slice(0, 800)}`);
  if (result.result !== "Seven degrees it is.") faults.push(`its last words: ${result.result}`);
  if (result.num_turns !== 2) faults.push(`turns: ${result.num_turns}`);
  if (!asked.some((b) => JSON.stringify(b).includes("seven degrees")))
    faults.push("the command did not run");
  const { input_tokens: input, output_tokens: output } = result.usage ?? {};
  if (input !== 221 || output !== 24) faults.push(`usage: ${JSON.stringify(result.usage)}`);
  return faults;
}
