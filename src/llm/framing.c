/* SPDX-License-Identifier: Apache-2.0 */
/* framing.c - see framing.h.
 *
 * SSE is http/sse's; here its comments and data-less blocks are left out, for no codec wants
 * them.  A line of JSON that lies whole in the bytes fed is not copied; what is cut waits in a
 * buffer of its own, which is freed as soon as the line is complete.
 */
#include "llm/framing.h"

#include <stdlib.h>

#include "llm/aws/eventstream.h"

struct km_framer {
    enum km_framing framing;
    km_frame_event_fn *on_event;
    void *ctx;
    struct km_err *err; /* of the feed under way */
    struct km_sse *sse;
    struct km_eventstream *aws;
    struct km_buf line;
    uint64_t fed, read; /* bytes of the stream; of them those of events that are done with */
};

static int on_sse(void *ctx, const struct km_sse_event *event)
{
    struct km_framer *f = ctx;
    struct km_frame_event e = { .type = event->type, .data = event->data, .sse = event };

    int r = event->has_data ? f->on_event(f->ctx, &e, f->err) : 0;

    f->read += r == 0 ? event->raw.n : 0;
    return r;
}

static int on_message(void *ctx, const struct km_aws_message *m, struct km_err *err)
{
    struct km_framer *f = ctx;
    struct km_frame_event e = { .type = m->event_type, .data = m->payload };
    int r;

    if (km_str_eq(m->message_type, KM_STR("exception"))) {
        e.exception = m->exception_type.n ? m->exception_type : KM_STR("exception");
    } else if (km_str_eq(m->message_type, KM_STR("error"))) {
        e.exception = m->error_code.n ? m->error_code : KM_STR("error");
        e.data = m->error_message;
    } else if (!km_str_eq(m->message_type, KM_STR("event"))) {
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream's event stream holds a message of unknown type '%.*s'.",
                       KM_STR_ARG(km_str_sub(m->message_type, 0, 64)));
    }
    r = f->on_event(f->ctx, &e, err);
    f->read += r == 0 ? m->bytes : 0;
    return r;
}

struct km_framer *km_framer_new(enum km_framing framing, size_t max_event,
                                km_frame_event_fn *on_event, void *ctx)
{
    struct km_framer *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    *f = (struct km_framer){ .framing = framing, .on_event = on_event, .ctx = ctx };
    km_buf_init(&f->line, max_event);
    if (framing == KM_FRAMING_SSE) {
        f->sse = km_sse_new(max_event, on_sse, f);
        if (!f->sse)
            return km_framer_free(f);
    }
    if (framing == KM_FRAMING_AWS) {
        f->aws = km_eventstream_new(max_event, on_message, f);
        if (!f->aws)
            return km_framer_free(f);
    }
    return f;
}

struct km_framer *km_framer_free(struct km_framer *f)
{
    if (!f)
        return NULL;
    km_sse_free(f->sse);
    km_eventstream_free(f->aws);
    km_buf_done(&f->line);
    free(f);
    return NULL;
}

static int line(struct km_framer *f, struct km_str text, struct km_err *err)
{
    struct km_frame_event e = { 0 };

    if (text.n && text.p[text.n - 1] == '\r')
        text.n--;
    e.data = km_str_trim(text);
    return e.data.n ? f->on_event(f->ctx, &e, err) : 0;
}

/* A line that ends with this piece, which lies in the bytes fed. */
static int end_line(struct km_framer *f, struct km_str piece, struct km_err *err)
{
    size_t n = f->line.n + piece.n + 1;
    int r;

    if (f->line.n) {
        km_buf_str(&f->line, piece);
        piece = km_buf_view(&f->line);
    }
    if (km_buf_failed(&f->line))
        return km_fail(err, KM_E_NOMEM, "no memory for a line");
    r = line(f, piece, err);
    if (r < 0)
        return r; /* it is still there to be looked at */
    f->read += n;
    if (f->line.n)
        km_buf_done(&f->line);
    return 0;
}

static int feed_lines(struct km_framer *f, struct km_str bytes, struct km_err *err)
{
    int r = 0;

    while (r == 0 && bytes.n) {
        size_t at = km_str_chr(bytes, '\n');
        struct km_str piece = km_str_sub(bytes, 0, at);

        if (piece.n > f->line.max - f->line.n)
            return km_fail(err, KM_E_LIMIT, "a line over %zu bytes", f->line.max);
        if (at < bytes.n)
            r = end_line(f, piece, err);
        else
            km_buf_str(&f->line, piece);
        if (r == 0 && km_buf_failed(&f->line))
            r = km_fail(err, KM_E_NOMEM, "no memory for a line");
        bytes = km_str_skip(bytes, at + 1);
    }
    return r;
}

int km_framer_feed(struct km_framer *f, const char *bytes, size_t n, struct km_err *err)
{
    f->err = err;
    f->fed += n;
    if (f->framing == KM_FRAMING_SSE)
        return km_sse_feed(f->sse, bytes, n, err);
    if (f->framing == KM_FRAMING_AWS)
        return km_eventstream_feed(f->aws, bytes, n, err);
    return feed_lines(f, km_str(bytes, n), err);
}

bool km_framer_unfinished(const struct km_framer *f)
{
    if (f->framing == KM_FRAMING_SSE)
        return km_sse_unfinished(f->sse);
    return f->framing == KM_FRAMING_AWS ? km_eventstream_unfinished(f->aws) : f->line.n > 0;
}

static struct km_str held(const struct km_framer *f)
{
    if (f->framing == KM_FRAMING_SSE)
        return km_sse_held(f->sse);
    return f->framing == KM_FRAMING_AWS ? km_eventstream_held(f->aws) : km_buf_view(&f->line);
}

void km_framer_unread(const struct km_framer *f, struct km_str fed, struct km_str *early,
                      struct km_str *late)
{
    uint64_t n = f->fed - f->read; /* of which what is held is the beginning */

    *early = held(f);
    n = n > early->n ? n - early->n : 0;
    *late = km_str_skip(fed, n < fed.n ? fed.n - (size_t)n : 0);
}

bool km_framing_is(enum km_framing framing, struct km_str content_type)
{
    static const char *const types[] = { [KM_FRAMING_SSE] = "text/event-stream",
                                         [KM_FRAMING_LINES] = "application/x-ndjson",
                                         [KM_FRAMING_AWS] = "application/vnd.amazon.eventstream" };

    return km_str_istarts(content_type, km_str_c(types[framing]));
}
