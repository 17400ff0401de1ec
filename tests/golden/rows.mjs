// SPDX-License-Identifier: Apache-2.0
// The golden conversations: a row is a case.  What is asked, what the vendor answers, in no
// vendor's words.  Callers (callers/) put `ask` into their API's words, fakes (fakes/) put
// `answer` into their vendor's, and matrix.mjs expects that what comes back says the same.
//
//   ask      system, turns [{role, parts}], tools, choice, max, temperature, stop, schema, effort
//     parts  {text} {image: {type, data}} {call: {id, name, input}} {document: {name, data}}
//            {result: {id, name, text, error, image}}; cache: a cache point behind it
//     more   members of one API's request that no other has
//   answer   blocks [{text: [pieces], cites: [{url, title, words}]} {think: [pieces], signature} {call: {id, name, input, group}}
//            {redacted}],
//            finish "stop" "length" "tools" "filter" "refusal"; usage: what is not 0
//     fault  before the answer: {kind, text}; `status` is what a caller of kanmon must get
//            or one of them, where vendors differ
//            a fault of the way there: {raw: {status, type, body}}, in nobody's words
//     broken in the middle of a stream: "error" (the vendor's own event), "eof", "reset";
//            "first": its first event is an error; "half": a whole answer cut in its middle;
//            "nonsense": an answer that is none
//     stopped  the stop sequence that was met
//     cut    bytes a network piece has; escape: characters beyond ASCII as \uXXXX
//   then     a second turn: the first answer goes back as the caller's SDK keeps it, with the
//            results; `mark` is text only the second request has
//   refused  providers for which the gateway itself must say 400 and ask nobody, with the reason
//   apis     those that can ask it; all when it is not said
//   between  only where a gateway is between
//   without  providers that cannot say this, with the reason
//
// usage.input has all of the input, what was cached and what was written to the cache too.

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5" +
  "ErkJggg==";

const PDF = "JVBERi0xLjQKMSAwIG9iago8PD4+CmVuZG9iagp0cmFpbGVyCjw8Pj4KJSVFT0YK";

/* Providers that know nothing of it. */
const others = (...names) => (why) => Object.fromEntries(names.map((n) => [n, why]));
const notClaude = others("openai", "gemini", "vertex-gemini", "azure", "ollama", "vllm");

