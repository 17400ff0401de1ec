/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6455: frames cut at every place, every rule of sections 5 to 7 broken once, what is
 * written read back, and the handshake of both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/server.h"
#include "http/websocket.h"

#define LIMIT 70000

/* What a reader said, as one line of text. */
struct record {
    struct km_buf text;
    const char *fed;
    size_t fed_n, in_place;
    bool stop;
};

static int on_message(void *ctx, enum km_ws_opcode kind, struct km_str data)
{
    struct record *r = ctx;

    if (data.n < 100)
        km_buf_printf(&r->text, "%s[%.*s]", kind == KM_WS_TEXT ? "text" : "bin", KM_STR_ARG(data));
    else
        km_buf_printf(&r->text, "%s[%zu]", kind == KM_WS_TEXT ? "text" : "bin", data.n);
    r->in_place += r->fed && data.p >= r->fed && data.p + data.n <= r->fed + r->fed_n;
    return r->stop ? KM_E_CANCELED : 0;
}

static void on_control(void *ctx, enum km_ws_opcode kind, struct km_str payload)
{
    struct record *r = ctx;

    km_buf_printf(&r->text, "%s[%.*s]", kind == KM_WS_PING ? "ping" : "pong", KM_STR_ARG(payload));
}

static void on_close(void *ctx, unsigned code, struct km_str reason)
{
    struct record *r = ctx;

    km_buf_printf(&r->text, "close[%u %.*s]", code, KM_STR_ARG(reason));
}

static const struct km_ws_events events = { on_message, on_control, on_close };

/* Feeds pieces of `step` bytes, each an exact heap copy, so that a read past it is seen. */
static void feed(struct record *r, enum km_ws_side side, struct km_str bytes, size_t step)
{
    struct km_ws *ws = km_ws_new(side, LIMIT, NULL, &events, r);
    int e = 0;

    assert_non_null(ws);
    for (size_t at = 0; e == 0 && at < bytes.n; at += step) {
        size_t n = bytes.n - at < step ? bytes.n - at : step;
        char *copy = malloc(n);

        memcpy(copy, bytes.p + at, n);
        r->fed = copy;
        r->fed_n = n;
        e = km_ws_feed(ws, copy, n, NULL);
        free(copy);
    }
    if (e < 0) {
        assert_true(km_ws_fault(ws) || r->stop);
        km_buf_printf(&r->text, "!%u", km_ws_fault(ws));
        assert_int_equal(km_ws_feed(ws, "\x89\x00", 2, NULL), 0); /* dropped */
    }
    km_ws_free(ws);
}

/* Whole, and in pieces of 1 to 17 bytes: always the same. */
static void expect_of(enum km_ws_side side, struct km_str bytes, const char *want)
{
    for (size_t step = 0; step < 18; step++) {
        struct record r = { .text = KM_BUF(1 << 20) };

        feed(&r, side, bytes, step ? step : bytes.n);
        assert_string_equal(km_buf_cstr(&r.text), want);
        km_buf_done(&r.text);
    }
}

#define SERVER_SENT(bytes, want)                                                                   \
    expect_of(KM_WS_CLIENT, km_str(bytes, sizeof(bytes) - 1), want)
#define CLIENT_SENT(bytes, want)                                                                   \
    expect_of(KM_WS_SERVER, km_str(bytes, sizeof(bytes) - 1), want)

#define MASK "\x37\xfa\x21\x3d"
#define HELLO "\x7f\x9f\x4d\x51\x58" /* under that mask: RFC 6455, 5.7 */

static void the_examples_of_the_standard_are_read(void **state)
{
    (void)state;
    SERVER_SENT("\x81\x05Hello", "text[Hello]");
    CLIENT_SENT("\x81\x85" MASK HELLO, "text[Hello]");
    SERVER_SENT("\x01\x03Hel\x80\x02lo", "text[Hello]");
    SERVER_SENT("\x89\x05Hello", "ping[Hello]");
    CLIENT_SENT("\x8a\x85" MASK HELLO, "pong[Hello]");
    SERVER_SENT("\x82\x00", "bin[]");
    SERVER_SENT("\x81\x00\x81\x00", "text[]text[]");
}

static void control_frames_come_between_fragments(void **state)
{
    (void)state;
    SERVER_SENT("\x01\x03Hel\x89\x01x\x00\x00\x8a\x00\x80\x02lo\x81\x01!",
                "ping[x]pong[]text[Hello]text[!]");
    SERVER_SENT("\x02\x01"
                "a"
                "\x88\x02\x03\xe8"
                "\x80\x01"
                "b",
                "close[1000 ]");
}

