/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/encode.h"
#include "llm/aws/eventstream.h"
#include "llm/bounds.h"
#include "llm/meter.h"

struct fixture {
    struct km_arena arena;
    struct km_llm_request request;
    struct km_meter meter;
    struct km_buf out;
};

static void begin(struct fixture *f, const struct km_meter_kind *kind)
{
    memset(f, 0, sizeof *f);
    km_arena_init(&f->arena, 16 << 20, NULL);
    f->request = (struct km_llm_request){
        .api = kind->api, .max_tokens = -1, .choices = 1, .prompt = KM_STR("\"Hello there\"")
    };
    km_meter_init(&f->meter, kind, &f->request, &f->arena);
    km_buf_init(&f->out, 1 << 20);
}

static void end(struct fixture *f)
{
    km_meter_done(&f->meter);
    km_buf_done(&f->out);
    km_arena_done(&f->arena);
}

static void expect(const struct fixture *f, int64_t in, int64_t out, int64_t cached,
                   int64_t written, const char *what)
{
    struct km_usage u = km_meter_usage(&f->meter);

    if (!u.known || u.prompt_tokens != in || u.completion_tokens != out ||
        u.cached_tokens != cached || u.cache_write_tokens != written)
        fail_msg("%s: %d %d %d %d %d", what, (int)u.known, (int)u.prompt_tokens,
                 (int)u.completion_tokens, (int)u.cached_tokens, (int)u.cache_write_tokens);
}

static const struct {
    const struct km_meter_kind *kind;
    const char *body;
    int64_t in, out, cached, written;
} wholes[] = {
    { &km_meter_chat, "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}", 9, 2, 0, 0 },
    { &km_meter_messages,
      "{\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":4,"
      "\"cache_creation_input_tokens\":5,\"output_tokens\":7}}",
      12, 7, 4, 5 },
    { &km_meter_responses, "{\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}", 8, 1, 0, 0 },
    { &km_meter_gemini,
      "{\"usageMetadata\":{\"promptTokenCount\":6,\"candidatesTokenCount\":2,"
      "\"thoughtsTokenCount\":3}}",
      6, 5, 0, 0 },
    { &km_meter_gemini_stream,
      "[{\"usageMetadata\":{\"promptTokenCount\":6}},"
      "{\"usageMetadata\":{\"promptTokenCount\":6,\"candidatesTokenCount\":2}}]",
      6, 2, 0, 0 },
    { &km_meter_converse,
      "{\"usage\":{\"inputTokens\":3,\"outputTokens\":7,\"cacheReadInputTokens\":4}}", 7, 7, 4,
      0 },
    { &km_meter_invoke, "{\"usage\":{\"input_tokens\":3,\"output_tokens\":7}}", 3, 7, 0, 0 },
    { &km_meter_invoke, "{\"embedding\":[1],\"inputTextTokenCount\":4}", 4, 0, 0, 0 },
    { &km_meter_raw, "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}", 9, 2, 0, 0 },
    { &km_meter_predict,
      "{\"predictions\":[{\"embeddings\":{\"statistics\":{\"token_count\":4}}},"
      "{\"embeddings\":{\"statistics\":{\"token_count\":2}}}]}",
      6, 0, 0, 0 },
    { &km_meter_embedding, "{\"data\":[],\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}", 5,
      0, 0, 0 },
};

static void a_whole_answer_says_what_was_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
        struct fixture f;

        begin(&f, wholes[i].kind);
        km_meter_whole(&f.meter, NULL, km_str_c(wholes[i].body));
        expect(&f, wholes[i].in, wholes[i].out, wholes[i].cached, wholes[i].written,
               wholes[i].body);
        end(&f);
    }
}

static void bedrock_counts_in_the_head(void **state)
{
    static const struct km_header v[] = {
        { { "x-amzn-bedrock-input-token-count", 32 }, { "11", 2 } },
        { { "x-amzn-bedrock-output-token-count", 33 }, { "5", 1 } },
    };
    const struct km_headers headers = { .v = v, .n = 2 };
    struct fixture f;

    (void)state;
    begin(&f, &km_meter_invoke);
    km_meter_whole(&f.meter, &headers, KM_STR("{\"generation\":\"Hi\"}"));
    expect(&f, 11, 5, 0, 0, "headers");
    end(&f);
}

