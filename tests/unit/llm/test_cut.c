/* SPDX-License-Identifier: Apache-2.0 */
/* test_cut.c - streams that are ended early (api.h: cut), after each of their events.
 *
 * What a client has then must be a complete stream of its API: our own readers of it say so, and
 * for Responses, which no upstream of ours speaks, a reader that is here.  What is said is compared
 * with tests/data/streams/NAME.ends; those are read by the vendors' SDKs, too
 * (tests/e2e/sdk/test_cut_sdk.py).
 */
#include "codec_fixture.h"

#include <stdio.h>
#include <string.h>

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses_tail.h"

#define ARENA ((size_t)64 << 20)
#define CHAT(more)                                                                                 \
    "{\"model\":\"gpt-5-mini\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"       \
    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define GEMINI(more) "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]" more "}"

static const struct recorded {
    const char *name, *file;
    const struct km_llm_api *api;
    const char *path_model, *body;
    const struct km_codec *reader;
    int answers;
} recorded[] = {
    { "chat", "chat", &km_api_chat, "", CHAT(""), &km_codec_openai, 1 },
    { "chat_two", "chat_two", &km_api_chat, "", CHAT(",\"n\":2"), &km_codec_openai, 2 },
    { "completion", "completion", &km_api_completion, "",
      "{\"model\":\"gpt-5-mini\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
      "\"prompt\":\"hi\"}",
      NULL, 1 },
    { "messages", "messages", &km_api_messages, "",
      "{\"model\":\"claude-sonnet-4-5\",\"stream\":true,\"max_tokens\":999,\"messages\":[{\"role\":"
      "\"user\",\"content\":\"hi\"}]}",
      &km_codec_messages, 1 },
    { "gemini", "gemini", &km_api_gemini_stream, "gemini-2.5-flash", GEMINI(""), &km_codec_gemini,
      1 },
    { "gemini_array", "gemini", &km_api_gemini_array, "gemini-2.5-flash", GEMINI(""), NULL, 1 },
    { "gemini_two", "gemini_two", &km_api_gemini_stream, "gemini-2.5-flash",
      GEMINI(",\"generationConfig\":{\"candidateCount\":2}"), &km_codec_gemini, 2 },
    { "responses", "responses", &km_api_responses, "",
      "{\"model\":\"gpt-5-mini\",\"stream\":true,\"input\":\"hi\"}", NULL, 1 },
    { "responses_beside", "responses_beside", &km_api_responses, "",
      "{\"model\":\"gpt-5-mini\",\"stream\":true,\"input\":\"hi\"}", NULL, 1 },
};

#define RECORDED (sizeof recorded / sizeof *recorded)

/* --- a stream that is cut --- */

struct run {
    struct km_arena arena, scratch;
    struct km_llm_request request;
    struct km_llm_stream s;
    struct km_buf said; /* to the client */
    size_t before; /* of it, bytes of the upstream's events */
    size_t n, most; /* events that came; and come before the cut */
    int result;
    struct km_err err;
};

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct run *r = ctx;

    if (r->n == r->most)
        return 0;
    r->n += event->has_data;
    return r->request.api->event(&r->s, event, &r->said, &r->err);
}

static int on_last(void *ctx, const struct km_sse_event *event, struct km_err *err)
{
    struct run *r = ctx;

    (void)err;
    assert_true(event->has_data);
    assert_true(event->raw.n > event->data.n);
    km_buf_str(&r->said, event->raw);
    return 0;
}

static void run_init(struct run *r, const struct km_llm_api *api, const char *path_model,
                     const char *body)
{
    memset(r, 0, sizeof *r);
    km_arena_init(&r->arena, ARENA, NULL);
    km_arena_init(&r->scratch, ARENA, NULL);
    km_buf_init(&r->said, 16 << 20);
    assert_int_equal(km_llm_request_parse(&r->request, api, &r->arena, km_str_c(body),
                                          km_str_c(path_model), &r->err),
                     0);
    r->request.stream = true;
    km_llm_stream_init(&r->s, &r->request, &r->arena, &r->scratch);
}

static void run_done(struct run *r)
{
    km_buf_done(&r->said);
    km_arena_done(&r->scratch);
    km_arena_done(&r->arena);
}

