// SPDX-License-Identifier: Apache-2.0
// The vendors' SDKs for Node, oldest and newest, read streams that broke after each of their events
// and went on at another deployment: they gather one answer.  test_resume.py starts it.
import assert from "node:assert/strict";
import { test } from "node:test";

import AnthropicNewest from "anthropic-newest";
import AnthropicOldest from "anthropic-oldest";
import OpenAINewest from "openai-newest";
import OpenAIOldest from "openai-oldest";

const { KANMON_URL: url, KANMON_KEY: key, KANMON_TEXT: text } = process.env;
const kanmon = { resumeStream: true };
const messages = [{ role: "user", content: "why?" }];
const cuts = (target, n) => [...Array(n).keys()].map((k) => `${target}/reset-${k + 1}`);

for (const [sdk, OpenAI] of [["oldest", OpenAIOldest], ["newest", OpenAINewest]]) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });

  for (const model of [...cuts("chat", 10), ...cuts("claude", 12)])
    test(`chat completions, ${sdk}, ${model}`, async () => {
      const { chat: { completions }, beta } = client;
      const stream = (completions.stream ? completions : beta.chat.completions).stream({
        model, messages, kanmon, stream_options: { include_usage: true } });
      const answer = await stream.finalChatCompletion();
      assert.equal(answer.choices[0].message.content, text);
      assert.equal(answer.choices[0].finish_reason, "stop");
    });

  for (const model of [...cuts("chat", 13), ...cuts("converse", 10)])
    test(`responses, ${sdk}, ${model}`, async () => {
      let said = "";
      let last;
      for await (const event of await client.responses.create({
        model, input: "why?", stream: true, kanmon })) {
        said += event.type === "response.output_text.delta" ? event.delta : "";
        last = event;
      }
      assert.equal(last.type, "response.completed");
      assert.equal(said, text);
      assert.equal(last.response.output[0].content[0].text, text);
    });
}

for (const [sdk, Anthropic] of [["oldest", AnthropicOldest], ["newest", AnthropicNewest]]) {
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });

  for (const model of [...cuts("claude", 13), ...cuts("gemini", 8)])
    test(`messages, ${sdk}, ${model}`, async () => {
      const answer = await client.messages.stream({ model, messages, max_tokens: 999, kanmon })
        .finalMessage();
      assert.equal(answer.content.map((block) => block.text).join(""), text);
      assert.equal(answer.stop_reason, "end_turn");
    });
}
