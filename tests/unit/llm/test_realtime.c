/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of the events of a Realtime session, of GA's names and the beta's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/api/realtime.h"

struct fixture {
    struct km_arena arena;
    struct km_rt_event e;
    struct km_err err;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){ 0 };
    km_arena_init(&f.arena, 1 << 20, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    return 0;
}

static int client(struct fixture *f, const char *text)
{
    return km_rt_read_client(&f->arena, km_str_c(text), &f->e, &f->err);
}

static int upstream(struct fixture *f, const char *text)
{
    return km_rt_read_upstream(&f->arena, km_str_c(text), &f->e, &f->err);
}

static bool is(struct km_str s, const char *text)
{
    return km_str_eq(s, km_str_c(text));
}

static void events_that_count_are_known_by_their_sender(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(client(f, "{\"type\":\"response.create\",\"event_id\":\"e1\"}"), 0);
    assert_int_equal(f->e.kind, KM_RT_RESPONSE_CREATE);
    assert_true(is(f->e.event_id, "e1"));
    assert_int_equal(upstream(f, "{\"type\":\"response.create\"}"), 0);
    assert_int_equal(f->e.kind, KM_RT_OTHER);
    assert_int_equal(client(f, "{\"type\":\"response.done\"}"), 0);
    assert_int_equal(f->e.kind, KM_RT_OTHER);
    assert_int_equal(client(f, "{\"event_id\":null,\"type\":\"session.\\u0075pdate\"}"), 0);
    assert_int_equal(f->e.kind, KM_RT_SESSION_UPDATE);
}

static void what_is_no_event_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "null", "{\"type\":1}", "{\"type\":\"\"}", "{\"type\":\"a\"",
        "{\"type\":\"a\",\"type\":\"b\"}", "{\"type\":\"a\",\"typ\\u0065\":\"b\"}",
        "{\"type\":\"session.update\",\"session\":{\"model\":\"a\",\"model\":\"b\"}}",
        "{\"type\":\"a\"} x",
        "{\"type\":\"a\",\"item\":{\"content\":[{\"text\":\"a\",\"text\":\"b\"}]}}",
        "{\"type\":\"response.create\",\"response\":{\"max_output_tokens\":9000,"
        "\"max_response_output_tokens\":1}}",
        "{\"type\":\"response.create\",\"response\":{\"Max_Output_Tokens\":9000}}",
        "{\"type\":\"response.create\",\"response\":{\"max_output_tokens\":9e3}}",
        "{\"type\":\"response.create\",\"response\":{\"max_output_tokens\":\"9000\"}}",
        "{\"type\":\"response.create\",\"response\":{\"max_output_tokens\":-1}}",
        "{\"type\":\"session.update\",\"session\":{\"audio\":{\"input\":{\"transcription\":{"
        "\"model\":\"a\"}}},\"input_audio_transcription\":{\"model\":\"b\"}}}",
        "{\"type\":\"session.update\",\"session\":{\"input_audio_transcription\":{\"model\":"
        "[\"b\"]}}}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(client(f, bad[i]), KM_E_INVALID);
}

static void a_session_says_its_model_its_bound_and_who_transcribes(void **state)
{
    static const char ga[] = "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\","
                             "\"model\" : \"m\\u0031\",\"max_output_tokens\":300,\"audio\":{"
                             "\"input\":{\"transcription\":{\"model\":\"whisper-1\"}}}}}";
    struct fixture *f = *state;

    assert_int_equal(client(f, ga), 0);
    assert_true(is(f->e.model, "m1"));
    assert_true(is(f->e.model_value, "\"m\\u0031\""));
    assert_true(f->e.model_value.p > ga && f->e.model_value.p < ga + sizeof ga);
    assert_int_equal(f->e.max_output, 300);
    assert_true(is(f->e.transcriber, "whisper-1"));
    assert_int_equal(
        upstream(f, "{\"type\":\"session.created\",\"session\":{\"max_response_output_tokens\":"
                    "\"inf\",\"input_audio_transcription\":{\"model\":\"gpt-4o-transcribe\"}}}"),
        0);
    assert_int_equal(f->e.kind, KM_RT_SESSION);
    assert_int_equal(f->e.max_output, KM_RT_OUTPUT_INF);
    assert_true(is(f->e.transcriber, "gpt-4o-transcribe"));
    assert_int_equal(f->e.model_value.n, 0);
    assert_int_equal(client(f, "{\"type\":\"session.update\",\"session\":{\"audio\":null,"
                               "\"input_audio_transcription\":null,\"model\":null}}"),
                     0);
    assert_int_equal(f->e.transcriber.n, 0);
    assert_int_equal(f->e.max_output, KM_RT_OUTPUT_NONE);
    assert_true(is(f->e.model_value, "null")); /* said, and no name */
}

