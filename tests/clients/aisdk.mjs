// SPDX-License-Identifier: Apache-2.0
// The Vercel AI SDK, with its providers of three vendors: an agent that calls a tool, streamed
// and not, and an object by a schema.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, jsonSchema, Output, streamText, tool } from "ai";

/* How a model is named in each inbound API. */
export const makers = {
  chat: ({ url, key, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).chat(model),
  responses: ({ url, key, model }) =>
    createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).responses(model),
  messages: ({ url, key, model }) =>
    createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(model),
  gemini: ({ url, key, model }) =>
    createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: key })(model),
};

const weather = tool({
  description: "The weather of a city.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } },
    required: ["city"] }),
  execute: async ({ city }) => (city === "Oslo" ? "seven degrees" : "it rains"),
});

const agent = (model, marker) => ({ model, maxRetries: 0, maxOutputTokens: 64,
  prompt: `golden:${marker} Weather in Oslo?`, tools: { get_weather: weather },
  stopWhen: isStepCount(3) });

function checkAgent({ text, steps, usage }) {
  const faults = [];
  const calls = steps.flatMap((s) => s.toolCalls).map((c) => c.input.city);
  if (text !== "Seven, and rain.") faults.push(`text: ${text}`);
  if (calls.join() !== "Oslo,Bergen") faults.push(`calls: ${calls}`);
  if (usage.inputTokens !== 61 || usage.outputTokens !== 24)
    faults.push(`usage: ${JSON.stringify(usage)}`);
  return faults;
}

function checkSources(sources) {
  const found = JSON.stringify(sources?.map(({ url, title }) => ({ url, title })));
  return found === JSON.stringify([{ url: "https://example.com/so", title: "So it says" }]) ? []
    : [`sources: ${found}`];
}

export const tests = {
  async agent(model, cell) {
    const r = await generateText(agent(model, `tools-there-and-back.${cell}`));
    return checkAgent({ text: r.text, steps: r.steps, usage: r.totalUsage ?? r.usage });
  },
  async "agent-streamed"(model, cell) {
    let fault;
    const r = streamText({ ...agent(model, `tools-there-and-back.${cell}`),
      onError: ({ error }) => { fault = error; } });
    let text = "";
    for await (const piece of r.textStream) text += piece;
    if (fault) return [`it failed: ${fault.message} ${fault.responseBody ?? ""}`];
    return checkAgent({ text, steps: await r.steps, usage: await (r.totalUsage ?? r.usage) });
  },
  async object(model, cell) {
    const r = await generateText({ model, maxRetries: 0, maxOutputTokens: 64,
      prompt: `golden:schema.${cell} A city?`, output: Output.object({ schema: jsonSchema({
        type: "object", properties: { city: { type: "string" } }, required: ["city"],
        additionalProperties: false }) }) });
    return r.output?.city === "Oslo" ? [] : [`object: ${JSON.stringify(r.output)}`];
  },
  async sources(model, cell) {
    return checkSources((await generateText({ model, maxRetries: 0,
      prompt: `golden:cites.${cell} Where?` })).sources);
  },
  async "sources-streamed"(model, cell) {
    const r = streamText({ model, maxRetries: 0, prompt: `golden:cites.${cell} Where?` });
    await r.consumeStream();
    return checkSources(await r.sources);
  },
  /* It says what broke, and not that a response was no success. */
  async "broken-off"(model, cell) {
    let fault;
    const r = streamText({ model, maxRetries: 0, prompt: `golden:broken-error.${cell} Tell me.`,
      onError: ({ error }) => { fault ??= error; } });
    let text = "";
    for await (const piece of r.textStream) text += piece;
    const said = `${fault?.message} ${fault?.responseBody ?? ""} ${JSON.stringify(fault) ?? ""}`;
    return [...(text === "Once upon a time" ? [] : [`before it broke: ${text}`]),
      ...(/upstream|overloaded|broke/i.test(said) && !/Failed to process/.test(said) ? []
        : [`what it says: ${said.slice(0, 300)}`])];
  },
  async refused(model, cell) {
    try {
      await generateText({ model, maxRetries: 0, prompt: `golden:rate-limited.${cell} Hi.` });
    } catch (e) {
      return e.statusCode === 429 && e.isRetryable ? [] : [`error: ${e.statusCode} ${e.message}`];
    }
    return ["no error"];
  },
};
