/* SPDX-License-Identifier: Apache-2.0 */
/* A stream that is passed on, of any of the APIs, and is ended early after it.
 *
 * The first byte is the API, the rest is the stream.  Where all of its events were JSON, those
 * that end it are, too; they are the same however the stream was cut on its way; and they are a
 * few times what is kept of it at most.
 */
#include "fuzz.h"

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses_tail.h"

#define ARENA ((size_t)64 << 20)
#define MAX_INPUT ((size_t)1 << 16)

static const struct km_llm_api *const apis[] = {
    &km_api_chat,          &km_api_completion,   &km_api_messages,
    &km_api_gemini_stream, &km_api_gemini_array, &km_api_responses,
};

struct run {
    struct km_arena arena, scratch;
    struct km_llm_request request;
    struct km_llm_stream s;
    struct km_buf out;
    bool sound; /* all that came was JSON */
};

static bool is_json(struct run *r, struct km_str text)
{
    const struct km_json *root;

    return km_json_parse_answer(&r->scratch, text, &root, NULL) == 0;
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct run *r = ctx;
    struct km_buf passed KM_CLEANUP(km_buf_done) = KM_BUF(64 << 20);
    struct km_err err;
    int result;

    r->sound = r->sound && (!event->has_data || is_json(r, event->data));
    result = r->request.api->event(&r->s, event, &passed, &err);
    km_arena_done(&r->scratch);
    km_arena_init(&r->scratch, ARENA, NULL);
    return result;
}

static int on_last(void *ctx, const struct km_sse_event *event, struct km_err *err)
{
    struct run *r = ctx;

    (void)err;
    must(event->has_data && event->raw.n > event->data.n);
    must(!r->sound || is_json(r, event->data));
    km_buf_str(&r->out, event->raw);
    return 0;
}

static void run(struct run *r, const struct km_llm_api *api, const char *p, size_t n, size_t step)
{
    const struct km_llm_cut cut = {
        .usage = { .prompt_tokens = 1 }, .id = KM_STR("1"), .say = on_last, .ctx = r
    };
    struct km_sse *sse = km_sse_new(MAX_INPUT, on_event, r);
    int result = 0;

    *r = (struct run){ .request = { .api = api,
                                    .model = KM_STR("m"),
                                    .choices = (int64_t)(n % 3) + 1,
                                    .usage_asked = true },
                       .out = KM_BUF(64 << 20),
                       .sound = true };
    must(sse != NULL);
    km_arena_init(&r->arena, ARENA, NULL);
    km_arena_init(&r->scratch, ARENA, NULL);
    km_llm_stream_init(&r->s, &r->request, &r->arena, &r->scratch);
    for (size_t at = 0; at < n && result == 0; at += step)
        result = km_sse_feed(sse, p + at, n - at < step ? n - at : step, NULL);
    if (result == 0)
        (void)!km_llm_stream_cut(&r->s, &cut, NULL);
    must(r->out.n < 16 * (KM_RESPONSES_KEPT_BYTES + MAX_INPUT));
    km_sse_free(sse);
}

static void done(struct run *r)
{
    km_buf_done(&r->out);
    km_arena_done(&r->scratch);
    km_arena_done(&r->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct km_llm_api *api;
    struct run whole, pieces;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    api = apis[data[0] % (sizeof apis / sizeof *apis)];
    run(&whole, api, (const char *)data + 1, size - 1, size);
    run(&pieces, api, (const char *)data + 1, size - 1, 7);
    must(km_str_eq(km_buf_view(&whole.out), km_buf_view(&pieces.out)));
    done(&whole);
    done(&pieces);
    return 0;
}
