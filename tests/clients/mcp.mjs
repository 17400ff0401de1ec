// SPDX-License-Identifier: Apache-2.0
// Agents that call a tool of a real MCP server through the gateway, set up as `kanmon mcp config`
// says.  The model asks for the tool; what it gives is in what the model is asked next, else the
// fake does not say its last words (the rows "mcp-*" of tests/golden).
import { spawnSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";

const SERVER = new URL("../everything/node_modules/@modelcontextprotocol/server-everything/dist/index.js",
  import.meta.url).pathname;

export const servers = { kit: { command: process.execPath, args: [SERVER] } };

/* What a person is told to put into the client's file, or to run; way: "http" or "stdio". */
export function printed(gateway, client, way) {
  const where = way === "http" ? ["--url", gateway.url]
    : ["--config", join(gateway.folder, "config.yaml")];
  const ran = spawnSync(gateway.binary, ["mcp", "config", client, ...where], { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`kanmon mcp config ${client}: ${ran.stderr}`);
  return ran.stdout;
}

/* Until the server's tools are known: a client that asks its model at once would not wait. */
export async function known(gateway) {
  for (let i = 0; i < 600; i++) {
    const { servers: all } = await gateway.admin("/kanmon/mcp/servers");
    if (all.every((one) => one.state === "ready" && one.tools > 0)) return;
    await pause(50);
  }
  throw new Error(`the MCP servers are not ready:\n${gateway.said()}`);
}

/* Complaints about what came of a row "mcp-*" in Codex. */
export function checkCodexTool({ code, events, said }) {
  const items = events.filter((e) => e.type === "item.completed").map((e) => e.item);
  const call = items.find((i) => i.type === "mcp_tool_call");
  const text = items.filter((i) => i.type === "agent_message").at(-1)?.text;
  const faults = [];
  if (code !== 0) faults.push(`it ended with ${code}: ${said} ${JSON.stringify(events.slice(-3))}`);
  if (call?.server !== "kanmon" || !/Echo: seven degrees/.test(JSON.stringify(call.result)))
    faults.push(`the tool was not called: ${JSON.stringify(items)}`);
  if (text !== "Seven degrees it is.") faults.push(`its last words: ${JSON.stringify(items.slice(-2))}`);
  return faults;
}

/* The same in Claude Code. */
export function checkClaudeTool({ code, result, said }) {
  return code === 0 && !result.is_error && result.num_turns === 2 &&
    result.result === "Seven degrees it is." ? []
    : [`it ended with ${code}: ${said} ${JSON.stringify(result).slice(0, 800)}`];
}

/* What Claude Code says of its servers. */
export function checkClaudeServers({ code, said }) {
  return code === 0 && /kanmon: .*Connected\s*$/m.test(said) && !/failed/i.test(said) ? []
    : [`it ended with ${code}: ${said}`];
}
