/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "base/hash.h"
#include "llm/aws/eventstream.h"
#include "llm/framing.h"

/* Made with npm's @smithy/eventstream-codec. */
#define START                                                                                      \
    "000000760000005296d5fade0b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74"   \
    "656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d7479706507000565"   \
    "76656e747b22726f6c65223a22617373697374616e74227d6fa8c599"
#define DELTA                                                                                      \
    "0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d"   \
    "3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970"   \
    "650700056576656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b22746578"   \
    "74223a224869227d7d1f944657"
#define THROTTLED                                                                                  \
    "0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e6745786365"   \
    "7074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d65737361"   \
    "67652d74797065070009657863657074696f6e7b226d657373616765223a22736c6f7720646f776e227d832ee072"
#define ALL_TYPES                                                                                  \
    "00000086000000740cec2f7e017400016601016202fe017303fed401690400011170016c0500000000075bcd15"   \
    "01790600030102030d3a6d6573736167652d747970650700056576656e740b3a6576656e742d74797065070008"   \
    "6d65746164617461016d080000018bcfe56800017509123456789abcdef0123456789abcdef07b7d31cb1c0c"
#define ERROR_FRAME                                                                                \
    "0000005c0000004ce7abf0180d3a6d6573736167652d747970650700056572726f720b3a6572726f722d636f64"   \
    "6507000d496e7465726e616c4572726f720e3a6572726f722d6d65737361676507000869742062726f6b65c0c2"   \
    "1ee3"
#define EMPTY "000000100000000005c248eb7d98c8ff"

#define MAX 4096

struct bytes {
    char p[MAX];
    size_t n;
};

static void add(struct bytes *b, const char *hex)
{
    size_t n = strlen(hex) / 2;

    assert_true(b->n + n <= sizeof b->p);
    assert_int_equal(km_unhex(km_str_c(hex), b->p + b->n, n), 0);
    b->n += n;
}

struct seen {
    struct km_buf text; /* "type|exception|data\n" an event */
    size_t n;
};

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    km_buf_printf(&s->text, "%.*s|%.*s|%.*s\n", KM_STR_ARG(e->type), KM_STR_ARG(e->exception),
                  KM_STR_ARG(e->data));
    s->n++;
    return 0;
}

static struct km_framer *framer(struct seen *s, size_t max)
{
    struct km_framer *f;

    *s = (struct seen){ .text = KM_BUF(65536) };
    f = km_framer_new(KM_FRAMING_AWS, max, on_event, s);
    assert_non_null(f);
    return f;
}

#define EXPECTED                                                                                   \
    "messageStart||{\"role\":\"assistant\"}\n"                                                     \
    "contentBlockDelta||{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}\n"                   \
    "|throttlingException|{\"message\":\"slow down\"}\n"

static void frames_come_whole_wherever_they_are_cut(void **state)
{
    struct bytes b = { .n = 0 };

    (void)state;
    add(&b, START);
    add(&b, DELTA);
    add(&b, THROTTLED);
    for (size_t cut = 0; cut <= b.n; cut++) {
        for (size_t more = 0; more <= 16 && cut + more <= b.n; more += 5) {
            struct seen s;
            struct km_framer *f = framer(&s, MAX);

            assert_int_equal(km_framer_feed(f, b.p, cut, NULL), 0);
            assert_int_equal(km_framer_feed(f, b.p + cut, more, NULL), 0);
            assert_int_equal(km_framer_feed(f, b.p + cut + more, b.n - cut - more, NULL), 0);
            assert_string_equal(km_buf_cstr(&s.text), EXPECTED);
            assert_false(km_framer_unfinished(f));
            km_buf_done(&s.text);
            km_framer_free(f);
        }
    }
}

