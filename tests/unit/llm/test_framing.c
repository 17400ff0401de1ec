/* SPDX-License-Identifier: Apache-2.0 */
/* Streams give the same events wherever they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/framing.h"

#define MOST 64

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct km_buf *b = ctx;

    if (km_str_eq(e->data, KM_STR("stop")))
        return km_fail(err, KM_E_CANCELED, "stopped");
    km_buf_printf(b, "%.*s|%.*s;", KM_STR_ARG(e->type), KM_STR_ARG(e->data));
    return 0;
}

static int feed(enum km_framing framing, const char *text, size_t n, size_t cut, struct km_buf *out,
                bool *ret_unfinished)
{
    struct km_framer *f = km_framer_new(framing, MOST, on_event, out);
    struct km_err err = { 0 };
    char *first = malloc(cut + 1), *second = malloc(n - cut + 1);
    int r;

    assert_true(f && first && second);
    memcpy(first, text, cut); /* blocks of their own: reading past them is seen */
    memcpy(second, text + cut, n - cut);
    km_buf_reset(out);
    r = km_framer_feed(f, first, cut, &err);
    free(first);
    if (r == 0)
        r = km_framer_feed(f, second, n - cut, &err);
    free(second);
    if (ret_unfinished)
        *ret_unfinished = km_framer_unfinished(f);
    assert_int_equal(r, err.code);
    km_framer_free(f);
    return r;
}

static void expect(enum km_framing framing, const char *text, const char *want, bool unfinished)
{
    struct km_buf out = KM_BUF(4096);
    bool waits;

    for (size_t cut = 0; cut <= strlen(text); cut++) {
        assert_int_equal(feed(framing, text, strlen(text), cut, &out, &waits), 0);
        assert_string_equal(km_buf_cstr(&out), want);
        assert_int_equal(waits, unfinished);
    }
    km_buf_done(&out);
}

static void events_come_without_comments(void **state)
{
    (void)state;
    expect(KM_FRAMING_SSE, ": ping\n\nevent: a\ndata: {}\n\nretry: 5\n\ndata: x\ndata: y\n\n",
           "a|{};|x\ny;", false);
    expect(KM_FRAMING_SSE, "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n", "|{\"a\":1};|[DONE];",
           false);
    expect(KM_FRAMING_SSE, "data: a\n\ndata: b\n", "|a;", true);
}

static void lines_come_one_by_one(void **state)
{
    (void)state;
    expect(KM_FRAMING_LINES, "{\"a\":1}\n\r\n  \n{\"b\":2}\r\n {\"c\":3} \n",
           "|{\"a\":1};|{\"b\":2};|{\"c\":3};", false);
    expect(KM_FRAMING_LINES, "{\"a\":1}\n{\"b\"", "|{\"a\":1};", true);
}

/* The bytes from the event on that was refused, whichever feed they came with. */
static void what_was_not_read_does_not_depend_on_the_cut(void **state)
{
    static const struct {
        enum km_framing framing;
        const char *text, *unread;
    } cases[] = {
        { KM_FRAMING_SSE, ": ping\n\ndata: a\n\ndata: stop\n\n", "data: stop\n\n" },
        { KM_FRAMING_LINES, "a\r\n\n b\nstop\n", "stop\n" },
        { KM_FRAMING_LINES, "stop\n", "stop\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_str text = km_str_c(cases[i].text);

        for (size_t cut = 0; cut <= text.n; cut++) {
            struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
            struct km_framer *f = km_framer_new(cases[i].framing, MOST, on_event, &out);
            struct km_str fed = km_str_sub(text, 0, cut), early, late;
            struct km_str rest = km_str_skip(text, cut);
            struct km_err err;

            assert_non_null(f);
            if (km_framer_feed(f, fed.p, fed.n, &err) == 0) {
                fed = rest;
                rest = KM_STR_NONE;
                assert_int_equal(km_framer_feed(f, fed.p, fed.n, &err), KM_E_CANCELED);
            }
            km_framer_unread(f, fed, &early, &late);
            km_buf_reset(&out);
            km_buf_str(&out, early);
            km_buf_str(&out, late);
            km_buf_str(&out, rest);
            assert_string_equal(km_buf_cstr(&out), cases[i].unread);
            km_framer_free(f);
        }
    }
}

static void an_event_over_the_bound_is_an_error(void **state)
{
    static const enum km_framing framings[] = { KM_FRAMING_SSE, KM_FRAMING_LINES };
    struct km_buf out = KM_BUF(4096);
    char text[MOST * 3];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "data: ", 6);
    text[sizeof text - 2] = text[sizeof text - 1] = '\n';
    for (size_t i = 0; i < 2; i++)
        for (size_t cut = 0; cut <= sizeof text; cut += 5)
            assert_int_equal(feed(framings[i], text, sizeof text, cut, &out, NULL), KM_E_LIMIT);
    km_buf_done(&out);
}

static void a_callback_s_no_is_handed_back(void **state)
{
    struct km_buf out = KM_BUF(4096);

    (void)state;
    assert_int_equal(feed(KM_FRAMING_SSE, "data: stop\n\n", 12, 4, &out, NULL), KM_E_CANCELED);
    assert_int_equal(feed(KM_FRAMING_LINES, "stop\nmore\n", 10, 2, &out, NULL), KM_E_CANCELED);
    assert_int_equal(out.n, 0);
    km_buf_done(&out);
}

static void a_stream_is_known_by_its_type(void **state)
{
    (void)state;
    assert_true(km_framing_is(KM_FRAMING_SSE, KM_STR("text/event-stream; charset=utf-8")));
    assert_false(km_framing_is(KM_FRAMING_SSE, KM_STR("application/json")));
    assert_true(km_framing_is(KM_FRAMING_LINES, KM_STR("Application/X-NDJSON")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_without_comments),
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(what_was_not_read_does_not_depend_on_the_cut),
        cmocka_unit_test(an_event_over_the_bound_is_an_error),
        cmocka_unit_test(a_callback_s_no_is_handed_back),
        cmocka_unit_test(a_stream_is_known_by_its_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
