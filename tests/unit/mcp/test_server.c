/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/time.h"
#include "mcp/server/server.h"

/* --- a server of our own --- */

static int runs; /* how often the destructive tool ran */
static struct km_mcp_call *waiting; /* a call of the tool that answers later */

static int run_echo(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str text = KM_STR_NONE;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    if (!km_json_string(km_json_get(call->args, "text"), &text))
        return km_fail(err, KM_E_INVALID, "nothing to say");
    km_buf_str(&b, KM_STR("{\"said\":"));
    km_buf_json(&b, text);
    km_buf_byte(&b, '}');
    km_mcp_call_result(call, km_buf_view(&b));
    return 0;
}

static int run_drop(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    runs++;
    km_mcp_call_text(call, KM_STR("dropped"), false);
    return 0;
}

static int run_later(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    waiting = call;
    return 0;
}

static int run_huge(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_MCP_RESULT_BYTES);

    (void)err;
    for (size_t i = 0; i < 3 * KM_MCP_RESULT_BYTES; i++)
        km_buf_byte(&b, 'x');
    km_mcp_call_text(call, km_buf_view(&b), false);
    return 0;
}

#define TEXT(s)                                                                                    \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }

static const struct km_mcp_tool tools[] = {
    { .name = TEXT("echo"),
      .title = TEXT("Echo"),
      .description = TEXT("Says it again."),
      .input = TEXT("{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}}}"),
      .output = TEXT("{\"type\":\"object\"}"),
      .hints = { .read_only = 1 },
      .run = run_echo },
    { .name = TEXT("drop"),
      .description = TEXT("Drops it."),
      .input = TEXT("{\"type\":\"object\"}"),
      .hints = { .destructive = 1 },
      .run = run_drop },
    { .name = TEXT("later"),
      .description = TEXT("Answers later."),
      .input = TEXT("{\"type\":\"object\"}"),
      .run = run_later },
    { .name = TEXT("huge"),
      .description = TEXT("Says too much."),
      .input = TEXT("{\"type\":\"object\"}"),
      .run = run_huge },
    { .name = TEXT("secret"),
      .description = TEXT("For the administrator."),
      .input = TEXT("{\"type\":\"object\"}"),
      .admin = true,
      .run = run_drop },
};

static const struct km_mcp_server server = {
    .name = TEXT("my-box"),
    .version = TEXT("1"),
    .instructions = TEXT("Be kind."),
    .tools = tools,
    .ntools = sizeof tools / sizeof tools[0],
};
static const struct km_mcp_server *const servers[] = { &server };
static const struct km_mcp_endpoint bare = {
    .name = TEXT("box"), .version = TEXT("2"), .servers = servers, .nservers = 1
};
static const struct km_mcp_endpoint prefixed = {
    .name = TEXT("all"), .version = TEXT("2"), .servers = servers, .nservers = 1, .prefixed = true
};

/* --- one message in, one answer out --- */

struct box {
    struct km_arena arena;
    struct km_approvals *approvals;
    struct km_mcp_call call;
    const struct km_mcp_endpoint *endpoint;
    bool admin, audit_fails;
    int http, replies, records;
    char body[8192], detail[1024], actor[64], target[160];
};

static struct box *box_of(struct km_mcp_call *call)
{
    return call->caller.ctx;
}

static void on_audit(struct km_mcp_call *call, const struct km_audit *record)
{
    struct box *b = box_of(call);

    b->records++;
    snprintf(b->detail, sizeof b->detail, "%.*s", KM_STR_ARG(record->detail));
    snprintf(b->actor, sizeof b->actor, "%.*s", KM_STR_ARG(record->actor));
    snprintf(b->target, sizeof b->target, "%.*s", KM_STR_ARG(record->target));
    assert_true(km_str_eq(record->action, KM_STR("mcp.call")));
}

static void on_reply(struct km_mcp_call *call, int http, struct km_str body)
{
    struct box *b = box_of(call);

    b->replies++;
    b->http = http;
    snprintf(b->body, sizeof b->body, "%.*s", KM_STR_ARG(body));
}

static const struct km_mcp_host host = { .audit = on_audit, .reply = on_reply };