static void usage_is_of_text_audio_images_and_their_cache(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        upstream(f, "{\"type\":\"response.done\",\"response\":{\"id\":\"resp_1\",\"usage\":{"
                    "\"total_tokens\":253,\"input_tokens\":132,\"output_tokens\":121,"
                    "\"input_token_details\":{\"text_tokens\":109,\"audio_tokens\":13,"
                    "\"image_tokens\":10,\"cached_tokens\":64,\"cached_tokens_details\":{"
                    "\"text_tokens\":57,\"audio_tokens\":4,\"image_tokens\":3}},"
                    "\"output_token_details\":{\"text_tokens\":30,\"audio_tokens\":91}}}}"),
        0);
    assert_int_equal(f->e.kind, KM_RT_RESPONSE_DONE);
    assert_true(is(f->e.id, "resp_1") && f->e.usage.known);
    assert_int_equal(f->e.usage.prompt_tokens, 132);
    assert_int_equal(f->e.usage.completion_tokens, 121);
    assert_int_equal(f->e.usage.cached_tokens, 64);
    assert_int_equal(f->e.usage.audio_tokens, 13);
    assert_int_equal(f->e.usage.image_tokens, 10);
    assert_int_equal(f->e.usage.audio_cached_tokens, 4);
    assert_int_equal(f->e.usage.image_cached_tokens, 3);
    assert_int_equal(f->e.usage.audio_completion_tokens, 91);
    assert_int_equal(upstream(f, "{\"type\":\"response.done\",\"response\":{\"id\":\"r\","
                                 "\"status\":\"failed\",\"usage\":null}}"),
                     0);
    assert_false(f->e.usage.known);
    assert_int_equal(upstream(f, "{\"type\":\"response.done\",\"response\":{\"id\":\"r\",\"usage\":"
                                 "{\"input_tokens\":-5,\"output_tokens\":\"9\"}}}"),
                     0);
    assert_int_equal(f->e.usage.prompt_tokens + f->e.usage.completion_tokens, 0);
    assert_true(!f->e.usage.known && f->e.usage_bad);
    assert_int_equal(upstream(f, "{\"type\":\"response.done\",\"response\":{\"id\":\"r\",\"usage\":"
                                 "{\"input_tokens\":5,\"output_tokens\":1}}}"),
                     0);
    assert_true(f->e.usage.known && !f->e.usage_bad);
}

static void a_transcription_is_charged_by_tokens_or_by_time(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        upstream(f, "{\"type\":\"conversation.item.input_audio_transcription.completed\","
                    "\"item_id\":\"i1\",\"usage\":{\"type\":\"duration\",\"seconds\":2.4801}}"),
        0);
    assert_int_equal(f->e.kind, KM_RT_TRANSCRIBED);
    assert_true(is(f->e.id, "i1"));
    assert_int_equal(f->e.usage.audio_ms, 2481);
    assert_int_equal(
        upstream(f, "{\"type\":\"conversation.item.input_audio_transcription.completed\","
                    "\"item_id\":\"i2\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":17,"
                    "\"output_tokens\":9,\"input_token_details\":{\"audio_tokens\":14}}}"),
        0);
    assert_int_equal(f->e.usage.prompt_tokens, 17);
    assert_int_equal(f->e.usage.audio_tokens, 14);
}

static void what_a_client_says_has_a_bound_in_tokens(void **state)
{
    struct fixture *f = *state;
    char audio[64 * 1024] = { 0 };

    assert_int_equal(client(f, "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\"}"), 0);
    assert_int_equal(km_rt_tokens_upper(&f->e, km_str(audio, sizeof audio)), 66);
    assert_int_equal(client(f, "{\"type\":\"conversation.item.create\",\"item\":{}}"), 0);
    assert_int_equal(km_rt_tokens_upper(&f->e, km_str(audio, 500)), 500);
}

static void an_error_is_an_event(void **state)
{
    struct fixture *f = *state;
    struct km_buf b = KM_BUF(4096);

    km_fail_param(&f->err, KM_E_INVALID, "session.model", "no \"such\" thing");
    km_rt_error(&f->err, KM_STR("event_1"), KM_STR("mine"), &b);
    assert_string_equal(km_buf_cstr(&b),
                        "{\"type\":\"error\",\"event_id\":\"event_1\",\"error\":{\"type\":"
                        "\"invalid_request_error\",\"code\":null,\"message\":\"no \\\"such\\\" "
                        "thing\",\"param\":\"session.model\",\"event_id\":\"mine\"}}");
    km_buf_done(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(events_that_count_are_known_by_their_sender),
        T(what_is_no_event_is_refused),
        T(a_session_says_its_model_its_bound_and_who_transcribes),
        T(usage_is_of_text_audio_images_and_their_cache),
        T(a_transcription_is_charged_by_tokens_or_by_time),
        T(what_a_client_says_has_a_bound_in_tokens),
        T(an_error_is_an_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