/* In reads of so many bytes. */
static void run_feed(struct run *r, struct km_str stream, size_t step)
{
    struct km_sse *sse = km_sse_new(1 << 20, on_event, r);

    for (size_t at = 0; at < stream.n; at += step)
        assert_int_equal(
            km_sse_feed(sse, stream.p + at, step < stream.n - at ? step : stream.n - at, &r->err),
            0);
    km_sse_free(sse);
}

static void run_cut(struct run *r)
{
    const struct km_llm_cut cut = {
        .usage = { .prompt_tokens = 12, .completion_tokens = 7, .reasoning_tokens = 2 },
        .id = KM_STR("0190a1b2-0000-7000-8000-000000000000"),
        .created_s = 1763900009,
        .say = on_last,
        .ctx = r
    };

    r->before = r->said.n;
    r->result = km_llm_stream_cut(&r->s, &cut, &r->err);
    if (r->result == 0 && r->request.api->last)
        km_buf_str(&r->said, km_str_c(r->request.api->last));
}

static void read_file(const char *path, struct km_buf *b)
{
    FILE *f = fopen(path, "rb");
    char part[4096];
    size_t n;

    if (!f)
        fail_msg("no file %s", path);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        km_buf_bytes(b, part, n);
    fclose(f);
    assert_false(km_buf_failed(b));
}

static struct km_str stream_of(const struct recorded *row, struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    char path[256];

    snprintf(path, sizeof path, "%s/%s.sse", KM_TEST_STREAMS, row->file);
    read_file(path, &b);
    return km_arena_str(arena, km_buf_view(&b));
}

/* After n events; false: there are not so many. */
static bool cut_after(const struct recorded *row, size_t n, size_t step, struct run *r)
{
    run_init(r, row->api, row->path_model, row->body);
    r->most = n;
    run_feed(r, stream_of(row, &r->arena), step);
    run_cut(r);
    return r->n == n;
}

/* --- what it must be --- */

static const struct km_json *json_of(struct run *r, struct km_str text)
{
    const struct km_json *root = NULL;

    if (km_json_parse(&r->arena, text, &root, &r->err) < 0)
        fail_msg("%s: %.*s", r->err.text, KM_STR_ARG(text));
    return root;
}

static struct km_str text_of(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(v, name), &s);
    return s;
}

static bool is(const struct km_json *v, const char *name, const char *text)
{
    return km_str_eq(text_of(v, name), km_str_c(text));
}

/* Read by the decoder of an upstream that speaks it. */
static void expect_complete(const struct recorded *row, struct run *r, bool ended)
{
    struct codec_fixture f;
    const char *notes;
    char want[32];

    codec_setup(&f, row->reader, "m");
    if (codec_feed(&f, km_buf_view(&r->said), 0) < 0)
        fail_msg("%s after %zu: %s in %s", row->name, r->n, f.err.text, km_buf_cstr(&r->said));
    notes = km_buf_cstr(&f.out);
    snprintf(want, sizeof want, " %d", KM_FINISH_LENGTH);
    if (!ended)
        assert_non_null(strstr(strstr(notes, "\nfinish"), want));
    if (!ended && row->api != &km_api_gemini_stream)
        assert_non_null(strstr(notes, " 12 7 "));
    codec_teardown(&f);
}

static void expect_array(struct run *r)
{
    const struct km_json *root = json_of(r, km_buf_view(&r->said)), *one, *last = NULL;
    struct km_json_iter it;
    struct km_str key;

    assert_int_equal(km_json_kind(root), KM_JSON_ARRAY);
    for (km_json_iter(root, &it); km_json_next(&it, &key, &one);)
        last = one;
    km_json_iter(km_json_get(last, "candidates"), &it);
    assert_true(km_json_next(&it, &key, &one));
    assert_true(text_of(one, "finishReason").n > 0);
}

/* Each line of data is JSON, and the last has why it ended. */
static void expect_completion(struct run *r)
{
    struct km_str all = km_buf_view(&r->said), line;
    unsigned finishes = 0, usages = 0;

    while (km_str_split(&all, '\n', &line)) {
        const struct km_json *root, *one;
        struct km_json_iter it;
        struct km_str key;

        if (!km_str_starts(line, KM_STR("data: {")))
            continue;
        root = json_of(r, km_str_skip(line, 6));
        usages += km_json_kind(km_json_get(root, "usage")) == KM_JSON_OBJECT;
        for (km_json_iter(km_json_get(root, "choices"), &it); km_json_next(&it, &key, &one);)
            finishes += text_of(one, "finish_reason").n > 0;
    }
    assert_int_equal(finishes, 1);
    assert_int_equal(usages, 1);
    assert_true(km_str_ends(km_buf_view(&r->said), KM_STR("data: [DONE]\n\n")));
}

