/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams from their configuration, and asks to a server that is a real child process: this
 * program again, under the shim that is this program too (see main). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mcp/ask.h"
#include "mcp/desk.h"
#include "mcp/view/virtual.h"
#include "sys/mailbox.h"
#include "sys/shim.h"
#include "sys/signals.h"

#define LIMIT_MS 20000 /* of any wait */

/* --- the server --- */

static void say(const char *fmt, ...) KM_PRINTF(1, 2);
static void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
}

static void on_list(const char *id, const struct km_json *params)
{
    struct km_str cursor = KM_STR_NONE;

    if (km_json_string(km_json_get(params, "cursor"), &cursor))
        say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[{\"name\":\"second\","
            "\"inputSchema\":{ \"type\" : \"object\" }}]}}",
            id);
    else
        say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[{\"name\":\"first\"},{\"no\":1}]"
            ","
            "\"nextCursor\":\"more\"}}",
            id);
}

static void on_call(const char *id, struct km_arena *a, const struct km_json *params)
{
    struct km_str name = KM_STR_NONE;
    const struct km_json *meta = km_json_get(params, "_meta");
    struct km_str token = km_json_compact(km_json_get(meta, "progressToken"), a);

    (void)km_json_string(km_json_get(params, "name"), &name);
    if (km_str_eq(name, KM_STR("die")))
        exit(3);
    if (km_str_eq(name, KM_STR("silent")))
        return;
    if (km_str_eq(name, KM_STR("ask"))) {
        say("{\"jsonrpc\":\"2.0\",\"id\":\"q1\",\"method\":\"elicitation/create\","
            "\"params\":{\"message\":\"Name?\",\"for\":%s}}",
            id);
        return;
    }
    if (km_str_eq(name, KM_STR("progress"))) {
        say("not json at all");
        say("{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}");
        say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
            "{\"progress\":1,\"progressToken\":%.*s,\"total\":2}}",
            KM_STR_ARG(token));
    }
    say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"params\":%.*s,\"env\":\"%s\"}}", id,
        KM_STR_ARG(km_json_compact(params, a)), getenv("SECRET_OF_KANMON") ? "leaked" : "clean");
}

static void on_server_line(const char *line, struct km_arena *a)
{
    static char waiting[32]; /* id of the call that asked */
    const struct km_json *root = NULL;
    struct km_str id, method = KM_STR_NONE;
    char text[32];

    if (km_json_parse(a, km_str_c(line), &root, NULL) < 0)
        return;
    id = km_json_compact(km_json_get(root, "id"), a);
    snprintf(text, sizeof text, "%.*s", KM_STR_ARG(id));
    (void)km_json_string(km_json_get(root, "method"), &method);
    if (km_str_eq(method, KM_STR("initialize")))
        say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-06-18\","
            "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
            text);
    else if (km_str_eq(method, KM_STR("tools/list")))
        on_list(text, km_json_get(root, "params"));
    else if (km_str_eq(method, KM_STR("tools/call"))) {
        snprintf(waiting, sizeof waiting, "%s", text);
        on_call(text, a, km_json_get(root, "params"));
    } else if (!method.n) /* the answer to our question */
        say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"said\":%.*s}}", waiting,
            KM_STR_ARG(km_json_compact(km_json_get(root, "result"), a)));
    else if (id.n)
        say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"no\"}}", text);
}

static int serve(void)
{
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0) {
        struct km_arena a;

        km_arena_init(&a, 1 << 20, NULL);
        on_server_line(line, &a);
        km_arena_done(&a);
    }
    free(line);
    return 0;
}

/* --- the fixture --- */

struct fixture {
    char folder[64], file[96];
    struct km_diags *diags;
    struct km_config *config;
    struct km_mcp_set *set;
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_log *log;
    struct km_mcp_upstreams *ups;
    struct km_mcp_desk *desk;
    struct km_timer limit;
    struct km_err err;
    int r;
    /* of an ask */
    bool done;
    enum km_mcp_answer_kind kind;
    bool maybe_executed;
    char json[4096], notice[512], question[512];
    uint64_t number;
};

