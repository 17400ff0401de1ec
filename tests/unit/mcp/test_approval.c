/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/veil.h"
#include "mcp/safety/approval.h"

static void risk_is_what_was_configured_else_what_is_claimed(void **state)
{
    static const struct {
        struct km_mcp_hints hints;
        enum km_risk claimed;
    } cases[] = {
        { { 0 }, KM_RISK_UNKNOWN },
        { { .open_world = 1, .idempotent = 1 }, KM_RISK_UNKNOWN },
        { { .read_only = 1 }, KM_RISK_READ_ONLY },
        { { .read_only = 1, .destructive = -1 }, KM_RISK_READ_ONLY },
        { { .read_only = 1, .destructive = 1 }, KM_RISK_DESTRUCTIVE },
        { { .destructive = -1 }, KM_RISK_WRITE },
        { { .read_only = -1, .destructive = -1 }, KM_RISK_WRITE },
        { { .read_only = -1 }, KM_RISK_DESTRUCTIVE },
        { { .destructive = 1 }, KM_RISK_DESTRUCTIVE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(km_risk_of(KM_RISK_UNKNOWN, &cases[i].hints), cases[i].claimed);
        assert_int_equal(km_risk_of(KM_RISK_READ_ONLY, &cases[i].hints), KM_RISK_READ_ONLY);
        assert_int_equal(km_risk_of(KM_RISK_DESTRUCTIVE, &cases[i].hints), KM_RISK_DESTRUCTIVE);
    }
}

static void the_rule_decides_by_risk(void **state)
{
    enum { A = KM_VERDICT_ALLOW, Q = KM_VERDICT_ASK, D = KM_VERDICT_DENY };
    /* in order of enum km_risk: unknown, read only, write, destructive */
    static const struct {
        struct km_approval_policy policy;
        int verdict[4];
    } cases[] = {
        { { KM_APPROVE_NEVER, KM_APPROVE_NEVER }, { A, A, A, A } },
        { { KM_APPROVE_DESTRUCTIVE, KM_APPROVE_NEVER }, { A, A, A, Q } },
        { { KM_APPROVE_WRITE, KM_APPROVE_ALWAYS }, { Q, A, Q, Q } },
        { { KM_APPROVE_ALWAYS, KM_APPROVE_DENY }, { D, Q, Q, Q } },
        { { KM_APPROVE_DENY, KM_APPROVE_NEVER }, { A, A, D, D } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int risk = 0; risk < 4; risk++)
            assert_int_equal(km_approval_decide(&cases[i].policy, (enum km_risk)risk),
                             cases[i].verdict[risk]);
    assert_int_equal(km_approval_decide(&km_approval_default, KM_RISK_DESTRUCTIVE), Q);
    assert_int_equal(km_approval_decide(&km_approval_default, KM_RISK_UNKNOWN), A);
}

static const uint8_t one[32] = { 1 }, two[32] = { 2 };

static int take(struct km_approvals *a, const char *who, const char *tool, const uint8_t *digest,
                uint64_t now_ms, char id[KM_APPROVAL_ID_LEN + 1])
{
    struct km_approval_ask ask = { .principal = km_str_c(who),
                                   .tool = km_str_c(tool),
                                   .digest = digest,
                                   .risk = KM_RISK_DESTRUCTIVE };

    return km_approvals_take(a, &ask, now_ms, id, NULL);
}

static void an_approval_is_for_one_call_of_that_caller_tool_and_arguments(void **state)
{
    struct km_approvals *a = km_approvals_new(8);
    char id[KM_APPROVAL_ID_LEN + 1], again[KM_APPROVAL_ID_LEN + 1], tool[160];

    (void)state;
    assert_int_equal(take(a, "p", "s-t", one, 1000, id), KM_E_AGAIN);
    assert_int_equal(strlen(id), KM_APPROVAL_ID_LEN);
    assert_int_equal(take(a, "p", "s-t", one, 1001, again), KM_E_AGAIN);
    assert_string_equal(id, again);
    assert_int_equal(km_approvals_answer(a, km_str_c(id), true, 1002, tool, NULL), 0);
    assert_string_equal(tool, "s-t");
    assert_int_equal(km_approvals_answer(a, km_str_c(id), true, 1002, NULL, NULL), KM_E_EXISTS);
    assert_int_equal(take(a, "q", "s-t", one, 1003, again), KM_E_AGAIN);
    assert_int_equal(take(a, "p", "s-u", one, 1003, again), KM_E_AGAIN);
    assert_int_equal(take(a, "p", "s-t", two, 1003, again), KM_E_AGAIN);
    assert_int_equal(take(a, "ps", "-t", one, 1003, again), KM_E_AGAIN);
    assert_int_equal(take(a, "p", "s-t", one, 1003, again), 0);
    assert_int_equal(take(a, "p", "s-t", one, 1004, again), KM_E_AGAIN);
    assert_string_not_equal(id, again);
    km_approvals_free(a);
}

static void a_refusal_holds_until_it_is_over(void **state)
{
    struct km_approvals *a = km_approvals_new(8);
    char id[KM_APPROVAL_ID_LEN + 1];

    (void)state;
    assert_int_equal(take(a, "p", "t", one, 0, id), KM_E_AGAIN);
    assert_int_equal(km_approvals_answer(a, km_str_c(id), false, 5, NULL, NULL), 0);
    assert_int_equal(take(a, "p", "t", one, 6, id), KM_E_FORBIDDEN);
    assert_int_equal(take(a, "p", "t", one, 4 + KM_APPROVAL_MS, id), KM_E_FORBIDDEN);
    assert_int_equal(take(a, "p", "t", one, 5 + KM_APPROVAL_MS, id), KM_E_AGAIN);
    km_approvals_free(a);
}

static void questions_and_approvals_are_forgotten_after_ten_minutes(void **state)
{
    struct km_approvals *a = km_approvals_new(8);
    char id[KM_APPROVAL_ID_LEN + 1];

    (void)state;
    assert_int_equal(take(a, "p", "t", one, 0, id), KM_E_AGAIN);
    assert_int_equal(km_approvals_answer(a, km_str_c(id), true, KM_APPROVAL_MS, NULL, NULL),
                     KM_E_NOT_FOUND);
    assert_int_equal(take(a, "p", "t", one, KM_APPROVAL_MS, id), KM_E_AGAIN);
    assert_int_equal(km_approvals_answer(a, km_str_c(id), true, KM_APPROVAL_MS + 1, NULL, NULL), 0);
    assert_int_equal(take(a, "p", "t", one, 2 * KM_APPROVAL_MS + 1, id), KM_E_AGAIN);
    assert_int_equal(km_approvals_answer(a, KM_STR("nothing"), true, 0, NULL, NULL),
                     KM_E_NOT_FOUND);
    km_approvals_free(a);
}

static void the_table_is_bounded_and_nobody_fills_it_alone(void **state)
{
    struct km_approvals *a = km_approvals_new(KM_APPROVALS_PER_PRINCIPAL + 1);
    char id[KM_APPROVAL_ID_LEN + 1], tool[32];

    (void)state;
    for (int i = 0; i < KM_APPROVALS_PER_PRINCIPAL; i++) {
        snprintf(tool, sizeof tool, "t%d", i);
        assert_int_equal(take(a, "p", tool, one, 0, id), KM_E_AGAIN);
    }
    assert_int_equal(take(a, "p", "more", one, 0, id), KM_E_LIMIT);
    assert_int_equal(take(a, "q", "more", one, 0, id), KM_E_AGAIN);
    assert_int_equal(take(a, "r", "more", one, 0, id), KM_E_LIMIT);
    assert_int_equal(take(a, "p", "t0", one, 0, id), KM_E_AGAIN); /* an old question */
    assert_int_equal(take(a, "r", "more", one, KM_APPROVAL_MS, id), KM_E_AGAIN);
    km_approvals_free(a);
    assert_null(km_approvals_free(NULL));
}

static int ask_shown(struct km_approvals *a, const char *tool, struct km_str shown, size_t cut,
                     char id[KM_APPROVAL_ID_LEN + 1])
{
    struct km_approval_ask ask = {
        .principal = KM_STR("p"), .tool = km_str_c(tool), .digest = one, .shown = shown, .cut = cut
    };

    return km_approvals_take(a, &ask, 0, id, NULL);
}

static void the_list_shows_the_arguments_until_the_call_is_over(void **state)
{
    struct km_approvals *a = km_approvals_new(4);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
    struct km_buf longest KM_CLEANUP(km_buf_done) = KM_BUF(KM_ARGS_TEXT_BYTES);
    char first[KM_APPROVAL_ID_LEN + 1], second[KM_APPROVAL_ID_LEN + 1];

    (void)state;
    km_buf_byte(&longest, '"');
    while (longest.n < KM_ARGS_TEXT_BYTES - 1)
        km_buf_byte(&longest, 'x');
    km_buf_byte(&longest, '"');
    assert_int_equal(ask_shown(a, "t", KM_STR("{\"path\":\"/etc\"}"), 0, first), KM_E_AGAIN);
    assert_int_equal(ask_shown(a, "u", km_buf_view(&longest), 3, second), KM_E_AGAIN);
    km_approvals_json(a, KM_STR_NONE, NULL, 0, &b);
    assert_non_null(
        strstr(km_buf_cstr(&b), "\"arguments\":{\"path\":\"/etc\"},\"arguments_cut\":0,"));
    assert_non_null(strstr(km_buf_cstr(&b), "\"arguments_cut\":3,"));
    assert_true(b.n < 2 * KM_APPROVAL_JSON_BYTES);
    /* What was approved is shown until it is used, and then it is gone. */
    assert_int_equal(km_approvals_answer(a, km_str_c(first), true, 0, NULL, NULL), 0);
    km_buf_reset(&b);
    km_approvals_json(a, KM_STR_NONE, NULL, 0, &b);
    assert_non_null(strstr(km_buf_cstr(&b), "/etc"));
    assert_int_equal(ask_shown(a, "t", KM_STR("{}"), 0, first), 0);
    km_buf_reset(&b);
    km_approvals_json(a, KM_STR_NONE, NULL, 0, &b);
    assert_null(strstr(km_buf_cstr(&b), "/etc"));
    km_approvals_free(a);
}

static void credentials_and_who_asks_are_told_apart(void **state)
{
    struct km_approvals *a = km_approvals_new(4);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
    struct km_veil *veil = km_veil_new();
    char id[KM_APPROVAL_ID_LEN + 1], other[KM_APPROVAL_ID_LEN + 1];
    const struct km_approval_ask question = {
        .principal = KM_STR("key:00"),
        .alias = KM_STR("team-a"),
        .user = KM_STR("ann"),
        .server = KM_STR("git"),
        .tool = KM_STR("git-push"),
        .digest = one,
        .shown = KM_STR("{\"to\":\"https://me:hunter2secret@host/x\",\"key\":\"ours-Secret1\","
                        "\"b\":\"Bearer abcdefghijklmnopqrstuvwx\",\"force\":true}"),
    };

    (void)state;
    km_veil_add(veil, KM_STR("ours-Secret1"));
    assert_int_equal(km_approvals_take(a, &question, 0, id, NULL), KM_E_AGAIN);
    assert_int_equal(ask_shown(a, "u", KM_STR("{}"), 0, other), KM_E_AGAIN);
    km_approvals_json(a, km_str_c(id), veil, 60000, &b);
    assert_null(strstr(km_buf_cstr(&b), "hunter2secret"));
    assert_null(strstr(km_buf_cstr(&b), "ours-Secret1"));
    assert_null(strstr(km_buf_cstr(&b), "abcdefghijklmnop"));
    assert_null(strstr(km_buf_cstr(&b), other)); /* it was not asked for */
    assert_non_null(strstr(km_buf_cstr(&b), "\"key\":\"[redacted]\""));
    assert_non_null(strstr(km_buf_cstr(&b), "\"force\":true}"));
    assert_non_null(strstr(km_buf_cstr(&b), "\"key_alias\":\"team-a\",\"user_id\":\"ann\","
                                            "\"server\":\"git\",\"tool\":\"git-push\""));
    assert_non_null(strstr(km_buf_cstr(&b), "\"asked_at\":\"2"));
    assert_non_null(strstr(km_buf_cstr(&b), "\"expires_in_s\":540}"));
    km_veil_free(veil);
    km_approvals_free(a);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
/* Is the text anywhere on this process's heap? */
static bool on_heap(const char *text, size_t n)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    bool found = false;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        char *end;
        uintptr_t from = (uintptr_t)strtoull(line, &end, 16),
                  to = (uintptr_t)strtoull(end + 1, NULL, 16);

        if (strstr(line, "[heap]"))
            found = found || memmem((const void *)from, to - from, text, n) != NULL;
    }
    fclose(maps);
    return found;
}

static void nothing_of_the_arguments_lies_in_memory_while_they_wait(void **state)
{
    struct km_approvals *a = km_approvals_new(4);
    char id[KM_APPROVAL_ID_LEN + 1], text[64] = "{\"password\":\"", *plain;
    size_t n = strlen(text);

    (void)state;
    for (int i = 0; i < 30; i++)
        text[n++] = (char)('a' + i % 26);
    memcpy(text + n, "\"}", 2);
    n += 2;
    plain = malloc(n); /* the search finds what is there */
    memcpy(plain, text, n);
    assert_true(on_heap(text, n));
    explicit_bzero(plain, n);
    free(plain);
    assert_false(on_heap(text, n));

    assert_int_equal(ask_shown(a, "t", km_str(text, n), 0, id), KM_E_AGAIN);
    assert_false(on_heap(text, n));
    km_approvals_free(a);
}
#endif

/* By the wall's clock, which is not the test's. */
static void without_times(struct km_buf *b)
{
    static const char first[] = ",\"asked_at\":", last[] = ",\"expires_in_s\":";
    size_t from;

    while ((from = km_str_find(km_buf_view(b), km_str_c(first))) < b->n) {
        size_t end = km_str_find(km_buf_view(b), km_str_c(last));

        assert_true(end > from && end < b->n);
        memmove(b->p + from, b->p + end, b->n - end);
        b->n -= end - from;
        b->p[from] = ';'; /* so that the next is the next */
    }
}

static void the_list_is_in_order(void **state)
{
    struct km_approvals *a = km_approvals_new(4);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    char first[KM_APPROVAL_ID_LEN + 1], second[KM_APPROVAL_ID_LEN + 1], expected[800];

    (void)state;
    km_approvals_json(a, KM_STR_NONE, NULL, 0, &b);
    assert_string_equal(km_buf_cstr(&b), "[]");
    assert_int_equal(take(a, "p\"", "t", one, 0, first), KM_E_AGAIN);
    assert_int_equal(take(a, "p", "t", one, 1000, second), KM_E_AGAIN);
    assert_int_equal(km_approvals_answer(a, km_str_c(second), true, 1000, NULL, NULL), 0);
    km_buf_reset(&b);
    km_approvals_json(a, KM_STR_NONE, NULL, 1000, &b);
    snprintf(expected, sizeof expected,
             "[{\"id\":\"%s\",\"principal\":\"p\\\"\",\"tool\":\"t\",\"risk\":\"destructive\","
             "\"arguments_sha256\":\"01%062d\",\"state\":\"pending\";\"expires_in_s\":599},"
             "{\"id\":\"%s\",\"principal\":\"p\",\"tool\":\"t\",\"risk\":\"destructive\","
             "\"arguments_sha256\":\"01%062d\",\"state\":\"approved\";\"expires_in_s\":600}]",
             first, 0, second, 0);
    without_times(&b);
    assert_string_equal(km_buf_cstr(&b), expected);
    km_approvals_free(a);
}

static void a_claim_raises_the_risk_of_a_server_and_never_lowers_it(void **state)
{
    static const struct km_mcp_hints none, reads = { .read_only = 1 },
                                           destroys = { .destructive = 1 };

    (void)state;
    assert_int_equal(km_risk_at_least(KM_RISK_UNKNOWN, &none), KM_RISK_UNKNOWN);
    assert_int_equal(km_risk_at_least(KM_RISK_UNKNOWN, &destroys), KM_RISK_DESTRUCTIVE);
    assert_int_equal(km_risk_at_least(KM_RISK_READ_ONLY, &destroys), KM_RISK_DESTRUCTIVE);
    assert_int_equal(km_risk_at_least(KM_RISK_READ_ONLY, &none), KM_RISK_READ_ONLY);
    assert_int_equal(km_risk_at_least(KM_RISK_WRITE, &reads), KM_RISK_WRITE);
    assert_int_equal(km_risk_at_least(KM_RISK_DESTRUCTIVE, &reads), KM_RISK_DESTRUCTIVE);
}

static void where_the_client_is_asked_itself_nothing_is_filed(void **state)
{
    struct km_approvals *a = km_approvals_new(8);
    struct km_approval_ask ask = { .principal = KM_STR("p"),
                                   .tool = KM_STR("s-t"),
                                   .digest = one,
                                   .risk = KM_RISK_DESTRUCTIVE,
                                   .quiet = true };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    char id[KM_APPROVAL_ID_LEN + 1];

    (void)state;
    assert_int_equal(km_approvals_take(a, &ask, 1000, id, NULL), KM_E_AGAIN);
    assert_string_equal(id, "");
    km_approvals_json(a, KM_STR_NONE, NULL, 1000, &b);
    assert_string_equal(km_buf_cstr(&b), "[]");
    /* An approval that is there counts all the same, once, and only so long. */
    assert_int_equal(km_approvals_give(a, &ask, 1000, NULL), 0);
    assert_int_equal(km_approvals_take(a, &ask, 1000, id, NULL), 0);
    assert_int_equal(km_approvals_take(a, &ask, 1000, id, NULL), KM_E_AGAIN);
    assert_int_equal(km_approvals_give(a, &ask, 1000, NULL), 0);
    assert_int_equal(km_approvals_take(a, &ask, 1000 + KM_APPROVAL_MS, id, NULL), KM_E_AGAIN);
    km_approvals_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(risk_is_what_was_configured_else_what_is_claimed),
        cmocka_unit_test(the_rule_decides_by_risk),
        cmocka_unit_test(an_approval_is_for_one_call_of_that_caller_tool_and_arguments),
        cmocka_unit_test(a_refusal_holds_until_it_is_over),
        cmocka_unit_test(questions_and_approvals_are_forgotten_after_ten_minutes),
        cmocka_unit_test(the_table_is_bounded_and_nobody_fills_it_alone),
        cmocka_unit_test(a_claim_raises_the_risk_of_a_server_and_never_lowers_it),
        cmocka_unit_test(where_the_client_is_asked_itself_nothing_is_filed),
        cmocka_unit_test(the_list_is_in_order),
        cmocka_unit_test(the_list_shows_the_arguments_until_the_call_is_over),
        cmocka_unit_test(credentials_and_who_asks_are_told_apart),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
        cmocka_unit_test(nothing_of_the_arguments_lies_in_memory_while_they_wait),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
