/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "mcp/server/peer.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }

/* --- a server that asks --- */

static int runs;

static int run_greet(struct km_mcp_call *call, struct km_err *err)
{
    static const struct km_mcp_call_question q[] = {
        { TEXT("name"), TEXT("elicitation/create"),
          TEXT("{\"message\":\"Who?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":"
               "{\"name\":{\"type\":\"string\"}},\"required\":[\"name\"]}}") },
        { TEXT("mood"), TEXT("elicitation/create"),
          TEXT("{\"message\":\"How?\",\"requestedSchema\":{\"type\":\"object\"}}") },
    };
    struct km_str name = KM_STR_NONE;

    (void)err;
    runs++;
    km_mcp_call_log(call, "debug", KM_STR("small"));
    km_mcp_call_log(call, "error", KM_STR("large"));
    for (size_t i = 0; i < 2; i++)
        if (km_mcp_call_ask(call, &q[i], 1))
            return 0;
    (void)km_json_string(
        km_json_get(km_json_get(km_mcp_call_answer(call, KM_STR("name")), "content"), "name"),
        &name);
    km_mcp_call_text(call, km_arena_printf(call->arena, "Hello %.*s", KM_STR_ARG(name)), false);
    return 0;
}

static int run_read(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str parts[] = { KM_STR("\"contents\":[{\"uri\":\""), call->uri,
                              KM_STR("\",\"text\":\"t\"}]") };

    (void)err;
    km_mcp_call_members(call, km_arena_cat(call->arena, parts, 3));
    return 0;
}

static int run_prompt(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    km_mcp_call_members(call, KM_STR("\"messages\":[]"));
    return 0;
}

static const struct km_mcp_tool tools[] = { { .name = TEXT("greet"),
                                              .description = TEXT("Greets."),
                                              .input = TEXT("{\"type\":\"object\"}"),
                                              .run = run_greet } };
static const struct km_mcp_resource resources[] = {
    { .uri = TEXT("box://one"), .name = TEXT("one"), .run = run_read },
    { .uri = TEXT("box://all/{id}"), .name = TEXT("all"), .is_template = true, .run = run_read },
};
static const struct km_mcp_argument arguments[] = { { TEXT("a"), TEXT("One."), true } };
static const struct km_mcp_prompt prompts[] = { { .name = TEXT("p"),
                                                  .description = TEXT("Says."),
                                                  .arguments = arguments,
                                                  .narguments = 1,
                                                  .run = run_prompt } };
static const uint8_t key[32] = { 1 };
static struct km_mcp_server server = { .name = TEXT("box"),
                                       .version = TEXT("1"),
                                       .tools = tools,
                                       .ntools = 1,
                                       .resources = resources,
                                       .nresources = 2,
                                       .prompts = prompts,
                                       .nprompts = 1,
                                       .changes = true,
                                       .state_key = key };

/* --- a line to it --- */

struct line {
    struct km_loop *loop;
    struct km_mcp_peer *peer;
    char said[16384]; /* since the last message, a line each */
    bool inside; /* of a call of the peer */
};

static void on_put(void *ctx, uint64_t about, struct km_str text)
{
    struct line *l = ctx;
    size_t n = strlen(l->said);

    (void)about;
    assert_false(l->inside);
    snprintf(l->said + n, sizeof l->said - n, "%.*s\n", KM_STR_ARG(text));
}

static void on_idle(void *ctx)
{
    struct line *l = ctx;

    km_loop_stop(l->loop);
}

static const char *say(struct line *l, const char *text)
{
    l->said[0] = '\0';
    l->inside = true;
    km_mcp_peer_take(l->peer, &(struct km_mcp_peer_message){ .text = km_str_c(text),
                                                             .principal = KM_STR("me") });
    l->inside = false;
    km_loop_run(l->loop);
    return l->said;
}

static int setup(void **state)
{
    static struct line line;
    struct km_err err;

    line = (struct line){ .loop = km_loop_new(&err) };
    line.peer = km_mcp_peer_new(&(struct km_mcp_peer_args){
        .loop = line.loop, .server = &server, .calls_most = 4, .put = on_put, .ctx = &line });
    km_loop_on_idle(line.loop, on_idle, &line);
    runs = 0;
    *state = &line;
    return line.peer ? 0 : -1;
}

