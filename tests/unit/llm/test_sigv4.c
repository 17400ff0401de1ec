/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/json.h"
#include "llm/aws/sigv4.h"

#define BODY "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}"

static const struct km_aws_credentials who = { { "AKIDEXAMPLE", 11 },
                                               { "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40 },
                                               { NULL, 0 } };
static const struct km_sigv4_header json_type = { { "Content-Type", 12 },
                                                  { "application/json", 16 } };

static struct km_sigv4_request request_of(const struct km_str *body, size_t n)
{
    return (struct km_sigv4_request){
        .method = KM_STR("POST"),
        .host = KM_STR("bedrock-runtime.ap-northeast-1.amazonaws.com"),
        .target = KM_STR("/model/jp.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse"),
        .headers = &json_type,
        .nheaders = 1,
        .body = body,
        .nbody = n,
        .region = KM_STR("ap-northeast-1"),
        .service = KM_STR("bedrock"),
        .now_us = INT64_C(1795132800000000),
    };
}

static bool head_has(const struct km_buf *head, const char *text)
{
    return km_str_find(km_buf_view(head), km_str_c(text)) < head->n;
}

static void the_canonical_request_reads_as_documented(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_str body = KM_STR(BODY), names;
    struct km_sigv4_request q = request_of(&body, 1);
    char hash[2 * KM_SHA256_LEN + 1];

    (void)state;
    km_sha256_hex(body, hash);
    assert_int_equal(km_sigv4_canonical(&q, KM_STR_NONE, hash, &out, &names, NULL), 0);
    assert_string_equal(
        km_buf_cstr(&out),
        "POST\n/model/jp.anthropic.claude-haiku-4-5-20251001-v1%253A0/converse\n\n"
        "content-type:application/json\nhost:bedrock-runtime.ap-northeast-1.amazonaws.com\n"
        "x-amz-date:20261120T000000Z\n\ncontent-type;host;x-amz-date\n"
        "c3335e07d6e89650bf94cb98664be69f8774dbc3198df221f113db0a59ea14f0");
}

static void a_body_in_parts_is_signed_as_one(void **state)
{
    struct km_str body = KM_STR(BODY);

    (void)state;
    for (size_t cut = 0; cut <= body.n; cut++) {
        struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        const struct km_str parts[] = { km_str_sub(body, 0, cut), KM_STR_NONE,
                                        km_str_skip(body, cut) };
        struct km_sigv4_request q = request_of(parts, 3);
        struct km_sigv4_key key = { 0 };

        assert_int_equal(km_sigv4_sign(&q, &who, &key, &head, NULL), 0);
        assert_true(
            head_has(&head, "69e4bae95675d9aba3208e3284c65e49693a3082313ac29e488c2951c464226d"));
        assert_false(head_has(&head, "x-amz-security-token"));
    }
}

static void a_kept_key_follows_day_region_service_and_secret(void **state)
{
    struct km_str body = KM_STR(BODY);
    struct km_sigv4_key kept = { 0 };

    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        struct km_buf a KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        struct km_sigv4_request q = request_of(&body, 1);
        struct km_aws_credentials other = who;
        struct km_sigv4_key fresh = { 0 };

        if (i & 1)
            q.now_us += INT64_C(86400000000);
        if (i & 2)
            q.region = KM_STR("us-east-1");
        if (i & 4)
            q.service = KM_STR("sts");
        if (i & 8)
            other.secret = KM_STR("another");
        if (i & 16)
            other.akid = KM_STR("AKIDOTHER");
        assert_int_equal(km_sigv4_sign(&q, &other, &kept, &a, NULL), 0);
        assert_int_equal(km_sigv4_sign(&q, &other, &fresh, &b, NULL), 0);
        assert_true(km_str_eq(km_buf_view(&a), km_buf_view(&b)));
    }
    km_sigv4_key_done(&kept);
    assert_false(kept.made);
}

