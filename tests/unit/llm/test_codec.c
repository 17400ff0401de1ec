/* SPDX-License-Identifier: Apache-2.0 */
#include "chat_fixture.h"

static const char *const extras[] = { "min_p", NULL };
static const struct km_codec codec = {
    .name = "Test",
    .maps = KM_P_BIT(KM_P_MAX_TOKENS) | KM_P_BIT(KM_P_TEMPERATURE) | KM_P_BIT(KM_P_TOOLS),
    .drops = KM_P_BIT(KM_P_USER),
    .extras = extras,
};
static struct km_deployment strict = { .provider_name = { "test", 4 } };
static struct km_deployment lax = { .provider_name = { "test", 4 }, .drop_params = true };

static void fill(struct chat_fixture *f, enum km_chat_param p)
{
    f->err = (struct km_err){ 0 };
    km_chat_init(&f->chat);
    f->chat.set = KM_P_BIT(KM_P_MAX_TOKENS) | KM_P_BIT(KM_P_TEMPERATURE) | KM_P_BIT(p);
    f->chat.max_tokens = 5;
    f->chat.n = 2;
}

static int check(struct chat_fixture *f, const struct km_deployment *d, km_param_name_fn *name_of)
{
    return km_chat_check(&f->chat, &codec, d, name_of, &f->arena, &f->err);
}

static void what_is_not_known_is_refused_by_name(void **state)
{
    struct chat_fixture *f = *state;

    fill(f, KM_P_N);
    assert_int_equal(check(f, &strict, NULL), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "n");
    assert_non_null(strstr(f->err.text, "test"));
    assert_non_null(strstr(f->err.text, "drop_params"));
}

static void it_is_dropped_where_that_is_said(void **state)
{
    struct km_str also = KM_STR("temperature");
    struct km_deployment d = strict;
    struct chat_fixture *f = *state;

    fill(f, KM_P_N);
    assert_int_equal(check(f, &lax, NULL), 0);
    assert_false(km_chat_has(&f->chat, KM_P_N));
    assert_int_equal(f->chat.n, 1);
    assert_true(km_chat_has(&f->chat, KM_P_TEMPERATURE));
    d.also_drop = &also;
    d.nalso_drop = 1;
    fill(f, KM_P_USER); /* the codec drops it by itself */
    assert_int_equal(check(f, &d, NULL), 0);
    assert_false(km_chat_has(&f->chat, KM_P_TEMPERATURE) || km_chat_has(&f->chat, KM_P_USER));
    assert_int_equal(f->chat.max_tokens, 5);
}

static void what_says_nothing_is_no_fault(void **state)
{
    struct chat_fixture *f = *state;

    fill(f, KM_P_N);
    f->chat.n = 1;
    assert_int_equal(check(f, &strict, NULL), 0);
    fill(f, KM_P_LOGPROBS);
    assert_int_equal(check(f, &strict, NULL), 0);
    f->chat.set |= KM_P_BIT(KM_P_LOGPROBS);
    f->chat.logprobs = true;
    assert_int_equal(check(f, &strict, NULL), KM_E_UNSUPPORTED);
}

static const char *own_name(enum km_chat_param p)
{
    return p == KM_P_STOP ? "stop_sequences" : NULL;
}

static void the_caller_s_own_word_is_said(void **state)
{
    struct km_str also = KM_STR("stop_sequences");
    struct km_deployment d = strict;
    struct chat_fixture *f = *state;

    fill(f, KM_P_STOP);
    f->chat.nstop = 1;
    assert_int_equal(check(f, &strict, own_name), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "stop_sequences");
    assert_non_null(strstr(f->err.text, "additional_drop_params: [stop_sequences]"));
    d.also_drop = &also; /* as it is told to */
    d.nalso_drop = 1;
    assert_int_equal(check(f, &d, own_name), 0);
    assert_false(km_chat_has(&f->chat, KM_P_STOP));
}

static void extras_pass_where_they_are_known(void **state)
{
    struct chat_fixture *f = *state;

    fill(f, KM_P_USER);
    km_chat_extra(&f->chat, &f->arena, KM_STR("min_p"), KM_STR("1"));
    assert_int_equal(check(f, &strict, NULL), 0);
    km_chat_extra(&f->chat, &f->arena, KM_STR("odd"), KM_STR("1"));
    assert_int_equal(check(f, &strict, NULL), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "odd");
    assert_int_equal(check(f, &lax, NULL), 0);
    assert_null(f->chat.extras->next);
}

