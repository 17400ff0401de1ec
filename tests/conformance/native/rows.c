/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - tools with fixed answers, resources and prompts of the fixture; see fixture.h. */
#include "fixture.h"

#define STEP_MS 50
#define STEPS 3

int fixture_say(struct km_mcp_call *call, const char *text)
{
    km_mcp_call_text(call, km_str_c(text), false);
    return 0;
}

static int content(struct km_mcp_call *call, const char *blocks)
{
    km_mcp_call_content(call, km_str_c(blocks), false);
    return 0;
}

#define SAYS(name, call_expression)                                                                \
    static int name(struct km_mcp_call *call, struct km_err *err)                                  \
    {                                                                                              \
        (void)err;                                                                                 \
        return call_expression;                                                                    \
    }

#define IMAGE "{\"type\":\"image\",\"data\":\"" PNG "\",\"mimeType\":\"image/png\"}"

SAYS(simple, fixture_say(call, "This is a simple text response for testing."))
SAYS(image, content(call, "[" IMAGE "]"))
SAYS(audio, content(call, "[{\"type\":\"audio\",\"data\":\"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+"
                          "AAACABAAZGF0YQAAAAA=\",\"mimeType\":\"audio/wav\"}]"))
SAYS(embedded, content(call, "[{\"type\":\"resource\",\"resource\":{\"uri\":"
                             "\"test://embedded-resource\",\"mimeType\":\"text/plain\",\"text\":"
                             "\"This is an embedded resource content.\"}}]"))
SAYS(mixed,
     content(call,
             "[{\"type\":\"text\",\"text\":\"Multiple content types test:\"}," IMAGE ",{\"type\":"
             "\"resource\",\"resource\":{\"uri\":\"test://mixed-content-resource\",\"mimeType\":"
             "\"application/json\",\"text\":\"{\\\"test\\\":\\\"data\\\",\\\"value\\\":123}\"}}]"))

static int fails(struct km_mcp_call *call, struct km_err *err)
{
    (void)call;
    return km_fail(err, KM_E_INVALID, "This tool intentionally returns an error for testing");
}

static int structured(struct km_mcp_call *call, struct km_err *err)
{
    int64_t a = 1, b = 2;

    (void)err;
    (void)km_json_i64(km_json_get(call->args, "a"), &a);
    (void)km_json_i64(km_json_get(call->args, "b"), &b);
    km_mcp_call_result(call, km_arena_printf(call->arena, "{\"sum\":%lld}", (long long)(a + b)));
    return 0;
}

static int echo_arguments(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    km_mcp_call_text(call, call->args ? km_json_compact(call->args, call->arena) : KM_STR("{}"),
                     false);
    return 0;
}

static int header(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str region = KM_STR("undefined");

    (void)err;
    (void)km_json_string(km_json_get(call->args, "region"), &region);
    km_mcp_call_text(call, km_arena_printf(call->arena, "region=%.*s", KM_STR_ARG(region)), false);
    return 0;
}

static int log_once(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    km_mcp_call_log(call, "info", KM_STR("One line."));
    return fixture_say(call, "Logged one line.");
}

static int streams(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    km_mcp_call_progress(call, 1, 2);
    return fixture_say(call, "Nothing was asked.");
}

/* --- tools that work for a while --- */

struct work {
    struct km_timer timer;
    struct km_mcp_call *call;
    unsigned step;
    void (*moment)(struct work *w); /* at each step; the last one answers */
};

static void on_step(void *ctx)
{
    struct work *w = ctx;

    w->moment(w);
}

static void again(struct work *w)
{
    w->step++;
    km_timer_start(&w->timer, STEP_MS);
}

static int work(struct km_mcp_call *call, void (*moment)(struct work *w), struct km_err *err)
{
    const struct fixture *f = call->server->data;
    struct work *w = km_arena_zalloc(call->arena, sizeof *w);

    if (!w)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    w->call = call;
    w->moment = moment;
    km_timer_init(&w->timer, f->args.loop, on_step, w);
    call->work = w;
    moment(w);
    return 0;
}

void fixture_drop(struct km_mcp_call *call)
{
    struct work *w = call->work;

    km_timer_stop(&w->timer);
}

void fixture_cancel(struct km_mcp_call *call)
{
    fixture_drop(call);
    km_mcp_call_text(call, KM_STR("cancelled"), true);
}

static void log_step(struct work *w)
{
    static const struct km_str lines[STEPS] = { TEXT("Tool execution started"),
                                                TEXT("Tool processing data"),
                                                TEXT("Tool execution completed") };

    if (w->step == STEPS) {
        fixture_say(w->call, "Logged three lines.");
        return;
    }
    km_mcp_call_log(w->call, "info", lines[w->step]);
    again(w);
}

