// SPDX-License-Identifier: Apache-2.0
// The Gemini CLI in its non-interactive mode: it asks, runs the command it is told to, sends the
// output back and ends with the answer.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CLI = new URL("node_modules/@google/gemini-cli/bundle/gemini.js", import.meta.url).pathname;

/* Runs one prompt; { code, events, said }. */
export async function geminiCli({ url, key, model, prompt }) {
  const home = mkdtempSync(join(tmpdir(), "kanmon-gemini-"));
  try {
    writeFileSync(join(home, "golden.txt"), "seven degrees\n");
    // nothing of it leaves the machine: no update, no metrics, no model of its own choice
    mkdirSync(join(home, ".gemini"));
    writeFileSync(join(home, ".gemini/settings.json"), JSON.stringify({
      general: { disableAutoUpdate: true, enableAutoUpdate: false, disableUpdateNag: true },
      privacy: { usageStatisticsEnabled: false }, telemetry: { enabled: false },
      security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
      model: { name: model }, ide: { enabled: false } }));
    const child = spawn(process.execPath, [CLI, "--model", model, "--approval-mode", "yolo",
      "--output-format", "stream-json", "-p", prompt], { cwd: home,
      stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: home,
        GEMINI_CLI_HOME: home, GEMINI_API_KEY: key, GOOGLE_GEMINI_BASE_URL: url,
        GEMINI_CLI_TRUST_WORKSPACE: "true", CI: "1", TERM: "dumb" } });
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
    rmSync(home, { recursive: true, force: true });
  }
}

/* Complaints about what came of the row "gemini-cli"; asked: the bodies that the vendor saw. */
export function checkGeminiCli({ code, events, said }, asked) {
  const faults = [];
  const text = events.filter((e) => e.type === "message" && e.role === "assistant")
    .map((e) => e.content).join("");
  const [used] = events.filter((e) => e.type === "tool_result");
  const stats = events.find((e) => e.type === "result")?.stats;
  if (code !== 0) faults.push(`it ended with ${code}: ${said} ${JSON.stringify(events.slice(-3))}`);
  if (used?.status !== "success") faults.push(`the command did not run: ${JSON.stringify(events)}`);
  if (text !== "Seven degrees it is.") faults.push(`its last words: ${text}`);
  if (!asked.some((b) => JSON.stringify(b).includes("seven degrees")))
    faults.push("what it printed did not come back");
  if (stats?.input_tokens !== 221 || stats.output_tokens !== 24)
    faults.push(`usage: ${JSON.stringify(stats)}`);
  return faults;
}