static void frames_come_whole_byte_by_byte(void **state)
{
    struct bytes b = { .n = 0 };
    struct seen s;
    struct km_framer *f = framer(&s, MAX);
    size_t starts = strlen(START) / 2;

    (void)state;
    add(&b, START);
    add(&b, DELTA);
    add(&b, THROTTLED);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(km_framer_feed(f, b.p + i, 1, NULL), 0);
        assert_int_equal(km_framer_unfinished(f),
                         i + 1 != b.n && i + 1 != starts && i + 1 != starts + strlen(DELTA) / 2);
    }
    assert_string_equal(km_buf_cstr(&s.text), EXPECTED);
    km_buf_done(&s.text);
    km_framer_free(f);
}

/* A flipped bit anywhere: the frame before it is delivered, nothing after. */
static void a_wrong_byte_anywhere_ends_the_stream(void **state)
{
    struct bytes b = { .n = 0 };
    size_t first = strlen(START) / 2;

    (void)state;
    add(&b, START);
    add(&b, DELTA);
    for (size_t at = first; at < b.n; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct km_err err = { 0 };
            struct seen s;
            struct km_framer *f = framer(&s, MAX);

            b.p[at] ^= (char)(1u << bit);
            assert_true(km_framer_feed(f, b.p, b.n, &err) < 0);
            assert_int_equal(err.code, KM_E_UPSTREAM_PROTOCOL);
            assert_int_equal(s.n, 1);
            b.p[at] ^= (char)(1u << bit);
            km_buf_done(&s.text);
            km_framer_free(f);
        }
    }
}

static void an_error_frame_carries_its_code_and_text(void **state)
{
    struct bytes b = { .n = 0 };
    struct seen s;
    struct km_framer *f = framer(&s, MAX);

    (void)state;
    add(&b, ERROR_FRAME);
    assert_int_equal(km_framer_feed(f, b.p, b.n, NULL), 0);
    assert_string_equal(km_buf_cstr(&s.text), "|InternalError|it broke\n");
    km_buf_done(&s.text);
    km_framer_free(f);
}

static void a_message_of_no_known_type_is_an_error(void **state)
{
    struct bytes b = { .n = 0 };
    struct km_err err = { 0 };
    struct seen s;
    struct km_framer *f = framer(&s, MAX);

    (void)state;
    add(&b, EMPTY);
    assert_int_equal(km_framer_feed(f, b.p, b.n, &err), KM_E_UPSTREAM_PROTOCOL);
    km_buf_done(&s.text);
    km_framer_free(f);
}

static int on_all_types(void *ctx, const struct km_aws_message *m, struct km_err *err)
{
    static const struct {
        const char *name;
        enum km_aws_header_type type;
        const char *hex;
    } expected[] = {
        { "t", KM_AWS_TRUE, "" },
        { "f", KM_AWS_FALSE, "" },
        { "b", KM_AWS_BYTE, "fe" },
        { "s", KM_AWS_SHORT, "fed4" },
        { "i", KM_AWS_INT, "00011170" },
        { "l", KM_AWS_LONG, "00000000075bcd15" },
        { "y", KM_AWS_BYTES, "010203" },
        { ":message-type", KM_AWS_STRING, "6576656e74" },
        { ":event-type", KM_AWS_STRING, "6d65746164617461" },
        { "m", KM_AWS_TIMESTAMP, "0000018bcfe56800" },
        { "u", KM_AWS_UUID, "123456789abcdef0123456789abcdef0" },
    };
    struct km_str rest = m->headers;
    struct km_aws_header h;
    char hex[64];
    size_t n = 0;

    (void)err;
    for (; km_aws_header_next(&rest, &h); n++) {
        assert_true(n < sizeof expected / sizeof expected[0]);
        assert_true(km_str_eq(h.name, km_str_c(expected[n].name)));
        assert_int_equal(h.type, expected[n].type);
        km_hex(hex, h.value.p, h.value.n);
        assert_string_equal(hex, expected[n].hex);
    }
    assert_int_equal(n, sizeof expected / sizeof expected[0]);
    assert_int_equal(rest.n, 0);
    assert_true(km_str_eq(m->event_type, KM_STR("metadata")));
    assert_true(km_str_eq(m->payload, KM_STR("{}")));
    *(size_t *)ctx += 1;
    return 0;
}

