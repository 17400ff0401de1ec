/* SPDX-License-Identifier: Apache-2.0 */
/* buf_json.c - a JSON string out of any bytes; see km_buf_json() in buf.h.
 *
 * Nearly every string is plain, so the loop looks for the end of a plain run and copies it
 * whole.  What ends a run is a quote, a backslash, a control byte, or the start of a byte
 * sequence that is not ASCII; the latter is copied when it is valid UTF-8 and becomes one
 * U+FFFD a byte when it is not: the result can always be parsed, whatever came in.
 */
#include "base/buf.h"

#include "base/encode.h"

static void escape(struct km_buf *b, char c)
{
    static const char names[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(names, c) : NULL;

    if (at)
        km_buf_bytes(b, (char[]){ '\\', letters[at - names] }, 2);
    else
        km_buf_printf(b, "\\u%04x", (unsigned)(unsigned char)c);
}

/* One character that is not plain; returns the bytes it took. */
static size_t special(struct km_buf *b, struct km_str s)
{
    size_t n;

    if (s.p[0] == 0x7f) { /* a control byte to readers of logs, an ordinary one to JSON */
        km_buf_byte(b, s.p[0]);
        return 1;
    }
    if ((unsigned char)s.p[0] < 0x80) {
        escape(b, s.p[0]);
        return 1;
    }
    n = km_utf8_step(s);
    if (n == 0) {
        km_buf_bytes(b, "\xef\xbf\xbd", 3);
        return 1;
    }
    km_buf_bytes(b, s.p, n);
    return n;
}

void km_buf_json(struct km_buf *b, struct km_str s)
{
    km_buf_byte(b, '"');
    while (s.n && !b->failed) {
        size_t n = km_str_plain(s);

        km_buf_bytes(b, s.p, n);
        s = km_str_skip(s, n);
        if (s.n)
            s = km_str_skip(s, special(b, s));
    }
    km_buf_byte(b, '"');
}

void km_buf_json_list(struct km_buf *b, const struct km_str *v, size_t n)
{
    km_buf_byte(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            km_buf_byte(b, ',');
        km_buf_json(b, v[i]);
    }
    km_buf_byte(b, ']');
}