struct reading { /* of Responses */
    struct run *r;
    int64_t sequence;
    struct km_str items[8], done[8];
    struct km_buf texts[8]; /* of the part under way */
    size_t n, ndone;
    bool ended;
};

static size_t index_of(const struct km_json *event)
{
    int64_t i = -1;

    assert_true(km_json_i64(km_json_get(event, "output_index"), &i));
    assert_in_range(i, 0, 7);
    return (size_t)i;
}

static void read_text(struct reading *rd, const struct km_json *event, struct km_str type)
{
    static const char *const names[] = { "text", "refusal", "arguments", "input" };
    struct km_buf *text = &rd->texts[index_of(event)];

    if (km_str_ends(type, KM_STR(".delta"))) {
        km_buf_str(text, text_of(event, "delta"));
        return;
    }
    for (size_t i = 0; i < 4; i++)
        if (km_json_get(event, names[i])) {
            assert_true(km_str_eq(text_of(event, names[i]), km_buf_view(text)));
            km_buf_reset(text);
        }
}

static void read_item(struct reading *rd, const struct km_json *event, bool done)
{
    const struct km_json *item = km_json_get(event, "item");
    size_t i = index_of(event);

    assert_int_equal(km_json_kind(item), KM_JSON_OBJECT);
    if (!done) {
        assert_int_equal(i, rd->n);
        rd->items[rd->n++] = text_of(item, "id");
        return;
    }
    assert_true(i < rd->n && !rd->done[i].n);
    assert_true(km_str_eq(text_of(item, "id"), rd->items[i]));
    rd->done[i] = km_json_compact(item, &rd->r->arena);
    rd->ndone++;
}

static void read_last(struct reading *rd, const struct km_json *event, bool incomplete)
{
    const struct km_json *response = km_json_get(event, "response"), *one;
    struct km_json_iter it;
    struct km_str key;
    int64_t tokens = 0;
    size_t n = 0;

    rd->ended = true;
    assert_int_equal(rd->ndone, rd->n);
    for (km_json_iter(km_json_get(response, "output"), &it); km_json_next(&it, &key, &one); n++)
        assert_true(km_str_eq(km_json_compact(one, &rd->r->arena), rd->done[n]));
    assert_int_equal(n, rd->n);
    if (!incomplete)
        return;
    assert_true(is(response, "status", "incomplete"));
    assert_true(is(km_json_get(response, "incomplete_details"), "reason", "max_output_tokens"));
    assert_true(km_json_i64(km_json_get(km_json_get(response, "usage"), "output_tokens"), &tokens));
    assert_int_equal(tokens, 7);
}

static void read_event(struct reading *rd, const struct km_json *event)
{
    struct km_str type = text_of(event, "type");
    int64_t sequence = -1;

    assert_false(rd->ended);
    assert_true(km_json_i64(km_json_get(event, "sequence_number"), &sequence));
    assert_int_equal(sequence, rd->sequence++);
    if (km_str_eq(type, KM_STR("response.output_item.added")))
        read_item(rd, event, false);
    else if (km_str_eq(type, KM_STR("response.output_item.done")))
        read_item(rd, event, true);
    else if (km_str_eq(type, KM_STR("response.completed")))
        read_last(rd, event, false);
    else if (km_str_eq(type, KM_STR("response.incomplete")))
        read_last(rd, event, true);
    else if (km_str_ends(type, KM_STR(".delta")) ||
             (km_str_ends(type, KM_STR(".done")) && km_str_find(type, KM_STR("_part.")) == type.n))
        read_text(rd, event, type);
}

static void expect_responses(struct run *r)
{
    struct reading rd = { .r = r };
    struct km_str all = km_buf_view(&r->said), line, name = KM_STR_NONE;

    for (size_t i = 0; i < 8; i++)
        km_buf_init(&rd.texts[i], 1 << 20);
    while (km_str_split(&all, '\n', &line)) {
        if (km_str_starts(line, KM_STR("event: ")))
            name = km_str_skip(line, 7);
        if (!km_str_starts(line, KM_STR("data: ")))
            continue;
        assert_true(km_str_eq(name, text_of(json_of(r, km_str_skip(line, 6)), "type")));
        read_event(&rd, json_of(r, km_str_skip(line, 6)));
    }
    assert_true(rd.ended);
    for (size_t i = 0; i < 8; i++)
        km_buf_done(&rd.texts[i]);
}

