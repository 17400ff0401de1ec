/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mcp/session/session.h"

static struct km_mcp_session *begin(struct km_mcp_sessions *t, const char *principal, uint64_t now)
{
    struct km_mcp_session_args args = { .principal = km_str_c(principal),
                                        .revision = km_mcp_revision_latest(KM_MCP_HANDSHAKE),
                                        .now_ms = now };
    struct km_mcp_session *s = NULL;

    assert_int_equal(km_mcp_session_new(t, &args, &s, NULL), 0);
    return s;
}

static struct km_str id_of(const struct km_mcp_session *s)
{
    return km_str(s->id, KM_MCP_SESSION_ID_LEN);
}

static void an_id_names_its_process_and_worker(void **state)
{
    char id[KM_MCP_SESSION_ID_LEN + 1];
    size_t worker = 99;

    (void)state;
    assert_int_equal(km_mcp_session_id_make(0xdeadbeef, 7, id, NULL), 0);
    assert_true(km_mcp_session_id_owner(km_str_c(id), 0xdeadbeef, &worker));
    assert_int_equal(worker, 7);
    assert_false(km_mcp_session_id_owner(km_str_c(id), 1, &worker));
    assert_false(km_mcp_session_id_owner(km_str(id, 41), 0xdeadbeef, &worker));
    id[0] = 'D'; /* one spelling only */
    assert_false(km_mcp_session_id_owner(km_str_c(id), 0xdeadbeef, &worker));
    assert_false(km_mcp_session_id_owner(KM_STR(""), 0xdeadbeef, &worker));
}

static void a_session_is_found_by_its_principal_alone(void **state)
{
    struct km_mcp_sessions *t = km_mcp_sessions_new(1, 0, 10);
    struct km_mcp_session *s = begin(t, "a", 0);

    (void)state;
    assert_ptr_equal(km_mcp_session_find(t, id_of(s), KM_STR("a"), 1), s);
    assert_null(km_mcp_session_find(t, id_of(s), KM_STR("b"), 1));
    assert_null(km_mcp_session_find(t, KM_STR("none"), KM_STR("a"), 1));
    km_mcp_sessions_free(t, NULL, NULL);
}

static void the_unused_one_goes_first_and_one_in_use_never(void **state)
{
    struct km_mcp_sessions *t = km_mcp_sessions_new(1, 0, 3);
    struct km_mcp_session *a = begin(t, "a", 0), *b = begin(t, "a", 1), *c = begin(t, "a", 2);
    struct km_mcp_session_args args = { .revision = a->revision };

    (void)state;
    assert_int_equal(km_mcp_session_new(t, &args, &c, NULL), KM_E_LIMIT);
    assert_ptr_equal(km_mcp_session_find(t, id_of(a), KM_STR("a"), 3), a);
    assert_ptr_equal(km_mcp_session_stale(t, 3), b);
    b->calls = 1;
    assert_ptr_not_equal(km_mcp_session_stale(t, 3), b);
    km_mcp_session_drop(t, a);
    assert_null(km_mcp_session_stale(t, 3)); /* there is room again */
    assert_ptr_not_equal(km_mcp_session_stale(t, KM_MCP_SESSION_IDLE_MS + 10), NULL);
    km_mcp_sessions_free(t, NULL, NULL);
}

