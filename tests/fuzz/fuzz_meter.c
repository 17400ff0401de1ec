/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and requests that pass below a vendor's prefix, through each kind of meter.
 *
 * The first byte chooses the kind, the second what the rest is: a stream, which whole and in
 * pieces must give the same usage and reach the caller as it came (or, where usage was asked for
 * the caller, edited alike); a whole answer, with Bedrock's count in its head; a request; or a
 * path to be matched with the rules.  No count may be negative.
 */
#include "fuzz.h"

#include "http/json.h"
#include "llm/vendor.h"

#define MAX_INPUT ((size_t)1 << 16)
#define MAX_EVENT ((size_t)512) /* little, so that some are over it */
#define ARENA ((size_t)64 << 20)

static const struct km_meter_kind *const kinds[] = {
    &km_meter_chat,          &km_meter_completion, &km_meter_embedding, &km_meter_responses,
    &km_meter_messages,      &km_meter_gemini,     &km_meter_gemini_stream,
    &km_meter_gemini_embed,  &km_meter_predict,    &km_meter_raw,       &km_meter_converse,
    &km_meter_invoke,
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct run {
    struct km_arena arena;
    struct km_llm_request request;
    struct km_meter meter;
    struct km_buf out;
};

static int read_request(const struct km_meter_kind *kind, struct km_arena *arena,
                        struct km_str body, struct km_llm_request *r)
{
    struct km_err err;

    *r = (struct km_llm_request){ .body = body, .max_tokens = -1, .choices = 1, .num_retries = -1 };
    return kind->api ? km_llm_request_parse(r, kind->api, arena, body, KM_STR("m"), &err)
                     : km_meter_request(kind, r, arena, &err);
}

static void begin(struct run *run, const struct km_meter_kind *kind)
{
    struct km_str body = KM_STR("{\"model\":\"m\",\"stream\":true,\"messages\":[],\"input\":\"x\","
                                "\"prompt\":\"x\",\"contents\":[],\"max_tokens\":9}");

    *run = (struct run){ .out = KM_BUF(64 << 20) };
    km_arena_init(&run->arena, ARENA, NULL);
    must(read_request(kind, &run->arena, body, &run->request) == 0);
    km_meter_init(&run->meter, kind, &run->request, &run->arena);
}

static void end(struct run *run)
{
    km_meter_done(&run->meter);
    km_buf_done(&run->out);
    km_arena_done(&run->arena);
}

static void sane(const struct km_usage *u)
{
    const int64_t counts[] = { u->prompt_tokens,      u->completion_tokens, u->cached_tokens,
                               u->cache_write_tokens, u->reasoning_tokens,  u->audio_tokens,
                               u->image_tokens };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        must(counts[i] >= 0);
}

static void feed(struct run *run, const char *p, size_t n, size_t step)
{
    must(km_meter_stream(&run->meter, MAX_EVENT, NULL) == 0);
    for (size_t at = 0; at < n; at += step)
        km_meter_feed(&run->meter, p + at, n - at < step ? n - at : step, &run->out);
}

/* Every byte of output is heard, and once, however it was cut.  What it amounts to is the same too
 * unless there is raw output, of a stream that can no longer be read.  That is measured read by
 * read: a long one by samples and with media in it told apart, and a word ends where a short one
 * does.  No byte is more than two tokens of text or of cipher, and no other medium, of which each
 * has 256 bytes at least, more than the largest picture. */
static void same_output(const struct km_meter *whole, const struct km_meter *cut)
{
    const int64_t a = km_meter_usage(whole).completion_tokens;
    const int64_t b = km_meter_usage(cut).completion_tokens;
    const int64_t bytes = (int64_t)whole->stream.heard.bytes;
    const int64_t apart = 1 + 2 * bytes + bytes / 256 * 4784;

    must(whole->stream.heard.bytes == cut->stream.heard.bytes);
    must(whole->stream.events == cut->stream.events && whole->raw == cut->raw);
    must(whole->raw ? a - b <= apart && b - a <= apart && (a > 0) == (b > 0) : a == b);
}

static void a_stream(const struct km_meter_kind *kind, const char *p, size_t n, size_t step)
{
    struct run whole, cut;
    struct km_usage a, b;

    begin(&whole, kind);
    begin(&cut, kind);
    feed(&whole, p, n, n ? n : 1);
    feed(&cut, p, n, step);
    a = km_meter_usage(&whole.meter);
    b = km_meter_usage(&cut.meter);
    sane(&a);
    must(whole.meter.lost == cut.meter.lost);
    must(a.known == b.known && a.prompt_tokens == b.prompt_tokens &&
         a.cached_tokens == b.cached_tokens);
    same_output(&whole.meter, &cut.meter);
    if (!kind->asks_usage) {
        must(km_str_eq(km_buf_view(&whole.out), km_str(p, n)));
        must(km_str_eq(km_buf_view(&cut.out), km_str(p, n)));
    } else {
        must(km_str_eq(km_buf_view(&whole.out), km_buf_view(&cut.out)));
    }
    end(&whole);
    end(&cut);
}

/* Its first line is the count in the head. */
static void an_answer(const struct km_meter_kind *kind, const char *p, size_t n)
{
    struct km_str body = km_str(p, n), count = KM_STR_NONE;
    struct km_header line = { KM_STR("x-amzn-bedrock-input-token-count"), KM_STR_NONE };
    struct km_headers head = { .v = &line, .n = 1 };
    struct km_usage u;
    struct run run;

    (void)km_str_split(&body, '\n', &count);
    line.value = count;
    begin(&run, kind);
    km_meter_whole(&run.meter, &head, body);
    u = km_meter_usage(&run.meter);
    sane(&u);
    end(&run);
}

static void a_request(const struct km_meter_kind *kind, const char *p, size_t n)
{
    struct km_llm_request r;
    struct km_arena arena;

    km_arena_init(&arena, ARENA, NULL);
    if (read_request(kind, &arena, km_str(p, n), &r) == 0)
        must(r.max_tokens >= -1 && r.max_tokens <= 100000000 && r.choices >= 1);
    km_arena_done(&arena);
}

static void a_path(const char *p, size_t n)
{
    static const char *const methods[] = { "GET", "POST", "DELETE" };

    for (size_t i = 0; i < KM_VENDORS; i++) {
        struct km_vendor_path path = { .rest = km_str(p, n) };

        km_vendors[i].split(&path);
        must(path.core.n <= n && path.version.n <= n);
        for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++) {
            struct km_str model = KM_STR_NONE;
            const struct km_vendor_rule *rule =
                km_vendor_match(&km_vendors[i], km_str_c(methods[k]), &path, &model);

            must(!rule || km_str_eq(km_str_c(rule->method), km_str_c(methods[k])));
            must(!rule || (rule->cost == KM_VENDOR_METERED) == (rule->meter != NULL));
            must(!model.n || (model.p >= p && model.p + model.n <= p + n));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct km_meter_kind *kind;
    const char *p = (const char *)data + 2;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    kind = kinds[data[0] % KINDS];
    size -= 2;
    if (data[1] % 4 == 0)
        a_stream(kind, p, size, (size_t)data[1] / 4 + 1);
    else if (data[1] % 4 == 1)
        an_answer(kind, p, size);
    else if (data[1] % 4 == 2)
        a_request(kind, p, size);
    else
        a_path(p, size);
    return 0;
}
