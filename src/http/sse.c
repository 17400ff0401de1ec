/* SPDX-License-Identifier: Apache-2.0 */
/* sse.c - see sse.h for the contract.
 *
 * Two passes over an event, both short.  The scan walks line ends only and finds where the
 * event's empty line ends; it keeps its state across feeds.  Only then, with the event lying
 * in one piece, are its fields read.  An event that was fed whole is read where it lies; the
 * pieces of one that was cut are gathered in `held`, which is given up with the event.
 *
 *     fed:   data: {..}\n\n|data: {..}\n\n|data: {.
 *            event, in place event          kept in `held`
 *
 * Every byte belongs to exactly one event's `raw`, and which one does not depend on how the
 * stream was cut.  The one ambiguous place is a CR that ends an empty line: is the LF of a
 * CRLF still to come?  In a stream whose lines end in CR alone the event is handed over at
 * once, and an LF that comes after all opens the next raw; otherwise we wait one byte.
 *
 * Data of several lines is joined in a scratch buffer: the one copy that cannot be avoided.
 */
#include "http/sse.h"

#include <stdlib.h>

struct km_sse {
    km_sse_event_fn *on_event;
    void *ctx;
    size_t max_event;
    struct km_buf held; /* the event that is not complete */
    struct km_buf joined; /* data of several lines */
    size_t lead; /* bytes of this event before its first line: BOM, a late LF */
    unsigned char bom; /* bytes of a BOM seen at the start; 3: over */
    bool line_empty; /* the line being scanned has no byte yet */
    bool after_cr; /* the last byte was a CR: an LF would belong to it */
    bool ended; /* after_cr, and that CR ended an empty line */
    bool lone_cr; /* the last line end was a CR alone */
    bool late_lf; /* an event ended with a CR: an LF now is no line end */
};

/* Where the next line ends are in what is being scanned; looked up once each, so that a
 * stream with one kind only is not searched for the other again and again. */
struct ends {
    const char *p;
    size_t n, cr, lf;
};

struct km_sse *km_sse_new(size_t max_event, km_sse_event_fn *on_event, void *ctx)
{
    struct km_sse *sse = calloc(1, sizeof *sse);

    if (!sse)
        return NULL;
    sse->on_event = on_event;
    sse->ctx = ctx;
    sse->max_event = max_event;
    sse->line_empty = true;
    km_buf_init(&sse->held, max_event);
    km_buf_init(&sse->joined, max_event);
    return sse;
}

struct km_sse *km_sse_free(struct km_sse *sse)
{
    if (sse) {
        km_buf_done(&sse->held);
        km_buf_done(&sse->joined);
    }
    free(sse);
    return NULL;
}

bool km_sse_unfinished(const struct km_sse *sse)
{
    return sse->held.n > sse->lead;
}

struct km_str km_sse_held(const struct km_sse *sse)
{
    return km_buf_view(&sse->held);
}

static size_t find(const char *p, size_t from, size_t n, char c)
{
    const char *at = from < n ? memchr(p + from, c, n - from) : NULL;

    return at ? (size_t)(at - p) : n;
}

/* The next CR or LF at or after i, or n. */
static size_t next_end(struct ends *e, size_t i)
{
    if (e->lf < i)
        e->lf = find(e->p, i, e->n, '\n');
    if (e->cr < i)
        e->cr = find(e->p, i, e->n, '\r');
    return e->cr < e->lf ? e->cr : e->lf;
}

/* Bytes before the first line: a BOM at the start of the stream, the LF of a CRLF whose CR
 * ended the event before. */
static size_t skip_lead(struct km_sse *sse, const char *p, size_t i, size_t n)
{
    static const char bom[3] = { '\xef', '\xbb', '\xbf' };

    if (sse->late_lf && i < n) {
        sse->late_lf = false;
        if (p[i] == '\n') {
            sse->lead++;
            i++;
        }
    }
    while (sse->bom < 3 && i < n) {
        if (p[i] != bom[sse->bom]) {
            sse->line_empty = sse->bom == 0;
            sse->bom = 3;
            break;
        }
        i++;
        if (++sse->bom == 3)
            sse->lead += 3;
    }
    return i;
}

/* The byte after a CR is known now.  true: the event ends before *i. */
static bool settle_cr(struct km_sse *sse, const char *p, size_t *i)
{
    sse->after_cr = false;
    sse->lone_cr = p[*i] != '\n';
    if (!sse->lone_cr)
        (*i)++;
    return sse->ended;
}

/* Walks from *i to the end of the event (true, *i behind it) or of the bytes (false). */
static bool scan(struct km_sse *sse, struct ends *e, size_t *at)
{
    size_t i = *at;

    if (sse->after_cr && i < e->n && settle_cr(sse, e->p, &i)) {
        *at = i;
        return true;
    }
    i = skip_lead(sse, e->p, i, e->n);
    while (i < e->n) {
        size_t end = next_end(e, i);
        bool empty = sse->line_empty && end == i;

        sse->line_empty = end < e->n || empty;
        *at = i = end < e->n ? end + 1 : e->n;
        if (end == e->n)
            return false;
        if (e->p[end] == '\n') {
            sse->lone_cr = false;
            if (empty)
                return true;
        } else if (empty && sse->lone_cr) {
            sse->late_lf = true;
            return true;
        } else {
            sse->after_cr = true;
            sse->ended = empty;
            if (i < e->n && settle_cr(sse, e->p, &i)) {
                *at = i;
                return true;
            }
        }
    }
    *at = i;
    return false;
}