static const struct km_settings_table *const tables[] = {
    &km_mcp_settings_table,
    &km_mcp_own_table,
    &km_mcp_virtual_table,
    &km_mcp_safety_table,
    &km_mcp_general_table,
    &km_mcp_alias_table,
    &km_config_top_table,
    &km_config_own_table,
    NULL,
};

static void load(struct fixture *f, const char *yaml)
{
    struct km_config_args args = { .file = f->file, .tables = tables };
    FILE *out;

    memset(f, 0, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/kanmon-upstream-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof f->file, "%s/c.yaml", f->folder);
    out = fopen(f->file, "w");
    assert_non_null(out);
    fputs(yaml, out);
    fclose(out);
    f->diags = km_diags_new();
    f->r = km_config_load(&args, f->diags, &f->config, &f->err);
    if (f->r == 0)
        f->r = km_mcp_set_new(&(struct km_mcp_set_args){ .config = f->config }, f->diags, &f->set,
                              &f->err);
}

static void unload(struct fixture *f)
{
    char command[128];

    f->set = km_mcp_set_unref(f->set);
    if (f->config)
        km_config_unref(f->config);
    km_diags_free(f->diags);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
}

static bool said(const struct fixture *f, const char *what)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_diags_text(f->diags, false, &text);
    return km_str_find(km_buf_view(&text), km_str_c(what)) < text.n;
}

static void on_limit(void *ctx)
{
    (void)ctx;
    fail_msg("nothing happened for %d ms", LIMIT_MS);
}

static void start(struct fixture *f)
{
    load(f, "mcp_servers:\n"
            "  one:\n"
            "    command: /proc/self/exe\n"
            "    args: [--server]\n"
            "    env: {GIVEN: 'yes'}\n"
            "kanmon_settings:\n"
            "  mcp_servers:\n"
            "    one: {health_interval: 0, limits: {memory: 0, processes: 0}}\n");
    assert_int_equal(f->r, 0);
    f->loop = km_loop_new(&f->err);
    f->mailbox = km_mailbox_new(f->loop, f, &f->err);
    f->log = km_log_new(STDERR_FILENO, KM_LOG_ERROR, KM_LOG_TEXT);
    f->ups = km_mcp_upstreams_new(
        &(struct km_mcp_upstreams_args){ .log = f->log, .state_dir = f->folder, .desks = 1 },
        &f->err);
    assert_non_null(f->ups);
    km_mcp_upstreams_use(f->ups, f->set);
    f->desk = km_mcp_desk_new(
        &(struct km_mcp_desk_args){ .ups = f->ups, .loop = f->loop, .mailbox = f->mailbox },
        &f->err);
    assert_non_null(f->desk);
    km_timer_init(&f->limit, f->loop, on_limit, f);
    km_timer_start(&f->limit, LIMIT_MS);
}

static void stop(struct fixture *f)
{
    km_timer_stop(&f->limit);
    f->desk = km_mcp_desk_free(f->desk);
    km_mailbox_free(f->mailbox);
    km_loop_free(f->loop);
    km_mcp_upstreams_free(f->ups);
    km_log_free(f->log);
    unload(f);
}

static void on_notice(void *ctx, struct km_str method, struct km_str params)
{
    struct fixture *f = ctx;

    snprintf(f->notice, sizeof f->notice, "%.*s %.*s", KM_STR_ARG(method), KM_STR_ARG(params));
}

static void on_question(void *ctx, uint64_t question, struct km_str method, struct km_str params)
{
    struct fixture *f = ctx;

    (void)params;
    f->number = question;
    snprintf(f->question, sizeof f->question, "%.*s", KM_STR_ARG(method));
    km_loop_stop(f->loop);
}