/* Has the upstream said why (one of) it ended? */
static bool has_ended(const struct run *r)
{
    const struct km_str came = km_str(r->said.p, r->before);

    return r->s.finished || km_str_find(came, KM_STR("\"stop_reason\":\"")) < came.n;
}

static void expect_well(const struct recorded *row, struct run *r)
{
    if (r->result < 0)
        fail_msg("%s after %zu: %s", row->name, r->n, r->err.text);
    if (row->api == &km_api_completion)
        expect_completion(r);
    else if (row->api == &km_api_gemini_array)
        expect_array(r);
    else if (row->api == &km_api_responses)
        expect_responses(r);
    else
        expect_complete(row, r, has_ended(r));
}

static void a_stream_that_is_cut_anywhere_is_complete(void **state)
{
    (void)state;
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++) {
        bool more = true;

        for (size_t n = 0; more; n++) {
            struct run r;

            more = cut_after(row, n, SIZE_MAX / 2, &r);
            expect_well(row, &r);
            run_done(&r);
        }
    }
}

/* --- the same, word for word --- */

static void ends_of(const struct recorded *row, size_t step, struct km_buf *out)
{
    bool more = true;

    for (size_t n = 0; more; n++) {
        struct run r;

        more = cut_after(row, n, step, &r);
        if (more) {
            km_buf_json(out, km_str_skip(km_buf_view(&r.said), r.before));
            km_buf_byte(out, '\n');
        }
        run_done(&r);
    }
}

static void what_is_said_is_what_the_sdks_have_read(void **state)
{
    static const size_t steps[] = { SIZE_MAX / 2, 1, 100 };

    (void)state;
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++)
        for (size_t i = 0; i < 3; i++) {
            struct km_buf want KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
            struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
            char path[256];

            snprintf(path, sizeof path, "%s/%s.ends", KM_TEST_STREAMS, row->name);
            read_file(path, &want);
            ends_of(row, steps[i], &got);
            assert_string_equal(km_buf_cstr(&got), km_buf_cstr(&want));
        }
}

static int write_ends(void)
{
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++) {
        struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
        char path[256];
        FILE *f;

        snprintf(path, sizeof path, "%s/%s.ends", KM_TEST_STREAMS, row->name);
        ends_of(row, SIZE_MAX / 2, &got);
        f = fopen(path, "w");
        if (!f || fwrite(got.p, 1, got.n, f) != got.n || fclose(f) != 0)
            return 1;
    }
    return 0;
}

/* --- what else must hold --- */

static const struct recorded *row_of(const char *name)
{
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static void what_is_complete_is_left_as_it_is(void **state)
{
    (void)state;
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++) {
        const char *last = row->api->last;
        struct run r;

        (void)cut_after(row, 1000, SIZE_MAX / 2, &r);
        assert_int_equal(r.said.n - r.before, last ? strlen(last) : 0);
        assert_true(r.s.done && r.s.cut);
        run_done(&r);
    }
}

static void what_was_told_is_what_counts(void **state)
{
    (void)state;
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++) {
        struct km_usage u;
        struct run r;

        assert_true(cut_after(row, 3, SIZE_MAX / 2, &r));
        u = km_llm_stream_usage(&r.s);
        assert_int_equal(u.prompt_tokens, 12);
        assert_int_equal(u.completion_tokens, 7);
        assert_false(u.known);
        run_done(&r);
    }
}

static void usage_that_was_not_asked_for_is_not_told(void **state)
{
    struct run r;

    (void)state;
    run_init(&r, &km_api_chat, "",
             "{\"model\":\"gpt-5-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\","
             "\"content\":\"hi\"}]}");
    r.most = 2;
    run_feed(&r, stream_of(row_of("chat"), &r.arena), SIZE_MAX / 2);
    run_cut(&r);
    assert_int_equal(r.result, 0);
    assert_non_null(strstr(km_buf_cstr(&r.said), "\"finish_reason\":\"length\""));
    assert_null(strstr(km_buf_cstr(&r.said), "usage"));
    run_done(&r);
}