/* Fed whole and cut at every place; returns what the client got. */
static void stream(struct fixture *f, const struct km_meter_kind *kind, bool asked,
                   struct km_str text, size_t cut)
{
    begin(f, kind);
    f->request.usage_asked = asked;
    assert_int_equal(km_meter_stream(&f->meter, 1 << 20, NULL), 0);
    km_meter_feed(&f->meter, text.p, cut, &f->out);
    km_meter_feed(&f->meter, text.p + cut, text.n - cut, &f->out);
}

static const char chat[] =
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n"
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n"
    "data: [DONE]\n\n";
static const char chat_unasked[] =
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

static void a_chat_stream_hides_what_was_not_asked_for(void **state)
{
    struct km_str text = km_str_c(chat);

    (void)state;
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct fixture f;

        stream(&f, &km_meter_chat, false, text, cut);
        assert_string_equal(km_buf_cstr(&f.out), chat_unasked);
        expect(&f, 9, 2, 0, 0, "unasked");
        end(&f);
        stream(&f, &km_meter_chat, true, text, cut);
        assert_string_equal(km_buf_cstr(&f.out), chat);
        expect(&f, 9, 2, 0, 0, "asked");
        end(&f);
    }
}

static const char claude[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
    "{\"input_tokens\":3,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":"
    "{\"type\":\"text_delta\",\"text\":\"Hello there\"}}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":7}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static void other_streams_are_left_as_they_are(void **state)
{
    static const struct km_meter_kind *const kinds[] = { &km_meter_messages, &km_meter_raw };
    struct km_str text = km_str_c(claude);

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (size_t cut = 0; cut <= text.n; cut++) {
            struct fixture f;

            stream(&f, kinds[k], false, text, cut);
            assert_string_equal(km_buf_cstr(&f.out), claude);
            expect(&f, 7, 7, 4, 0, kinds[k]->name);
            end(&f);
        }
}

static void a_stream_that_ends_early_is_estimated(void **state)
{
    struct km_str text =
        km_str_sub(km_str_c(claude), 0, km_str_find(km_str_c(claude), KM_STR("event: message_d")));
    struct fixture f;
    struct km_usage u;

    (void)state;
    stream(&f, &km_meter_messages, false, text, 0);
    u = km_meter_usage(&f.meter);
    assert_false(u.known);
    assert_int_equal(u.prompt_tokens, 7);
    assert_true(u.completion_tokens >= 2);
    end(&f);
}

static void what_is_no_stream_goes_on_all_the_same(void **state)
{
    static const char nonsense[] = "\0\0\0\1 this is no frame of AWS's";
    struct km_str text = km_str(nonsense, sizeof nonsense - 1);
    struct fixture f;

    (void)state;
    stream(&f, &km_meter_converse, false, text, 7);
    assert_true(km_str_eq(km_buf_view(&f.out), text));
    assert_false(km_meter_usage(&f.meter).known);
    end(&f);
}

/* What can be read, and then what cannot: the caller gets the first as ever and the other as it
 * came, and all of the other is heard, once, as one event's. */
static void check_lost(const struct km_meter_kind *kind, struct km_str good, struct km_str said,
                       uint64_t text, struct km_str bad)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    km_buf_str(&all, good);
    km_buf_str(&all, bad);
    km_buf_str(&out, said);
    km_buf_str(&out, bad);
    for (size_t cut = 0; cut <= all.n; cut++) {
        struct fixture f;

        begin(&f, kind);
        assert_int_equal(km_meter_stream(&f.meter, 256, NULL), 0);
        km_meter_feed(&f.meter, all.p, cut, &f.out);
        km_meter_feed(&f.meter, all.p + cut, all.n - cut, &f.out);
        assert_true(f.meter.lost);
        assert_true(km_str_eq(km_buf_view(&f.out), km_buf_view(&out)));
        assert_int_equal(f.meter.stream.heard.bytes, text + bad.n);
        assert_int_equal(f.meter.stream.events, 2);
        assert_false(km_meter_usage(&f.meter).known);
        end(&f);
    }
}