static int setup(void **state)
{
    static struct box box;

    box = (struct box){ .approvals = km_approvals_new(16), .endpoint = &bare };
    km_arena_init(&box.arena, (size_t)64 << 20, NULL);
    runs = 0;
    waiting = NULL;
    *state = &box;
    return box.approvals ? 0 : -1;
}

static int teardown(void **state)
{
    struct box *b = *state;

    km_arena_done(&b->arena);
    km_approvals_free(b->approvals);
    return 0;
}

static void send_only(struct box *b, const char *text, const char *header)
{
    enum km_rpc_fault fault;
    struct km_err err = { 0 };

    km_arena_done(&b->arena);
    km_arena_init(&b->arena, (size_t)64 << 20, NULL);
    b->replies = b->records = 0;
    b->call = (struct km_mcp_call){
        .arena = &b->arena,
        .host = &host,
        .endpoint = b->endpoint,
        .caller = { .who = KM_STR("key:1a2b"),
                    .principal = KM_STR("key:1a2b3c"),
                    .admin = b->admin,
                    .ctx = b },
        .approvals = b->approvals,
        .policy = &km_approval_default,
    };
    assert_int_equal(km_rpc_parse(&b->arena, km_str_c(text), &b->call.msg, &fault, &err), 0);
    if (km_mcp_revision_select(&b->call.msg, true, km_str_c(header), &b->call.revision, &fault,
                               &err) < 0)
        km_mcp_fault(&b->call, fault, err.text);
    else
        km_mcp_handle(&b->call);
}

/* Sends, and lets the record be written. */
static const char *ask(struct box *b, const char *text, const char *header)
{
    struct km_err err = { 0 };

    send_only(b, text, header);
    if (b->records) {
        assert_int_equal(b->records, 1);
        assert_int_equal(b->replies, 0);
        km_fail(&err, KM_E_STORE, "disk full");
        km_mcp_audited(&b->call, b->audit_fails ? &err : NULL);
    }
    assert_int_equal(b->replies, 1);
    return b->body;
}

#define OLD "2025-11-25"
#define NEW "2026-07-28"
#define CALL(params)                                                                               \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":" params "}"
#define META                                                                                       \
    "\"_meta\":{\"" KM_MCP_META_VERSION "\":\"" NEW "\",\"" KM_MCP_META_CAPABILITIES "\":{}}"

#define ASSERT_HAS(text, part) assert_non_null(strstr(text, part))
#define ASSERT_LACKS(text, part) assert_null(strstr(text, part))

