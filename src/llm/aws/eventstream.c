/* SPDX-License-Identifier: Apache-2.0 */
/* eventstream.c - see eventstream.h.
 *
 *     | total u32 | headers u32 | crc of these 8 | headers ... | payload ... | crc of all before |
 *     header:  | n u8 | name | type u8 | value by its type |
 *
 * All numbers are big-endian.  The reader waits for twelve bytes, learns from them how many more
 * there are, and waits for those: either in the bytes it was fed, or in a buffer of its own
 * when they came in pieces.  There is no searching and no state but what was kept.
 *
 * A frame that does not add up ends the stream: there is no way to find the next one.
 */
#include "llm/aws/eventstream.h"

#include <stdlib.h>

#include "base/hash.h"

#define PRELUDE 12
#define LEAST 16 /* a message without headers and payload */
#define HEADERS_MAX (128 * 1024)

struct km_eventstream {
    km_aws_message_fn *on_message;
    void *ctx;
    struct km_buf kept; /* the beginning of a message whose end has not come */
};

struct km_eventstream *km_eventstream_new(size_t max_message, km_aws_message_fn *on_message,
                                          void *ctx)
{
    struct km_eventstream *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->on_message = on_message;
    s->ctx = ctx;
    km_buf_init(&s->kept, max_message);
    return s;
}

struct km_eventstream *km_eventstream_free(struct km_eventstream *s)
{
    if (!s)
        return NULL;
    km_buf_done(&s->kept);
    free(s);
    return NULL;
}

bool km_eventstream_unfinished(const struct km_eventstream *s)
{
    return s->kept.n > 0;
}

struct km_str km_eventstream_held(const struct km_eventstream *s)
{
    return km_buf_view(&s->kept);
}

static uint32_t u32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Bytes of a value, where its type says how many. */
#define COUNTED SIZE_MAX
#define NO_TYPE (SIZE_MAX - 1)
static size_t value_size(uint8_t type)
{
    static const size_t sizes[] = {
        [KM_AWS_TRUE] = 0,        [KM_AWS_FALSE] = 0,        [KM_AWS_BYTE] = 1,
        [KM_AWS_SHORT] = 2,       [KM_AWS_INT] = 4,          [KM_AWS_LONG] = 8,
        [KM_AWS_BYTES] = COUNTED, [KM_AWS_STRING] = COUNTED, [KM_AWS_TIMESTAMP] = 8,
        [KM_AWS_UUID] = 16,
    };

    return type < sizeof sizes / sizeof sizes[0] ? sizes[type] : NO_TYPE;
}

bool km_aws_header_next(struct km_str *rest, struct km_aws_header *ret)
{
    const uint8_t *p = (const uint8_t *)rest->p;
    size_t name, at, n;

    if (!rest->n)
        return false;
    name = p[0];
    at = name + 2;
    if (!name || at > rest->n)
        return false;
    n = value_size(p[at - 1]);
    if (n == COUNTED) {
        if (rest->n - at < 2)
            return false;
        n = (size_t)(p[at] << 8 | p[at + 1]);
        at += 2;
    }
    if (n == NO_TYPE || n > rest->n - at)
        return false;
    ret->name = km_str_sub(*rest, 1, name);
    ret->type = (enum km_aws_header_type)p[name + 1];
    ret->value = km_str_sub(*rest, at, n);
    *rest = km_str_skip(*rest, at + n);
    return true;
}

static void note_header(struct km_aws_message *m, const struct km_aws_header *h)
{
    const struct {
        struct km_str name;
        struct km_str *to;
    } known[] = {
        { KM_STR(":message-type"), &m->message_type },
        { KM_STR(":event-type"), &m->event_type },
        { KM_STR(":exception-type"), &m->exception_type },
        { KM_STR(":error-code"), &m->error_code },
        { KM_STR(":error-message"), &m->error_message },
    };

    if (h->type != KM_AWS_STRING)
        return;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (km_str_eq(h->name, known[i].name))
            *known[i].to = h->value;
}

static int broken(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's event stream is broken: %s.", what);
}