static void of_several_answers_those_that_are_open_are_ended(void **state)
{
    const char *end;
    struct run r;

    (void)state;
    assert_true(cut_after(row_of("chat_two"), 6, SIZE_MAX / 2, &r)); /* the first is over */
    end = km_buf_cstr(&r.said) + r.before;
    assert_null(strstr(end, "\"index\":0"));
    assert_non_null(strstr(end, "{\"index\":1,\"delta\":{},"));
    run_done(&r);
}

static void a_stream_that_said_an_error_is_not_ended_well(void **state)
{
    static const char error[] = "data: {\"error\":{\"message\":\"it broke\"}}\n\n";
    struct run r;

    (void)state;
    run_init(&r, &km_api_chat, "", recorded[0].body);
    r.most = 9;
    run_feed(&r, km_str_c(error), sizeof error);
    run_cut(&r);
    assert_int_equal(r.result, KM_E_UNSUPPORTED);
    run_done(&r);
}

/* Where nothing is kept nothing can be ended, and the events pass as ever. */
static void without_an_arena_nothing_is_kept(void **state)
{
    (void)state;
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++) {
        struct run r;

        run_init(&r, row->api, row->path_model, row->body);
        r.s.arena = NULL;
        r.s.keeps = false;
        r.most = 3;
        run_feed(&r, stream_of(row, &r.arena), SIZE_MAX / 2);
        assert_null(r.s.tail);
        run_cut(&r);
        assert_int_equal(r.result, KM_E_UNSUPPORTED);
        run_done(&r);
    }
}

/* However little memory there is: an error, or a complete stream. */
static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    for (const struct recorded *row = recorded; row < recorded + RECORDED; row++)
        for (size_t cap = 0; cap < 4096; cap += 64) {
            struct km_arena small;
            struct run r;

            run_init(&r, row->api, row->path_model, row->body);
            km_arena_init(&small, cap, NULL);
            r.s.arena = &small;
            r.most = 12;
            run_feed(&r, stream_of(row, &r.arena), SIZE_MAX / 2);
            run_cut(&r);
            if (r.result < 0)
                assert_int_equal(r.result, KM_E_NOMEM);
            km_arena_done(&small);
            run_done(&r);
        }
}

/* --- Responses as some servers have them --- */

/* vLLM tells no part of what a model thinks, and not every server numbers its events. */
static void a_text_without_a_part_is_said_all_the_same(void **state)
{
    static const char stream[] =
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"output\":[]}}\n\n"
        "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"i\","
        "\"type\":\"reasoning\",\"summary\":[]}}\n\n"
        "data: {\"type\":\"response.reasoning_text.delta\",\"output_index\":0,\"item_id\":\"i\","
        "\"content_index\":0,\"delta\":\"T\"}\n\n";
    const char *end;
    struct run r;

    (void)state;
    run_init(&r, &km_api_responses, "", recorded[7].body);
    r.most = 3;
    run_feed(&r, km_str_c(stream), 1);
    run_cut(&r);
    assert_int_equal(r.result, 0);
    end = km_buf_cstr(&r.said) + r.before;
    assert_non_null(strstr(end, "{\"type\":\"response.reasoning_text.done\",\"sequence_number\":3,"
                                "\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"text\":"
                                "\"T\"}"));
    assert_null(strstr(end, "content_part"));
    assert_non_null(strstr(end, "\"output\":[{\"id\":\"i\",\"type\":\"reasoning\",\"summary\":[],"
                                "\"content\":[{\"type\":\"reasoning_text\",\"text\":\"T\"}]}]"));
    assert_non_null(strstr(end, "\"usage\":{\"input_tokens\":12,")); /* the object had none */
    run_done(&r);
}

/* --- Responses that are large --- */

#define ADDED                                                                                      \
    "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\","       \
    "\"model\":\"x\",\"status\":\"in_progress\",\"output\":[]}}\n\n"                               \
    "data: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,"     \
    "\"item\":{\"id\":\"m\",\"type\":\"message\",\"status\":\"in_progress\",\"content\":[]}}\n\n"  \
    "data: {\"type\":\"response.content_part.added\",\"sequence_number\":2,\"output_index\":0,"    \
    "\"content_index\":0,\"item_id\":\"m\",\"part\":{\"type\":\"output_text\",\"text\":\"\"}}\n\n"