static void initialize_agrees_and_introduces_itself(void **state)
{
    struct box *b = *state;

    assert_string_equal(
        ask(b,
            "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"initialize\",\"params\":{"
            "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{"
            "\"name\":\"c\",\"version\":\"1\"}}}",
            ""),
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"protocolVersion\":\"2025-06-18\","
        "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"box\",\"version\":\"2\"},"
        "\"instructions\":\"Be kind.\"}}");
    assert_int_equal(b->http, 200);
    ASSERT_HAS(ask(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}", ""), "-32602");
}

static void notifications_and_responses_get_no_answer(void **state)
{
    struct box *b = *state;

    ask(b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", OLD);
    assert_int_equal(b->http, 202);
    assert_string_equal(b->body, "");
    ask(b, "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"drop\"}}", OLD);
    assert_int_equal(b->http, 202);
    assert_int_equal(runs, 0);
    ask(b, "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}", OLD);
    assert_int_equal(b->http, 202);
    ask(b, "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}", NEW);
    assert_int_equal(b->http, 400);
    ASSERT_HAS(b->body, "-32600");
}

static void methods_belong_to_their_era(void **state)
{
    struct box *b = *state;

    assert_string_equal(ask(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", OLD),
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    ASSERT_HAS(ask(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}", OLD),
               "-32601");
    assert_int_equal(b->http, 200);
    ASSERT_HAS(
        ask(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" META "}}", NEW),
        "-32601");
    assert_int_equal(b->http, 404);
    assert_string_equal(
        ask(b,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{" META "}}",
            NEW),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\","
        "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},"
        "\"instructions\":\"Be kind.\",\"ttlMs\":3600000,\"cacheScope\":\"public\",\"_meta\":{"
        "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"box\",\"version\":\"2\"}}}}");
    ASSERT_HAS(ask(b,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
                   "\"" KM_MCP_META_VERSION "\":\"2031-01-01\"}}}",
                   "2031-01-01"),
               "\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"2031-01-01\"}");
}

static void a_list_says_what_the_revision_knows(void **state)
{
    static const char list[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";
    struct box *b = *state;

    ask(b, list, OLD);
    ASSERT_HAS(b->body, "{\"name\":\"echo\",\"title\":\"Echo\",\"description\":\"Says it again.\","
                        "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"text\":{\"type\":"
                        "\"string\"}}},\"outputSchema\":{\"type\":\"object\"},\"annotations\":{"
                        "\"readOnlyHint\":true}}");
    ASSERT_LACKS(b->body, "secret");
    ASSERT_LACKS(b->body, "ttlMs");
    ask(b, list, "2025-03-26");
    ASSERT_HAS(b->body, "readOnlyHint");
    ASSERT_LACKS(b->body, "outputSchema");
    ASSERT_LACKS(b->body, "title");
    ask(b, list, "2024-11-05");
    ASSERT_LACKS(b->body, "readOnlyHint");
    ask(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}", NEW);
    ASSERT_HAS(b->body, "\"resultType\":\"complete\",\"ttlMs\":300000,\"cacheScope\":\"private\"");
    b->admin = true;
    b->endpoint = &prefixed;
    ask(b, list, OLD);
    ASSERT_HAS(b->body, "\"my-box-secret\"");
    ASSERT_HAS(b->body, "\"my-box-echo\"");
    ask(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":\"x\"}}",
        OLD);
    ASSERT_HAS(b->body, "-32602");
}

static void a_call_runs_and_is_recorded(void **state)
{
    struct box *b = *state;

    assert_string_equal(
        ask(b, CALL("{\"name\":\"echo\",\"arguments\":{\"text\":\"hi \\\"x\\\"\"}}"), OLD),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
        "\"{\\\"said\\\":\\\"hi \\\\\\\"x\\\\\\\"\\\"}\"}],\"structuredContent\":{\"said\":"
        "\"hi \\\"x\\\"\"},\"isError\":false}}");
    assert_string_equal(b->actor, "key:1a2b");
    assert_string_equal(b->target, "echo");
    ASSERT_HAS(b->detail, "{\"server\":\"my-box\",\"tool\":\"echo\",\"arguments_sha256\":\"");
    ASSERT_HAS(b->detail, "\"outcome\":\"ok\"");
    ASSERT_LACKS(b->detail, "hi");
    ask(b, CALL("{\"name\":\"echo\",\"arguments\":{\"text\":\"hi\"}}"), "2025-03-26");
    ASSERT_LACKS(b->body, "structuredContent");
    ask(b, CALL("{\"name\":\"echo\",\"arguments\":{\"text\":\"hi\"}," META "}"), NEW);
    ASSERT_HAS(b->body, "\"resultType\":\"complete\"");
    ASSERT_HAS(b->body, "serverInfo");
}

static void both_forms_of_a_name_are_found_by_look_up(void **state)
{
    struct box *b = *state;

    ASSERT_HAS(ask(b, CALL("{\"name\":\"my-box-echo\",\"arguments\":{\"text\":\"a\"}}"), OLD),
               "said");
    b->endpoint = &prefixed;
    ASSERT_HAS(ask(b, CALL("{\"name\":\"my-box-echo\",\"arguments\":{\"text\":\"a\"}}"), OLD),
               "said");
    ASSERT_HAS(ask(b, CALL("{\"name\":\"echo\",\"arguments\":{\"text\":\"a\"}}"), OLD), "said");
    ASSERT_HAS(ask(b, CALL("{\"name\":\"box-echo\"}"), OLD), "Unknown tool: box-echo");
    ASSERT_HAS(ask(b, CALL("{\"name\":\"my-boxecho\"}"), OLD), "-32602");
    ASSERT_HAS(b->detail, "\"outcome\":\"unknown_tool\"");
    /* What the caller may not see does not exist for it. */
    ASSERT_HAS(ask(b, CALL("{\"name\":\"secret\"}"), OLD), "Unknown tool: secret");
    assert_int_equal(runs, 0);
    b->admin = true;
    ASSERT_HAS(ask(b, CALL("{\"name\":\"secret\"}"), OLD), "dropped");
}

static void bad_arguments_are_answered_as_the_revision_says(void **state)
{
    static const char call[] = CALL("{\"name\":\"echo\",\"arguments\":{\"text\":7}}");
    struct box *b = *state;

    ask(b, call, OLD);
    ASSERT_HAS(b->body, "arguments.text must be of type string");
    ASSERT_HAS(b->body, "\"isError\":true");
    ask(b, call, "2025-06-18");
    ASSERT_HAS(b->body, "\"code\":-32602,\"message\":\"arguments.text must be of type string\"");
    ASSERT_HAS(b->detail, "\"outcome\":\"invalid_arguments\"");
    ask(b, CALL("{\"name\":\"echo\",\"arguments\":[]}"), OLD);
    ASSERT_HAS(b->body, "-32602");
    ask(b, CALL("{}"), OLD);
    ASSERT_HAS(b->body, "tools/call needs params.name");
}

static void a_tool_that_fails_is_an_answer(void **state)
{
    struct box *b = *state;

    ask(b, CALL("{\"name\":\"echo\"}"), OLD);
    ASSERT_HAS(b->body, "\"text\":\"nothing to say\"");
    ASSERT_HAS(b->body, "\"isError\":true");
    ASSERT_HAS(b->detail, "\"outcome\":\"error\"");
    ask(b, CALL("{\"name\":\"huge\"}"), OLD);
    ASSERT_HAS(b->body, "-32603");
}

static void a_tool_may_answer_later(void **state)
{
    struct box *b = *state;

    send_only(b, CALL("{\"name\":\"later\"}"), OLD);
    assert_int_equal(b->records + b->replies, 0);
    assert_ptr_equal(waiting, &b->call);
    km_mcp_call_text(waiting, KM_STR("done"), false);
    assert_int_equal(b->records, 1);
    assert_int_equal(b->replies, 0);
    km_mcp_audited(&b->call, NULL);
    assert_int_equal(b->replies, 1);
    ASSERT_HAS(b->body, "\"text\":\"done\"");
}

static void a_result_without_a_record_is_withheld(void **state)
{
    struct box *b = *state;

    b->audit_fails = true;
    ask(b, CALL("{\"name\":\"echo\",\"arguments\":{\"text\":\"precious\"}}"), OLD);
    ASSERT_LACKS(b->body, "precious");
    ASSERT_HAS(b->body, "-32603");
}

static void a_destructive_call_waits_for_approval_and_runs_once(void **state)
{
    struct box *b = *state;
    const char *at;

    ask(b, CALL("{\"name\":\"drop\",\"arguments\":{\"a\":1,\"b\":2}}"), OLD);
    ASSERT_HAS(b->body, "\"isError\":true");
    ASSERT_HAS(b->detail, "\"outcome\":\"approval_required\"");
    assert_int_equal(runs, 0);
    at = strstr(b->body, "approval required: ");
    assert_non_null(at);
    assert_int_equal(
        km_approvals_answer(b->approvals,
                            km_str(at + strlen("approval required: "), KM_APPROVAL_ID_LEN), true,
                            km_mono_ms(), NULL, NULL),
        0);
    /* The other form of the name and another order of the arguments are the same call. */
    ask(b, CALL("{\"name\":\"my-box-drop\",\"arguments\":{\"b\":2,\"a\":1}}"), OLD);
    ASSERT_HAS(b->body, "dropped");
    assert_int_equal(runs, 1);
    ask(b, CALL("{\"name\":\"drop\",\"arguments\":{\"a\":1,\"b\":2}}"), OLD);
    ASSERT_HAS(b->body, "approval required");
    assert_int_equal(runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(initialize_agrees_and_introduces_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(notifications_and_responses_get_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(methods_belong_to_their_era, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_says_what_the_revision_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_runs_and_is_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(both_forms_of_a_name_are_found_by_look_up, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_are_answered_as_the_revision_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_tool_that_fails_is_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tool_may_answer_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_without_a_record_is_withheld, setup, teardown),
        cmocka_unit_test_setup_teardown(a_destructive_call_waits_for_approval_and_runs_once, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
