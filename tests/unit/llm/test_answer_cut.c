/* SPDX-License-Identifier: Apache-2.0 */
/* test_answer_cut.c - translated streams that are ended early (answer.h: km_answer_cut).
 *
 * An upstream's stream of tests/data/streams is cut after each of its events and told in each
 * caller's dialect.  Our own readers of the dialect find it complete, with what was heard and no
 * more.  Some of it is compared with tests/data/streams/to_DIALECT.cuts, which the vendors' SDKs
 * read (tests/e2e/sdk/test_cut_sdk.py).
 */
#include "codec_fixture.h"

#include <stdio.h>
#include <string.h>

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"

#define ARENA ((size_t)64 << 20)

static const struct source {
    const char *file;
    const struct km_codec *codec;
    size_t events; /* until its upstream says why it ended */
} sources[] = {
    { "messages", &km_codec_messages, 16 },
    { "chat", &km_codec_openai, 6 },
    { "chat_two", &km_codec_openai, 5 },
    { "gemini", &km_codec_gemini, 4 },
};

static const struct told {
    const char *name;
    const struct km_encoder *encoder;
    const struct km_llm_api *api;
    const char *body;
    const struct km_codec *reader; /* NULL: none of ours reads it */
    const char *finish;
} dialects[] = {
    { "chat", &km_encoder_chat, &km_api_chat,
      "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
      &km_codec_openai, "\"finish_reason\":\"length\"" },
    { "completion", &km_encoder_completion, &km_api_completion,
      "{\"model\":\"m\",\"stream\":true,\"prompt\":\"hi\"}", NULL, "\"finish_reason\":\"length\"" },
    { "messages", &km_messages_encoder, &km_api_messages,
      "{\"model\":\"m\",\"stream\":true,\"max_tokens\":99,\"messages\":[{\"role\":\"user\","
      "\"content\":\"hi\"}]}",
      &km_codec_messages, "\"stop_reason\":\"max_tokens\"" },
    { "gemini", &km_gemini_encoder, &km_api_gemini_stream,
      "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]}", &km_codec_gemini,
      "\"finishReason\":\"MAX_TOKENS\"" },
    { "responses", &km_encoder_responses, &km_api_responses,
      "{\"model\":\"m\",\"stream\":true,\"input\":\"hi\"}", NULL,
      "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}" },
};

#define SOURCES (sizeof sources / sizeof *sources)
#define DIALECTS (sizeof dialects / sizeof *dialects)

struct run {
    const struct source *from;
    struct km_arena arena, scratch;
    struct km_llm_request request;
    struct km_answer answer;
    struct km_decode decode;
    struct km_buf out;
    struct km_str model;
    size_t n, most;
    int result;
    struct km_err err;
};

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct run *r = ctx;
    int result;

    if (r->n == r->most)
        return 0;
    r->n += e->sse->has_data;
    result = r->from->codec->event(&r->decode, e, err);
    km_arena_done(&r->scratch);
    km_arena_init(&r->scratch, ARENA, NULL);
    return result;
}

static void run_init(struct run *r, const struct source *from, const struct told *to)
{
    memset(r, 0, sizeof *r);
    r->from = from;
    km_arena_init(&r->arena, ARENA, NULL);
    km_arena_init(&r->scratch, ARENA, NULL);
    km_buf_init(&r->out, 16 << 20);
    assert_int_equal(km_llm_request_parse(&r->request, to->api, &r->arena, km_str_c(to->body),
                                          KM_STR("m"), &r->err),
                     0);
    r->answer = (struct km_answer){ .to = to->encoder,
                                    .gathers = to->encoder->gathers,
                                    .request = &r->request,
                                    .arena = &r->arena,
                                    .out = &r->out,
                                    .stream = true,
                                    .usage_asked = true,
                                    .model = KM_STR("m"),
                                    .id = KM_STR("0190a1b2"),
                                    .created_s = 1763900009,
                                    .prompt_estimate = 12 };
    r->answer.state = km_arena_zalloc(&r->arena, to->encoder->state_size + 1);
    r->decode = (struct km_decode){ .answer = &r->answer,
                                    .arena = &r->arena,
                                    .scratch = &r->scratch,
                                    .can = km_capability_find(KM_STR("m")) };
    r->decode.state = km_arena_zalloc(&r->arena, from->codec->state_size + 1);
}

static void run_done(struct run *r)
{
    km_buf_done(&r->out);
    km_arena_done(&r->scratch);
    km_arena_done(&r->arena);
}

static void feed(struct run *r)
{
    struct km_framer *framer = km_framer_new(KM_FRAMING_SSE, 1 << 20, on_event, r);
    char path[256], part[4096];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s.sse", KM_TEST_STREAMS, r->from->file);
    f = fopen(path, "rb");
    assert_non_null(f);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        assert_int_equal(km_framer_feed(framer, part, n, &r->err), 0);
    fclose(f);
    km_framer_free(framer);
}