static void on_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct fixture *f = ctx;

    f->done = true;
    f->kind = answer->kind;
    f->maybe_executed = answer->maybe_executed;
    snprintf(f->json, sizeof f->json, "%.*s", KM_STR_ARG(answer->json));
    if (answer->err)
        snprintf(f->json, sizeof f->json, "%s", answer->err->text);
    km_loop_stop(f->loop);
}

static struct km_mcp_ask *ask(struct fixture *f, const char *method, const char *params,
                              uint64_t timeout_ms)
{
    static const struct km_mcp_ask_events events = { .on_notice = on_notice,
                                                     .on_question = on_question,
                                                     .on_done = on_done };
    const struct km_mcp_asker who = { .principal = KM_STR("p"),
                                      .capabilities = KM_STR("{\"elicitation\":{}}") };
    const struct km_mcp_ask_args args = { .upstream = f->set->v[0],
                                          .asker = &who,
                                          .method = km_str_c(method),
                                          .params = km_str_c(params),
                                          .timeout_ms = timeout_ms,
                                          .events = &events,
                                          .ctx = f };
    struct km_mcp_ask *a;

    f->done = false;
    f->notice[0] = f->question[0] = '\0';
    a = km_mcp_ask(f->desk, &args, &f->err);
    assert_non_null(a);
    assert_false(f->done); /* never from inside */
    return a;
}

/* --- configuration --- */

static void two_entries_of_one_name_are_refused_with_both_places(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, "mcp_servers:\n"
             "  one: {url: 'http://127.0.0.1:1/mcp'}\n"
             "  two: {url: 'http://127.0.0.1:1/mcp'}\n"
             "  one: {url: 'http://127.0.0.1:1/mcp'}\n");
    assert_int_equal(f.r, KM_E_CONFIG);
    assert_true(said(&f, "mcp_servers.one: it is there twice, in line 2 and in line 4"));
    unload(&f);
    load(&f, "mcp_servers:\n"
             "  one: {url: 'http://127.0.0.1:1/mcp', sandbox_network: false}\n"
             "  two: {url: 'http://127.0.0.1:1/mcp'}\n"
             "  one: {url: 'http://127.0.0.1:1/mcp'}\n");
    assert_int_equal(f.r, KM_E_CONFIG);
    assert_true(said(&f, "mcp_servers.one.sandbox_network is lost: 'one' at "));
    unload(&f);
}

static void two_servers_with_one_wire_name_are_refused_by_both_names(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, "mcp_servers:\n"
             "  my-server: {url: 'http://127.0.0.1:1/mcp'}\n"
             "  my_server: {command: x}\n");
    assert_int_equal(f.r, KM_E_CONFIG);
    assert_true(said(&f, "my_server"));
    assert_true(said(&f, "my-server"));
    assert_true(said(&f, "alias"));
    unload(&f);
}

static void an_own_entry_lies_over_litellms_key_by_key(void **state)
{
    struct fixture f;
    struct km_mcp_upstream *u;

    (void)state;
    load(&f, "mcp_servers:\n"
             "  docs: {url: 'http://127.0.0.1:1/mcp', auth_type: bearer_token, auth_value: t0ken,\n"
             "         timeout: 5, allowed_tools: [a]}\n"
             "kanmon_settings:\n"
             "  mcp_servers:\n"
             "    docs: {timeout: 7, alias: d}\n"
             "    more: {command: npx}\n");
    assert_int_equal(f.r, 0);
    assert_int_equal(f.set->n, 2);
    u = km_mcp_set_find(f.set, KM_STR("docs"));
    assert_ptr_equal(u, km_mcp_set_find(f.set, KM_STR("d")));
    assert_ptr_equal(u, km_mcp_set_find(f.set, u->id));
    assert_int_equal(u->entry->timeout_ms, 7000);
    assert_int_equal(u->entry->allowed_tools.n, 1);
    assert_int_equal(u->transport, KM_MCP_HTTP);
    assert_true(km_str_eq(u->credential, KM_STR("Authorization: Bearer t0ken\r\n")));
    assert_int_equal(km_mcp_set_find(f.set, KM_STR("more"))->transport, KM_MCP_STDIO);
    unload(&f);
}

