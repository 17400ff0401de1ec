// SPDX-License-Identifier: Apache-2.0
// What Claude Code sends, by shape: recorded from its version 2.1.329, told again in our words.
// Its requests carry betas, a message of role "system" between others, members of tools that
// only it uses, and what it wants cleared from the context; sent here by the SDK it is built on.
import Anthropic from "@anthropic-ai/sdk";

const properties = { command: { description: "The command to execute", type: "string" },
  timeout: { description: "In milliseconds", type: "number" } };
const tools = (deferred) => [
  { name: "Bash", description: "Executes a command.", input_schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema", type: "object", properties,
    required: ["command"], additionalProperties: false } },
  { name: "get_weather", description: "The weather of a city.", input_schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema", type: "object",
    properties: { city: { type: "string", enum: ["Oslo", "Rome"] } }, required: ["city"],
    additionalProperties: false }, ...(deferred ? { defer_loading: true } : {}) },
];
const ephemeral = { type: "ephemeral" };
const system = [
  { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.329; cc_entrypoint=sdk-cli;" },
  { type: "text", text: "You are a coding agent.", cache_control: ephemeral },
  { type: "text", text: "Be brief. ".repeat(400), cache_control: ephemeral },
];
const betas = ["claude-code-20250219", "interleaved-thinking-2025-05-14",
  "context-management-2025-06-27"];
const common = {
  system, stream: true,
  metadata: { user_id: JSON.stringify({ device_id: "0".repeat(64), account_uuid: "",
    session_id: "00000000-0000-4000-8000-000000000000" }) },
  context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
};
const first = (marker) => ({ role: "user", content: [
  { type: "text", text: "<system-reminder>\nThe date is 2026-11-20.\n</system-reminder>" },
  { type: "text", text: `golden:${marker} Weather in Oslo?`, cache_control: ephemeral }] });

/* Two generations of models, two shapes. */
export const shapes = {
  budget: (marker) => ({ betas: [...betas, "advanced-tool-use-2025-11-20"], body: { ...common,
    max_tokens: 32000, tools: tools(true), messages: [first(marker)],
    thinking: { type: "enabled", budget_tokens: 31999, display: "omitted" } } }),
  plain: (marker) => ({ betas, body: { ...common, max_tokens: 32000, tools: tools(false),
    messages: [first(marker)] } }),
  "system-turn": (marker) => ({ betas: [...betas, "per-turn-control-2026-07-01",
    "effort-2025-11-24"], body: { ...common, max_tokens: 32000, tools: tools(false),
    messages: [first(marker), { role: "system", content: [{ type: "text",
      text: "# Environment\nA shell.", cache_control: ephemeral }] }] } }),
};

/* Its loop: ask, call the tool, send what came of it back with the thinking. */
export async function claudeCode({ url, key, model }, shape, cell) {
  const client = new Anthropic({ baseURL: url, apiKey: null, authToken: key, maxRetries: 0,
    timeout: 30000 });
  const { betas: names, body } = shapes[shape](`thinking-there-and-back.${cell}`);
  const options = { headers: { "anthropic-beta": names.join(","), "anthropic-version": "2023-06-01",
    "x-app": "cli", "user-agent": "claude-cli/2.1.329 (external, sdk-cli)" }, query: { beta: "true" } };
  const ask = (messages) => client.messages.stream({ ...body, model, messages }, options).finalMessage();
  const one = await ask(body.messages);
  const call = one.content.find((b) => b.type === "tool_use");
  if (call?.name !== "get_weather" || call.input.city !== "Oslo" || one.stop_reason !== "tool_use")
    return [`the call: ${JSON.stringify(one.content)}`];
  const two = await ask([...body.messages, { role: "assistant", content: one.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id,
      content: [{ type: "text", text: "seven degrees" }], cache_control: ephemeral }] }]);
  const text = two.content.map((b) => b.text ?? "").join("");
  return text === "Seven." ? [] : [`the end: ${JSON.stringify(two.content)}`];
}