static void what_can_no_longer_be_read_is_heard_however_it_was_cut(void **state)
{
    static const char hi[] =
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],"
        "\"usage\":null}\n\n";
    static const char unasked[] =
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    struct km_buf frame KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf broken KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf over KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    (void)state;
    km_eventstream_write(&frame, KM_STR("contentBlockDelta"),
                         KM_STR("{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}"));
    km_buf_str(&broken, km_buf_view(&frame));
    broken.p[broken.n - 1] ^= 1;
    check_lost(&km_meter_converse, km_buf_view(&frame), km_buf_view(&frame), 2,
               km_buf_view(&broken));
    km_buf_str(&broken, km_buf_view(&frame)); /* what follows is not read, either */
    check_lost(&km_meter_converse, km_buf_view(&frame), km_buf_view(&frame), 2,
               km_buf_view(&broken));
    km_buf_str(&over, KM_STR("data: "));
    for (int i = 0; i < 300; i++)
        km_buf_byte(&over, 'x');
    km_buf_str(&over, KM_STR("\n\n"));
    check_lost(&km_meter_chat, km_str_c(hi), km_str_c(unasked), 2, km_buf_view(&over));
}

static int bounds_of(const struct km_meter_kind *kind, const char *body, int64_t *ret_most,
                     int64_t *ret_answers)
{
    struct fixture f;
    int r;

    begin(&f, kind);
    f.request.body = km_str_c(body);
    r = km_meter_request(kind, &f.request, &f.arena, NULL);
    *ret_most = f.request.max_tokens;
    *ret_answers = f.request.choices;
    end(&f);
    return r;
}