static void what_would_restrict_and_is_not_done_or_is_misspelt_refuses_to_load(void **state)
{
    static const char *const bad[] = {
        "mcp_servers: {a: {url: 'http://h/', is_byok: true}}\n",
        "mcp_servers: {a: {url: 'http://h/', is_byok: true, auth_type: oauth2}}\n",
        "mcp_servers: {a: {url: 'http://h/', is_byok: true, auth_type: token, auth_value: x}}\n",
        "mcp_servers: {a: {command: x, is_byok: true, auth_type: token}}\n",
        "mcp_servers: {a: {url: 'http://h/', sandbox: strict}}\n",
        "mcp_servers: {a: {url: 'http://h/', allowed_tool: [x]}}\n",
        "mcp_servers: {a: {transport: stdio}}\n",
        "mcp_servers: {a: {}}\n",
        "mcp_servers: {a: {url: 'ftp://h/'}}\n",
        "mcp_servers: {a: {url: 'http://h/', auth_type: aws_sigv4}}\n",
        "mcp_servers: {a: {url: 'http://h/', auth_type: oauth2_token_exchange}}\n",
        "mcp_servers: {a: {url: 'http://h/', auth_type: oauth2_token_exchange, client_id: i,\n"
        "                  client_secret: s}}\n",
        "mcp_servers: {a: {url: 'http://h/', auth_type: oauth2_token_exchange, client_id: i,\n"
        "                  token_exchange_endpoint: 'http://i/t'}}\n",
        "mcp_servers: {a: {url: 'http://h/', auth_type: oauth2_token_exchange, client_id: i,\n"
        "                  client_secret: s, token_url: nowhere}}\n",
        "mcp_servers: {a: {url: 'http://h/', auth_type: oauth2_token_exchange, client_id: i,\n"
        "                  client_secret: s, token_url: 'http://i/t',\n"
        "                  token_exchange_profile: entra_obo}}\n",
        "mcp_servers: {a: {command: x, auth_type: oauth2_token_exchange, client_id: i,\n"
        "                  client_secret: s, token_url: 'http://i/t'}}\n",
    };
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        load(&f, bad[i]);
        assert_int_equal(f.r, KM_E_CONFIG);
        unload(&f);
    }
    load(&f, "mcp_servers: {a: {url: 'http://h/', is_byok: false, sandbox: 'off'}}\n");
    assert_int_equal(f.r, 0);
    assert_false(f.set->exchanges);
    unload(&f);
}

static void an_upstream_that_stays_the_same_is_the_same(void **state)
{
    struct fixture f;
    struct km_mcp_set *next = NULL;

    (void)state;
    load(&f, "mcp_servers: {a: {command: x}}\n");
    assert_int_equal(f.r, 0);
    assert_int_equal(
        km_mcp_set_new(&(struct km_mcp_set_args){ .config = f.config, .before = f.set }, f.diags,
                       &next, &f.err),
        0);
    assert_ptr_equal(next->v[0], f.set->v[0]);
    km_mcp_set_unref(next);
    unload(&f);
}

/* --- asks --- */

static void an_ask_starts_the_server_and_is_answered(void **state)
{
    struct fixture f;

    (void)state;
    (void)setenv("SECRET_OF_KANMON", "x", 1);
    start(&f);
    ask(&f, "tools/call", "{\"name\":\"echo\",\"arguments\":{\"n\":1.50}}", 0);
    km_loop_run(f.loop);
    assert_true(f.done);
    assert_int_equal(f.kind, KM_MCP_RESULT);
    assert_string_equal(f.json, "{\"params\":{\"name\":\"echo\",\"arguments\":{\"n\":1.50}},"
                                "\"env\":\"clean\"}");
    ask(&f, "nothing/known", "", 0);
    km_loop_run(f.loop);
    assert_int_equal(f.kind, KM_MCP_ERROR);
    assert_string_equal(f.json, "{\"code\":-32601,\"message\":\"no\"}");
    stop(&f);
}