/* After n events; false: there are not so many. */
static bool cut_after(const struct source *from, const struct told *to, size_t n, struct run *r)
{
    const struct km_usage told = { .prompt_tokens = 12, .completion_tokens = 7 };

    run_init(r, from, to);
    r->most = n;
    feed(r);
    r->result = km_answer_cut(&r->answer, &told, &r->err);
    if (r->result == 0)
        to->encoder->end(&r->answer);
    return r->n == n;
}

static void expect_read(const struct told *to, struct run *r)
{
    struct codec_fixture f;

    codec_setup(&f, to->reader, "m");
    if (codec_feed(&f, km_buf_view(&r->out), 0) < 0)
        fail_msg("%s to %s after %zu: %s in %s", r->from->file, to->name, r->n, f.err.text,
                 km_buf_cstr(&r->out));
    assert_int_equal(f.answer.usage.prompt_tokens, 12);
    assert_int_equal(f.answer.usage.completion_tokens, 7);
    codec_teardown(&f);
}

static void expect_json(struct run *r)
{
    struct km_str all = km_buf_view(&r->out), line;

    while (km_str_split(&all, '\n', &line)) {
        const struct km_json *root;

        if (km_str_starts(line, KM_STR("data: {")))
            assert_int_equal(km_json_parse(&r->arena, km_str_skip(line, 6), &root, &r->err), 0);
    }
}

static void a_translated_stream_that_is_cut_anywhere_is_complete(void **state)
{
    (void)state;
    for (const struct source *from = sources; from < sources + SOURCES; from++)
        for (const struct told *to = dialects; to < dialects + DIALECTS; to++) {
            bool more = true;

            for (size_t n = 0; more; n++) {
                struct run r;

                more = cut_after(from, to, n, &r);
                if (r.result < 0)
                    fail_msg("%s to %s after %zu: %s", from->file, to->name, n, r.err.text);
                expect_json(&r);
                if (to->reader)
                    expect_read(to, &r);
                if (n <= from->events)
                    assert_non_null(strstr(km_buf_cstr(&r.out), to->finish));
                run_done(&r);
            }
        }
}

static void what_was_told_is_what_counts(void **state)
{
    struct km_usage u;
    struct run r;

    (void)state;
    assert_true(cut_after(&sources[0], &dialects[0], 9, &r));
    u = km_answer_usage(&r.answer);
    assert_int_equal(u.completion_tokens, 7);
    assert_false(u.known);
    run_done(&r);
}

/* A call that was cut off before it had any input would be one without parameters. */
static void a_call_that_was_not_said_is_not_made(void **state)
{
    struct run r;

    (void)state;
    assert_true(cut_after(&sources[0], &dialects[0], 12, &r));
    assert_null(strstr(km_buf_cstr(&r.out), "\"arguments\":\"{}\""));
    run_done(&r);
    assert_true(cut_after(&sources[0], &dialects[3], 12, &r));
    assert_null(strstr(km_buf_cstr(&r.out), "functionCall"));
    run_done(&r);
    assert_true(cut_after(&sources[0], &dialects[4], 14, &r));
    assert_non_null(
        strstr(km_buf_cstr(&r.out), "\"type\":\"function_call\",\"status\":\"incomplete\""));
    run_done(&r);
}

/* --- word for word --- */

/* Nothing, in a thought, between two blocks, in a text, in a tool's input. */
static const size_t places[] = { 0, 4, 7, 9, 14 };

static void cuts_of(const struct told *to, struct km_buf *out)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct run r;

        assert_true(cut_after(&sources[0], to, places[i], &r));
        km_buf_json(out, km_buf_view(&r.out));
        km_buf_byte(out, '\n');
        run_done(&r);
    }
}

static void what_is_said_is_what_the_sdks_have_read(void **state)
{
    (void)state;
    for (const struct told *to = dialects; to < dialects + DIALECTS; to++) {
        struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
        struct km_buf want KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
        char path[256], part[4096];
        size_t n;
        FILE *f;

        snprintf(path, sizeof path, "%s/to_%s.cuts", KM_TEST_STREAMS, to->name);
        f = fopen(path, "rb");
        assert_non_null(f);
        while ((n = fread(part, 1, sizeof part, f)) > 0)
            km_buf_bytes(&want, part, n);
        fclose(f);
        cuts_of(to, &got);
        assert_string_equal(km_buf_cstr(&got), km_buf_cstr(&want));
    }
}

static int write_cuts(void)
{
    for (const struct told *to = dialects; to < dialects + DIALECTS; to++) {
        struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
        char path[256];
        FILE *f;

        snprintf(path, sizeof path, "%s/to_%s.cuts", KM_TEST_STREAMS, to->name);
        cuts_of(to, &got);
        f = fopen(path, "w");
        if (!f || fwrite(got.p, 1, got.n, f) != got.n || fclose(f) != 0)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_translated_stream_that_is_cut_anywhere_is_complete),
        cmocka_unit_test(what_was_told_is_what_counts),
        cmocka_unit_test(a_call_that_was_not_said_is_not_made),
        cmocka_unit_test(what_is_said_is_what_the_sdks_have_read),
    };

    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return write_cuts();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
