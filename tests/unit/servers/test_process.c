/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>

#include "base/buf.h"
#include "servers/postgres/process.h"

#include "parser_fixture.h"

static struct km_err err;

static const struct km_json *json(const char *text)
{
    const struct km_json *v = NULL;

    assert_int_equal(km_json_parse(&arena, km_str_c(text), &v, NULL), 0);
    return v;
}

/* The list with each @ in it as the path of the plug-in. */
static struct km_pg_processors *made(const char *list)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_pg_processors *p;

    for (const char *c = list; *c; c++)
        if (*c == '@')
            km_buf_str(&b, KM_STR(KM_TEST_PLUGIN));
        else
            km_buf_byte(&b, *c);
    err.text[0] = '\0';
    if (km_pg_processors_new(json(km_arena_cstr(&arena, km_buf_view(&b))), &p, &err) < 0)
        return km_pg_processors_free(p);
    return p;
}

static void is_refused(const char *list, const char *why)
{
    assert_null(made(list));
    if (!strstr(err.text, why))
        print_message("%s\nwas told   %s\nand not    %s\n", list, err.text, why);
    assert_non_null(strstr(err.text, why));
    assert_int_equal(err.code, KM_E_CONFIG);
}

/* What the plug-in has open, by its own count. */
static int opened(void)
{
    void *handle = dlopen(KM_TEST_PLUGIN, RTLD_NOW | RTLD_NOLOAD);
    const int *count = handle ? dlsym(handle, "process_plugin_open") : NULL;
    int n = count ? *count : 0;

    if (handle)
        dlclose(handle);
    return n;
}

/* --- the list --- */

static void no_list_is_no_processors(void **state)
{
    struct km_pg_processors *p = (struct km_pg_processors *)1;
    struct km_str sql = KM_STR("SELECT 1"), result = KM_STR("{}");

    (void)state;
    assert_int_equal(km_pg_processors_new(NULL, &p, &err), 0);
    assert_null(p);
    p = (struct km_pg_processors *)1;
    assert_int_equal(km_pg_processors_new(json("[]"), &p, &err), 0);
    assert_null(p);
    assert_true(km_str_eq(km_pg_processors_names(NULL), KM_STR("[]")));
    assert_int_equal(km_pg_process_statement(NULL, parser, NULL, &arena, &sql, &err), 0);
    assert_int_equal(km_pg_process_result(NULL, &arena, &result, &err), 0);
    assert_true(km_str_eq(sql, KM_STR("SELECT 1")) && km_str_eq(result, KM_STR("{}")));
    assert_null(km_pg_processors_free(NULL));
}

/* A mistake that was let through would show what was to be hidden. */
static void a_mistake_stops_the_start(void **state)
{
    (void)state;
    is_refused("[{\"relation\":\"public.t\",\"colums\":[\"a\"]}]", "unknown key 'colums'");
    is_refused("[{\"relation\":\"t\"}]", "relation is `schema.name`");
    is_refused("[{\"relation\":7}]", "relation is `schema.name`");
    is_refused("[{}]", "relation is `schema.name`");
    is_refused("[{\"relation\":\"a.t\",\"mask\":{\"b\":\"*\"}}]", "mask needs columns");
    is_refused("[{\"relation\":\"a.t\",\"columns\":[],\"mask\":{\"b\":\"*\"}}]",
               "mask needs columns");
    is_refused("[{\"relation\":\"a.t\",\"where\":{}}]", "where has no column");
    is_refused("[{\"relation\":\"a.t\",\"where\":\"a = 1\"}]", "where has no column");
}

