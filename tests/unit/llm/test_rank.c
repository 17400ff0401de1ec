/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "llm/model.h"
#include "llm/rank.h"

struct fixture {
    struct km_arena arena;
    struct km_rank rank;
    struct km_err err;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){ 0 };
    km_arena_init(&f.arena, 1 << 20, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    return 0;
}

static int read(struct fixture *f, const char *body)
{
    static const struct km_deployment plain = { 0 };
    const struct km_json *root;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(body), &root, NULL), 0);
    return km_rank_read(&plain, root, &f->arena, &f->rank, &f->err);
}

static int results(struct fixture *f, const char *body)
{
    f->rank.nresults = 0;
    return km_rank_results(&f->rank, &f->arena, km_str_c(body), "data", &f->err);
}

static void texts_and_objects_are_documents(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read(f,
                          "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"}],"
                          "\"top_n\":1,\"return_documents\":true,\"truncation\":false}"),
                     0);
    assert_int_equal(f->rank.n, 2);
    assert_true(km_str_eq(f->rank.documents[1], KM_STR("b")));
    assert_int_equal(f->rank.top_n, 1);
    assert_true(f->rank.return_documents);
    assert_true(km_str_eq(f->rank.extras->name, KM_STR("truncation")));
    assert_null(f->rank.extras->next);
}

static void errors_name_the_place(void **state)
{
    static const struct {
        const char *body, *param;
    } rows[] = {
        { "{\"documents\":[\"a\"]}", "query" },
        { "{\"query\":\"q\",\"documents\":[]}", "documents" },
        { "{\"query\":\"q\",\"documents\":\"a\"}", "documents" },
        { "{\"query\":\"q\",\"documents\":[\"a\",5]}", "documents[1]" },
        { "{\"query\":\"q\",\"documents\":[{\"title\":\"a\"}]}", "documents[0].text" },
        { "{\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":0}", "top_n" },
        { "{\"query\":\"q\",\"documents\":[\"a\"],\"return_documents\":1}", "return_documents" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read(f, rows[i].body), KM_E_INVALID);
        assert_string_equal(f->err.param, rows[i].param);
    }
}

static void scores_come_as_they_were_written(void **state)
{
    struct fixture *f = *state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    assert_int_equal(
        read(f, "{\"query\":\"q\",\"documents\":[\"a\",\"b\\\"\"],\"return_documents\":true}"), 0);
    assert_int_equal(results(f, "{\"data\":[{\"index\":1,\"relevance_score\":0.10000000000000001},"
                                "{\"index\":0,\"relevance_score\":1e-9}],"
                                "\"usage\":{\"total_tokens\":7}}"),
                     0);
    km_rank_write(&f->rank, KM_STR("m"), KM_STR("i"), &out);
    assert_string_equal(
        km_buf_cstr(&out),
        "{\"id\":\"i\",\"model\":\"m\",\"results\":[{\"index\":1,\"relevance_score\":"
        "0.10000000000000001,\"document\":{\"text\":\"b\\\"\"}},{\"index\":0,\"relevance_score\":"
        "1e-9,\"document\":{\"text\":\"a\"}}],\"usage\":{\"total_tokens\":7}}");
    assert_true(f->rank.usage.known);
    assert_int_equal(f->rank.usage.prompt_tokens, 7);
}

static void what_was_not_sent_is_not_ranked(void **state)
{
    static const char *const bad[] = {
        "x", "{}", "{\"data\":{}}", "{\"data\":[{\"index\":1,\"relevance_score\":1}]}",
        "{\"data\":[{\"index\":-1,\"relevance_score\":1}]}", "{\"data\":[{\"index\":0}]}",
        "{\"data\":[{\"index\":0,\"relevance_score\":1},{\"index\":0,\"relevance_score\":1}]}",
    };
    struct fixture *f = *state;

    assert_int_equal(read(f, "{\"query\":\"q\",\"documents\":[\"a\"]}"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(results(f, bad[i]), KM_E_UPSTREAM_PROTOCOL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(texts_and_objects_are_documents),
        CASE(errors_name_the_place),
        CASE(scores_come_as_they_were_written),
        CASE(what_was_not_sent_is_not_ranked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
