// SPDX-License-Identifier: Apache-2.0
// The Codex CLI in its non-interactive mode: it asks, runs the command it is told to, sends the
// output back and ends with the answer.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CLI = new URL("node_modules/@openai/codex/bin/codex.js", import.meta.url).pathname;

/* Runs one prompt; { code, events, said }. */
export async function codex({ url, key, model, prompt, settings = "" }) {
  const folder = mkdtempSync(join(tmpdir(), "kanmon-codex-"));
  try {
    writeFileSync(join(folder, "golden.txt"), "seven degrees\n");
    writeFileSync(join(folder, "config.toml"), `model = "${model}"
model_provider = "kanmon"
${settings}
[model_providers.kanmon]
name = "kanmon"
base_url = "${url}/v1"
env_key = "KANMON_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[analytics]
enabled = false
`);
    // nothing of it leaves the machine: no update check, no metrics, the folder is the sandbox
    const child = spawn(process.execPath, [CLI, "exec", "--skip-git-repo-check", "--json",
      "--dangerously-bypass-approvals-and-sandbox", prompt], { cwd: folder,
      stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: folder,
        CODEX_HOME: folder, KANMON_KEY: key, TERM: "dumb" } });
    let out = "";
    let said = "";
    child.stdout.on("data", (d) => { out += d; });
    child.stderr.on("data", (d) => { said += d; });
    const late = setTimeout(() => child.kill("SIGKILL"), 120000);
    const [code] = await once(child, "close");
    clearTimeout(late);
    const events = out.split("\n").filter((l) => l.startsWith("{")).map((l) => JSON.parse(l));
    return { code, events, said: said.slice(-1500) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/* Complaints about what came of the row "codex". */
export function checkCodex({ code, events, said }) {
  const faults = [];
  const items = events.filter((e) => e.type === "item.completed").map((e) => e.item);
  const command = items.find((i) => i.type === "command_execution");
  const text = items.filter((i) => i.type === "agent_message").at(-1)?.text;
  const usage = events.find((e) => e.type === "turn.completed")?.usage;
  if (code !== 0) faults.push(`it ended with ${code}: ${said} ${JSON.stringify(events.slice(-3))}`);
  if (!/seven degrees/.test(command?.aggregated_output ?? ""))
    faults.push(`the command did not run: ${JSON.stringify(items)}`);
  if (text !== "Seven degrees it is.") faults.push(`its last words: ${JSON.stringify(items.slice(-2))}`);
  if (usage?.input_tokens !== 221 || usage.output_tokens !== 24)
    faults.push(`usage: ${JSON.stringify(usage)}`);
  return faults;
}

