/* SPDX-License-Identifier: Apache-2.0 */
/* test_tools.c - the parts of the benchmark's two ends that could lie quietly.
 *
 * A parser that miscounts, a histogram that is off or a timer that is lost would show as
 * a strange figure at best; here they show as a failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "client.h"
#include "hist.h"
#include "mcp_echo.h"
#include "script.h"
#include "wheel.h"
#include "wire.h"

struct seen {
    char body[256];
    size_t len;
};

static void on_body(void *ctx, const char *bytes, size_t len)
{
    struct seen *s = ctx;

    assert_true(s->len + len < sizeof s->body);
    memcpy(s->body + s->len, bytes, len);
    s->len += len;
}

/* Feeds `text` in two pieces cut at every place; the message must come out the same. */
static void cut_everywhere(const char *text, bool response, int status, const char *body)
{
    size_t len = strlen(text), used;
    static struct wire w;

    for (size_t cut = 0; cut <= len; cut++) {
        struct seen s = { .len = 0 };

        wire_init(&w, response, on_body, &s);
        assert_int_equal(wire_feed(&w, text, cut, &used), 0);
        assert_int_equal(used, cut);
        assert_int_equal(wire_feed(&w, text + cut, len - cut, &used), 0);
        assert_int_equal(used, len - cut);
        assert_true(w.done);
        assert_int_equal(w.status, status);
        assert_int_equal(s.len, strlen(body));
        assert_memory_equal(s.body, body, s.len);
        assert_int_equal(w.body_bytes, s.len);
    }
}