static void progress_comes_back_under_the_askers_own_token(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    ask(&f, "tools/call",
        "{\"name\":\"progress\",\"_meta\":{\"progressToken\":\"mine\",\"trace\":1}}", 0);
    km_loop_run(f.loop);
    assert_int_equal(f.kind, KM_MCP_RESULT);
    assert_string_equal(f.notice, "notifications/progress "
                                  "{\"progress\":1,\"progressToken\":\"mine\",\"total\":2}");
    assert_non_null(strstr(f.json, "\"trace\":1")); /* and the rest of _meta went out */
    assert_null(strstr(f.json, "mine"));
    stop(&f);
}

static void a_question_of_the_server_is_asked_and_its_answer_goes_back(void **state)
{
    struct fixture f;
    struct km_mcp_ask *a;

    (void)state;
    start(&f);
    a = ask(&f, "tools/call", "{\"name\":\"ask\"}", 0);
    km_loop_run(f.loop);
    assert_false(f.done);
    assert_string_equal(f.question, "elicitation/create");
    km_mcp_ask_answer(a, f.number, false, KM_STR("{\"action\":\"accept\"}"));
    km_loop_run(f.loop);
    assert_true(f.done);
    assert_string_equal(f.json, "{\"said\":{\"action\":\"accept\"}}");
    stop(&f);
}

static void a_server_that_dies_fails_its_asks_and_serves_the_next(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    ask(&f, "tools/call", "{\"name\":\"die\"}", 0);
    km_loop_run(f.loop);
    assert_int_equal(f.kind, KM_MCP_FAILED);
    assert_true(f.maybe_executed);
    assert_non_null(strstr(f.json, "status 3"));
    /* It rests for a moment, and says so meanwhile. */
    do {
        ask(&f, "tools/call", "{\"name\":\"echo\"}", 0);
        km_loop_run(f.loop);
        assert_true(f.kind == KM_MCP_RESULT || !f.maybe_executed);
    } while (f.kind != KM_MCP_RESULT);
    stop(&f);
}

static void an_ask_without_an_answer_ends_and_a_cancelled_one_is_silent(void **state)
{
    struct fixture f;
    struct km_mcp_ask *a;

    (void)state;
    start(&f);
    a = ask(&f, "tools/call", "{\"name\":\"silent\"}", 0);
    km_mcp_ask_cancel(a, KM_STR("no longer wanted"));
    ask(&f, "tools/call", "{\"name\":\"silent\"}", 100);
    km_loop_run(f.loop);
    assert_int_equal(f.kind, KM_MCP_FAILED);
    assert_non_null(strstr(f.json, "said nothing for 100 ms"));
    a = ask(&f, "tools/call", "{\"name\":\"silent\"}", 0);
    km_mcp_ask_forget(a);
    stop(&f);
    assert_false(f.done);
}

static void on_known(void *ctx)
{
    struct fixture *f = ctx;

    km_loop_stop(f->loop);
}

static void the_catalogue_holds_all_pages_as_they_were_sent(void **state)
{
    struct fixture f;
    struct km_mcp_catalogue *c;

    (void)state;
    start(&f);
    km_mcp_catalogue_wait(f.desk, f.set->v, 1, NULL, LIMIT_MS, on_known, &f);
    km_loop_run(f.loop);
    c = km_mcp_catalogue(f.desk, f.set->v[0], NULL);
    assert_true(c->known);
    assert_int_equal(c->lists[KM_MCP_TOOLS].n, 2);
    assert_true(
        km_str_eq(c->lists[KM_MCP_TOOLS].v[1].json,
                  KM_STR("{\"name\":\"second\",\"inputSchema\":{ \"type\" : \"object\" }}")));
    assert_true(km_str_eq(c->revision->name, KM_STR("2025-06-18")));
    km_mcp_catalogue_unref(c);
    stop(&f);
}

