/* SPDX-License-Identifier: Apache-2.0 */
/* The event stream reader: fields, line ends, cuts at every place, limits; and the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/sse.h"

/* Every event as one line of text, so that two runs can be compared. */
struct record {
    struct km_buf text, raw;
    const char *fed; /* when set: how many raws lie in it */
    size_t fed_n, in_place, events;
    int stop_at;
};

static int on_event(void *ctx, const struct km_sse_event *e)
{
    struct record *r = ctx;

    km_buf_printf(&r->text, "[%.*s|%d|%.*s|%.*s|%lld|%zu]\n", KM_STR_ARG(e->type), e->has_data,
                  KM_STR_ARG(e->data), KM_STR_ARG(e->id), (long long)e->retry_ms, e->raw.n);
    km_buf_str(&r->raw, e->raw);
    r->in_place += r->fed && e->raw.p >= r->fed && e->raw.p + e->raw.n <= r->fed + r->fed_n;
    r->events++;
    return r->stop_at && r->events == (size_t)r->stop_at ? KM_E_CANCELED : 0;
}

static void record_init(struct record *r)
{
    *r = (struct record){ 0 };
    km_buf_init(&r->text, 1 << 20);
    km_buf_init(&r->raw, 1 << 20);
}

static void record_done(struct record *r)
{
    km_buf_done(&r->text);
    km_buf_done(&r->raw);
}

/* Feeds an exact heap copy of a piece, so that a read past it is seen. */
static int feed_copy(struct km_sse *sse, const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    struct km_err err;
    int e;

    memcpy(copy, p, n);
    e = km_sse_feed(sse, copy, n, &err);
    free(copy);
    return e;
}

static void expect_text(const char *stream, size_t n, const char *want)
{
    struct record r;
    struct km_sse *sse;

    record_init(&r);
    sse = km_sse_new(1 << 16, on_event, &r);
    assert_int_equal(feed_copy(sse, stream, n), 0);
    assert_string_equal(km_buf_cstr(&r.text), want);
    km_sse_free(sse);
    record_done(&r);
}

#define EXPECT(stream, want) expect_text(stream, sizeof(stream) - 1, want)

static void fields_are_read_as_the_standard_says(void **state)
{
    (void)state;
    EXPECT("data: a\n\n", "[|1|a||-1|9]\n");
    EXPECT("data:a\ndata:  b\ndata\n\n", "[|1|a\n b\n||-1|22]\n");
    EXPECT("data\n\n", "[|1|||-1|6]\n");
    EXPECT("event: x\nid: 7\nretry: 250\ndata: {}\n\n", "[x|1|{}|7|250|36]\n");
    EXPECT(": note\n\n", "[|0|||-1|8]\n");
    EXPECT("event: ping\n\n", "[ping|0|||-1|13]\n");
    EXPECT("retry: 1x\nretry: -5\ndatax: n\ndata : n\ndata: y\n\n", "[|1|y||-1|47]\n");
    EXPECT("id: a\0b\ndata: y\n\n", "[|1|y||-1|17]\n");
    EXPECT("\n\n", "[|0|||-1|1]\n[|0|||-1|1]\n");
    EXPECT("data: half", "");
    EXPECT("data: half\n", "");
}

static void all_three_line_ends_and_a_bom_are_understood(void **state)
{
    (void)state;
    EXPECT("\xef\xbb\xbf"
           "data: a\n\n",
           "[|1|a||-1|12]\n");
    EXPECT("\xef\xbb\xbf\n", "[|0|||-1|4]\n");
    EXPECT("\xef\xbb"
           "data: a\ndata: b\n\n",
           "[|1|b||-1|19]\n");
    EXPECT("data: a\n\xef\xbb\xbf"
           "data: b\n\n",
           "[|1|a||-1|20]\n");
    EXPECT("data: a\r\ndata: b\r\n\r\n", "[|1|a\nb||-1|20]\n");
    EXPECT("data: a\rdata: b\r\rdata: c\r\r", "[|1|a\nb||-1|17]\n[|1|c||-1|9]\n");
    EXPECT("data: a\r\n\ndata: b\n\r\n", "[|1|a||-1|10]\n[|1|b||-1|10]\n");
    /* CR alone, then the LF of a CRLF after all: it opens the next raw and ends no line. */
    EXPECT("data: a\r\r\ndata: b\r\r", "[|1|a||-1|9]\n[|1|b||-1|10]\n");
}

static const char pieces[][40] = {
    "data: {\"a\":\"\xe3\x83\xa2\"}\n\n",
    "data: x\r\n\r\n",
    ": comment\r\n\r\n",
    "data: y\r\r",
    "event: e\ndata: 1\ndata: 2\n\n",
    "\n",
    "\r\n",
    "\r",
    "id: 9\rretry: 3\rdata: z\r\r",
    "data:\n\n",
    "retry: 10\n\n",
    "data: a\r\n\r",
    "\nid\n\n",
    "dat",
    "a: q\n\n",
};

static size_t make_stream(char *out, size_t max)
{
    static const char bom[] = "\xef\xbb\xbf";
    uint32_t seed = 12345;
    size_t n = 3;

    memcpy(out, bom, 3);
    for (;;) {
        const char *p;

        seed = seed * 1664525u + 1013904223u;
        p = pieces[(seed >> 16) % (sizeof pieces / sizeof *pieces)];
        if (n + strlen(p) > max)
            return n;
        memcpy(out + n, p, strlen(p));
        n += strlen(p);
    }
}

