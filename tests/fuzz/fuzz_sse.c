/* SPDX-License-Identifier: Apache-2.0 */
/* The event stream reader.
 *
 * One byte gives the size of the pieces, the rest is the stream.  Fed whole and in pieces it
 * must give the same events; the raws, one after another, are the stream without what is
 * unfinished; what the writer makes of an event's data reads back as that data.
 */
#include "fuzz.h"

#include "http/sse.h"

#define MAX_EVENT 4096
#define MAX_INPUT ((size_t)1 << 16)

struct record {
    struct km_buf text, raw;
};

static int on_read_back(void *ctx, const struct km_sse_event *e)
{
    struct km_buf *b = ctx;

    if (e->has_data)
        km_buf_str(b, e->data);
    return 0;
}

/* Line ends inside data are LF when read, so that the second reading must be the same. */
static void write_back(struct km_str data)
{
    struct km_buf out = KM_BUF(8 * MAX_INPUT), back = KM_BUF(8 * MAX_INPUT);
    struct km_sse *sse = km_sse_new(8 * MAX_INPUT, on_read_back, &back);

    km_sse_write(&out, KM_STR_NONE, data);
    must(sse && !km_buf_failed(&out));
    must(km_sse_feed(sse, out.p, out.n, NULL) == 0 && !km_sse_unfinished(sse));
    must(km_str_eq(km_buf_view(&back), data));
    km_sse_free(sse);
    km_buf_done(&out);
    km_buf_done(&back);
}

static int on_event(void *ctx, const struct km_sse_event *e)
{
    struct record *r = ctx;

    must(e->raw.n > 0 && e->raw.n <= MAX_EVENT);
    must(e->has_data || e->data.n == 0);
    km_buf_printf(&r->text, "%d,%lld,%zu,%zu,%zu,%zu:", e->has_data, (long long)e->retry_ms,
                  e->raw.n, e->type.n, e->data.n, e->id.n);
    km_buf_str(&r->text, e->type);
    km_buf_str(&r->text, e->data);
    km_buf_str(&r->text, e->id);
    km_buf_str(&r->raw, e->raw);
    if (e->has_data)
        write_back(e->data);
    return 0;
}

static int feed(struct record *r, const uint8_t *p, size_t n, size_t step)
{
    struct km_sse *sse = km_sse_new(MAX_EVENT, on_event, r);
    int e = 0;

    must(sse != NULL);
    for (size_t at = 0; at < n && e == 0; at += step) {
        size_t len = n - at < step ? n - at : step;
        char *copy = malloc(len);

        memcpy(copy, p + at, len);
        e = km_sse_feed(sse, copy, len, NULL);
        free(copy);
    }
    must(e == 0 || e == KM_E_LIMIT);
    if (e == 0 && !km_sse_unfinished(sse))
        must(n - r->raw.n <= 4); /* a BOM, a late LF */
    km_sse_free(sse);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record whole = { KM_BUF(64 * MAX_INPUT), KM_BUF(MAX_INPUT) };
    struct record cut = { KM_BUF(64 * MAX_INPUT), KM_BUF(MAX_INPUT) };
    int a, b;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    a = feed(&whole, data + 1, size - 1, size);
    b = feed(&cut, data + 1, size - 1, (size_t)data[0] % 64 + 1);
    must(a == b);
    must(km_str_eq(km_buf_view(&whole.text), km_buf_view(&cut.text)));
    must(whole.raw.n <= size - 1);
    must(whole.raw.n == 0 || memcmp(whole.raw.p, data + 1, whole.raw.n) == 0);
    km_buf_done(&whole.text);
    km_buf_done(&whole.raw);
    km_buf_done(&cut.text);
    km_buf_done(&cut.raw);
    return 0;
}