static void converse_is_bounded_by_its_own_member_and_by_the_models(void **state)
{
    static const struct {
        const char *body;
        int64_t most, answers;
    } rows[] = {
        { "{\"inferenceConfig\":{\"maxTokens\":7}}", 7, 1 },
        { "{\"max_tokens\":9,\"inferenceConfig\":{\"maxTokens\":7}}", 7, 1 }, /* not read there */
        { "{\"inferenceConfig\":{\"maxTokens\":1},"
          "\"additionalModelRequestFields\":{\"max_tokens\":8000}}",
          8000, 1 },
        { "{\"additionalModelRequestFields\":{\"inferenceConfig\":{\"max_new_tokens\":9},"
          "\"num_generations\":3}}",
          9, 3 },
        { "{\"inferenceConfig\":null,\"additionalModelRequestFields\":null}", -1, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t most, answers;

        assert_int_equal(bounds_of(&km_meter_converse, rows[i].body, &most, &answers), 0);
        assert_int_equal(most, rows[i].most);
        assert_int_equal(answers, rows[i].answers);
    }
}

/* Two members, of which another reader could take the other one; or one that only some can read. */
static void a_bound_that_can_be_read_in_two_ways_is_refused(void **state)
{
    static const struct {
        const struct km_meter_kind *kind;
        const char *body;
    } rows[] = {
        { &km_meter_converse, "{\"inferenceConfig\":{\"maxTokens\":1},"
                              "\"inferenceConfig\":{\"maxTokens\":8000}}" },
        { &km_meter_converse, "{\"inferenceConfig\":{\"maxTokens\":1,\"maxTokens\":8000}}" },
        { &km_meter_converse, "{\"inferenceConfig\":{\"maxTokens\":1,\"max\\u0054okens\":8}}" },
        { &km_meter_converse, "{\"inferenceConfig\":{\"maxTokens\":1,\"MaxTokens\":8000}}" },
        { &km_meter_converse, "{\"inferenceConfig\":{\"maxTokens\":1},\"InferenceConfig\":{}}" },
        { &km_meter_converse, "{\"inferenceConfig\":{\"maxTokens\":1,\"max_new_tokens\":8000}}" },
        { &km_meter_converse, "{\"inferenceConfig\":[]}" },
        { &km_meter_converse, "{\"additionalModelRequestFields\":{\"Max_Tokens\":8000}}" },
        { &km_meter_converse, "{\"additionalModelRequestFields\":{\"max_tokens\":\"8000\"}}" },
        { &km_meter_invoke, "{\"max_tokens\":1,\"max_tokens\":8000}" },
        { &km_meter_invoke, "{\"max_tokens\":-4}" },
        { &km_meter_invoke, "{\"max_tokens\":\"9\"}" },
        { &km_meter_invoke, "{\"max_tokens\":1.5}" },
        { &km_meter_invoke, "{\"max_tokens\":1e300}" },
        { &km_meter_invoke, "{\"max_tokens\":1,\"Max_Tokens\":8000}" },
        { &km_meter_invoke, "{\"messages\":[{\"role\":\"a\",\"role\":\"b\"}]}" },
        { &km_meter_invoke, "{\"stream\":\"true\"}" },
        { &km_meter_predict, "{\"parameters\":{\"maxOutputTokens\":true}}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t most, answers;

        if (bounds_of(rows[i].kind, rows[i].body, &most, &answers) != KM_E_INVALID)
            fail_msg("taken: %s", rows[i].body);
    }
}

static void bounds_are_found_where_models_take_them(void **state)
{
    static const struct {
        const char *body;
        int64_t most;
    } rows[] = {
        { "{\"inferenceConfig\":{\"maxTokens\":7}}", 7 },
        { "{\"max_tokens\":3,\"max_gen_len\":9}", 9 },
        { "{\"textGenerationConfig\":{\"maxTokenCount\":5}}", 5 },
        { "{\"max_tokens\":99999999999999}", KM_LLM_TOKENS_MOST },
        { "{\"max_tokens\":null,\"max_gen_len\":8e3}", 8000 },
        { "{\"parameters\":{\"maxOutputTokens\":6}}", 6 },
        { "{}", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;

        begin(&f, &km_meter_invoke);
        f.request.body = km_str_c(rows[i].body);
        assert_int_equal(km_meter_request(&km_meter_invoke, &f.request, &f.arena, NULL), 0);
        assert_int_equal(f.request.max_tokens, rows[i].most);
        end(&f);
    }
}

/* The body with its bound lowered, in *out. */
static void lowered(const struct km_meter_kind *kind, const char *body, const char *model,
                    int64_t most, struct km_buf *out)
{
    struct fixture f;
    struct km_json_object object;
    struct km_json_edits e;
    struct km_str *parts;
    size_t n;

    begin(&f, kind);
    f.request.body = km_str_c(body);
    assert_int_equal(km_meter_request(kind, &f.request, &f.arena, NULL), 0);
    assert_int_equal(km_json_spans(f.request.body, NULL, 0, NULL, &object, NULL), 0);
    km_json_edits_init(&e, f.request.body, &object);
    assert_int_equal(
        km_bounds_lower(kind->bounds, &f.request, km_str_c(model), most, &e, &f.arena, NULL), 0);
    assert_int_equal(km_json_parts(&e, &f.arena, &parts, &n, NULL), 0);
    km_buf_reset(out);
    for (size_t i = 0; i < n; i++)
        km_buf_str(out, parts[i]);
    end(&f);
}

static void a_bound_is_lowered_wherever_it_stands_and_added_where_the_model_reads_it(void **state)
{
    static const struct {
        const struct km_meter_kind *kind;
        const char *model, *body, *lowered; /* to 2000 */
    } rows[] = {
        { &km_meter_invoke, "anthropic.claude-x", "{\"max_tokens\":8000,\"a\":1}",
          "{\"max_tokens\":2000,\"a\":1}" },
        { &km_meter_invoke, "anthropic.claude-x", "{\"max_tokens\":100}", "{\"max_tokens\":100}" },
        { &km_meter_invoke, "arn:aws:bedrock:e:1:inference-profile/us.anthropic.claude-x",
          "{\"a\":1}", "{\"a\":1,\"max_tokens\":2000}" },
        { &km_meter_invoke, "anthropic.claude-x",
          "{\"max_tokens\":8000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":4000}}",
          "{\"max_tokens\":2000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}" },
        { &km_meter_invoke, "us.amazon.nova-pro-v1:0",
          "{\"messages\":[],\"inferenceConfig\":{\"topP\":1,\"maxTokens\":8000}}",
          "{\"messages\":[],\"inferenceConfig\":{\"topP\":1,\"maxTokens\":2000}}" },
        { &km_meter_invoke, "amazon.nova-pro-v1:0",
          "{\"inferenceConfig\":{\"max_new_tokens\":9000}}",
          "{\"inferenceConfig\":{\"max_new_tokens\":2000}}" },
        { &km_meter_invoke, "amazon.nova-pro-v1:0", "{\"inferenceConfig\":{}}",
          "{\"inferenceConfig\":{\"maxTokens\":2000}}" },
        { &km_meter_invoke, "amazon.nova-pro-v1:0", "{\"messages\":[]}",
          "{\"messages\":[],\"inferenceConfig\":{\"maxTokens\":2000}}" },
        { &km_meter_invoke, "amazon.titan-text-express-v1",
          "{\"inputText\":\"a\",\"textGenerationConfig\":{\"maxTokenCount\":8000}}",
          "{\"inputText\":\"a\",\"textGenerationConfig\":{\"maxTokenCount\":2000}}" },
        { &km_meter_invoke, "meta.llama3-8b", "{\"prompt\":\"a\",\"max_gen_len\":8e3}",
          "{\"prompt\":\"a\",\"max_gen_len\":2000}" },
        { &km_meter_invoke, "meta.llama3-8b", "{\"prompt\":\"a\",\"max_tokens\":5}",
          "{\"prompt\":\"a\",\"max_tokens\":5,\"max_gen_len\":2000}" },
        { &km_meter_invoke, "mistral.mistral-large", "{\"max_tokens\":null}",
          "{\"max_tokens\":2000}" },
        { &km_meter_invoke, "cohere.command-r", "{\"message\":\"a\"}",
          "{\"message\":\"a\",\"max_tokens\":2000}" },
        { &km_meter_invoke, "who.knows", "{\"max_tokens\":3000,\"min_tokens\":2500,\"n\":1}",
          "{\"max_tokens\":2000,\"min_tokens\":2000,\"n\":1}" },
        { &km_meter_raw, "claude-x@1", "{\"max_tokens\":8000}", "{\"max_tokens\":2000}" },
        { &km_meter_predict, "who-knows", "{\"parameters\":{\"maxOutputTokens\":8000}}",
          "{\"parameters\":{\"maxOutputTokens\":2000}}" },
        { &km_meter_converse, "m", "{\"inferenceConfig\":{\"maxTokens\":8000}}",
          "{\"inferenceConfig\":{\"maxTokens\":2000}}" },
        { &km_meter_converse, "m", "{\"messages\":[]}",
          "{\"messages\":[],\"inferenceConfig\":{\"maxTokens\":2000}}" },
        { &km_meter_converse, "m",
          "{\"inferenceConfig\":{\"maxTokens\":8000},\"additionalModelRequestFields\":"
          "{\"max_tokens\":9000,\"thinking\":{\"budget_tokens\":7000}}}",
          "{\"inferenceConfig\":{\"maxTokens\":2000},\"additionalModelRequestFields\":"
          "{\"max_tokens\":2000,\"thinking\":{\"budget_tokens\":1024}}}" },
    };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lowered(rows[i].kind, rows[i].body, rows[i].model, 2000, &out);
        if (!km_str_eq(km_buf_view(&out), km_str_c(rows[i].lowered)))
            fail_msg("%s became %.*s", rows[i].body, KM_STR_ARG(km_buf_view(&out)));
    }
}