static void a_principal_has_as_many_as_it_may(void **state)
{
    const struct km_mcp_session_bounds two = {
        .idle_ms = 1000, .per_key = 2, .events = 3, .event_bytes = 4096
    };
    struct km_mcp_sessions *t = km_mcp_sessions_new(1, 0, 10);
    struct km_mcp_session *a, *b, *c = NULL;
    struct km_mcp_session_args args = { .principal = KM_STR("a"),
                                        .revision = km_mcp_revision_latest(KM_MCP_HANDSHAKE) };

    (void)state;
    km_mcp_sessions_bound(t, &two);
    a = begin(t, "a", 0);
    assert_null(km_mcp_session_over(t, KM_STR("a")));
    b = begin(t, "a", 1);
    (void)begin(t, "b", 1); /* another one's do not count */
    assert_ptr_equal(km_mcp_session_over(t, KM_STR("a")), a);
    assert_null(km_mcp_session_over(t, KM_STR("b")));
    a->calls = 1; /* it is not taken away under its calls */
    assert_ptr_equal(km_mcp_session_over(t, KM_STR("a")), b);
    b->calls = 1;
    assert_null(km_mcp_session_over(t, KM_STR("a")));
    assert_int_equal(km_mcp_session_new(t, &args, &c, NULL), KM_E_LIMIT);
    km_mcp_session_drop(t, a);
    assert_int_equal(km_mcp_session_new(t, &args, &c, NULL), 0);
    for (int i = 0; i < 10; i++)
        (void)km_mcp_event_put(&c->events, 1, KM_STR("x"));
    assert_int_equal(c->events.n, 3);
    assert_ptr_not_equal(km_mcp_session_stale(t, 1001), NULL); /* the one of "b" */
    km_mcp_sessions_free(t, NULL, NULL);
}

struct seen {
    char text[64];
    unsigned n;
};

static void see(void *ctx, uint32_t number, struct km_str data)
{
    struct seen *s = ctx;

    assert_true(number > 0);
    s->text[s->n++] = data.p[0];
}

static void a_replay_has_one_streams_events_after_a_number(void **state)
{
    struct km_mcp_event_store s = { 0 };
    struct seen seen = { 0 };
    uint32_t first;

    (void)state;
    first = km_mcp_event_put(&s, 1, KM_STR("a"));
    (void)km_mcp_event_put(&s, 2, KM_STR("x"));
    (void)km_mcp_event_skip(&s);
    (void)km_mcp_event_put(&s, 1, KM_STR("b"));
    (void)km_mcp_event_put(&s, 1, KM_STR("c"));
    km_mcp_event_replay(&s, 1, first, see, &seen);
    assert_string_equal(seen.text, "bc");
    km_mcp_event_store_done(&s);
    assert_int_equal(s.n + s.bytes, 0);
}

static void the_store_is_bounded(void **state)
{
    struct km_mcp_event_store s = { 0 };
    struct km_buf big KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_EVENT_BYTES);

    (void)state;
    for (unsigned i = 0; i < 3 * KM_MCP_EVENTS_MOST; i++)
        (void)km_mcp_event_put(&s, 1, KM_STR("x"));
    assert_int_equal(s.n, KM_MCP_EVENTS_MOST);
    assert_non_null(km_buf_reserve(&big, KM_MCP_EVENT_BYTES));
    memset(big.p, 'y', KM_MCP_EVENT_BYTES);
    (void)km_mcp_event_put(&s, 1, km_str(big.p, KM_MCP_EVENT_BYTES));
    assert_int_equal(s.n, 1);
    assert_int_equal(s.bytes, KM_MCP_EVENT_BYTES);
    km_mcp_event_store_done(&s);
}

static void an_event_id_reads_back(void **state)
{
    static const char *const wrong[] = { "",    "-",   "1",           "1-",   "-1",
                                         "1-g", "1-A", "123456789-1", "1-2-3" };
    char id[KM_MCP_EVENT_ID_LEN + 1];
    uint32_t stream, number;

    (void)state;
    km_mcp_event_id(0xffffffff, 0x10, id);
    assert_true(km_mcp_event_id_parse(km_str_c(id), &stream, &number));
    assert_int_equal(stream, 0xffffffff);
    assert_int_equal(number, 0x10);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(km_mcp_event_id_parse(km_str_c(wrong[i]), &stream, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_names_its_process_and_worker),
        cmocka_unit_test(a_session_is_found_by_its_principal_alone),
        cmocka_unit_test(the_unused_one_goes_first_and_one_in_use_never),
        cmocka_unit_test(a_principal_has_as_many_as_it_may),
        cmocka_unit_test(a_replay_has_one_streams_events_after_a_number),
        cmocka_unit_test(the_store_is_bounded),
        cmocka_unit_test(an_event_id_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