static void progress_step(struct work *w)
{
    if (w->step == STEPS) {
        fixture_say(w->call, "Progress reported.");
        return;
    }
    km_mcp_call_progress(w->call, (int64_t)w->step * 50, 100);
    again(w);
}

static void wait_step(struct work *w)
{
    if (w->step == STEPS - 1)
        fixture_say(w->call, "Reconnection test completed successfully.");
    else
        again(w);
}

SAYS(logs, work(call, log_step, err))
SAYS(progresses, work(call, progress_step, err))
SAYS(waits, work(call, wait_step, err))

#define EVERY_KEYWORD                                                                              \
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"$defs\":" \
    "{\"address\":{\"$anchor\":\"addressDef\",\"type\":\"object\",\"properties\":{\"street\":"     \
    "{\"type\":\"string\"},\"city\":{\"type\":\"string\"}}}},\"properties\":{\"name\":{\"type\":"  \
    "\"string\"},\"address\":{\"$ref\":\"#/$defs/address\"},\"contactMethod\":{\"type\":"          \
    "\"string\",\"enum\":[\"phone\",\"email\"]},\"phone\":{\"type\":\"string\"},\"email\":"        \
    "{\"type\":\"string\"}},\"allOf\":[{\"anyOf\":[{\"required\":[\"phone\"]},{\"required\":"      \
    "[\"email\"]}]}],\"if\":{\"properties\":{\"contactMethod\":{\"const\":\"phone\"}},"            \
    "\"required\":[\"contactMethod\"]},\"then\":{\"required\":[\"phone\"]},\"else\":"              \
    "{\"required\":[\"email\"]},\"additionalProperties\":false}"

#define PLAIN(tool, says, fn)                                                                      \
    {                                                                                              \
        .name = TEXT(tool), .description = TEXT(says), .input = NO_ARGUMENTS, .run = (fn)          \
    }

const struct km_mcp_tool fixture_tools[] = {
    { .name = TEXT("test_simple_text"),
      .description = TEXT("A short text"),
      .input = NO_ARGUMENTS,
      .hints = { .read_only = 1 },
      .run = simple },
    PLAIN("test_image_content", "An image", image),
    PLAIN("test_audio_content", "A sound", audio),
    PLAIN("test_embedded_resource", "A resource inside the answer", embedded),
    PLAIN("test_multiple_content_types", "Text, image and resource in one answer", mixed),
    PLAIN("test_tool_with_logging", "Logs while it works", logs),
    PLAIN("test_logging_tool", "Logs for who asked for it", log_once),
    PLAIN("test_error_handling", "Fails", fails),
    PLAIN("test_tool_with_progress", "Says how far it is", progresses),
    PLAIN("test_reconnection", "Takes a moment", waits),
    PLAIN("test_streaming_elicitation", "Streams, and asks nothing", streams),
    { .name = TEXT("test_structured"),
      .description = TEXT("An answer with a schema"),
      .input = TEXT("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":"
                    "{\"type\":\"number\"}}}"),
      .output = TEXT("{\"type\":\"object\",\"properties\":{\"sum\":{\"type\":\"number\"}},"
                     "\"required\":[\"sum\"]}"),
      .run = structured },
    { .name = TEXT("json_schema_2020_12_tool"),
      .description = TEXT("Every keyword of JSON Schema 2020-12"),
      .input = TEXT(EVERY_KEYWORD),
      .run = echo_arguments },
    { .name = TEXT("test_x_mcp_header"),
      .description = TEXT("An argument that is also a header"),
      .input = TEXT("{\"type\":\"object\",\"properties\":{\"region\":{\"type\":\"string\","
                    "\"x-mcp-header\":\"Region\"},\"note\":{\"type\":\"string\"}}}"),
      .run = header },
};
const size_t fixture_ntools = sizeof fixture_tools / sizeof fixture_tools[0];

/* --- resources --- */

static int contents(struct km_mcp_call *call, const char *mime, const char *member,
                    struct km_str value)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&b, KM_STR("\"contents\":[{\"uri\":"));
    km_buf_json(&b, call->uri);
    km_buf_printf(&b, ",\"mimeType\":\"%s\",\"%s\":", mime, member);
    km_buf_json(&b, value);
    km_buf_str(&b, KM_STR("}]"));
    km_mcp_call_members(call, km_buf_view(&b));
    return 0;
}

SAYS(read_text, contents(call, "text/plain", "text",
                         KM_STR("This is the content of the static text resource.")))