static void processes_start_at_a_bounded_rate(void **state)
{
    struct km_mcp_upstreams ups = { 0 };
    uint64_t last = 0;

    (void)state;
    pthread_mutex_init(&ups.lock, NULL);
    assert_int_equal(km_desk_spawn_delay(&ups), 0);
    for (int i = 0; i < KM_MCP_SPAWN_BURST + 40; i++)
        last = km_desk_spawn_delay(&ups);
    assert_in_range(last, 1, (uint64_t)41 * KM_MCP_SPAWN_MS); /* time goes on meanwhile */
    pthread_mutex_destroy(&ups.lock);
}

static void a_silent_server_is_waited_for_once(void **state)
{
    static const uint8_t key[KM_MCP_KEY];
    struct km_mcp_live *live = km_mcp_live_new();
    bool begin;

    (void)state;
    km_mcp_catalogue_unref(km_mcp_live_catalogue(live, key, &begin));
    assert_true(begin);
    assert_false(km_mcp_live_overdue(live, key, 600000)); /* from now on time counts */
    assert_false(km_mcp_live_overdue(live, key, 600000));
    assert_true(km_mcp_live_overdue(live, key, 0));
    km_mcp_live_free(live);
}

static void what_would_limit_nothing_is_refused(void **state)
{
    static const struct {
        const char *entry, *said;
    } wrong[] = {
        { "allowed_params: [a]", "`allowed_params` is no map of tools" },
        { "allowed_params: {t: a}", "a list of names" },
        { "allowed_params: {t: [1]}", "a list of names" },
        { "mcp_info: {mcp_server_cost_info: {default_cost_per_query: 5ct}}", "no number of USD" },
        { "mcp_info: {mcp_server_cost_info: {tool_name_to_cost_per_query: {t: -1}}}",
          "a number of USD" },
        { "mcp_info: {mcp_server_cost_info: {tool_name_to_cost_per_query: [1]}}",
          "a number of USD" },
        { "sandbox_network: false", "`sandbox` is off" },
        { "url: 'http://h/'", "a url and a command" },
        { "static_headers: {content-Length: '5'}", "by which a request is carried" },
        { "extra_headers: [x-a, Host]", "by which a request is carried" },
        { "alias: kanmon", "like kanmon's own tools" },
    };
    struct fixture f;
    char yaml[256];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(yaml, sizeof yaml, "mcp_servers: {a: {command: x, %s}}\n", wrong[i].entry);
        load(&f, yaml);
        assert_int_equal(f.r, KM_E_CONFIG);
        assert_true(said(&f, wrong[i].said));
        unload(&f);
    }
    load(&f, "mcp_servers:\n"
             "  a: {url: 'http://h/', command: x, transport: http, allowed_params: {t: []},\n"
             "      mcp_info: {mcp_server_cost_info: {default_cost_per_query: 0.01}}}\n"
             "  b: {url: 'http://h/', auth_value: k}\n");
    assert_int_equal(f.r, 0);
    assert_true(said(&f, "there is no auth_type"));
    unload(&f);
}

