// SPDX-License-Identifier: Apache-2.0
// Every feature of the reference server, as rows: a name and what to do with a connected client.
// What a row returns is compared between the direct way and the way through kanmon.  A row may
// look at `seen`: the questions and notifications the client got while the row ran.

const tool = (name, args = {}, options = {}) => (c) => c.tool(name, args, options);
const failure = (run) => async (c) => {
  try {
    return { unexpected: await run(c) };
  } catch (error) {
    return { code: error.code };
  }
};
const all = async (list, member) => {
  const items = [];
  let cursor;
  do {
    const page = await list(cursor === undefined ? undefined : { cursor });
    items.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
};

export const features = {
  // Without files that others of the same session have made there.
  "resources/list": async (c) => (await all((p) => c.client.listResources(p), "resources"))
    .filter((r) => !r.uri.startsWith("demo://resource/session/")),
  "resources/templates/list": (c) => all((p) => c.client.listResourceTemplates(p), "resourceTemplates"),
  "prompts/list": (c) => all((p) => c.client.listPrompts(p), "prompts"),
  "a text": tool("echo", { message: "héllo \u{1f600} \"quoted\"" }),
  "numbers": tool("get-sum", { a: 2, b: 3.5 }),
  "an image": tool("get-tiny-image"),
  "annotations, error": tool("get-annotated-message", { messageType: "error", includeImage: true }),
  "annotations, debug": tool("get-annotated-message", { messageType: "debug" }),
  "links to resources": tool("get-resource-links", { count: 3 }),
  "a resource in the answer": tool("get-resource-reference", { resourceType: "Text", resourceId: 2 }),
  "structured content": tool("get-structured-content", { location: "Chicago" }),
  "roots": tool("get-roots-list"),
  // Some tools are listed only to clients that can be asked, which kanmon says of them with their
  // first call; the one above is such a tool.
  "tools/list": (c) => all((p) => c.client.listTools(p), "tools"),
  "progress": async (c) => {
    const progress = [];
    const result = await c.tool("trigger-long-running-operation", { duration: 0.3, steps: 3 },
      { onprogress: (p) => progress.push(p) });
    // The last one comes with the answer, and some clients let go of the listener first.
    return { result, progress: progress.slice(0, 2) };
  },
  "sampling": async (c) => ({
    result: await c.tool("trigger-sampling-request", { prompt: "What?", maxTokens: 20 }), asked: c.seen("sampling/createMessage"),
  }),
  "elicitation": async (c) => ({
    result: await c.tool("trigger-elicitation-request"), asked: c.seen("elicitation/create"),
  }),
  "wrong arguments": tool("get-sum", { a: "x" }),
  "an unknown tool": async (c) => {
    try {
      return { isError: (await c.tool("no-such-tool")).isError };
    } catch {
      return { isError: true }; // since 2025-11-25 a protocol error; the server's SDK says it in a result
    }
  },
  "a resource": (c) => c.client.readResource({ uri: "demo://resource/dynamic/text/7" }),
  "a binary resource": (c) => c.client.readResource({ uri: "demo://resource/dynamic/blob/3" }),
  "a document": (c) => c.client.readResource({ uri: "demo://resource/static/document/features.md" }),
  "a resource that is none": failure((c) => c.client.readResource({ uri: "demo://resource/no-such/1" })),
  "a simple prompt": (c) => c.client.getPrompt({ name: "simple-prompt" }),
  "a prompt with arguments": (c) => c.client.getPrompt({ name: "args-prompt", arguments: { city: "Oslo", state: "N" } }),
  "a prompt with a resource": (c) => c.client.getPrompt({
    name: "resource-prompt", arguments: { resourceType: "Text", resourceId: "5" },
  }),
  "a prompt that is none": failure((c) => c.client.getPrompt({ name: "no-such-prompt" })),
  "a prompt that lacks an argument": failure((c) => c.client.getPrompt({ name: "args-prompt" })),
  "completion of a prompt": (c) => c.client.complete({
    ref: { type: "ref/prompt", name: "completable-prompt" }, argument: { name: "department", value: "S" },
  }),
  "completion by context": (c) => c.client.complete({
    ref: { type: "ref/prompt", name: "completable-prompt" }, argument: { name: "name", value: "" },
    context: { arguments: { department: "Sales" } },
  }),
  "completion of a template": (c) => c.client.complete({
    ref: { type: "ref/resource", uri: "demo://resource/dynamic/text/{resourceId}" }, argument: { name: "resourceId", value: "12" },
  }),
  "a file of the session": async (c) => {
    const made = await c.tool("gzip-file-as-resource", {
      name: `f-${process.pid}.gz`, data: "data:text/plain;base64,aGVsbG8=", outputType: "resourceLink",
    });
    const link = made.content.find((part) => part.type === "resource_link");
    return { made, read: await c.client.readResource({ uri: link.uri }) };
  },
  "cancellation": async (c) => {
    const controller = new AbortController();
    const running = c.tool("trigger-long-running-operation", { duration: 20, steps: 100 },
      { signal: controller.signal, onprogress: () => controller.abort("enough") });
    const ended = await running.then(() => "answered", () => "cancelled");
    return { ended, alive: await c.tool("echo", { message: "still here" }) };
  },
};

// What only clients and servers that shake hands have.
export const handshake = {
  "ping": (c) => c.client.ping(),
  "logging/setLevel": (c) => c.client.setLoggingLevel("warning"),
  "subscribe and unsubscribe": async (c) => [
    await c.client.subscribeResource({ uri: "demo://resource/dynamic/text/1" }),
    await c.client.unsubscribeResource({ uri: "demo://resource/dynamic/text/1" }),
  ],
};