static void lengths_have_three_forms_and_the_shortest_counts(void **state)
{
    static const struct {
        size_t n;
        const char *want;
    } cases[] = { { 125, "text[125]" },     { 126, "text[126]" },     { 65535, "text[65535]" },
                  { 65536, "text[65536]" }, { LIMIT, "text[70000]" }, { LIMIT + 1, "!1009" } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf b = KM_BUF(1 << 20);
        char *text = malloc(cases[i].n);

        memset(text, 'x', cases[i].n);
        assert_int_equal(km_ws_put(&b, KM_WS_SERVER, KM_WS_TEXT, km_str(text, cases[i].n), NULL),
                         0);
        expect_of(KM_WS_CLIENT, km_buf_view(&b), cases[i].want);
        km_buf_reset(&b);
        assert_int_equal(km_ws_put(&b, KM_WS_CLIENT, KM_WS_TEXT, km_str(text, cases[i].n), NULL),
                         0);
        expect_of(KM_WS_SERVER, km_buf_view(&b), cases[i].want);
        free(text);
        km_buf_done(&b);
    }
    SERVER_SENT("\x81\x7e\x00\x7d", "!1002");
    SERVER_SENT("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "!1002");
    SERVER_SENT("\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00", "!1002"); /* the top bit */
    SERVER_SENT("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "!1009");
}

static void a_limit_counts_all_fragments(void **state)
{
    struct km_buf b = KM_BUF(1 << 20);
    char half[LIMIT / 2 + 1];

    (void)state;
    memset(half, 'x', sizeof half);
    km_buf_bytes(&b, "\x01\x7e\x88\xb9", 4);
    km_buf_bytes(&b, half, sizeof half);
    km_buf_bytes(&b, "\x80\x7e\x88\xb9", 4); /* refused by its head alone */
    expect_of(KM_WS_CLIENT, km_buf_view(&b), "!1009");
    km_buf_reset(&b);
    km_buf_bytes(&b, "\x01\x00", 2);
    for (size_t i = 0; i < KM_WS_FRAMES_MAX; i++)
        km_buf_bytes(&b, "\x00\x00", 2);
    expect_of(KM_WS_CLIENT, km_buf_view(&b), "!1009");
    km_buf_done(&b);
}

static void whoever_must_mask_does_and_nobody_else(void **state)
{
    (void)state;
    CLIENT_SENT("\x81\x05Hello", "!1002");
    SERVER_SENT("\x81\x85" MASK HELLO, "!1002");
    CLIENT_SENT("\x88\x00", "!1002");
}

static void reserved_bits_and_opcodes_are_errors(void **state)
{
    (void)state;
    SERVER_SENT("\xc1\x00", "!1002");
    SERVER_SENT("\xa1\x00", "!1002");
    SERVER_SENT("\x91\x00", "!1002");
    for (unsigned op = 3; op < 16; op++) {
        char frame[2] = { (char)(0x80 | op), 0 };

        if (op >= 8 && op <= 10)
            continue;
        expect_of(KM_WS_CLIENT, km_str(frame, 2), "!1002");
    }
}

static void control_frames_are_short_and_whole(void **state)
{
    (void)state;
    SERVER_SENT("\x89\x7e\x00\x7e", "!1002");
    SERVER_SENT("\x09\x00", "!1002");
    SERVER_SENT("\x08\x00", "!1002");
}

static void fragments_belong_to_one_message(void **state)
{
    (void)state;
    SERVER_SENT("\x80\x01x", "!1002");
    SERVER_SENT("\x00\x01x", "!1002");
    SERVER_SENT("\x01\x01x\x01\x01y", "!1002");
    SERVER_SENT("\x01\x01x\x82\x01y", "!1002");
    SERVER_SENT("\x81\x01x\x80\x01y", "text[x]!1002");
}

static void text_is_utf8_across_fragments(void **state)
{
    (void)state;
    SERVER_SENT("\x01\x01\xc3\x80\x01\xa4", "text[\xc3\xa4]");
    SERVER_SENT("\x81\x01\xc3", "!1007");
    SERVER_SENT("\x81\x02\xc0\x80", "!1007"); /* overlong */
    SERVER_SENT("\x81\x03\xed\xa0\x80", "!1007"); /* a surrogate */
    SERVER_SENT("\x81\x04\xf4\x90\x80\x80", "!1007"); /* past the last character */
    SERVER_SENT("\x82\x01\xc3", "bin[\xc3]");
}

static void a_close_has_a_code_that_may_be_sent(void **state)
{
    static const unsigned bad[] = { 0,    999,  1004, 1005, 1006, 1015,
                                    1016, 1100, 2000, 2999, 5000, 65535 };
    static const unsigned good[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                     1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char frame[4] = { (char)0x88, 2, (char)(bad[i] >> 8), (char)bad[i] };

        assert_false(km_ws_code_valid(bad[i]));
        expect_of(KM_WS_CLIENT, km_str(frame, 4), "!1002");
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char frame[4] = { (char)0x88, 2, (char)(good[i] >> 8), (char)good[i] }, want[32];

        snprintf(want, sizeof want, "close[%u ]", good[i]);
        expect_of(KM_WS_CLIENT, km_str(frame, 4), want);
    }
    SERVER_SENT("\x88\x00", "close[1005 ]");
    SERVER_SENT("\x88\x01\x03", "!1002");
    SERVER_SENT("\x88\x03\x03\xe8\xff", "!1007");
    SERVER_SENT("\x88\x07\x03\xf0later\x81\x01x\xff\xff", "close[1008 later]"); /* and no more */
}

static void a_whole_message_is_not_copied(void **state)
{
    struct record r = { .text = KM_BUF(1024) };

    (void)state;
    feed(&r, KM_WS_CLIENT,
         KM_STR("\x81\x05Hello\x81\x02yo\x01\x01"
                "a"
                "\x80\x01"
                "b"),
         18);
    assert_string_equal(km_buf_cstr(&r.text), "text[Hello]text[yo]text[ab]");
    assert_int_equal(r.in_place, 2);
    km_buf_done(&r.text);
}

static void a_callback_can_stop_the_reader(void **state)
{
    struct record r = { .text = KM_BUF(1024), .stop = true };

    (void)state;
    feed(&r, KM_WS_CLIENT, KM_STR("\x81\x01x\x81\x01y"), 8);
    assert_string_equal(km_buf_cstr(&r.text), "text[x]!0");
    km_buf_done(&r.text);
}

static void unfinished_messages_count_against_the_bound_on_bodies(void **state)
{
    struct km_body_budget budget = { .limit = 100 };
    struct record r = { .text = KM_BUF(1024) };
    struct km_ws *ws = km_ws_new(KM_WS_CLIENT, LIMIT, &budget, &events, &r);
    char piece[60] = { 0 };

    (void)state;
    assert_int_equal(km_ws_feed(ws, "\x01\x3c", 2, NULL), 0);
    assert_int_equal(km_ws_feed(ws, piece, 60, NULL), 0);
    assert_int_equal(budget.used, 60);
    assert_int_equal(km_ws_feed(ws, "\x80\x3c", 2, NULL), 0);
    assert_int_equal(km_ws_feed(ws, piece, 60, NULL), KM_E_OVERLOADED);
    assert_int_equal(km_ws_fault(ws), KM_WS_TRY_LATER);
    km_ws_free(ws);
    assert_int_equal(budget.used, 0);
    km_buf_done(&r.text);
}

static void a_close_carries_as_much_reason_as_fits(void **state)
{
    char out[KM_WS_CONTROL_MAX], long_reason[200];
    size_t n;

    (void)state;
    assert_int_equal(km_ws_close_payload(out, 1001, KM_STR("bye")), 5);
    assert_memory_equal(out,
                        "\x03\xe9"
                        "bye",
                        5);
    assert_int_equal(km_ws_close_payload(out, KM_WS_NO_STATUS, KM_STR("bye")), 0);
    for (size_t i = 0; i < sizeof long_reason; i += 2)
        memcpy(long_reason + i, "\xc3\xa4", 2);
    n = km_ws_close_payload(out, 1001, km_str(long_reason, sizeof long_reason));
    assert_int_equal(n, 2 + 122); /* 61 whole characters */
}

/* --- the handshake --- */

static struct km_header plain_request[] = {
    { { "Host", 4 }, { "a", 1 } },
    { { "Upgrade", 7 }, { "WebSocket", 9 } },
    { { "Connection", 10 }, { "keep-alive, Upgrade", 19 } },
    { { "Sec-WebSocket-Key", 17 }, { "dGhlIHNhbXBsZSBub25jZQ==", 24 } },
    { { "Sec-WebSocket-Version", 21 }, { "13", 2 } },
    { { "X-More", 6 }, { "", 0 } },
};

/* The request with field i set to `value`, or without it (NULL). */
static int with(size_t i, const char *name, const char *value, struct km_err *err)
{
    struct km_header v[sizeof plain_request / sizeof plain_request[0]];
    struct km_request r = { .method = KM_STR("GET"), .minor = 1, .headers = { .v = v, .n = 6 } };
    struct km_str key = KM_STR_NONE;
    int e;

    memcpy(v, plain_request, sizeof v);
    v[i].name = value ? km_str_c(name) : KM_STR("X-Gone");
    v[i].value = km_str_c(value);
    e = km_ws_request_check(&r, &key, err);
    assert_true(e < 0 || key.n == KM_WS_KEY_LEN);
    return e;
}

static void a_server_takes_a_handshake_as_the_standard_wants_it(void **state)
{
    struct km_err err = { 0 };
    char accept[KM_WS_ACCEPT_LEN + 1];

    (void)state;
    km_ws_accept(KM_STR("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
    assert_int_equal(with(5, "X-More", "x", &err), 0);
    assert_int_equal(with(2, "Connection", NULL, &err), KM_E_INVALID);
    assert_int_equal(with(2, "Connection", "close", &err), KM_E_INVALID);
    assert_int_equal(with(3, "Sec-WebSocket-Key", NULL, &err), KM_E_INVALID);
    assert_int_equal(with(3, "Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==", &err), KM_E_INVALID);
    assert_int_equal(with(3, "Sec-WebSocket-Key", "!!hlIHNhbXBsZSBub25jZQ==", &err), KM_E_INVALID);
    assert_int_equal(with(5, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", &err),
                     KM_E_INVALID); /* two */
    assert_int_equal(with(4, "Sec-WebSocket-Version", "8", &err), KM_E_INVALID);
    assert_int_equal(err.http, 426);
    assert_int_equal(with(4, "Sec-WebSocket-Version", NULL, &err), KM_E_INVALID);
}

static int answer(int status, const char *upgrade, const char *connection, const char *accept,
                  const char *more, const char *value)
{
    struct km_header v[] = { { KM_STR("Upgrade"), km_str_c(upgrade) },
                             { KM_STR("Connection"), km_str_c(connection) },
                             { KM_STR("Sec-WebSocket-Accept"), km_str_c(accept) },
                             { km_str_c(more), km_str_c(value) } };
    struct km_response r = { .status = status, .headers = { .v = v, .n = 4 }, .minor = 1 };

    return km_ws_response_check(&r, KM_STR("dGhlIHNhbXBsZSBub25jZQ=="), KM_STR("realtime"), NULL);
}

static void a_client_believes_only_the_answer_to_its_key(void **state)
{
    static const char good[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    (void)state;
    assert_int_equal(answer(101, "websocket", "Upgrade", good, "X", "y"), 0);
    assert_int_equal(
        answer(101, "WebSocket", "upgrade", good, "Sec-WebSocket-Protocol", "realtime"), 0);
    assert_int_equal(answer(200, "websocket", "Upgrade", good, "X", "y"), KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(answer(101, "h2c", "Upgrade", good, "X", "y"), KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(answer(101, "websocket", "close", good, "X", "y"), KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(answer(101, "websocket", "Upgrade", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=", "X", "y"),
                     KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(answer(101, "websocket", "Upgrade", good, "Sec-WebSocket-Protocol", "chat"),
                     KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(
        answer(101, "websocket", "Upgrade", good, "Sec-WebSocket-Extensions", "permessage-deflate"),
        KM_E_UPSTREAM_PROTOCOL);
}

static void keys_are_fresh(void **state)
{
    char a[KM_WS_KEY_LEN + 1], b[KM_WS_KEY_LEN + 1];

    (void)state;
    assert_int_equal(km_ws_key(a, NULL), 0);
    assert_int_equal(km_ws_key(b, NULL), 0);
    assert_string_not_equal(a, b);
    assert_int_equal(with(3, "Sec-WebSocket-Key", a, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_are_read),
        cmocka_unit_test(control_frames_come_between_fragments),
        cmocka_unit_test(lengths_have_three_forms_and_the_shortest_counts),
        cmocka_unit_test(a_limit_counts_all_fragments),
        cmocka_unit_test(whoever_must_mask_does_and_nobody_else),
        cmocka_unit_test(reserved_bits_and_opcodes_are_errors),
        cmocka_unit_test(control_frames_are_short_and_whole),
        cmocka_unit_test(fragments_belong_to_one_message),
        cmocka_unit_test(text_is_utf8_across_fragments),
        cmocka_unit_test(a_close_has_a_code_that_may_be_sent),
        cmocka_unit_test(a_whole_message_is_not_copied),
        cmocka_unit_test(a_callback_can_stop_the_reader),
        cmocka_unit_test(unfinished_messages_count_against_the_bound_on_bodies),
        cmocka_unit_test(a_close_carries_as_much_reason_as_fits),
        cmocka_unit_test(a_server_takes_a_handshake_as_the_standard_wants_it),
        cmocka_unit_test(a_client_believes_only_the_answer_to_its_key),
        cmocka_unit_test(keys_are_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