/* Each with its place; empty: nothing is said. */
static void a_key_of_another_kind_of_server_is_told_and_refused_where_it_limits(void **state)
{
    static const struct {
        const char *entry, *said;
        bool refused;
    } rows[] = {
        { "url: 'http://h/', args: [-y]", "args is of a server that is a process", false },
        { "url: 'http://h/', env: {A: b}", "env is of a server that is a process", false },
        { "spec_path: 'http://h/s', url: 'http://h/', warm: 2", "warm is of a server that", false },
        { "url: 'http://h/', sandbox_read: [/a]", "sandbox_read is of a server that is", false },
        { "command: x, sandbox_read: [/a]", "sandbox_read is of a sandbox, and", false },
        { "url: 'http://h/', limits: {memory: 1GiB}", "limits is of a server that is", true },
        { "url: 'http://h/', sandbox: required", "sandbox is of a server that is a", true },
        { "command: x, static_headers: {A: b}", "static_headers is of a server with a", false },
        { "command: x, extra_headers: [a]", "extra_headers is of a server with a `url`", false },
        { "command: x, auth_type: api_key, auth_value: k", "auth_value is of a server with",
          false },
        { "command: x, auth_type: oauth2", "auth_type is of a server with a `url`", false },
        { "url: 'http://h/', client_id: i", "client_id is of auth_type oauth2 and", false },
        { "url: 'http://h/', auth_type: token, audience: i", "audience is of auth_type", false },
        { "url: 'http://h/', aws_role_name: i", "aws_role_name is of auth_type aws_sigv4", false },
        { "url: 'http://h/', spec_version: 2025-06-19", "no revision '2025-06-19'", true },
        { "command: x, spec_version: newest", "no revision 'newest'", true },
        { "url: 'http://h/', spec_version: 2026-07-28", "", false },
        { "command: x, spec_version: '2024-11-05', limits: {nofile: 99}, sandbox: 'off'", "",
          false },
        { "url: 'http://h/', args: [], env: {}, limits: {}, client_id: null, sandbox: 'off'", "",
          false },
        { "command: x, static_headers: {}, auth_type: none, oauth_shared: false", "", false },
        { "url: 'http://h/', command: x, transport: http, args: [a], limits: {nofile: 99}", "",
          false },
    };
    struct fixture f;
    char yaml[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(yaml, sizeof yaml, "mcp_servers: {a: {%s}}\n", rows[i].entry);
        load(&f, yaml);
        assert_int_equal(f.r, rows[i].refused ? KM_E_CONFIG : 0);
        assert_int_equal(said(&f, *rows[i].said ? rows[i].said : "mcp_servers.a"),
                         *rows[i].said != '\0');
        unload(&f);
    }
    load(&f, "mcp_servers:\n  a: {url: 'http://h/',\n    args: [x]}\n"
             "kanmon_settings:\n  mcp_servers:\n    a:\n      limits: {nofile: 99}\n");
    assert_int_equal(f.r, KM_E_CONFIG);
    assert_true(said(&f, "c.yaml:3:11"));
    assert_true(said(&f, "c.yaml:7:15"));
    unload(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_start_at_a_bounded_rate),
        cmocka_unit_test(a_silent_server_is_waited_for_once),
        cmocka_unit_test(two_entries_of_one_name_are_refused_with_both_places),
        cmocka_unit_test(two_servers_with_one_wire_name_are_refused_by_both_names),
        cmocka_unit_test(an_own_entry_lies_over_litellms_key_by_key),
        cmocka_unit_test(what_would_restrict_and_is_not_done_or_is_misspelt_refuses_to_load),
        cmocka_unit_test(an_upstream_that_stays_the_same_is_the_same),
        cmocka_unit_test(an_ask_starts_the_server_and_is_answered),
        cmocka_unit_test(progress_comes_back_under_the_askers_own_token),
        cmocka_unit_test(a_question_of_the_server_is_asked_and_its_answer_goes_back),
        cmocka_unit_test(a_server_that_dies_fails_its_asks_and_serves_the_next),
        cmocka_unit_test(an_ask_without_an_answer_ends_and_a_cancelled_one_is_silent),
        cmocka_unit_test(what_would_limit_nothing_is_refused),
        cmocka_unit_test(a_key_of_another_kind_of_server_is_told_and_refused_where_it_limits),
        cmocka_unit_test(the_catalogue_holds_all_pages_as_they_were_sent),
    };

    if (argc > 1 && strcmp(argv[1], "--shim") == 0)
        return km_shim_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "--server") == 0)
        return serve();
    km_signals_ignore(); /* as the gateway does: a server may die while it is written to */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