static void statuses_say_whether_to_try_again(void **state)
{
    static const struct {
        int status;
        enum km_again again;
    } rows[] = {
        { 400, KM_AGAIN_NO },    { 401, KM_AGAIN_OTHER }, { 403, KM_AGAIN_OTHER },
        { 404, KM_AGAIN_OTHER }, { 408, KM_AGAIN_SAME },  { 422, KM_AGAIN_NO },
        { 429, KM_AGAIN_SAME },  { 500, KM_AGAIN_SAME },  { 529, KM_AGAIN_SAME },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(km_again_of(rows[i].status), rows[i].again);
}

static void refusals_in_openai_s_shape_are_understood(void **state)
{
    static const struct {
        const char *body;
        enum km_refusal_kind kind;
        enum km_again again;
    } rows[] = {
        { "{\"error\":{\"message\":\"m\",\"code\":\"context_length_exceeded\"}}",
          KM_REFUSED_CONTEXT, KM_AGAIN_SAME },
        { "{\"error\":{\"message\":\"m\",\"code\":\"content_policy_violation\"}}",
          KM_REFUSED_FILTER, KM_AGAIN_SAME },
        { "{\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}", KM_REFUSED_QUOTA,
          KM_AGAIN_OTHER },
        { "{\"error\":{\"message\":\"m\",\"code\":429}}", KM_REFUSED_RATE, KM_AGAIN_SAME },
        { "{\"error\":\"m\"}", KM_REFUSED_RATE, KM_AGAIN_SAME },
        { "m", KM_REFUSED_RATE, KM_AGAIN_SAME },
    };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_headers none = { 0 };
        struct km_refusal r;

        km_refusal_openai(&f->arena, 429, &none, km_str_c(rows[i].body), &r);
        assert_int_equal(r.status, 429);
        assert_true(km_str_eq(r.text, KM_STR("m")));
        assert_int_equal(r.again, rows[i].again);
        assert_int_equal(r.kind, rows[i].kind);
    }
}

static void whoever_refuses_the_gateway_is_not_the_callers_affair(void **state)
{
    struct chat_fixture *f = *state;
    struct km_headers none = { 0 };
    struct km_refusal r;

    for (int status = 401; status <= 403; status += 2) {
        km_refusal_openai(&f->arena, status, &none,
                          KM_STR("{\"error\":{\"message\":\"m\",\"code\":\"invalid_api_key\"}}"),
                          &r);
        assert_int_equal(r.status, 502);
        assert_int_equal(r.kind, KM_REFUSED_CREDENTIALS);
        assert_string_equal(r.type, "api_error");
        assert_int_equal(r.again, KM_AGAIN_OTHER);
    }
}

static void the_wait_is_read_as_seconds_fractions_and_dates(void **state)
{
    static const struct {
        const char *name, *value;
        int ms;
    } rows[] = {
        { "Retry-After", "7", 7000 },
        { "Retry-After", "1.5", 1500 },
        { "retry-after-ms", "250", 250 },
        { "Retry-After", "Fri, 20 Nov 2026 07:46:30 GMT", 30000 },
        { "Retry-After", "Fri, 20 Nov 2026 07:45:00 GMT", 0 },
        { "Retry-After", "99999999", 3600000 },
        { "Retry-After", "soon", 0 },
        { "Retry-After", "1e3", 0 },
        { "Retry-After", "-3", 0 },
        { "Other", "7", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_header h = { km_str_c(rows[i].name), km_str_c(rows[i].value) };
        struct km_headers headers = { .v = &h, .n = 1 };

        assert_int_equal(km_retry_after_ms(&headers, INT64_C(1795160760000000)), rows[i].ms);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_not_known_is_refused_by_name),
        CASE(it_is_dropped_where_that_is_said),
        CASE(what_says_nothing_is_no_fault),
        CASE(the_caller_s_own_word_is_said),
        CASE(extras_pass_where_they_are_known),
        CASE(statuses_say_whether_to_try_again),
        CASE(refusals_in_openai_s_shape_are_understood),
        CASE(whoever_refuses_the_gateway_is_not_the_callers_affair),
        CASE(the_wait_is_read_as_seconds_fractions_and_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