/* Another data line: the first stays a view, from the second on they are joined. */
static void add_data(struct km_sse *sse, struct km_sse_event *event, struct km_str value)
{
    if (!event->has_data) {
        event->has_data = true;
        event->data = value;
        return;
    }
    if (sse->joined.n == 0)
        km_buf_str(&sse->joined, event->data);
    km_buf_byte(&sse->joined, '\n');
    km_buf_str(&sse->joined, value);
    event->data = km_buf_view(&sse->joined);
}

static void read_retry(struct km_sse_event *event, struct km_str value)
{
    int64_t ms;

    if (value.n > 0 && value.p[0] >= '0' && value.p[0] <= '9' && km_str_i64(value, &ms) == 0)
        event->retry_ms = ms;
}

static void read_line(struct km_sse *sse, struct km_sse_event *event, struct km_str line)
{
    size_t colon;
    struct km_str name, value;

    if (line.n == 0 || line.p[0] == ':')
        return;
    colon = km_str_chr(line, ':');
    name = km_str(line.p, colon);
    value = km_str_skip(line, colon + 1);
    if (value.n > 0 && value.p[0] == ' ')
        value = km_str_skip(value, 1);
    if (km_str_eq(name, KM_STR("data")))
        add_data(sse, event, value);
    else if (km_str_eq(name, KM_STR("event")))
        event->type = value;
    else if (km_str_eq(name, KM_STR("id")) && km_str_chr(value, '\0') == value.n)
        event->id = value;
    else if (km_str_eq(name, KM_STR("retry")))
        read_retry(event, value);
}

/* raw is one whole event. */
static int dispatch(struct km_sse *sse, struct km_str raw, struct km_err *err)
{
    struct km_sse_event event = { .retry_ms = -1, .raw = raw };
    struct ends e = { .p = raw.p, .n = raw.n };
    size_t i = sse->lead;
    int r;

    sse->lead = 0;
    e.cr = find(raw.p, i, raw.n, '\r');
    e.lf = find(raw.p, i, raw.n, '\n');
    while (i < raw.n) {
        size_t end = next_end(&e, i);

        read_line(sse, &event, km_str(raw.p + i, end - i));
        i = end + 1;
        if (end + 1 < raw.n && raw.p[end] == '\r' && raw.p[end + 1] == '\n')
            i++;
    }
    if (km_buf_failed(&sse->joined))
        return km_fail(err, KM_E_LIMIT, "no room to join the lines of an event");
    r = sse->on_event(sse->ctx, &event);
    if (sse->joined.p)
        km_buf_done(&sse->joined);
    return r;
}

static int too_large(const struct km_sse *sse, struct km_err *err)
{
    return km_fail(err, KM_E_LIMIT, "a stream event is over %zu bytes", sse->max_event);
}

/* The event that began in earlier bytes ends with these. */
static int dispatch_held(struct km_sse *sse, struct km_str tail, struct km_err *err)
{
    int r;

    if (tail.n > sse->max_event - sse->held.n)
        return too_large(sse, err);
    km_buf_str(&sse->held, tail);
    if (km_buf_failed(&sse->held))
        return km_fail(err, KM_E_NOMEM, "no memory for a stream event");
    r = dispatch(sse, km_buf_view(&sse->held), err);
    if (r == 0) /* else it is still there to be looked at */
        km_buf_done(&sse->held);
    return r;
}

int km_sse_feed(struct km_sse *sse, const char *bytes, size_t len, struct km_err *err)
{
    struct ends e = { .p = bytes, .n = len };
    size_t start = 0, at = 0;

    e.cr = find(bytes, 0, len, '\r');
    e.lf = find(bytes, 0, len, '\n');
    while (scan(sse, &e, &at)) {
        struct km_str piece = km_str(bytes + start, at - start);
        int r;

        sse->line_empty = true;
        sse->ended = false;
        if (sse->held.n > 0)
            r = dispatch_held(sse, piece, err);
        else
            r = piece.n > sse->max_event ? too_large(sse, err) : dispatch(sse, piece, err);
        if (r < 0)
            return r;
        start = at;
    }
    if (start == len)
        return 0;
    if (len - start > sse->max_event - sse->held.n)
        return too_large(sse, err);
    km_buf_bytes(&sse->held, bytes + start, len - start);
    return km_buf_failed(&sse->held) ? km_fail(err, KM_E_NOMEM, "no memory for a stream event") : 0;
}

static struct km_str first_line(struct km_str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] != '\n' && s.p[n] != '\r')
        n++;
    return km_str(s.p, n);
}

void km_sse_write(struct km_buf *out, struct km_str type, struct km_str data)
{
    bool more = true;

    type = first_line(type);
    if (type.n > 0) {
        km_buf_str(out, KM_STR("event: "));
        km_buf_str(out, type);
        km_buf_byte(out, '\n');
    }
    while (more) {
        struct km_str line = first_line(data);

        km_buf_str(out, KM_STR("data: "));
        km_buf_str(out, line);
        km_buf_byte(out, '\n');
        more = line.n < data.n;
        if (more && km_str_starts(km_str_skip(data, line.n), KM_STR("\r\n")))
            line.n++;
        data = km_str_skip(data, line.n + 1);
    }
    km_buf_byte(out, '\n');
}