static int teardown(void **state)
{
    struct line *l = *state;

    km_mcp_peer_free(l->peer);
    km_loop_free(l->loop);
    return 0;
}

#define HELLO                                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"2025-11-25\",\"capabilities\":{\"elicitation\":{}}}}"
#define ASK(id, method, params)                                                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define META                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}"
#define GREET ASK(1, "tools/call", "\"name\":\"greet\"")

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void rows_are_listed_and_read(void **state)
{
    struct line *l = *state;

    assert_has(say(l, HELLO), "\"prompts\":{\"listChanged\":true}");
    assert_has(say(l, ASK(1, "resources/list", "")), "\"resources\":[{\"uri\":\"box://one\"");
    assert_has(say(l, ASK(1, "resources/templates/list", "")),
               "\"uriTemplate\":\"box://all/{id}\"");
    assert_has(say(l, ASK(1, "resources/read", "\"uri\":\"box://all/7\"")), "\"box://all/7\"");
    assert_has(say(l, ASK(1, "resources/read", "\"uri\":\"box://no\"")), "-32002");
    assert_has(l->said, "\"data\":{\"uri\":\"box://no\"}");
    assert_has(say(l, ASK(1, "prompts/list", "")), "\"required\":true");
    assert_has(say(l, ASK(1, "prompts/get", "\"name\":\"p\"")), "p needs the argument a");
    assert_has(say(l, ASK(1, "prompts/get", "\"name\":\"p\",\"arguments\":{\"a\":\"b\"}")),
               "\"messages\":[]");
}

static void a_question_goes_to_a_client_with_a_handshake(void **state)
{
    struct line *l = *state;

    say(l, HELLO);
    say(l, ASK(9, "logging/setLevel", "\"level\":\"error\""));
    assert_has(say(l, GREET), "\"method\":\"elicitation/create\"");
    assert_has(l->said, "large");
    assert_null(strstr(l->said, "small"));
    assert_null(strstr(l->said, "\"id\":1,"));
    /* An answer that does not fit, one to nothing, then one that fits. */
    assert_has(say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q3.0.1\",\"result\":{\"action\":\"accept\","
                      "\"content\":{\"name\":7}}}"),
               "q3.0.2");
    say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q9.0.1\",\"result\":{\"action\":\"decline\"}}");
    assert_string_equal(l->said, "");
    assert_has(say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q3.0.2\",\"result\":{\"action\":\"accept\","
                      "\"content\":{\"name\":\"Ann\"}}}"),
               "How?");
    assert_has(say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q3.1.1\",\"result\":{\"action\":"
                      "\"decline\"}}"),
               "Hello Ann");
    assert_int_equal(runs, 4);
    assert_true(km_mcp_peer_is_idle(l->peer));
}

/* What is under way goes on by what the client said before; what comes after, by its new word. */
static void a_question_outlives_another_greeting(void **state)
{
    struct line *l = *state;

    say(l, HELLO);
    assert_has(say(l, GREET), "Who?");
    assert_has(say(l, HELLO), "\"protocolVersion\":\"2025-11-25\"");
    assert_has(say(l, ASK(5, "initialize",
                          "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"roots\":{}}")),
               "\"protocolVersion\":\"2025-06-18\"");
    assert_null(strstr(l->said, "\"id\":1,"));
    assert_has(say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q2.0.1\",\"result\":{\"action\":\"accept\","
                      "\"content\":{\"name\":\"Ann\"}}}"),
               "How?");
    assert_has(say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q2.1.1\",\"result\":{\"action\":"
                      "\"decline\"}}"),
               "Hello Ann");
    say(l, ASK(6, "tools/call", "\"name\":\"greet\""));
    assert_null(strstr(l->said, "elicitation/create"));
    assert_has(l->said, "\"id\":6,");
    assert_true(km_mcp_peer_is_idle(l->peer));
}

static void a_refused_question_is_not_asked_again(void **state)
{
    struct line *l = *state;

    say(l, HELLO);
    say(l, GREET);
    assert_has(say(l, "{\"jsonrpc\":\"2.0\",\"id\":\"q2.0.1\",\"error\":{\"code\":-1,\"message\":"
                      "\"no\"}}"),
               "gave no answer that fits 'name'");
    assert_true(km_mcp_peer_is_idle(l->peer));
}