static void credentials_that_break_a_header_are_refused(void **state)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_str body = KM_STR(BODY);
    struct km_sigv4_request q = request_of(&body, 1);
    struct km_aws_credentials evil = who;
    struct km_sigv4_key key = { 0 };

    (void)state;
    evil.token = KM_STR("a\r\nX-Injected: b");
    assert_int_equal(km_sigv4_sign(&q, &evil, &key, &head, NULL), KM_E_INVALID);
    evil = who;
    evil.akid = KM_STR("a\nb");
    assert_int_equal(km_sigv4_sign(&q, &evil, &key, &head, NULL), KM_E_INVALID);
}

/* --- what AWS's own signer made (tests/data/aws/make-sigv4.mjs) --- */

static struct km_str text_of(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    assert_true(km_json_string(km_json_get(v, name), &s));
    return s;
}

static size_t headers_of(const struct km_json *v, struct km_sigv4_header *out)
{
    struct km_json_iter it, pair;
    const struct km_json *item, *text;
    struct km_str key;
    size_t n = 0;

    km_json_iter(v, &it);
    while (km_json_next(&it, &key, &item)) {
        km_json_iter(item, &pair);
        assert_true(km_json_next(&pair, &key, &text) && km_json_string(text, &out[n].name));
        assert_true(km_json_next(&pair, &key, &text) && km_json_string(text, &out[n].value));
        n++;
    }
    return n;
}

static void expect_line(const struct km_buf *head, const char *name, struct km_str value,
                        struct km_str of)
{
    char line[4096];

    if (!value.n)
        return;
    assert_true(snprintf(line, sizeof line, "%s: %.*s\r\n", name, KM_STR_ARG(value)) <
                (int)sizeof line);
    if (!head_has(head, line))
        fail_msg("%.*s: no line %sin\n%.*s", KM_STR_ARG(of), line, KM_STR_ARG(km_buf_view(head)));
}

static void check_vector(const struct km_json *v)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_sigv4_header headers[KM_SIGV4_HEADERS_MOST];
    struct km_str body = text_of(v, "body"), name = text_of(v, "name");
    struct km_aws_credentials keys = { text_of(v, "akid"), text_of(v, "secret"),
                                       text_of(v, "token") };
    struct km_sigv4_request q = request_of(&body, 1);
    struct km_sigv4_key key = { 0 };

    q.method = text_of(v, "method");
    q.host = text_of(v, "host");
    q.target = text_of(v, "target");
    q.region = text_of(v, "region");
    q.service = text_of(v, "service");
    q.headers = headers;
    q.nheaders = headers_of(km_json_get(v, "headers"), headers);
    assert_true(km_json_i64(km_json_get(v, "time_us"), &q.now_us));
    assert_true(km_json_bool(km_json_get(v, "send_body_hash"), &q.send_body_hash));
    assert_int_equal(km_sigv4_sign(&q, &keys, &key, &head, NULL), 0);
    expect_line(&head, "x-amz-date", text_of(v, "date"), name);
    expect_line(&head, "x-amz-security-token", keys.token, name);
    expect_line(&head, "x-amz-content-sha256", text_of(v, "body_hash"), name);
    expect_line(&head, "Authorization", text_of(v, "authorization"), name);
}

static void every_signature_is_that_of_the_makers_own_signer(void **state)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    FILE *f = fopen(KM_TEST_AWS "/sigv4.json", "rb");
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_arena arena;
    struct km_str key;
    size_t n = 0;

    (void)state;
    assert_non_null(f);
    text.n = fread(km_buf_reserve(&text, 1 << 19), 1, 1 << 19, f);
    assert_int_equal(fclose(f), 0);
    km_arena_init(&arena, 4 << 20, NULL);
    assert_int_equal(km_json_parse(&arena, km_buf_view(&text), &root, NULL), 0);
    km_json_iter(root, &it);
    for (; km_json_next(&it, &key, &item); n++)
        check_vector(item);
    assert_true(n >= 18);
    km_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_request_reads_as_documented),
        cmocka_unit_test(a_body_in_parts_is_signed_as_one),
        cmocka_unit_test(a_kept_key_follows_day_region_service_and_secret),
        cmocka_unit_test(credentials_that_break_a_header_are_refused),
        cmocka_unit_test(every_signature_is_that_of_the_makers_own_signer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
