/* SPDX-License-Identifier: Apache-2.0 */
/* priced_rows.c - members, values and tools that change what a request costs.
 *
 *     member                     values without a price of their own     effect of others
 *     service_tier, serviceTier  auto default standard standard_only     flex, priority
 *                                scale reserved
 *     speed                      standard                                fast
 *     inference_geo              global not_available                    us
 *     performanceConfig.latency  standard                                optimized: no column
 *
 * `scale` and `reserved` are capacity that was bought before: a token costs no more than standard.
 * What OpenAI's computer and local shell, and Anthropic's bash, computer, memory and text editor do
 * is run by the caller; searching for tools has no fee.
 *
 * Sources: OpenAI's reference of chat completions, Responses (service_tier, tools, max_tool_calls)
 * and Realtime, and its price list; Anthropic's Messages (service_tier, speed, inference_geo,
 * tools, mcp_servers) and price list; Google's GenerateContentRequest (serviceTier, Tool) and
 * Vertex AI's X-Vertex-AI-LLM-Shared-Request-Type; Amazon Bedrock's Converse (serviceTier,
 * performanceConfig, systemTool) and InvokeModel's headers; xAI (search_parameters), OpenRouter
 * (plugins), DashScope (enable_search).
 */
#include "llm/api/priced_rows.h"

#define OPENAI KM_PRICED_OPENAI
#define RESPONSES KM_PRICED_RESPONSES
#define MESSAGES KM_PRICED_MESSAGES
#define GEMINI KM_PRICED_GEMINI
#define CONVERSE KM_PRICED_CONVERSE
#define REALTIME KM_PRICED_REALTIME
#define ALL KM_PRICED_ANY

static const struct km_priced_value services[] = {
    { "auto", KM_PRICED_NOTHING },          { "default", KM_PRICED_NOTHING },
    { "standard", KM_PRICED_NOTHING },      { "standard_only", KM_PRICED_NOTHING },
    { "scale", KM_PRICED_NOTHING },         { "reserved", KM_PRICED_NOTHING },
    { "unspecified", KM_PRICED_NOTHING },   { "service_tier_unspecified", KM_PRICED_NOTHING },
    { "service_tier_standard", KM_PRICED_NOTHING },
    { "flex", KM_PRICED_FLEX },             { "service_tier_flex", KM_PRICED_FLEX },
    { "priority", KM_PRICED_PRIORITY },     { "service_tier_priority", KM_PRICED_PRIORITY },
    { NULL, KM_PRICED_NOTHING },
};

static const struct km_priced_value speeds[] = {
    { "standard", KM_PRICED_NOTHING },
    { "fast", KM_PRICED_FAST },
    { NULL, KM_PRICED_NOTHING },
};

static const struct km_priced_value geos[] = {
    { "global", KM_PRICED_NOTHING },
    { "not_available", KM_PRICED_NOTHING },
    { "us", KM_PRICED_US },
    { NULL, KM_PRICED_NOTHING },
};

static const struct km_priced_value latencies[] = {
    { "standard", KM_PRICED_NOTHING },
    { NULL, KM_PRICED_NOTHING },
};

static const struct km_priced_value off[] = {
    { "off", KM_PRICED_NOTHING },
    { "false", KM_PRICED_NOTHING },
    { NULL, KM_PRICED_NOTHING },
};

/* --- tools --- */

