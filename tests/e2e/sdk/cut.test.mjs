// SPDX-License-Identifier: Apache-2.0
// The vendors' SDKs for Node, oldest and newest, read streams that the gateway ended early, and
// gather them: these are strict where the Python ones are not (each choice must have a
// finish_reason, each block its end).  What they read is tests/data/streams, as in test_cut_sdk.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import AnthropicNewest from "anthropic-newest";
import AnthropicOldest from "anthropic-oldest";
import OpenAINewest from "openai-newest";
import OpenAIOldest from "openai-oldest";

const data = new URL("../../data/streams/", import.meta.url);
const lines = (name) => readFileSync(new URL(name, data), "utf8").trim().split("\n")
  .map((line) => JSON.parse(line));

// What a client has of the stream, cut before its first event, after it, after the next...
function cuts(name) {
  const text = readFileSync(new URL(`${name}.sse`, data), "utf8");
  const events = text.split("\n\n").slice(0, -1).map((event) => `${event}\n\n`)
    .filter((event) => !event.includes("[DONE]"));
  return lines(`${name}.ends`).map((end, n) => [n, events.slice(0, n).join("") + end])
    .filter(([n]) => n <= events.length);
}

const told = (dialect) => lines(`to_${dialect}.cuts`).map((text, n) => [`told ${n}`, text]);

let text;
const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(text);
  });
});
before(() => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve)));
after(() => server.close());
const url = () => `http://127.0.0.1:${server.address().port}`;

const chat = { model: "m", messages: [{ role: "user", content: "hi" }] };

for (const [sdk, OpenAI] of [["oldest", OpenAIOldest], ["newest", OpenAINewest]]) {
  const client = () => new OpenAI({ baseURL: url(), apiKey: "sk", maxRetries: 0 });

  for (const [n, cut] of [...cuts("chat"), ...cuts("chat_two"), ...told("chat")])
    test(`chat completions, ${sdk}, after ${n}`, async () => {
      text = cut;
      const { chat: { completions }, beta } = client();
      const stream = (completions.stream ? completions : beta.chat.completions).stream(
        { ...chat, stream_options: { include_usage: true } });
      // So it calls every answer of that length.
      const answer = await stream.finalChatCompletion().catch((error) =>
        assert.equal(error.constructor.name, "LengthFinishReasonError"));
      const chunks = [];
      for await (const chunk of await completions.create({ ...chat, stream: true }))
        chunks.push(chunk);
      const reasons = chunks.flatMap((c) => c.choices).map((c) => c.finish_reason).filter(Boolean);
      assert.ok(reasons.length > 0);
      if (answer)
        assert.ok(answer.choices.every((choice) => choice.finish_reason));
    });

  for (const [n, cut] of [...cuts("responses"), ...cuts("responses_beside"), ...told("responses")])
    test(`responses, ${sdk}, after ${n}`, async () => {
      text = cut;
      const events = [];
      const stream = client().responses.stream?.({ model: "m", input: "hi" }) ??
        await client().responses.create({ model: "m", input: "hi", stream: true });
      for await (const event of stream)
        events.push(event);
      const last = events.at(-1);
      if (last.type !== "response.completed") {
        assert.equal(last.type, "response.incomplete");
        assert.equal(last.response.incomplete_details.reason, "max_output_tokens");
      }
    });
}

for (const [sdk, Anthropic] of [["oldest", AnthropicOldest], ["newest", AnthropicNewest]])
  for (const [n, cut] of [...cuts("messages"), ...told("messages")])
    test(`messages, ${sdk}, after ${n}`, async () => {
      text = cut;
      const client = new Anthropic({ baseURL: url(), apiKey: "sk", maxRetries: 0 });
      const answer = await client.messages.stream({ ...chat, max_tokens: 99 }).finalMessage();
      assert.ok(["max_tokens", "tool_use"].includes(answer.stop_reason));
      assert.ok(answer.usage.output_tokens > 0);
    });