static void a_message_cut_anywhere_is_the_same_message(void **state)
{
    (void)state;
    cut_everywhere("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, 200, "hello");
    cut_everywhere("HTTP/1.1 429 Slow\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3;ext=1\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
                   true, 429, "abc0123456789");
    cut_everywhere("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\ncontent-length: 0\r\n\r\n", true,
                   201, "");
    cut_everywhere("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
                   false, 0, "{}");
    cut_everywhere("GET /__stats HTTP/1.1\r\n\r\n", false, 0, "");
}

static void bytes_after_a_message_are_not_taken(void **state)
{
    static struct wire w;
    size_t used;

    (void)state;
    wire_init(&w, true, NULL, NULL);
    assert_int_equal(wire_feed(&w, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", 40, &used), 0);
    assert_true(w.done);
    assert_int_equal(used, 39);
}

static void what_is_no_http_is_refused(void **state)
{
    static struct wire w;
    size_t used;

    (void)state;
    wire_init(&w, true, NULL, NULL);
    assert_int_equal(wire_feed(&w, "SSH-2.0-x\r\n\r\n", 13, &used), -1);
}

static void a_percentile_is_within_one_per_cent(void **state)
{
    static struct hist h;
    const uint64_t values[] = { 1, 255, 256, 1000, 123456, 5000000000ull };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        double got;

        memset(&h, 0, sizeof h);
        hist_add(&h, values[i]);
        hist_add(&h, 1ull << 39); /* so that the maximum does not help */
        got = (double)hist_percentile(&h, 50);
        assert_true(got >= (double)values[i] && got <= (double)values[i] * 1.008);
    }
    memset(&h, 0, sizeof h);
    for (uint64_t i = 1; i <= 1000; i++)
        hist_add(&h, i * 1000);
    assert_in_range(hist_percentile(&h, 99), 990000, 998000);
    assert_int_equal(hist_percentile(&h, 100), 1000000);
}

static void an_answer_has_the_size_it_says(void **state)
{
    static struct script_texts t;
    char text[2 * SCRIPT_TEXT_MAX];
    static struct wire w;
    struct script s = { .events = 3, .include_usage = true };
    size_t n, used;

    (void)state;
    script_texts_init(&t);
    n = script_json(&t, text, 0xabcdef);
    wire_init(&w, true, NULL, NULL);
    assert_int_equal(wire_feed(&w, text, n, &used), 0);
    assert_true(w.done && used == n);
    assert_int_equal(w.body_bytes, SCRIPT_BODY_BYTES);
    assert_non_null(memmem(text, n, "chatcmpl-0000000000abcdef", 25));

    wire_reset(&w);
    n = script_stream_head(text);
    assert_int_equal(wire_feed(&w, text, n, &used), 0);
    n = script_event(&t, text, 7, 42);
    assert_non_null(memmem(text, n, "\" w00042\"", 9));
    assert_int_equal(wire_feed(&w, text, n, &used), 0);
    assert_false(w.done);
    n = script_stream_end(text, 7, &s);
    assert_non_null(memmem(text, n, "\"completion_tokens\":3", 21));
    assert_int_equal(wire_feed(&w, text, n, &used), 0);
    assert_true(w.done && used == n);
}

static void a_script_is_read_from_the_prompt(void **state)
{
    const char *body =
        "{\"messages\":[{\"content\":\"[[mock events=-1 interval_ms=20 tag=70 ack=1]] "
        "x\"}],\"stream\": true,\"stream_options\":{\"include_usage\":true}}";
    struct script s;

    (void)state;
    script_read(&s, body, strlen(body));
    assert_true(s.stream && s.include_usage && s.ack);
    assert_int_equal(s.events, -1);
    assert_int_equal(s.interval_ms, 20);
    assert_int_equal(s.tag, 70);
    script_read(&s, "{\"stream\":false}", 16);
    assert_false(s.stream || s.ack);
}

static int fired;

static void on_fire(struct wheel_item *item)
{
    (void)item;
    fired++;
}

static void a_timer_fires_once_and_not_early(void **state)
{
    static struct wheel w;
    struct wheel_item near = { 0 }, far = { 0 }, gone = { 0 };

    (void)state;
    fired = 0;
    wheel_init(&w, 1000);
    wheel_arm(&w, &near, 1005);
    wheel_arm(&w, &far, 1005 + WHEEL_SLOTS); /* the same slot, one turn later */
    wheel_arm(&w, &gone, 1003);
    wheel_disarm(&w, &gone);
    wheel_advance(&w, 1004, on_fire);
    assert_int_equal(fired, 0);
    wheel_advance(&w, 1100, on_fire);
    assert_int_equal(fired, 1);
    wheel_advance(&w, 1100 + 3 * WHEEL_SLOTS, on_fire);
    assert_int_equal(fired, 2);
    assert_int_equal(w.armed, 0);
}

static void the_echo_server_finds_members_in_any_order(void **state)
{
    static const struct {
        const char *message, *answer;
    } table[] = {
        { "{\"id\":7,\"method\":\"ping\"}", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}" },
        { "{\"params\":{\"_meta\":{\"id\":1},\"arguments\":{\"x\":[{}],\"message\":\"a\\\"},\"}},"
          "\"method\" : \"tools/call\",\"id\":\"\\u0041\"}",
          "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0041\",\"result\":{\"content\":"
          "[{\"type\":\"text\",\"text\":\"a\\\"},\"}]}}" },
        { "{\"method\":\"notifications/initialized\"}", "" },
        { "", "" },
        { "{\"id\":", "" },
    };
    static char out[MCP_ECHO_MAX];
    struct mcp_echo echo = { .tools = 500 };
    const char *list = "{\"id\":1,\"method\":\"tools/list\"}";

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t n = mcp_echo(&echo, table[i].message, strlen(table[i].message), out, sizeof out);

        out[n] = '\0';
        assert_string_equal(out, table[i].answer);
    }
    assert_int_equal(echo.calls, 1);
    assert_in_range(mcp_echo(&echo, list, strlen(list), out, sizeof out), 100000, MCP_ECHO_MAX - 1);
    assert_non_null(strstr(out, "echo499"));
}

static void a_number_takes_the_place_that_was_kept_for_it(void **state)
{
    char text[] = "{\"id\":" CLIENT_NUMBER "}";

    (void)state;
    client_number(strstr(text, CLIENT_NUMBER), 42);
    assert_string_equal(text, "{\"id\":10000042}");
    client_number(text + 6, 12345678);
    assert_string_equal(text, "{\"id\":22345678}");
    client_number(NULL, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_cut_anywhere_is_the_same_message),
        cmocka_unit_test(bytes_after_a_message_are_not_taken),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_percentile_is_within_one_per_cent),
        cmocka_unit_test(an_answer_has_the_size_it_says),
        cmocka_unit_test(a_script_is_read_from_the_prompt),
        cmocka_unit_test(a_timer_fires_once_and_not_early),
        cmocka_unit_test(the_echo_server_finds_members_in_any_order),
        cmocka_unit_test(a_number_takes_the_place_that_was_kept_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