static int check_prelude(const struct km_eventstream *s, const char *p, struct km_err *err)
{
    const size_t total = u32(p), headers = u32(p + 4);

    if (km_crc32(0, p, 8) != u32(p + 8))
        return broken(err, "the checksum of a message's lengths does not fit them");
    if (total < LEAST || headers > total - LEAST)
        return broken(err, "the lengths of a message contradict each other");
    if (total > s->kept.max || headers > HEADERS_MAX)
        return km_fail(err, KM_E_LIMIT, "an event of %zu bytes, over the limit of %zu", total,
                       s->kept.max);
    return 0;
}

/* all: one message, its prelude checked. */
static int message(struct km_eventstream *s, struct km_str all, struct km_err *err)
{
    const size_t headers = u32(all.p + 4);
    struct km_aws_message m = { .headers = km_str_sub(all, PRELUDE, headers), .bytes = all.n };
    struct km_str rest = m.headers;
    struct km_aws_header h;

    if (km_crc32(0, all.p, all.n - 4) != u32(all.p + all.n - 4))
        return broken(err, "a message's checksum does not fit it");
    while (km_aws_header_next(&rest, &h))
        note_header(&m, &h);
    if (rest.n)
        return broken(err, "a message's headers cannot be read");
    m.payload = km_str_sub(all, PRELUDE + headers, all.n - LEAST - headers);
    return s->on_message(s->ctx, &m, err);
}

/* Adds what is missing to want bytes. */
static void keep(struct km_eventstream *s, struct km_str *bytes, size_t want)
{
    size_t n = want - s->kept.n < bytes->n ? want - s->kept.n : bytes->n;

    km_buf_str(&s->kept, km_str_sub(*bytes, 0, n));
    *bytes = km_str_skip(*bytes, n);
}

/* One step with a kept beginning: towards the prelude, or towards the whole message. */
static int go_on(struct km_eventstream *s, struct km_str *bytes, struct km_err *err)
{
    int r = 0;

    if (s->kept.n < PRELUDE) {
        keep(s, bytes, PRELUDE);
        return s->kept.n == PRELUDE ? check_prelude(s, s->kept.p, err) : 0;
    }
    keep(s, bytes, u32(s->kept.p));
    if (s->kept.n == u32(s->kept.p)) {
        r = message(s, km_buf_view(&s->kept), err);
        if (r == 0) /* else it is still there to be looked at */
            km_buf_done(&s->kept);
    }
    return r;
}

int km_eventstream_feed(struct km_eventstream *s, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str rest = km_str(bytes, n);
    int r = 0;

    while (r == 0 && rest.n) {
        if (s->kept.n || rest.n < PRELUDE) {
            r = go_on(s, &rest, err);
        } else {
            r = check_prelude(s, rest.p, err);
            if (r == 0 && u32(rest.p) > rest.n)
                keep(s, &rest, PRELUDE);
            else if (r == 0) {
                r = message(s, km_str_sub(rest, 0, u32(rest.p)), err);
                rest = km_str_skip(rest, u32(rest.p));
            }
        }
        if (r == 0 && km_buf_failed(&s->kept))
            r = km_fail(err, KM_E_NOMEM, "out of memory");
    }
    return r;
}

/* --- writing --- */

static void put_u32(struct km_buf *out, uint32_t v)
{
    const char bytes[4] = { (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

    km_buf_bytes(out, bytes, sizeof bytes);
}

static void put_header(struct km_buf *out, struct km_str name, struct km_str value)
{
    km_buf_byte(out, (char)name.n);
    km_buf_str(out, name);
    km_buf_byte(out, KM_AWS_STRING);
    km_buf_byte(out, (char)(value.n >> 8));
    km_buf_byte(out, (char)value.n);
    km_buf_str(out, value);
}

void km_eventstream_write(struct km_buf *out, struct km_str event_type, struct km_str payload)
{
    struct km_buf headers KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    size_t begin = out->n;

    put_header(&headers, KM_STR(":event-type"), event_type);
    put_header(&headers, KM_STR(":content-type"), KM_STR("application/json"));
    put_header(&headers, KM_STR(":message-type"), KM_STR("event"));
    put_u32(out, (uint32_t)(12 + headers.n + payload.n + 4));
    put_u32(out, (uint32_t)headers.n);
    if (km_buf_failed(out) || km_buf_failed(&headers))
        return;
    put_u32(out, km_crc32(0, out->p + begin, 8));
    km_buf_str(out, km_buf_view(&headers));
    km_buf_str(out, payload);
    if (!km_buf_failed(out))
        put_u32(out, km_crc32(0, out->p + begin, out->n - begin));
}