/* Whatever the table reads as a bound is lowered by it: read again it says no more. */
static void what_is_read_as_a_bound_is_lowered(void **state)
{
    static const struct km_meter_kind *const kinds[] = { &km_meter_invoke, &km_meter_converse };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    unsigned looked = 0;

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < kinds[k]->bounds->n; i++) {
            const struct km_bounds_in *row = &kinds[k]->bounds->rows[i];

            for (size_t t = 0; t < sizeof row->tokens / sizeof row->tokens[0] && row->tokens[t];
                 t++) {
                char body[200];
                int64_t most, answers;

                snprintf(body, sizeof body,
                         row->in ? "{\"%s\":{\"%s\":77777}}" : "{%s\"%s\":77777}",
                         row->in ? row->in : "", row->tokens[t]);
                assert_int_equal(bounds_of(kinds[k], body, &most, &answers), 0);
                assert_int_equal(most, 77777);
                lowered(kinds[k], body, "who.knows", 16, &out);
                km_buf_byte(&out, 0);
                assert_int_equal(bounds_of(kinds[k], out.p, &most, &answers), 0);
                assert_int_equal(most, 16);
                looked++;
            }
        }
    assert_true(looked > 20);
}

/* --- streams that are ended early --- */

static int on_last(void *ctx, const struct km_sse_event *event, struct km_err *err)
{
    struct fixture *f = ctx;

    (void)err;
    km_buf_str(&f->out, event->raw);
    return 0;
}

