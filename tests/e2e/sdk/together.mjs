// SPDX-License-Identifier: Apache-2.0
// Embeddings of several texts at once by OpenAI's SDK; test_together.py starts it and judges.
import { createRequire } from "node:module";

const { KANMON_URL, KANMON_KEY, TEXTS, PACKAGE } = process.env;
const { OpenAI } = createRequire(import.meta.url)(PACKAGE);
const client = new OpenAI({ baseURL: `${KANMON_URL}/v1`, apiKey: KANMON_KEY, maxRetries: 0 });
const asked = JSON.parse(TEXTS)
  .map((input) => client.embeddings.create({ model: "vectors", input, encoding_format: "float" }));
const answers = await Promise.all(asked);
console.log(JSON.stringify(answers.map((a) => ({ vector: a.data[0].embedding, used: a.usage.prompt_tokens }))));
