// SPDX-License-Identifier: Apache-2.0
// Claude by Bedrock's InvokeModel, its own Messages in AWS's envelope, by the AWS SDK.
import { BedrockRuntimeClient, InvokeModelCommand, InvokeModelWithResponseStreamCommand } from
  "@aws-sdk/client-bedrock-runtime";
import { MessageStream } from "@anthropic-ai/sdk/lib/MessageStream";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { errorOf } from "./converse.mjs";
import { answerTo, request, resultOf } from "./messages.mjs";

export const title = "Bedrock InvokeModel";
export { shows } from "./messages.mjs";

const textOf = (bytes) => new TextDecoder().decode(bytes);

/* The model's events as Anthropic's own library takes them: a line of JSON each. */
const lines = (body) => new ReadableStream({
  async start(out) {
    try {
      for await (const e of body)
        if (e.chunk) out.enqueue(new TextEncoder().encode(`${textOf(e.chunk.bytes)}\n`));
      out.close();
    } catch (e) {
      out.error(e);
    }
  },
});

export async function call({ url, model, ask, stream, back, credentials }) {
  const bedrock = new BedrockRuntimeClient({ endpoint: url, region: "us-east-1", credentials,
    maxAttempts: 1, requestHandler: new NodeHttpHandler() });
  const body = answerTo({ anthropic_version: "bedrock-2023-05-31", ...request(ask) }, back);
  const input = { modelId: model, contentType: "application/json", body: JSON.stringify(body) };
  let text = "";
  try {
    let whole;
    if (stream) {
      const r = await bedrock.send(new InvokeModelWithResponseStreamCommand(input));
      const runner = MessageStream.fromReadableStream(lines(r.body));
      runner.on("text", (piece) => { text += piece; });
      whole = await runner.finalMessage();
    } else {
      const r = await bedrock.send(new InvokeModelCommand(input));
      whole = JSON.parse(textOf(r.body));
    }
    return { ...resultOf(whole), carry: whole.content };
  } catch (e) {
    const said = e.cause ?? e;
    return { error: said.$metadata ? errorOf(said) : { thrown: String(e) }, text };
  } finally {
    bedrock.destroy();
  }
}
