/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of AWS event streams.
 *
 * One byte gives the size of the pieces, one says whether checksums are put right first (a
 * fuzzer does not guess them), the rest is the stream.  Fed whole and in pieces it must give the
 * same messages and the same end; the headers of a message read to their end.
 */
#include "fuzz.h"

#include "base/hash.h"
#include "llm/aws/eventstream.h"

#define MAX_MESSAGE 4096
#define MAX_INPUT ((size_t)1 << 16)

static int on_message(void *ctx, const struct km_aws_message *m, struct km_err *err)
{
    struct km_str rest = m->headers;
    struct km_aws_header h;
    struct km_buf *b = ctx;

    (void)err;
    while (km_aws_header_next(&rest, &h))
        km_buf_printf(b, "%d,%zu,%zu;", (int)h.type, h.name.n, h.value.n);
    must(rest.n == 0);
    must(m->headers.n + m->payload.n + 16 <= MAX_MESSAGE);
    km_buf_str(b, m->message_type);
    km_buf_str(b, m->event_type);
    km_buf_str(b, m->exception_type);
    km_buf_str(b, m->payload);
    return 0;
}

static int feed(struct km_buf *text, const uint8_t *p, size_t n, size_t step)
{
    struct km_eventstream *s = km_eventstream_new(MAX_MESSAGE, on_message, text);
    int e = 0;

    must(s != NULL);
    for (size_t at = 0; at < n && e == 0; at += step) {
        size_t len = n - at < step ? n - at : step;
        char *copy = malloc(len);

        must(copy != NULL);
        memcpy(copy, p + at, len);
        e = km_eventstream_feed(s, copy, len, NULL);
        free(copy);
    }
    must(e == 0 || e == KM_E_LIMIT || e == KM_E_UPSTREAM_PROTOCOL);
    km_eventstream_free(s);
    return e;
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_right(uint8_t *p, size_t n)
{
    while (n >= 16) {
        size_t total = (size_t)p[2] << 8 | p[3];

        p[0] = p[1] = 0;
        put_u32(p + 8, km_crc32(0, p, 8));
        if (total < 16 || total > n)
            return;
        put_u32(p + total - 4, km_crc32(0, p, total - 4));
        p += total;
        n -= total;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_buf whole = KM_BUF(64 * MAX_INPUT), cut = KM_BUF(64 * MAX_INPUT);
    uint8_t *copy;

    if (size < 3 || size > MAX_INPUT)
        return 0;
    copy = malloc(size - 2);
    must(copy != NULL);
    memcpy(copy, data + 2, size - 2);
    if (data[1] & 1)
        put_right(copy, size - 2);
    must(feed(&whole, copy, size - 2, size) ==
         feed(&cut, copy, size - 2, (size_t)data[0] % 64 + 1));
    must(km_str_eq(km_buf_view(&whole), km_buf_view(&cut)));
    km_buf_done(&whole);
    km_buf_done(&cut);
    free(copy);
    return 0;
}