static int cut(struct fixture *f)
{
    const struct km_llm_cut c = { .usage = { .prompt_tokens = 4, .completion_tokens = 3 },
                                  .id = KM_STR("0190a1b2"),
                                  .say = on_last,
                                  .ctx = f };
    struct km_err err;

    return km_meter_cut(&f->meter, &c, &err);
}

#define CHUNK                                                                                      \
    "data: {\"id\":\"c\",\"created\":1,\"model\":\"gpt-x\",\"choices\":[{\"index\":0,"             \
    "\"delta\":{\"content\":\"Hi\"}}]}\n\n"

/* A client that asked for usage has the bytes as they come: not in the middle of an event. */
static void a_stream_is_cut_between_its_events(void **state)
{
    const struct km_str text = KM_STR(CHUNK CHUNK);

    (void)state;
    for (int asked = 0; asked < 2; asked++)
        for (size_t n = 0; n <= text.n; n++) {
            bool between = n % (text.n / 2) == 0;
            struct fixture f;

            begin(&f, &km_meter_chat);
            f.request.usage_asked = asked;
            assert_int_equal(km_meter_stream(&f.meter, 1 << 20, NULL), 0);
            km_meter_feed(&f.meter, text.p, n, &f.out);
            assert_int_equal(cut(&f), between || !asked ? 0 : KM_E_AGAIN);
            if (between || !asked) {
                size_t said = f.out.n;

                assert_non_null(strstr(km_buf_cstr(&f.out), "\"finish_reason\":\"length\""));
                if (n >= text.n / 2)
                    assert_non_null(strstr(km_buf_cstr(&f.out),
                                           "\"id\":\"c\",\"object\":\"chat.completion.chunk\","
                                           "\"created\":1,\"model\":\"gpt-x\""));
                assert_int_equal(km_meter_usage(&f.meter).completion_tokens, 3);
                km_meter_feed(&f.meter, text.p, text.n, &f.out); /* nothing more is passed on */
                assert_int_equal(f.out.n, said);
            }
            end(&f);
        }
}

/* What a client of it was told, all its frames in one text. */
struct told {
    struct km_buf text;
};

static int on_frame(void *ctx, const struct km_aws_message *m, struct km_err *err)
{
    struct told *t = ctx;
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_str payload = m->payload;
    size_t from = sizeof "{\"bytes\":\"" - 1;

    (void)err;
    km_buf_str(&t->text, m->event_type);
    if (km_str_eq(m->event_type, KM_STR("chunk"))) {
        assert_int_equal(km_buf_unbase64(&bytes, km_str_sub(payload, from, payload.n - from - 2)),
                         0);
        payload = km_buf_view(&bytes);
    }
    km_buf_str(&t->text, payload);
    km_buf_byte(&t->text, '\n');
    return 0;
}