SAYS(read_binary, contents(call, "image/png", "blob", KM_STR(PNG)))
SAYS(read_watched, contents(call, "text/plain", "text", KM_STR("Watched.")))

static int read_template(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str id = km_str_skip(call->uri, sizeof "test://template/" - 1);

    (void)err;
    id = km_str_sub(id, 0, km_str_chr(id, '/'));
    return contents(call, "application/json", "text",
                    km_arena_printf(call->arena,
                                    "{\"id\":\"%.*s\",\"templateTest\":true,\"data\":\"Data for "
                                    "ID: %.*s\"}",
                                    KM_STR_ARG(id), KM_STR_ARG(id)));
}

const struct km_mcp_resource fixture_resources[] = {
    { .uri = TEXT("test://static-text"),
      .name = TEXT("static-text"),
      .description = TEXT("A text"),
      .mime = TEXT("text/plain"),
      .run = read_text },
    { .uri = TEXT("test://static-binary"),
      .name = TEXT("static-binary"),
      .description = TEXT("An image"),
      .mime = TEXT("image/png"),
      .run = read_binary },
    { .uri = TEXT("test://watched-resource"),
      .name = TEXT("watched-resource"),
      .description = TEXT("To subscribe to"),
      .mime = TEXT("text/plain"),
      .run = read_watched },
    { .uri = TEXT("test://template/{id}/data"),
      .name = TEXT("template"),
      .description = TEXT("Data by id"),
      .mime = TEXT("application/json"),
      .is_template = true,
      .run = read_template },
};
const size_t fixture_nresources = sizeof fixture_resources / sizeof fixture_resources[0];

/* --- prompts --- */

#define USER(block) "{\"role\":\"user\",\"content\":" block "}"
#define WORDS(words) USER("{\"type\":\"text\",\"text\":\"" words "\"}")

static int messages(struct km_mcp_call *call, struct km_str list)
{
    km_mcp_call_members(
        call, km_arena_cat(call->arena, (struct km_str[]){ KM_STR("\"messages\":"), list }, 2));
    return 0;
}

SAYS(prompt_simple, messages(call, KM_STR("[" WORDS("This is a simple prompt for testing.") "]")))
SAYS(prompt_image,
     messages(call, KM_STR("[" USER(IMAGE) "," WORDS("Please analyze the image above.") "]")))

static struct km_str given(const struct km_mcp_call *call, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(call->args, name), &s);
    return s;
}

static int prompt_arguments(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_str one = given(call, "arg1"), two = given(call, "arg2");

    (void)err;
    km_buf_str(&b, KM_STR("[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":"));
    km_buf_json(&b, km_arena_printf(call->arena, "Prompt with arguments: arg1='%.*s', arg2='%.*s'",
                                    KM_STR_ARG(one), KM_STR_ARG(two)));
    km_buf_str(&b, KM_STR("}}]"));
    return messages(call, km_buf_view(&b));
}

static int prompt_resource(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    (void)err;
    km_buf_str(&b, KM_STR("[{\"role\":\"user\",\"content\":{\"type\":\"resource\",\"resource\":"
                          "{\"uri\":"));
    km_buf_json(&b, given(call, "resourceUri"));
    km_buf_str(&b,
               KM_STR(",\"mimeType\":\"text/plain\",\"text\":\"Embedded resource content for "
                      "testing.\"}}}," WORDS("Please process the embedded resource above.") "]"));
    return messages(call, km_buf_view(&b));
}

static const struct km_mcp_argument two_arguments[] = {
    { TEXT("arg1"), TEXT("The first"), true },
    { TEXT("arg2"), TEXT("The second"), true },
};
static const struct km_mcp_argument resource_argument[] = {
    { TEXT("resourceUri"), TEXT("Which resource"), true },
};

const struct km_mcp_prompt fixture_prompts[] = {
    { .name = TEXT("test_simple_prompt"),
      .description = TEXT("No arguments"),
      .run = prompt_simple },
    { .name = TEXT("test_prompt_with_arguments"),
      .description = TEXT("Two arguments"),
      .arguments = two_arguments,
      .narguments = 2,
      .run = prompt_arguments },
    { .name = TEXT("test_prompt_with_embedded_resource"),
      .description = TEXT("A resource inside"),
      .arguments = resource_argument,
      .narguments = 1,
      .run = prompt_resource },
    { .name = TEXT("test_prompt_with_image"),
      .description = TEXT("An image inside"),
      .run = prompt_image },
    { .name = TEXT("test_input_required_result_prompt"),
      .description = TEXT("Asks before it answers"),
      .run = fixture_input_prompt },
};
const size_t fixture_nprompts = sizeof fixture_prompts / sizeof fixture_prompts[0];