/* n deltas of 1 KiB. */
static void feed_large(struct run *r, size_t n)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 << 20);

    km_buf_str(&b, KM_STR(ADDED));
    for (size_t i = 0; i < n; i++) {
        km_buf_printf(&b,
                      "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":%zu,"
                      "\"output_index\":0,\"content_index\":0,\"item_id\":\"m\",\"delta\":\"",
                      i + 3);
        for (size_t k = 0; k < 1024; k++)
            km_buf_byte(&b, 'x');
        km_buf_str(&b, KM_STR("\"}\n\n"));
    }
    r->most = SIZE_MAX;
    run_feed(r, km_buf_view(&b), 1 << 16);
}

static void an_output_within_the_bound_is_said_again(void **state)
{
    struct run r;

    (void)state;
    run_init(&r, &km_api_responses, "", recorded[7].body);
    feed_large(&r, 100);
    run_cut(&r);
    assert_int_equal(r.result, 0);
    assert_true(r.said.n - r.before > (size_t)3 * 100 * 1024);
    run_done(&r);
}

/* What was kept of an item that is done is not counted twice. */
static void items_that_are_done_count_once(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 << 20);
    const char *end;
    struct run r;

    (void)state;
    run_init(&r, &km_api_responses, "", recorded[7].body);
    feed_large(&r, 100);
    km_buf_str(&b, KM_STR("data: {\"type\":\"response.output_item.done\",\"output_index\":0,"
                          "\"item\":{\"id\":\"m\",\"text\":\""));
    for (size_t k = 0; k < (size_t)100 * 1024; k++)
        km_buf_byte(&b, 'x');
    km_buf_str(&b,
               KM_STR("\"}}\n\ndata: {\"type\":\"response.output_item.added\",\"output_index\":1,"
                      "\"item\":{\"id\":\"n\"}}\n\n"));
    for (size_t i = 0; i < 100; i++) {
        km_buf_str(&b, KM_STR("data: {\"type\":\"response.output_text.delta\",\"output_index\":1,"
                              "\"item_id\":\"n\",\"delta\":\""));
        for (size_t k = 0; k < 1024; k++)
            km_buf_byte(&b, 'y');
        km_buf_str(&b, KM_STR("\"}\n\n"));
    }
    run_feed(&r, km_buf_view(&b), 1 << 16);
    run_cut(&r);
    assert_int_equal(r.result, 0);
    end = strstr(km_buf_cstr(&r.said) + r.before, "\"response.incomplete\"");
    assert_non_null(strstr(end, "xxxx\"},{\"id\":\"n\""));
    assert_non_null(strstr(end, "\"content\":[{\"type\":\"output_text\",\"text\":\"yyyy"));
    run_done(&r);
}

static void of_an_output_over_the_bound_nothing_is_kept(void **state)
{
    const char *end;
    struct run r;

    (void)state;
    run_init(&r, &km_api_responses, "", recorded[7].body);
    feed_large(&r, 600);
    run_cut(&r);
    assert_int_equal(r.result, 0);
    end = km_buf_cstr(&r.said) + r.before;
    assert_true(strlen(end) < 1024);
    assert_non_null(strstr(end, "\"type\":\"response.incomplete\",\"sequence_number\":603"));
    assert_non_null(strstr(end, "\"output\":[]"));
    assert_true(r.arena.used < 4 * KM_RESPONSES_KEPT_BYTES);
    run_done(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_is_cut_anywhere_is_complete),
        cmocka_unit_test(what_is_said_is_what_the_sdks_have_read),
        cmocka_unit_test(what_is_complete_is_left_as_it_is),
        cmocka_unit_test(what_was_told_is_what_counts),
        cmocka_unit_test(usage_that_was_not_asked_for_is_not_told),
        cmocka_unit_test(of_several_answers_those_that_are_open_are_ended),
        cmocka_unit_test(a_stream_that_said_an_error_is_not_ended_well),
        cmocka_unit_test(without_an_arena_nothing_is_kept),
        cmocka_unit_test(memory_that_is_short_is_an_error),
        cmocka_unit_test(a_text_without_a_part_is_said_all_the_same),
        cmocka_unit_test(an_output_within_the_bound_is_said_again),
        cmocka_unit_test(items_that_are_done_count_once),
        cmocka_unit_test(of_an_output_over_the_bound_nothing_is_kept),
    };

    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return write_ends();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