static void headers_of_every_type_are_read(void **state)
{
    struct bytes b = { .n = 0 };
    size_t seen = 0;
    struct km_eventstream *s = km_eventstream_new(MAX, on_all_types, &seen);

    (void)state;
    assert_non_null(s);
    add(&b, ALL_TYPES);
    assert_int_equal(km_eventstream_feed(s, b.p, b.n, NULL), 0);
    assert_int_equal(seen, 1);
    km_eventstream_free(s);
}

/* A frame of these lengths with right checksums. */
static size_t frame(char *p, uint32_t total, uint32_t headers, const char *bytes, size_t n)
{
    const uint32_t lengths[] = { total, headers };
    uint32_t crc;
    size_t at = 0;

    for (size_t i = 0; i < 2; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            p[at++] = (char)(lengths[i] >> shift);
    crc = km_crc32(0, p, 8);
    for (int shift = 24; shift >= 0; shift -= 8)
        p[at++] = (char)(crc >> shift);
    memcpy(p + at, bytes, n);
    at += n;
    crc = km_crc32(0, p, at);
    for (int shift = 24; shift >= 0; shift -= 8)
        p[at++] = (char)(crc >> shift);
    return at;
}

static void lengths_that_lie_are_refused_before_anything_is_waited_for(void **state)
{
    static const struct {
        uint32_t total, headers;
        int code;
    } cases[] = {
        { 15, 0, KM_E_UPSTREAM_PROTOCOL },
        { 0, 0, KM_E_UPSTREAM_PROTOCOL },
        { 20, 5, KM_E_UPSTREAM_PROTOCOL },
        { MAX + 1, 0, KM_E_LIMIT },
        { UINT32_MAX, 0, KM_E_LIMIT },
        { 100, UINT32_MAX, KM_E_UPSTREAM_PROTOCOL },
        { UINT32_MAX, UINT32_MAX - 16, KM_E_LIMIT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t cut = 0; cut <= 12; cut++) {
            struct seen s;
            struct km_framer *f = framer(&s, MAX);
            char p[64];

            frame(p, cases[i].total, cases[i].headers, "", 0);
            if (cut < 12)
                assert_int_equal(km_framer_feed(f, p, cut, NULL), 0);
            assert_int_equal(
                km_framer_feed(f, cut < 12 ? p + cut : p, cut < 12 ? 12 - cut : 12, NULL),
                cases[i].code);
            km_buf_done(&s.text);
            km_framer_free(f);
        }
    }
}

static void headers_that_cannot_be_read_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        { "\x00\x07\x00\x00", 4 },      /* a name of no bytes */
        { "\x01t", 2 },                 /* cut before its type */
        { "\x05t\x00", 3 },             /* a name longer than all */
        { "\x01t\x0a", 3 },             /* a type nobody knows */
        { "\x01t\x07\x00", 4 },         /* cut in its length */
        { "\x01t\x07\x00\x05"
          "abcd",
          9 }, /* cut in its value */
        { "\x01t\x09"
          "abc",
          6 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen s;
        struct km_framer *f = framer(&s, MAX);
        char p[64];
        size_t n =
            frame(p, (uint32_t)(16 + cases[i].n), (uint32_t)cases[i].n, cases[i].bytes, cases[i].n);

        assert_int_equal(km_framer_feed(f, p, n, NULL), KM_E_UPSTREAM_PROTOCOL);
        assert_int_equal(s.n, 0);
        km_buf_done(&s.text);
        km_framer_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_wherever_they_are_cut),
        cmocka_unit_test(frames_come_whole_byte_by_byte),
        cmocka_unit_test(a_wrong_byte_anywhere_ends_the_stream),
        cmocka_unit_test(an_error_frame_carries_its_code_and_text),
        cmocka_unit_test(a_message_of_no_known_type_is_an_error),
        cmocka_unit_test(headers_of_every_type_are_read),
        cmocka_unit_test(lengths_that_lie_are_refused_before_anything_is_waited_for),
        cmocka_unit_test(headers_that_cannot_be_read_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
