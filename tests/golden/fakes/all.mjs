// SPDX-License-Identifier: Apache-2.0
// All fakes, started.
import { anthropic } from "./anthropic.mjs";
import { container, imds, sts } from "./aws.mjs";
import { bedrock } from "./bedrock.mjs";
import { entra } from "./entra.mjs";
import { gemini, vertex } from "./gemini.mjs";
import { account, metadata, oauth } from "./google.mjs";
import { ollama } from "./ollama.mjs";
import { openai } from "./openai.mjs";
import { cohereFake, jinaFake, voyageFake } from "./vectors.mjs";

export async function startAll() {
  const starts = {
    openai: openai("openai", { reasoning: true, written: true }),
    azure: openai("azure", { azure: true, written: true }),
    vllm: openai("vllm", { vllm: true, reasoning: true }),
    cohere: cohereFake(), jina: jinaFake(), voyage: voyageFake(),
    anthropic: anthropic(), bedrock: bedrock(), gemini: gemini(), vertex: vertex(),
    ollama: ollama(), sts: sts(), imds: imds(), container: container(), entra: entra(),
    oauth: oauth(), metadata: metadata(),
  };
  const fakes = {};
  for (const [name, promise] of Object.entries(starts)) fakes[name] = await promise;
  const all = Object.values(fakes);
  fakes.account = JSON.stringify(account(fakes.oauth.url));
  fakes.stop = () => all.forEach((f) => f.stop());
  return fakes;
}
