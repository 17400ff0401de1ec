/* SPDX-License-Identifier: Apache-2.0 */
/* What is cut out of a text, what stays, and in whichever escapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/veil.h"

#define SECRET "C4nary+Of/The=Deployment"

static void check(struct km_veil *v, const char *text, const char *expected)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    bool any = km_veil_cut(v, km_str_c(text), &out);
    struct km_str got = any ? km_buf_view(&out) : km_str_c(text);

    if (any && !expected)
        fail_msg("'%s' became '%.*s'", text, KM_STR_ARG(got));
    if (!km_str_eq(got, km_str_c(expected ? expected : text)))
        fail_msg("'%s' became '%.*s', not '%s'", text, KM_STR_ARG(got), expected);
}

static void a_value_is_cut_in_every_spelling(void **state)
{
    static const char *const spellings[] = {
        SECRET,
        "C4nary+Of\\/The=Deployment",
        "C4nary\\u002bOf\\u002FThe\\u003dDeployment",
        "C4nary%2BOf%2fThe%3DDeployment",
        "\\u0043\\u0034\\u006e\\u0061\\u0072\\u0079+Of/The=Deployment",
        "QzRuYXJ5K09mL1RoZT1EZXBsb3ltZW50",
    };
    struct km_veil *v = km_veil_new();
    char text[256], expected[256];

    (void)state;
    km_veil_add(v, KM_STR(SECRET));
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        snprintf(text, sizeof text, "wrong key '%s' given, %sx", spellings[i], spellings[i]);
        snprintf(expected, sizeof expected, "wrong key '[redacted]' given, [redacted]x");
        check(v, text, expected);
    }
    check(v, SECRET, "[redacted]");
    check(v, "a" SECRET SECRET "b", "a[redacted][redacted]b");
    check(v, "C4nary+Of/The=Deploymenx", NULL);
    km_veil_free(v);
}

static void a_value_is_cut_in_both_alphabets_of_base64(void **state)
{
    struct km_veil *v = km_veil_new();

    (void)state;
    km_veil_add(v, KM_STR("k?~>x?~>12"));
    check(v, "a: az9+Png/fj4xMg==", "a: [redacted]==");
    check(v, "a: az9+Png/fj4xMg.", "a: [redacted].");
    check(v, "a: az9-Png_fj4xMg, b", "a: [redacted], b");
    km_veil_free(v);
}

static void a_value_that_a_texts_end_cut_is_cut_too(void **state)
{
    struct km_veil *v = km_veil_new();

    (void)state;
    km_veil_add(v, KM_STR(SECRET));
    check(v, "key C4nary+Of/The=De", "key [redacted]");
    check(v, "key C4nary+Of/The=De...", "key [redacted]");
    check(v, "key C4nary+Of/The=De.. and", NULL);
    check(v, "key C4nary", NULL);
    km_veil_free(v);
}

static void short_values_are_cut_as_words_only(void **state)
{
    struct km_veil *v = km_veil_new();

    (void)state;
    km_veil_add(v, KM_STR("sk-1234"));
    km_veil_add(v, KM_STR("ollama"));
    km_veil_add(v, KM_STR("x"));
    km_veil_add(v, KM_STR("anything"));
    check(v, "key sk-1234 is wrong, task-12345 is not",
          "key [redacted] is wrong, task-12345 is not");
    check(v, "ollama at http://x answered 404", NULL);
    check(v, "anythings", NULL);
    check(v, "'anything'", "'[redacted]'");
    km_veil_free(v);
}

static void forms_are_cut_without_a_value(void **state)
{
    static const char *const pairs[][2] = {
        { "bad key Bearer sk-UPSTREAMSECRET123456.", "bad key Bearer [redacted]" },
        { "{\"authorization\":\"bearer abc123def\"}", "{\"authorization\":\"bearer [redacted]\"}" },
        { "Basic dXNlcjpwYXNz", "Basic [redacted]" },
        { "Basic dXNlcjpwYXNzMTIz", "Basic [redacted]" },
        { "Incorrect API key: sk-proj-abcDEF12.", "Incorrect API key: [redacted]." },
        { "AKIAIOSFODNN7EXAMPLE", "[redacted]" },
        { "ASIAIOSFODNN7EXAMPLE is", "[redacted] is" },
        { "x ghp_0123456789abcdefghij", "x [redacted]" },
        { "\\nxoxb-1234567890-abc", "\\n[redacted]" },
        { "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d", "[redacted]" },
        { "postgres://u:pw1@h:5/db", "postgres://u:[redacted]@h:5/db" },
        { "-----BEGIN " "RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
          "[redacted]-----END RSA PRIVATE KEY-----" },
        { "AIzaSyA0123456789012345678901234567890ab", "[redacted]" },
        { "ya29.a0AfH6SMB-0123456789", "[redacted]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        check(NULL, pairs[i][0], pairs[i][1]);
}

static void words_of_errors_stay(void **state)
{
    static const char *const texts[] = {
        "Basic authentication is required",
        "Bearer authentication failed: no bearer token was sent",
        "Malformed API Key passed in. Ensure Key has `Bearer ` prefix.",
        "LiteLLM Virtual Key expected. Received=abcd****wxyz, expected to start with 'sk-'.",
        "Bearer realm=\"kanmon\", error=\"invalid_token\"",
        "maximum context length is 8192 tokens, token: 12345",
        "task-management-system is not a model; see https://h/a?b=c@d and http://[::1]:80/x",
        "openai at http://127.0.0.1:4000/v1: connection refused",
        "model 'anthropic.claude-3-5-sonnet-20241022-v2:0' risk-assessment-module",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check(NULL, texts[i], NULL);
}

static void header_lines_and_keys_of_several_lines_are_told(void **state)
{
    struct km_veil *v = km_veil_new();

    (void)state;
    km_veil_add_head(v,
                     KM_STR("Content-Type: application/json\r\nAuthorization: Custom abcdef-99\r\n"
                            "X-Api-Key: 0987zyxw\r\n"),
                     false);
    check(v, "abcdef-99 0987zyxw application/json", "[redacted] [redacted] application/json");
    km_veil_add(v, KM_STR("-----BEGIN X-----\nAAAABBBBCCCCDDDDEEEE\n-----END X-----"));
    check(v, "no: AAAABBBBCCCCDDDDEEEE", "no: [redacted]");
    km_veil_free(v);
}

static void what_passes_makes_nobody_forget_the_configuration(void **state)
{
    struct km_veil *v = km_veil_new();
    static char line[512 * 1024];
    static const char name[] = "x-key: ";

    (void)state;
    km_veil_add(v, KM_STR("first-of-all-9"));
    km_veil_add_head(v, KM_STR("x-key: passed-by-9\r\n"), true);
    for (int i = 0; i < 40; i++) {
        memset(line, 'a', sizeof line);
        memcpy(line, name, sizeof name - 1);
        memcpy(line + sizeof name - 1, (char[]){ (char)('A' + i / 10), (char)('0' + i % 10) }, 2);
        km_veil_add_head(v, km_str(line, sizeof line), true);
    }
    check(v, "first-of-all-9 passed-by-9", "[redacted] passed-by-9");
    km_veil_free(v);
}

/* What is known alone is looked for in strides: it is found at whichever place it stands. */
static void a_known_value_is_found_at_every_place(void **state)
{
    static const char *const values[] = {
        "aB3-xy",
        "k7_Qz/9",
        SECRET,
        "QQ%41\\u0041-1",
        "eyJ0b2tlbiI6ImEgbG9uZyBvbmUgb2YgbW9yZSB0aGFuIGEgc3RyaWRlIn0",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct km_str value = km_str_c(values[i]);
        struct km_veil *v = km_veil_new();

        km_veil_add(v, value);
        for (size_t at = 0; at < 24; at++)
            for (size_t behind = 0; behind < 6; behind++) {
                struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

                memset(text, ' ', sizeof text);
                memcpy(text + at, value.p, value.n);
                if (!km_veil_cut_known(v, km_str(text, at + value.n + behind), &out))
                    fail_msg("'%s' stays at %zu of %zu", value.p, at, at + value.n + behind);
                assert_int_equal(out.n, at + strlen(KM_VEIL_MARK) + behind);
            }
        for (size_t at = 0; at < 48; at++)
            for (size_t n = 8; n < value.n; n++) { /* its beginning, at the text's end */
                struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

                memset(text, ' ', sizeof text);
                memcpy(text + at, value.p, n);
                if (!km_veil_cut_known(v, km_str(text, at + n), &out))
                    fail_msg("%zu of '%s' stay at %zu", n, value.p, at);
                memcpy(text + at + n, "...", 3);
                if (!km_veil_cut_known(v, km_str(text, at + n + 3), &out))
                    fail_msg("%zu of '%s' and dots stay at %zu", n, value.p, at);
            }
        km_veil_free(v);
    }
}