#define BY_CALLER(n, a) { .name = n, .apis = (a), .cost = KM_PRICED_BY_CALLER }
#define BY_TOKENS(n, a, t)                                                                         \
    { .name = n, .apis = (a), .cost = KM_PRICED_BY_TOKENS, .tool = KM_HOSTED_TOOL_##t }
#define BY_USE(n, a, t, h)                                                                         \
    { .name = n,                                                                                   \
      .apis = (a),                                                                                 \
      .cost = KM_PRICED_BY_USE,                                                                    \
      .tool = KM_HOSTED_TOOL_##t,                                                                  \
      .hosted = KM_HOSTED_##h }
#define UNKNOWN(n, a, t)                                                                           \
    { .name = n, .apis = (a), .cost = KM_PRICED_UNKNOWN, .tool = KM_HOSTED_TOOL_##t }

const struct km_priced_tool km_priced_types[] = {
    BY_CALLER("function", ALL),
    BY_CALLER("custom", ALL),
    BY_CALLER("namespace", ALL),
    BY_CALLER("local_shell", ALL),
    BY_CALLER("apply_patch", ALL),
    BY_CALLER("computer", ALL),
    BY_CALLER("computer_use_preview", ALL),
    BY_CALLER("computer-preview", ALL),
    BY_CALLER("tool_search", ALL),
    BY_USE("web_search", ALL, WEB_SEARCH, WEB_SEARCH),
    BY_USE("web_search_preview", ALL, WEB_SEARCH, WEB_SEARCH),
    BY_USE("code_interpreter", ALL, CODE, CODE_INTERPRETER),
    BY_USE("shell", ALL, CODE, CODE_INTERPRETER), /* in a container, unless it says local */
    BY_USE("file_search", ALL, FILE_SEARCH, FILE_SEARCH),
    UNKNOWN("image_generation", ALL, IMAGE),
    BY_TOKENS("mcp", ALL, MCP),
    BY_TOKENS("mcp_toolset", ALL, MCP),
    { .name = "bash_", .apis = ALL, .starts = true },
    { .name = "text_editor_", .apis = ALL, .starts = true },
    { .name = "computer_", .apis = ALL, .starts = true },
    { .name = "memory_", .apis = ALL, .starts = true },
    { .name = "tool_search_tool_", .apis = ALL, .starts = true },
    { .name = "web_search_", .apis = ALL, .cost = KM_PRICED_BY_USE,
      .tool = KM_HOSTED_TOOL_WEB_SEARCH, .hosted = KM_HOSTED_WEB_SEARCH, .starts = true },
    { .name = "web_fetch_", .apis = ALL, .cost = KM_PRICED_BY_TOKENS,
      .tool = KM_HOSTED_TOOL_WEB_FETCH, .starts = true },
    { .name = "code_execution_", .apis = ALL, .cost = KM_PRICED_BY_USE,
      .tool = KM_HOSTED_TOOL_CODE, .hosted = KM_HOSTED_CODE_INTERPRETER, .starts = true },
    { 0 },
};

/* Google's, and Converse's: an object whose one member it is. */
const struct km_priced_tool km_priced_keys[] = {
    BY_CALLER("functionDeclarations", ALL),
    BY_CALLER("function_declarations", ALL),
    BY_CALLER("computerUse", ALL),
    BY_CALLER("computer_use", ALL),
    BY_CALLER("toolSpec", ALL),
    BY_CALLER("cachePoint", ALL),
    BY_USE("googleSearch", ALL, WEB_SEARCH, WEB_SEARCH),
    BY_USE("google_search", ALL, WEB_SEARCH, WEB_SEARCH),
    BY_USE("googleSearchRetrieval", ALL, WEB_SEARCH, WEB_SEARCH),
    BY_USE("google_search_retrieval", ALL, WEB_SEARCH, WEB_SEARCH),
    BY_TOKENS("codeExecution", ALL, CODE),
    BY_TOKENS("code_execution", ALL, CODE),
    BY_TOKENS("urlContext", ALL, WEB_FETCH),
    BY_TOKENS("url_context", ALL, WEB_FETCH),
    BY_TOKENS("fileSearch", ALL, FILE_SEARCH),
    BY_TOKENS("file_search", ALL, FILE_SEARCH),
    BY_TOKENS("mcpServers", ALL, MCP),
    BY_TOKENS("mcp_servers", ALL, MCP),
    UNKNOWN("googleMaps", ALL, MAPS),
    UNKNOWN("google_maps", ALL, MAPS),
    UNKNOWN("enterpriseWebSearch", ALL, WEB_SEARCH),
    UNKNOWN("enterprise_web_search", ALL, WEB_SEARCH),
    UNKNOWN("retrieval", ALL, FILE_SEARCH),
    { 0 },
};

const struct km_priced_tool km_priced_system[] = {
    BY_USE("nova_grounding", CONVERSE, WEB_SEARCH, WEB_SEARCH),
    BY_USE("nova_code_interpreter", CONVERSE, CODE, CODE_INTERPRETER),
    { 0 },
};

static const struct km_priced_tool searches =
    BY_USE("web_search_options", OPENAI, WEB_SEARCH, WEB_SEARCH);
static const struct km_priced_tool live_search = UNKNOWN("search_parameters", OPENAI, WEB_SEARCH);
static const struct km_priced_tool search_flag = UNKNOWN("enable_search", OPENAI, WEB_SEARCH);
static const struct km_priced_tool plugins = UNKNOWN("plugins", OPENAI, OTHER);
static const struct km_priced_tool servers = BY_TOKENS("mcp_servers", MESSAGES, MCP);

/* --- members --- */

#define NAME(s) { s, sizeof(s) - 1 }

const struct km_priced_row km_priced_rows[] = {
    { .name = NAME("service_tier"), .apis = ALL, .inner = "type", .values = services,
      .member = KM_SAID_SERVICE },
    { .name = NAME("serviceTier"), .apis = GEMINI | CONVERSE, .inner = "type", .values = services,
      .member = KM_SAID_SERVICE },
    { .name = NAME("performanceConfig"), .apis = CONVERSE, .inner = "latency",
      .values = latencies },
    { .name = NAME("speed"), .apis = MESSAGES, .values = speeds, .member = KM_SAID_SPEED },
    { .name = NAME("inference_geo"), .apis = MESSAGES, .values = geos, .member = KM_SAID_GEO },
    { .name = NAME("web_search_options"), .apis = OPENAI, .kind = KM_PRICED_SEARCH,
      .tool = &searches },
    { .name = NAME("search_parameters"), .apis = OPENAI, .kind = KM_PRICED_TOOL, .inner = "mode",
      .values = off, .tool = &live_search },
    { .name = NAME("enable_search"), .apis = OPENAI, .kind = KM_PRICED_TOOL, .values = off,
      .tool = &search_flag },
    { .name = NAME("plugins"), .apis = OPENAI, .kind = KM_PRICED_TOOL, .tool = &plugins },
    { .name = NAME("mcp_servers"), .apis = MESSAGES, .kind = KM_PRICED_TOOL, .tool = &servers },
    { .name = NAME("background"), .apis = RESPONSES, .kind = KM_PRICED_BACKGROUND },
    { .name = NAME("previous_response_id"), .apis = RESPONSES, .kind = KM_PRICED_STORED },
    { .name = NAME("conversation"), .apis = RESPONSES, .kind = KM_PRICED_STORED },
    { .name = NAME("prompt"), .apis = RESPONSES, .kind = KM_PRICED_STORED },
    { .name = NAME("container"), .apis = MESSAGES, .kind = KM_PRICED_STORED },
    { .name = NAME("cachedContent"), .apis = GEMINI, .kind = KM_PRICED_STORED },
    { .name = NAME("cached_content"), .apis = GEMINI, .kind = KM_PRICED_STORED },
    { .name = NAME("tools"), .apis = ALL & ~(unsigned)CONVERSE, .kind = KM_PRICED_TOOLS },
    { .name = NAME("toolConfig"), .apis = CONVERSE, .kind = KM_PRICED_TOOLS, .inner = "tools" },
    { .name = NAME("generationConfig"), .apis = GEMINI, .kind = KM_PRICED_OBJECT,
      .inside = GEMINI },
    { .name = NAME("generation_config"), .apis = GEMINI, .kind = KM_PRICED_OBJECT,
      .inside = GEMINI },
    { .name = NAME("additionalModelRequestFields"), .apis = CONVERSE, .kind = KM_PRICED_OBJECT,
      .inside = OPENAI | MESSAGES },
    { .name = NAME("extra_body"), .apis = OPENAI | RESPONSES | MESSAGES, .kind = KM_PRICED_OBJECT,
      .inside = OPENAI | RESPONSES | MESSAGES },
};
const size_t km_priced_rows_n = sizeof km_priced_rows / sizeof km_priced_rows[0];
_Static_assert(sizeof km_priced_rows / sizeof km_priced_rows[0] <= 32,
               "priced.c has room for them");

/* Bedrock's for InvokeModel, whose body has no room for them, and Vertex AI's. */
const struct km_priced_header km_priced_headers[] = {
    { NAME("x-amzn-bedrock-service-tier"), services },
    { NAME("x-amzn-bedrock-performanceconfig-latency"), latencies },
    { NAME("x-vertex-ai-llm-shared-request-type"), services },
};
const size_t km_priced_headers_n = sizeof km_priced_headers / sizeof km_priced_headers[0];