/* The state of a round, out of its answer. */
static void take_state(const struct line *l, char *state, size_t n)
{
    const char *at = strstr(l->said, "\"requestState\":\"");

    assert_non_null(at);
    at += strlen("\"requestState\":\"");
    snprintf(state, n, "%.*s", (int)strcspn(at, "\""), at);
}

static void a_stateless_client_carries_what_it_answered(void **state)
{
    struct line *l = *state;
    char kept[1024], text[4096];

    assert_has(say(l, ASK(1, "tools/call", "\"name\":\"greet\"," META)), "input_required");
    assert_has(l->said, "Who?");
    assert_has(say(l, ASK(2, "tools/call",
                          "\"name\":\"greet\",\"inputResponses\":{\"name\":{\"action\":\"accept\","
                          "\"content\":{\"name\":\"Ann\"}}}," META)),
               "How?");
    take_state(l, kept, sizeof kept);
    snprintf(text, sizeof text,
             ASK(3, "tools/call",
                 "\"name\":\"greet\",\"requestState\":\"%s\",\"inputResponses\":{\"mood\":"
                 "{\"action\":\"cancel\"}}," META),
             kept);
    assert_has(say(l, text), "Hello Ann");
    kept[20] = kept[20] == 'A' ? 'B' : 'A';
    snprintf(text, sizeof text,
             ASK(4, "tools/call", "\"name\":\"greet\",\"requestState\":\"%s\"," META), kept);
    assert_has(say(l, text), "Invalid or expired requestState");
    assert_has(say(l, ASK(5, "tools/call",
                          "\"name\":\"greet\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion"
                          "\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}")),
               "-32021");
    assert_has(l->said, "\"requiredCapabilities\":{\"elicitation\":{}}");
}

static const char *told(struct line *l, const char *method, const char *params)
{
    l->said[0] = '\0';
    km_mcp_peer_tell(l->peer, km_str_c(method), km_str_c(params));
    return l->said;
}

static void changes_go_to_who_wants_them(void **state)
{
    static const char uri[] = "{\"uri\":\"box://one\"}";
    struct line *l = *state;

    assert_string_equal(told(l, "notifications/tools/list_changed", ""), "");
    say(l, ASK(1, "subscriptions/listen",
               "\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":["
               "\"box://one\"]}," META));
    assert_has(l->said, "acknowledged");
    assert_has(told(l, "notifications/tools/list_changed", ""), "subscriptionId\":1");
    assert_string_equal(told(l, "notifications/prompts/list_changed", ""), "");
    assert_has(told(l, "notifications/resources/updated", uri), "subscriptionId\":1");
    say(l, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
           "{\"requestId\":1}}");
    assert_true(km_mcp_peer_is_idle(l->peer));
    say(l, HELLO);
    assert_has(told(l, "notifications/prompts/list_changed", ""), "prompts/list_changed");
    assert_string_equal(told(l, "notifications/resources/updated", uri), "");
    say(l, ASK(3, "resources/subscribe", "\"uri\":\"box://one\""));
    assert_has(told(l, "notifications/resources/updated", uri), "box://one");
    say(l, ASK(4, "resources/unsubscribe", "\"uri\":\"box://one\""));
    assert_string_equal(told(l, "notifications/resources/updated", uri), "");
}

static void what_waits_for_a_client_ends_with_it(void **state)
{
    struct line *l = *state;

    say(l, HELLO);
    for (int i = 0; i < 4; i++)
        say(l, GREET);
    assert_has(say(l, GREET), "too many calls are under way");
    l->said[0] = '\0';
    km_mcp_peer_end(l->peer);
    km_loop_run(l->loop);
    assert_string_equal(l->said, "");
    assert_true(km_mcp_peer_is_idle(l->peer));
    say(l, GREET); /* of a line that was read before: nobody will answer */
    assert_true(km_mcp_peer_is_idle(l->peer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_listed_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_question_goes_to_a_client_with_a_handshake, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_question_outlives_another_greeting, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_question_is_not_asked_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stateless_client_carries_what_it_answered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(changes_go_to_who_wants_them, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_for_a_client_ends_with_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