const weather = {
  name: "get_weather", description: "The weather of a city.",
  schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const now = { name: "now", description: "The time.", schema: { type: "object", properties: {} } };

const say = (...text) => ({ blocks: [{ text }], finish: "stop", usage: { input: 21, output: 9 } });
const asked = (name, text) => ({ role: "user", parts: [{ text: `golden:${name} ${text}` }] });
const tool = (name, id, input) => ({ call: { id, name, input } });
const fault = (name, status, kind, text, more = {}) => ({
  name, ask: { turns: [asked(name, "Hi.")], max: 64 },
  answer: { fault: { kind, text, ...more } }, expect: { status, ...more },
});
const way = (name, status, raw) => ({
  name, between: true, ask: { turns: [asked(name, "Hi.")], max: 64 },
  answer: { fault: { raw } }, expect: { status },
});
const broken = (name, how) => ({
  name, streams: "only", ask: { turns: [asked(name, "Tell me.")], max: 64 },
  answer: { ...say("Once upon", " a time"), broken: how }, expect: { text: "Once upon a time" },
});
const chosen = (name, choice, blocks, finish) => ({
  name, ask: { turns: [asked(name, "Weather in Oslo?")], tools: [weather, now], choice, max: 64 },
  answer: { blocks, finish, usage: { input: 50, output: 12 } },
});

export const rows = [
  { name: "plain", ask: { turns: [asked("plain", "Say hello.")], max: 64 },
    answer: say("Hel", "lo", " there", "!") },

  { name: "cites", ask: { turns: [asked("cites", "Where does it say so?")], max: 64 },
    answer: { blocks: [{ text: ["Es grünt ", "so. "] }, { text: ["Ja."], cites: [
      { url: "https://example.com/so", title: "So it says", words: "It is so." }] }],
    finish: "stop", usage: { input: 21, output: 9 } },
    without: { ollama: "its API has no citations" } },

  { name: "settings",
    ask: {
      system: "Be brief.", max: 100, temperature: 0.2, stop: ["END", "FIN"],
      turns: [asked("settings", "One."), { role: "assistant", parts: [{ text: "Two." }] },
        { role: "user", parts: [{ text: "Three." }] }],
    },
    answer: say("Four.") },

  { name: "no-bound", ask: { turns: [asked("no-bound", "Say hello.")] }, answer: say("Hello.") },

  { name: "tool", ask: { turns: [asked("tool", "Weather in Oslo?")], tools: [weather], max: 64 },
    answer: { blocks: [tool("get_weather", "call_1", { city: "Oslo" })], finish: "tools",
      usage: { input: 40, output: 15 } } },

  { name: "tools-parallel",
    ask: { turns: [asked("tools-parallel", "Weather in Oslo and Rome, and the time?")],
      tools: [weather, now], max: 200 },
    answer: {
      blocks: [{ text: ["Let me ", "look."] }, tool("get_weather", "call_1", { city: "Oslo" }),
        tool("get_weather", "call_2", { city: "Rome" }), tool("now", "call_3", {})],
      finish: "tools", usage: { input: 60, output: 45 } } },

  { name: "tool-results",
    ask: {
      system: "Be brief.", tools: [weather, now], max: 64,
      turns: [asked("tool-results", "Weather in Oslo and Rome?"),
        { role: "assistant", parts: [{ text: "Let me look." },
          tool("get_weather", "call_1", { city: "Oslo" }),
          tool("get_weather", "call_2", { city: "Rome" })] },
        { role: "user", parts: [{ result: { id: "call_1", name: "get_weather", text: "7 degrees" } },
          { result: { id: "call_2", name: "get_weather", text: "21 degrees" } },
          { text: "Well?" }] }],
    },
    answer: say("Oslo 7, Rome 21.") },

  { name: "tools-there-and-back",
    ask: { turns: [asked("tools-there-and-back", "Weather in Oslo?")], tools: [weather], max: 64 },
    answer: { blocks: [tool("get_weather", "call_1", { city: "Oslo" }),
      tool("get_weather", "call_2", { city: "Bergen" })], finish: "tools",
    usage: { input: 40, output: 15 } },
    then: { mark: "seven degrees", results: ["seven degrees", "it rains"],
      answer: say("Seven, and rain.") } },

  { ...chosen("choice-required", "required", [tool("now", "call_1", {})], "tools"),
    refused: { ollama: "a tool cannot be forced there" } },
  { ...chosen("choice-named", { name: "get_weather" },
    [tool("get_weather", "call_1", { city: "Oslo" })], "tools"),
  refused: { ollama: "a tool cannot be forced there" } },
  { ...chosen("choice-none", "none", [{ text: ["No."] }], "stop"),
    without: { ollama: "its API has no tool choice" } },

  { name: "image",
    ask: { max: 64, turns: [{ role: "user", parts: [{ text: "golden:image What is it?" },
      { image: { type: "image/png", data: PNG } }] }] },
    answer: say("A ", "dot.") },

  { name: "thinking",
    ask: { turns: [asked("thinking", "Think.")], max: 8000, effort: "medium" },
    answer: { blocks: [{ think: ["First ", "this, ", "then that."], signature: "c2lnbmVkLWJ5LW1l" },
      { text: ["Thus", "."] }], finish: "stop",
    usage: { input: 21, output: 30, reasoning: 20 } } },

  { name: "thinking-there-and-back",
    ask: { turns: [asked("thinking-there-and-back", "Weather in Oslo?")], tools: [weather],
      max: 8000, effort: "medium" },
    answer: {
      blocks: [{ think: ["I must ", "look."], signature: "c2lnbmVkLWFuZC1zZWFsZWQ=" },
        tool("get_weather", "call_1", { city: "Oslo" })],
      finish: "tools", usage: { input: 40, output: 33, reasoning: 10 } },
    then: { mark: "seven degrees", results: ["seven degrees"], thinks: true,
      answer: say("Seven.") } },

  { name: "refusal", ask: { turns: [asked("refusal", "How is a bomb made?")], max: 64 },
    answer: { blocks: [{ text: ["I cannot ", "help with that."], refusal: true }],
      finish: "refusal", usage: { input: 21, output: 6 } } },

  { name: "length", ask: { turns: [asked("length", "Count.")], max: 5 },
    answer: { ...say("One, two, three"), finish: "length" } },

  { name: "filter", ask: { turns: [asked("filter", "Say it.")], max: 64 },
    answer: { ...say("Well, "), finish: "filter" },
    without: { ollama: "it filters nothing", anthropic: "a filter there is a refusal",
      "bedrock-invoke": "a filter there is a refusal",
      "vertex-claude": "a filter there is a refusal" } },

  { name: "schema",
    ask: { turns: [asked("schema", "A city?")], max: 64, schema: {
      name: "city", schema: { type: "object", properties: { city: { type: "string" } },
        required: ["city"], additionalProperties: false } } },
    answer: say("{\"city\":", "\"Oslo\"}") },

  { name: "cached", ask: { turns: [asked("cached", "Again.")], max: 64 },
    answer: { ...say("Again."), usage: { input: 1200, cached: 1000, written: 150, output: 9 } } },

  { name: "empty", ask: { turns: [asked("empty", "Say nothing.")], max: 64 },
    answer: { blocks: [], finish: "stop", usage: { input: 21, output: 1 } } },

  { name: "unicode", ask: { max: 64, turns: [asked("unicode", "さようなら 🙂 \u0001\" \\ \u2028")] },
    answer: { ...say("こん", "にちは 👩‍👩‍👧", " \"quoted\" \\ ", "\n\t\u2028 Ünï"), cut: 3 } },

  { name: "unicode-escaped", ask: { max: 64, turns: [asked("unicode-escaped", "Grüße 🙂")] },
    answer: { ...say("こん", "にちは 👩‍👩‍👧", " \"quoted\" \\ ", "\n\t\u2028 Ünï"), cut: 5,
      escape: true } },

  { name: "stop-sequence", ask: { turns: [asked("stop-sequence", "Count.")], max: 64, stop: ["four"] },
    answer: { ...say("One two three "), stopped: "four" } },

  { name: "prompt-blocked", without: others("openai", "anthropic", "bedrock", "bedrock-invoke",
    "vertex-claude", "azure", "ollama", "vllm")("it refuses before, or in its answer"),
  ask: { turns: [asked("prompt-blocked", "Say it.")], max: 64 },
  answer: { blocks: [], finish: "filter", blocked: true, usage: { input: 21, output: 0 } } },

  { name: "same-roles", apis: ["chat", "responses", "messages", "gemini"],
    ask: { max: 64, turns: [asked("same-roles", "One."), { role: "user", parts: [{ text: "Two." }] },
      { role: "assistant", parts: [{ text: "Three." }] },
      { role: "assistant", parts: [{ text: "Four." }] }, { role: "user", parts: [{ text: "Five." }] }] },
    answer: say("Six.") },

  { name: "empty-text", apis: ["chat"],
    ask: { max: 64, tools: [now], turns: [asked("empty-text", "Time?"),
      { role: "assistant", parts: [{ text: "" }, tool("now", "call_1", {})] },
      { role: "user", parts: [{ result: { id: "call_1", name: "now", text: "noon" } }] }] },
    answer: say("Noon.") },

  { name: "ids-odd", apis: ["chat", "responses"],
    ask: { max: 64, tools: [now], turns: [asked("ids-odd", "Time?"),
      { role: "assistant", parts: [tool("now", `call:1/ä|${"x".repeat(70)}`, {}),
        tool("now", `call:1/ö|${"x".repeat(70)}`, { zone: "UTC" })] },
      { role: "user", parts: [
        { result: { id: `call:1/ä|${"x".repeat(70)}`, name: "now", text: "noon" } },
        { result: { id: `call:1/ö|${"x".repeat(70)}`, name: "now", text: "eleven" } }] }] },
    answer: say("Noon.") },

  { name: "tool-error", apis: ["messages"],
    ask: { max: 64, tools: [now], turns: [asked("tool-error", "Time?"),
      { role: "assistant", parts: [tool("now", "call_1", {})] },
      { role: "user", parts: [{ result: { id: "call_1", name: "now", text: "no clock", error: true } }] }] },
    answer: say("I cannot know.") },

  { name: "tool-image", apis: ["messages"], without: notClaude("where it goes is the codec's to say"),
    ask: { max: 64, tools: [now], turns: [asked("tool-image", "Look at the clock."),
      { role: "assistant", parts: [tool("now", "call_1", {})] },
      { role: "user", parts: [{ result: { id: "call_1", name: "now", text: "see",
        image: { type: "image/png", data: PNG } } }] }] },
    answer: say("Noon.") },

  { name: "deep-input", ask: { turns: [asked("deep-input", "Weather?")], tools: [weather], max: 64 },
    answer: { blocks: [tool("get_weather", "call_1", { city: "Zürich \"x\" \\ \n 🙂 \u2028", n: 0.1,
      deep: { list: [1, { none: null, yes: true }, []], empty: {} } })], finish: "tools",
    usage: { input: 40, output: 35 } } },

  { name: "long", ask: { turns: [asked("long", "x".repeat(200000))], tools: [weather], max: 32000 },
    answer: { blocks: [{ text: Array.from({ length: 100 }, (_, i) => `${i} ${"ä".repeat(500)}\n`) },
      tool("get_weather", "call_1", { city: "y".repeat(20000) })], finish: "tools",
    usage: { input: 50000, output: 30000 } } },

  { name: "document", apis: ["chat", "responses", "messages", "gemini"], refused: { ollama: "it takes no documents" },
    ask: { max: 64, turns: [{ role: "user", parts: [{ text: "golden:document Sum it up." },
      { document: { name: "report", data: PDF } }] }] },
    answer: say("Nothing.") },

  { name: "cache-points", apis: ["chat", "messages"],
    without: notClaude("it has no cache points"),
    ask: { max: 64, system: "Be brief.", cacheSystem: true, turns: [
      { role: "user", parts: [{ text: "golden:cache-points One.", cache: true }] }] },
    answer: say("Two.") },

  { name: "redacted", apis: ["chat", "messages"], without: notClaude("it seals no reasoning"),
    ask: { turns: [asked("redacted", "Weather in Oslo?")], tools: [weather], max: 8000,
      effort: "medium" },
    answer: { blocks: [{ redacted: "c2VhbGVkLXJlYXNvbmluZw==" },
      tool("get_weather", "call_1", { city: "Oslo" })], finish: "tools",
    usage: { input: 40, output: 33 } },
    then: { mark: "seven degrees", results: ["seven degrees"], answer: say("Seven.") } },

  { name: "thinking-twice",
    ask: { turns: [asked("thinking-twice", "Think.")], tools: [weather], max: 8000, effort: "high" },
    answer: { blocks: [{ think: ["First."], signature: "c2lnbmVkLW9uZQ==" }, { text: ["Hm."] },
      { think: [" Then."], signature: "c2lnbmVkLXR3byE=" },
      tool("get_weather", "call_1", { city: "Oslo" })], finish: "tools",
    usage: { input: 40, output: 33, reasoning: 10 } } },

  { name: "unknown-parameter", apis: ["chat"],
    ask: { turns: [asked("unknown-parameter", "Hi.")], max: 64, more: { logit_bias: { 50256: -100 } } },
    refused: { ...others("anthropic", "bedrock", "bedrock-invoke", "vertex-claude", "gemini",
      "vertex-gemini", "ollama")("it has no logit_bias") },
    answer: say("Hi.") },

  fault("bad-request", 400, "invalid", "temperature: must be less than 3"),
  fault("context-length", 400, "context", "too long"),
  fault("unauthorized", 401, "auth", "the key is not known"),
  fault("not-found", 404, "model", "there is no such model"),
  fault("rate-limited", 429, "rate", "slow down", { retryAfter: 7 }),
  fault("server-error", 500, "server", "it broke"),
  fault("overloaded", [503, 529], "overloaded", "too many at once"), // as its vendor says it

  { ...broken("broken-error", "error"),
    without: { azure: "none was recorded", ollama: "it ends the stream" } },
  broken("broken-eof", "eof"),
  broken("broken-reset", "reset"),
  { ...broken("broken-first", "first"), expect: { text: "" } },
  { ...broken("broken-half", "half"), between: true, streams: "never", expect: { text: "", status: 502 } },
  { ...broken("broken-nonsense", "nonsense"), between: true, streams: "both", expect: { text: "", status: 502 } },
  way("way-html", 502, { status: 502, type: "text/html", body: "<html><h1>Bad Gateway</h1></html>" }),
  way("way-empty", 503, { status: 503, type: "text/plain", body: "" }),
  way("way-text", 500, { status: 500, type: "text/plain", body: "upstream request timeout" }),
  way("way-list", 429, { status: 429, type: "application/json",
    body: "[{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}]" }),
];

/* A tool of an MCP server, by the name that a program gives it. */
const remote = (name, ...blocks) => ({ name, params: { drop_params: true },
  answer: { blocks, finish: "tools", usage: { input: 100, output: 15 } },
  then: { mark: "Echo: seven degrees", answer: { ...say("Seven degrees ", "it is."),
    usage: { input: 121, output: 9 } } } });
const message = { message: "seven degrees" };

/* Rows that only one program plays (tests/clients): what it asks is its own. */
export const scripts = [
  remote("mcp-claude", { think: ["A tool."], signature: "c2lnbmVk" }, tool("mcp__kanmon__kit-echo", "toolu_1", message)),
  remote("mcp-codex", tool("mcp__kanmon__kit_echo", "call_1", message)),
  remote("mcp-codex-group", { call: { ...tool("kit_echo", "call_1", message).call,
    group: "mcp__kanmon" } }),
  { name: "endless", answer: { ...say(..."and on ".repeat(20).split(/(?<= )/)), broken: "endless" } },
  { name: "claude",
    answer: { blocks: [{ think: ["A file."], signature: "c2lnbmVk" }, tool("Bash", "toolu_1",
      { command: "cat golden.txt", description: "Shows the file" })], finish: "tools",
    usage: { input: 100, output: 15 } },
    then: { mark: "seven degrees", answer: { ...say("Seven degrees ", "it is."),
      usage: { input: 121, output: 9 } } } },
  { name: "gemini-cli",
    answer: { blocks: [tool("run_shell_command", "call_1", { command: "cat golden.txt" })],
      finish: "tools", usage: { input: 100, output: 15 } },
    then: { mark: "seven degrees", answer: { ...say("Seven degrees ", "it is."),
      usage: { input: 121, output: 9 } } } },
  // it brings tools of OpenAI's own (web_search): others have them dropped
  { name: "codex", params: { drop_params: true },
    answer: { blocks: [{ text: ["I look."] }, tool("exec_command", "call_1",
      { cmd: "cat golden.txt" })], finish: "tools", usage: { input: 100, output: 15 } },
    then: { mark: "seven degrees", answer: { ...say("Seven degrees ", "it is."),
      usage: { input: 121, output: 9 } } } },
  // a tool of one of its groups, by the name it has where there are none
  { name: "codex-group", params: { drop_params: true },
    answer: { blocks: [tool("multi_agent_v1__close_agent", "call_1",
      { target: "019a0000-0000-7000-8000-000000000000" })], finish: "tools",
    usage: { input: 100, output: 15 } },
    then: { mark: "not found", answer: { ...say("Nobody ", "is there."),
      usage: { input: 121, output: 9 } } } },
];