static void a_condition_has_a_value_or_says_where_it_stands(void **state)
{
    static const char *const wrong[] = {
        "null", "true", "[]", "[\"x\"]", "{}", "{\"env\":7}", "{\"var\":\"X\"}",
        "{\"env\":\"X\",\"key\":\"y\"}", "{\"env\":\"X\",\"or\":\"y\"}",
    };
    static const char *const right[] = {
        "\"x\"", "7", "\"\"", "{\"env\":\"X\"}", "{\"key\":\"x\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        is_refused(
            km_arena_printf(&arena, "[{\"relation\":\"a.t\",\"where\":{\"c\":%s}}]", wrong[i]).p,
            "where: c is a value");
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct km_pg_processors *p = made(
            km_arena_printf(&arena, "[{\"relation\":\"a.t\",\"where\":{\"c\":%s}}]", right[i]).p);

        assert_non_null(p);
        km_pg_processors_free(p);
    }
}

static void what_is_narrowed_has_names(void **state)
{
    struct km_pg_processors *p =
        made("[{\"plugin\":{\"file\":\"@\",\"config\":\"x\"}},"
             "{\"relation\":\"a.t\",\"columns\":[\"c\"]},{\"relation\":\"a.u\","
             "\"instead\":\"b.v\"}]");
    const struct km_json *names;

    (void)state;
    assert_non_null(p);
    names = json(km_arena_cstr(&arena, km_pg_processors_names(p)));
    assert_int_equal(km_json_count(names), 3); /* t, u, and v, which is shown */
    km_pg_processors_free(p);
    p = made("[{\"plugin\":{\"file\":\"@\",\"config\":\"x\"}}]");
    assert_non_null(p);
    assert_true(km_str_eq(km_pg_processors_names(p), KM_STR("[]")));
    km_pg_processors_free(p);
}

/* --- plug-ins --- */

#define PLUGIN(config) "{\"plugin\":{\"file\":\"@\",\"config\":\"" config "\"}}"

static void what_is_no_plug_in_is_not_opened(void **state)
{
    (void)state;
    is_refused("[{\"plugin\":{\"file\":\"plugin.so\"}}]", "its path must be absolute");
    is_refused("[{\"plugin\":{}}]", "its path must be absolute");
    is_refused("[{\"plugin\":{\"file\":\"/nowhere/x.so\"}}]", "it cannot be loaded");
    is_refused("[{\"plugin\":{\"file\":\"" KM_TEST_OTHER "\"}}]", "made for another kanmon");
    is_refused("[{\"plugin\":{\"file\":\"@\"}}]", "say what to do");
    assert_int_equal(opened(), 0);
}

static void there_are_at_most_eight(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_pg_processors *p;

    (void)state;
    km_buf_str(&b, KM_STR("[" PLUGIN("x")));
    for (int i = 1; i < 8; i++)
        km_buf_str(&b, KM_STR("," PLUGIN("x")));
    p = made(km_arena_printf(&arena, "%s]", km_buf_cstr(&b)).p);
    assert_non_null(p);
    assert_int_equal(opened(), 8);
    km_pg_processors_free(p);
    is_refused(km_arena_printf(&arena, "%s," PLUGIN("x") "]", km_buf_cstr(&b)).p, "too many");
    assert_int_equal(opened(), 0); /* those that were open are closed */
}

static const char *rewritten(struct km_pg_processors *p, const char *sql, int code)
{
    struct km_str text = km_str_c(sql);

    assert_non_null(p);
    assert_int_equal(km_pg_process_statement(p, parser, NULL, &arena, &text, &err), code);
    km_pg_processors_free(p);
    return km_arena_cstr(&arena, text);
}

static void plug_ins_follow_each_other(void **state)
{
    (void)state;
    assert_string_equal(
        rewritten(made("[" PLUGIN("+a") "," PLUGIN("x") "," PLUGIN("+b") "]"), "SELECT", 0),
        "SELECT a b");
    (void)rewritten(made("[" PLUGIN("+a") "," PLUGIN("refuse") "," PLUGIN("+b") "]"), "SELECT",
                    KM_E_FORBIDDEN);
    assert_string_equal(err.text, "tried: not 'SELECT a'"); /* it saw what came before it */
    (void)rewritten(made("[" PLUGIN("break") "]"), "SELECT", KM_E_FORBIDDEN);
    assert_string_equal(err.text, "tried: broken");
    assert_int_equal(opened(), 0);
}