static void a_known_value_is_found_in_escapes_and_cut_short(void **state)
{
    static const char *const texts[] = {
        "C4nary%2BOf%2fThe%3DDeployment",
        "%43%34nary+Of/The=Deployment",
        "key=C4nary+O",
        "https://x/?a=C4nary+Of...",
    };
    struct km_veil *v = km_veil_new();

    (void)state;
    km_veil_add(v, KM_STR(SECRET));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

        if (!km_veil_cut_known(v, km_str_c(texts[i]), &out))
            fail_msg("'%s' stays", texts[i]);
    }
    km_veil_free(v);
}

static void a_text_in_place_stays_in_its_room(void **state)
{
    char text[32] = "k sk-12345678";
    struct km_veil *v = km_veil_new();

    (void)state;
    km_veil_text(v, text, sizeof text);
    assert_string_equal(text, "k [redacted]");
    snprintf(text, sizeof text, "abcdef sk-12345678");
    km_veil_text(v, text, 14);
    assert_string_equal(text, "abcdef [redac");
    km_veil_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_cut_in_every_spelling),
        cmocka_unit_test(a_value_is_cut_in_both_alphabets_of_base64),
        cmocka_unit_test(a_value_that_a_texts_end_cut_is_cut_too),
        cmocka_unit_test(short_values_are_cut_as_words_only),
        cmocka_unit_test(forms_are_cut_without_a_value),
        cmocka_unit_test(words_of_errors_stay),
        cmocka_unit_test(header_lines_and_keys_of_several_lines_are_told),
        cmocka_unit_test(what_passes_makes_nobody_forget_the_configuration),
        cmocka_unit_test(a_known_value_is_found_at_every_place),
        cmocka_unit_test(a_known_value_is_found_in_escapes_and_cut_short),
        cmocka_unit_test(a_text_in_place_stays_in_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
