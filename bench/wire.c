/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - see wire.h for the contract.
 *
 * Almost every message of a benchmark arrives whole, in one read: the head is then
 * looked at where it lies and nothing is copied.  Only a head that was cut is
 * gathered in head[] first.
 *
 * The body is one of four: none, Content-Length, chunked, or (responses only) until
 * the peer closes.  Chunk lines are read one byte at a time through a handful of
 * states, so that a cut may fall anywhere:
 *
 *     SIZE "1a" EXT "\r\n" -> DATA 0x1a bytes -> DATA_END "\r\n" -> SIZE ...
 *     SIZE "0"  EXT "\r\n" -> TRAILER lines until an empty one   -> done
 *
 * It refuses what it does not need: no obs-fold, no multiple codings, no upgrade.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum state { HEAD, BODY, UNTIL_CLOSE, SIZE, EXT, DATA, DATA_END, TRAILER, TRAILER_LINE, DONE };

void wire_init(struct wire *w, bool response, wire_body_fn *on_body, void *ctx)
{
    w->response = response;
    w->on_body = on_body;
    w->ctx = ctx;
    wire_reset(w);
}

void wire_reset(struct wire *w)
{
    w->state = HEAD;
    w->chunked = w->done = false;
    w->keep_alive = true;
    w->status = 0;
    w->remaining = w->body_bytes = 0;
    w->head_len = 0;
    w->method[0] = w->target[0] = '\0';
}

/* Copies src up to len bytes into a bounded string. */
static void copy_text(char *dst, size_t cap, const char *src, size_t len)
{
    if (len >= cap)
        len = cap - 1;
    memcpy(dst, src, len);
    dst[len] = '\0';
}

static int request_line(struct wire *w, const char *line, size_t len)
{
    const char *sp = memchr(line, ' ', len);
    const char *sp2 = sp ? memchr(sp + 1, ' ', len - (size_t)(sp + 1 - line)) : NULL;

    if (!sp2)
        return -1;
    copy_text(w->method, sizeof w->method, line, (size_t)(sp - line));
    copy_text(w->target, sizeof w->target, sp + 1, (size_t)(sp2 - sp - 1));
    return 0;
}

static int status_line(struct wire *w, const char *line, size_t len)
{
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0)
        return -1;
    w->keep_alive = line[7] == '1';
    w->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return 0;
}

static bool field_is(const char *line, size_t len, const char *name, const char **ret_value)
{
    size_t n = strlen(name);

    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return false;
    for (n++; n < len && line[n] == ' '; n++)
        ;
    *ret_value = line + n;
    return true;
}

/* Only the three fields that decide where a message ends.  The line still ends in
 * CR LF in the buffer, so strtoull and strncasecmp stop there. */
static void field(struct wire *w, const char *line, size_t len)
{
    const char *value;
    int first = line[0] | 0x20;

    if (first == 'c' && field_is(line, len, "content-length", &value))
        w->remaining = strtoull(value, NULL, 10);
    else if (first == 'c' && field_is(line, len, "connection", &value))
        w->keep_alive = strncasecmp(value, "close", 5) != 0;
    else if (first == 't' && field_is(line, len, "transfer-encoding", &value))
        w->chunked = strncasecmp(value, "chunked", 7) == 0;
}

/* The head is complete: pick the state in which the body is read. */
static void choose_body(struct wire *w, bool has_length)
{
    if (w->response && (w->status == 204 || w->status == 304))
        w->state = DONE;
    else if (w->chunked)
        w->state = SIZE;
    else if (has_length)
        w->state = w->remaining ? BODY : DONE;
    else
        w->state = w->response ? UNTIL_CLOSE : DONE;
    if (w->chunked)
        w->remaining = 0;
}

/* head ends in an empty line; len includes it. */
static int parse_head(struct wire *w, const char *head, size_t len)
{
    const char *p = head;
    const char *end = head + len;
    bool first = true;

    w->remaining = UINT64_MAX;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = nl ? (size_t)(nl - p) : 0;

        if (!nl || n == 0 || p[n - 1] != '\r')
            return -1;
        if (n == 1)
            break;
        if (!first)
            field(w, p, n - 1);
        else if ((w->response ? status_line(w, p, n - 1) : request_line(w, p, n - 1)) < 0)
            return -1;
        first = false;
        p = nl + 1;
    }
    if (w->response && w->status / 100 == 1) { /* interim: the real head follows */
        wire_reset(w);
        return 0;
    }
    choose_body(w, w->remaining != UINT64_MAX);
    return 0;
}

/* Looks for the end of the head; *ret_used counts from bytes. */
static int feed_head(struct wire *w, const char *bytes, size_t len, size_t *ret_used)
{
    size_t before = w->head_len;
    const char *whole = bytes;
    size_t have = len;
    const char *end;

    if (before) {
        if (len > sizeof w->head - before)
            len = sizeof w->head - before;
        memcpy(w->head + before, bytes, len);
        whole = w->head;
        have = before + len;
    }
    end = memmem(whole, have, "\r\n\r\n", 4);
    if (!end) {
        if (have >= sizeof w->head)
            return -1;
        if (!before)
            memcpy(w->head, bytes, len);
        w->head_len = have;
        *ret_used = len;
        return 0;
    }
    have = (size_t)(end - whole) + 4;
    w->head_len = 0;
    *ret_used = have - before;
    return parse_head(w, whole, have);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of chunk framing. */
static int feed_framing(struct wire *w, char c)
{
    switch (w->state) {
    case SIZE:
        if (hex(c) >= 0) {
            w->remaining = w->remaining * 16 + (uint64_t)hex(c);
            return 0;
        }
        w->state = EXT;
        return feed_framing(w, c);
    case EXT:
        if (c == '\n')
            w->state = w->remaining ? DATA : TRAILER;
        return 0;
    case DATA_END:
        if (c == '\n')
            w->state = SIZE;
        return c == '\n' || c == '\r' ? 0 : -1;
    case TRAILER:
        if (c == '\n')
            w->state = DONE;
        else if (c != '\r')
            w->state = TRAILER_LINE;
        return 0;
    default: /* TRAILER_LINE */
        if (c == '\n')
            w->state = TRAILER;
        return 0;
    }
}

static size_t feed_body(struct wire *w, const char *bytes, size_t len)
{
    if (w->state != UNTIL_CLOSE && len > w->remaining)
        len = (size_t)w->remaining;
    if (w->on_body)
        w->on_body(w->ctx, bytes, len);
    w->body_bytes += len;
    if (w->state == UNTIL_CLOSE)
        return len;
    w->remaining -= len;
    if (!w->remaining)
        w->state = w->state == BODY ? DONE : DATA_END;
    return len;
}

int wire_feed(struct wire *w, const char *bytes, size_t len, size_t *ret_used)
{
    size_t at = 0;

    while (at < len && w->state != DONE) {
        size_t used = 1;
        int rc = 0;

        if (w->state == HEAD)
            rc = feed_head(w, bytes + at, len - at, &used);
        else if (w->state == BODY || w->state == DATA || w->state == UNTIL_CLOSE)
            used = feed_body(w, bytes + at, len - at);
        else
            rc = feed_framing(w, bytes[at]);
        if (rc < 0)
            return -1;
        at += used;
    }
    w->done = w->state == DONE;
    *ret_used = at;
    return 0;
}

bool wire_eof(struct wire *w)
{
    if (w->state == UNTIL_CLOSE)
        w->done = true;
    return w->done;
}