/* Narrowing comes last, wherever it stands in the list: no plug-in brings the relation back. */
static void what_a_plug_in_writes_is_narrowed(void **state)
{
    const char *sql =
        rewritten(made("[{\"relation\":\"public.t\",\"columns\":[\"a\"]}," PLUGIN("+FROM t") "]"),
                  "SELECT a", 0);

    (void)state;
    assert_non_null(strstr(sql, "SELECT a FROM ("));
    assert_null(strstr(sql, "FROM t "));
    (void)rewritten(made("[{\"relation\":\"public.t\",\"columns\":[\"a\"]}," PLUGIN("+ONLY t") "]"),
                    "SELECT a FROM", KM_E_FORBIDDEN);
    assert_non_null(strstr(err.text, "narrowed"));
}

static void who_has_no_value_of_a_key_sees_nothing(void **state)
{
    struct km_pg_processors *p =
        made("[{\"relation\":\"public.t\",\"where\":{\"tenant\":{\"key\":\"tenant\"}}}]");
    struct km_str sql = KM_STR("SELECT a FROM t");

    (void)state;
    assert_non_null(p);
    assert_int_equal(km_pg_process_statement(p, parser, NULL, &arena, &sql, &err), KM_E_FORBIDDEN);
    assert_int_equal(
        km_pg_process_statement(p, parser, json("{\"other\":\"x\"}"), &arena, &sql, &err),
        KM_E_FORBIDDEN);
    assert_true(km_str_eq(sql, KM_STR("SELECT a FROM t")));
    assert_int_equal(
        km_pg_process_statement(p, parser, json("{\"tenant\":\"o'x\"}"), &arena, &sql, &err), 0);
    assert_true(km_str_find(sql, KM_STR("o''x")) < sql.n);
    km_pg_processors_free(p);
}

static int formatted(const char *list, struct km_str *result)
{
    struct km_pg_processors *p = made(list);
    int r;

    assert_non_null(p);
    *result = KM_STR("{\"rows\":[]}");
    r = km_pg_process_result(p, &arena, result, &err);
    km_pg_processors_free(p);
    return r;
}

static void a_result_is_an_object_or_an_error(void **state)
{
    static const char *const wrong[] = { "=", "=[]", "=7", "={", "={}{}", "=null" };
    struct km_str result;

    (void)state;
    assert_int_equal(formatted("[" PLUGIN("x") "]", &result), 0);
    assert_true(km_str_eq(result, KM_STR("{\"rows\":[]}")));
    assert_int_equal(formatted("[" PLUGIN("={}") "," PLUGIN("={\\\"a\\\":1}") "]", &result), 0);
    assert_true(km_str_eq(result, KM_STR("{\"a\":1}")));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(formatted(km_arena_printf(&arena,
                                                   "[{\"plugin\":{\"file\":\"@\","
                                                   "\"config\":\"%s\"}}]",
                                                   wrong[i])
                                       .p,
                                   &result),
                         KM_E_UPSTREAM_PROTOCOL);
        assert_non_null(strstr(err.text, "tried: its result is no JSON object"));
    }
    assert_int_equal(formatted("[" PLUGIN("fail") "," PLUGIN("={}") "]", &result), KM_E_FORBIDDEN);
    assert_string_equal(err.text, "tried: no result for you");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(no_list_is_no_processors),
        ARENA_TEST(a_mistake_stops_the_start),
        ARENA_TEST(a_condition_has_a_value_or_says_where_it_stands),
        ARENA_TEST(what_is_narrowed_has_names),
        ARENA_TEST(what_is_no_plug_in_is_not_opened),
        ARENA_TEST(there_are_at_most_eight),
        ARENA_TEST(plug_ins_follow_each_other),
        ARENA_TEST(what_a_plug_in_writes_is_narrowed),
        ARENA_TEST(who_has_no_value_of_a_key_sees_nothing),
        ARENA_TEST(a_result_is_an_object_or_an_error),
    };

    return cmocka_run_group_tests(tests, parser_setup, parser_teardown);
}