static void every_split_of_a_stream_gives_the_same_events(void **state)
{
    char stream[2048];
    size_t n = make_stream(stream, sizeof stream);
    struct record whole;
    struct km_sse *sse;

    (void)state;
    record_init(&whole);
    sse = km_sse_new(1 << 16, on_event, &whole);
    assert_int_equal(feed_copy(sse, stream, n), 0);
    km_sse_free(sse);
    assert_true(whole.events > 100);
    assert_memory_equal(whole.raw.p, stream, whole.raw.n);
    for (size_t cut = 0; cut <= n; cut++) {
        struct record r;

        record_init(&r);
        sse = km_sse_new(1 << 16, on_event, &r);
        assert_int_equal(feed_copy(sse, stream, cut), 0);
        assert_int_equal(feed_copy(sse, stream + cut, n - cut), 0);
        km_sse_free(sse);
        assert_string_equal(km_buf_cstr(&r.text), km_buf_cstr(&whole.text));
        assert_int_equal(r.raw.n, whole.raw.n);
        record_done(&r);
    }
    for (size_t step = 1; step < 40; step++) {
        struct record r;

        record_init(&r);
        sse = km_sse_new(1 << 16, on_event, &r);
        for (size_t at = 0; at < n; at += step)
            assert_int_equal(feed_copy(sse, stream + at, n - at < step ? n - at : step), 0);
        km_sse_free(sse);
        assert_string_equal(km_buf_cstr(&r.text), km_buf_cstr(&whole.text));
        assert_memory_equal(r.raw.p, stream, r.raw.n);
        record_done(&r);
    }
    record_done(&whole);
}

static void an_event_that_is_fed_whole_is_not_copied(void **state)
{
    static const char stream[] = "data: {\"x\":1}\n\nevent: e\ndata: {}\r\n\r\ndata: ";
    struct record r;
    struct km_sse *sse;
    struct km_err err;

    (void)state;
    record_init(&r);
    r.fed = stream;
    r.fed_n = sizeof stream - 1;
    sse = km_sse_new(1 << 16, on_event, &r);
    assert_int_equal(km_sse_feed(sse, stream, sizeof stream - 1, &err), 0);
    assert_int_equal(r.events, 2);
    assert_int_equal(r.in_place, 2);
    assert_true(km_sse_unfinished(sse));
    assert_int_equal(km_sse_feed(sse, "1\n\n", 3, &err), 0);
    assert_int_equal(r.in_place, 2);
    assert_int_equal(r.events, 3);
    assert_false(km_sse_unfinished(sse));
    km_sse_free(sse);
    record_done(&r);
}

static void a_stream_of_lone_cr_hands_over_each_event_at_once(void **state)
{
    struct record r;
    struct km_sse *sse;

    (void)state;
    record_init(&r);
    sse = km_sse_new(64, on_event, &r);
    assert_int_equal(feed_copy(sse, "data: a\r\r", 9), 0);
    assert_int_equal(r.events, 1);
    assert_false(km_sse_unfinished(sse));
    assert_int_equal(feed_copy(sse, "\n", 1), 0);
    assert_false(km_sse_unfinished(sse));
    assert_int_equal(r.events, 1);
    km_sse_free(sse);
    record_done(&r);
}

static void an_event_over_the_limit_is_an_error_however_it_comes(void **state)
{
    static const char stream[] = "data: 012345678901\n\n"; /* 20 bytes */

    (void)state;
    for (size_t max = 19; max <= 20; max++)
        for (size_t step = 1; step <= 20; step++) {
            struct record r;
            struct km_sse *sse;
            int e = 0;

            record_init(&r);
            sse = km_sse_new(max, on_event, &r);
            for (size_t at = 0; at < 20 && e == 0; at += step)
                e = feed_copy(sse, stream + at, 20 - at < step ? 20 - at : step);
            assert_int_equal(e, max < 20 ? KM_E_LIMIT : 0);
            km_sse_free(sse);
            record_done(&r);
        }
}

static void the_code_of_the_callback_stops_the_feed(void **state)
{
    struct record r;
    struct km_sse *sse;

    (void)state;
    record_init(&r);
    r.stop_at = 2;
    sse = km_sse_new(64, on_event, &r);
    assert_int_equal(feed_copy(sse, "data\n\ndata\n\ndata\n\n", 18), KM_E_CANCELED);
    assert_int_equal(r.events, 2);
    km_sse_free(sse);
    record_done(&r);
    assert_null(km_sse_free(NULL));
}

static void what_is_written_is_read_back(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct record r;
    struct km_sse *sse;

    (void)state;
    record_init(&r);
    km_sse_write(&out, KM_STR("error\ndata: forged"), KM_STR("{\"a\":1}"));
    km_sse_write(&out, KM_STR_NONE, KM_STR("a\nb\r\nc\rd\n"));
    km_sse_write(&out, KM_STR_NONE, KM_STR(""));
    sse = km_sse_new(4096, on_event, &r);
    assert_int_equal(feed_copy(sse, out.p, out.n), 0);
    assert_string_equal(km_buf_cstr(&r.text),
                        "[error|1|{\"a\":1}||-1|28]\n[|1|a\nb\nc\nd\n||-1|40]\n[|1|||-1|8]\n");
    km_sse_free(sse);
    record_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_the_standard_says),
        cmocka_unit_test(all_three_line_ends_and_a_bom_are_understood),
        cmocka_unit_test(every_split_of_a_stream_gives_the_same_events),
        cmocka_unit_test(an_event_that_is_fed_whole_is_not_copied),
        cmocka_unit_test(a_stream_of_lone_cr_hands_over_each_event_at_once),
        cmocka_unit_test(an_event_over_the_limit_is_an_error_however_it_comes),
        cmocka_unit_test(the_code_of_the_callback_stops_the_feed),
        cmocka_unit_test(what_is_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