static void check_frames(const struct km_meter_kind *kind, struct km_str before, const char *last)
{
    for (size_t n = 0; n <= before.n; n++) {
        struct told t = { .text = KM_BUF(1 << 16) };
        struct km_eventstream *s = km_eventstream_new(1 << 16, on_frame, &t);
        struct fixture f;
        int r;

        begin(&f, kind);
        assert_int_equal(km_meter_stream(&f.meter, 1 << 20, NULL), 0);
        km_meter_feed(&f.meter, before.p, n, &f.out);
        r = cut(&f);
        if (r == KM_E_AGAIN) {
            assert_true(n > 0 && n < before.n);
            km_meter_feed(&f.meter, before.p + n, before.n - n, &f.out);
            r = cut(&f);
        }
        if (n > 0 || kind == &km_meter_converse) {
            assert_int_equal(r, 0);
            assert_int_equal(km_meter_usage(&f.meter).completion_tokens, 3);
            assert_int_equal(km_eventstream_feed(s, f.out.p, f.out.n, NULL), 0);
            assert_false(km_eventstream_unfinished(s));
        }
        if (n == before.n)
            assert_non_null(strstr(km_buf_cstr(&t.text), last));
        km_eventstream_free(s);
        km_buf_done(&t.text);
        end(&f);
    }
}

static void what_is_in_bedrocks_frames_is_cut_between_them(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    km_eventstream_write(&b, KM_STR("messageStart"), KM_STR("{\"role\":\"assistant\"}"));
    km_eventstream_write(&b, KM_STR("contentBlockDelta"),
                         KM_STR("{\"contentBlockIndex\":2,\"delta\":{\"text\":\"Hi\"}}"));
    check_frames(&km_meter_converse, km_buf_view(&b),
                 "contentBlockStop{\"contentBlockIndex\":2}\n"
                 "messageStop{\"stopReason\":\"max_tokens\"}\n"
                 "metadata{\"usage\":{\"inputTokens\":4,\"outputTokens\":3,\"totalTokens\":7},"
                 "\"metrics\":{\"latencyMs\":");
    km_buf_reset(&b);
    /* {"type":"message_start","message":{}} */
    km_eventstream_write(
        &b, KM_STR("chunk"),
        KM_STR("{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnt9fQ==\""
               "}"));
    check_frames(&km_meter_invoke, km_buf_view(&b), "\"stop_reason\":\"max_tokens\"");
}

static void what_nobody_knows_the_last_events_of_is_not_cut(void **state)
{
    static const struct km_meter_kind *const kinds[] = { &km_meter_invoke, &km_meter_raw };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct fixture f;

        begin(&f, kinds[i]);
        assert_int_equal(km_meter_stream(&f.meter, 1 << 20, NULL), 0);
        assert_int_equal(cut(&f), KM_E_UNSUPPORTED);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_says_what_was_used),
        cmocka_unit_test(bedrock_counts_in_the_head),
        cmocka_unit_test(a_chat_stream_hides_what_was_not_asked_for),
        cmocka_unit_test(other_streams_are_left_as_they_are),
        cmocka_unit_test(a_stream_that_ends_early_is_estimated),
        cmocka_unit_test(what_is_no_stream_goes_on_all_the_same),
        cmocka_unit_test(what_can_no_longer_be_read_is_heard_however_it_was_cut),
        cmocka_unit_test(bounds_are_found_where_models_take_them),
        cmocka_unit_test(
            a_bound_is_lowered_wherever_it_stands_and_added_where_the_model_reads_it),
        cmocka_unit_test(what_is_read_as_a_bound_is_lowered),
        cmocka_unit_test(converse_is_bounded_by_its_own_member_and_by_the_models),
        cmocka_unit_test(a_bound_that_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_stream_is_cut_between_its_events),
        cmocka_unit_test(what_is_in_bedrocks_frames_is_cut_between_them),
        cmocka_unit_test(what_nobody_knows_the_last_events_of_is_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
