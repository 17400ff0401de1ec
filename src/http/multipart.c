/* SPDX-License-Identifier: Apache-2.0 */
/* multipart.c - see multipart.h for the contract.
 *
 *     DELIMITER ──> BEHIND ──CRLF──> HEAD ──empty line──> VALUE ──CR, LF──> DELIMITER
 *                     └─────"--"───> OVER                   ^────no match─────┘
 *
 * The form's first boundary has no CRLF before it, so the reader begins as if those two bytes
 * had been seen.  A boundary holds CR at its begin alone: where a match breaks off, what was
 * matched is value, and the byte at hand may begin a boundary anew.  Values are not looked at
 * byte by byte: memchr() goes from one line end to the next.
 *
 * A line that ends in CR or LF alone and is followed by the boundary is a part's end to some
 * readers (Werkzeug is one) and value to others: what was judged here would not be what runs.
 */
#include "http/multipart.h"

static int malformed(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_INVALID, "the multipart form is malformed: %s", what);
}

/* --- a header field's parameters: `form-data; name="x"; filename="y"` --- */

static bool token_byte(char c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && memchr(others, c, sizeof others - 1));
}

/* A token or a quoted string off *rest; a quoted one is what stands between the quotes. */
static bool take_value(struct km_str *rest, struct km_str *ret)
{
    size_t n = 0;

    if (rest->n && rest->p[0] == '"') {
        for (n = 1; n < rest->n && rest->p[n] != '"'; n++)
            if (rest->p[n] == '\\')
                n++;
        if (n >= rest->n)
            return false;
        *ret = km_str_sub(*rest, 1, n - 1);
        *rest = km_str_skip(*rest, n + 1);
        return true;
    }
    while (n < rest->n && token_byte(rest->p[n]))
        n++;
    *ret = km_str_sub(*rest, 0, n);
    *rest = km_str_skip(*rest, n);
    return n > 0;
}

/* The next `; name=value` off *rest: 1, 0 at the end, -1 when it is none. */
static int take_param(struct km_str *rest, struct km_str *ret_name, struct km_str *ret_value)
{
    *rest = km_str_trim(*rest);
    if (rest->n == 0)
        return 0;
    if (rest->p[0] != ';')
        return -1;
    *rest = km_str_trim(km_str_skip(*rest, 1));
    if (rest->n == 0)
        return 0;
    *ret_name = km_str_trim(km_str_sub(*rest, 0, km_str_chr(*rest, '=')));
    if (ret_name->n == 0 || km_str_chr(*rest, '=') == rest->n)
        return -1;
    *rest = km_str_trim(km_str_skip(*rest, km_str_chr(*rest, '=') + 1));
    return take_value(rest, ret_value) ? 1 : -1;
}

int km_multipart_init(struct km_multipart *m, struct km_str type,
                      const struct km_multipart_events *events, void *ctx, struct km_err *err)
{
    struct km_str rest = km_str_skip(type, km_str_chr(type, ';')), name, value;
    struct km_str boundary = KM_STR_NONE;
    int r;

    while ((r = take_param(&rest, &name, &value)) > 0)
        if (km_str_ieq(name, KM_STR("boundary"))) {
            if (boundary.n)
                return malformed(err, "its Content-Type has two boundaries");
            boundary = value;
        }
    if (r < 0 || !boundary.n)
        return km_fail(err, KM_E_INVALID,
                       "Content-Type: multipart/form-data needs its boundary parameter.");
    if (boundary.n > KM_MULTIPART_BOUNDARY || km_str_plain(boundary) != boundary.n)
        return malformed(err, "its boundary is over 70 bytes or has bytes that none may have");
    memset(m, 0, sizeof *m);
    m->events = events;
    m->ctx = ctx;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    m->delimiter_n = boundary.n + 4;
    m->matched = 2;
    return 0;
}

struct km_str km_multipart_boundary(const struct km_multipart *m)
{
    return km_str(m->delimiter + 4, m->delimiter_n - 4);
}

/* --- a part's header --- */

static int disposition(struct km_str value, struct km_multipart_part *part, struct km_err *err)
{
    struct km_str rest = km_str_skip(value, km_str_chr(value, ';')), name, text;
    int r;

    if (part->name.p)
        return malformed(err, "a part has two Content-Disposition fields");
    if (!km_str_ieq(km_str_trim(km_str_sub(value, 0, km_str_chr(value, ';'))), KM_STR("form-data")))
        return malformed(err, "a part's Content-Disposition is not form-data");
    while ((r = take_param(&rest, &name, &text)) > 0) {
        if (km_str_istarts(name, KM_STR("name*")))
            return malformed(err, "a part's name is encoded (name*=)");
        if (km_str_istarts(name, KM_STR("filename")))
            part->file = true;
        if (!km_str_ieq(name, KM_STR("name")))
            continue;
        if (part->name.p)
            return malformed(err, "a part has two names");
        if (!text.n || km_str_plain(text) != text.n)
            return malformed(err, "a part's name is empty, escaped or not ASCII");
        part->name = text;
    }
    return r < 0 ? malformed(err, "a part's Content-Disposition cannot be read") : 0;
}

static bool plain_encoding(struct km_str value)
{
    return km_str_ieq(value, KM_STR("7bit")) || km_str_ieq(value, KM_STR("8bit")) ||
           km_str_ieq(value, KM_STR("binary"));
}

static int field(struct km_str line, struct km_multipart_part *part, struct km_err *err)
{
    size_t colon = km_str_chr(line, ':');
    struct km_str name = km_str_sub(line, 0, colon);
    struct km_str value = km_str_trim(km_str_skip(line, colon + 1));

    if (colon == line.n || !name.n)
        return malformed(err, "a part's header line has no name");
    for (size_t i = 0; i < name.n; i++)
        if (!token_byte(name.p[i]))
            return malformed(err, "a part's header line has a name that is none");
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t')
            return malformed(err, "a part's header has control bytes");
    if (km_str_ieq(name, KM_STR("content-disposition")))
        return disposition(value, part, err);
    if (km_str_ieq(name, KM_STR("content-transfer-encoding")) && !plain_encoding(value))
        return malformed(err, "a part has a Content-Transfer-Encoding");
    return 0;
}

/* m->head has the header with the CRLF of its last line, but not the empty line. */
static int read_head(struct km_multipart *m, struct km_err *err)
{
    struct km_multipart_part part = { .begin = m->at - m->nhead - 4 - m->delimiter_n + 2 };
    struct km_str rest = km_str(m->head, m->nhead), line;
    int r = 0;

    while (r == 0 && km_str_split(&rest, '\n', &line))
        if (line.n) /* its CR is there: on_head_byte() saw to it */
            r = field(km_str_sub(line, 0, line.n - 1), &part, err);
    if (r == 0 && !part.name.p)
        r = malformed(err, "a part has no name");
    if (r == 0 && ++m->parts > KM_MULTIPART_PARTS)
        r = km_fail(err, KM_E_LIMIT, "the multipart form has over %d parts", KM_MULTIPART_PARTS);
    return r == 0 ? m->events->on_part(m->ctx, &part, err) : r;
}

/* --- the walk --- */

static int head_byte(struct km_multipart *m, char c, struct km_err *err)
{
    bool after_cr = m->nhead > 0 && m->head[m->nhead - 1] == '\r';
    int r;

    if (after_cr != (c == '\n'))
        return malformed(err, "a line of a part's header does not end in CRLF");
    if (c == '\n' && (m->nhead == 1 || (m->nhead >= 3 && m->head[m->nhead - 2] == '\n'))) {
        m->nhead--;
        r = read_head(m, err);
        m->state = KM_MP_VALUE;
        m->nhead = m->matched = 0;
        return r;
    }
    if (m->nhead == sizeof m->head)
        return km_fail(err, KM_E_HEADER_TOO_LARGE, "a part's header is over %d bytes",
                       KM_MULTIPART_HEAD);
    m->head[m->nhead++] = c;
    return 0;
}

static int behind_byte(struct km_multipart *m, char c, struct km_err *err)
{
    m->behind[m->nbehind++] = c;
    if (m->nbehind < 2)
        return 0;
    m->nbehind = 0;
    if (memcmp(m->behind, "\r\n", 2) == 0)
        m->state = KM_MP_HEAD;
    else if (memcmp(m->behind, "--", 2) == 0 && m->parts > 0)
        m->state = KM_MP_OVER;
    else
        return malformed(err, "a boundary is followed by other bytes than CRLF or --");
    return 0;
}

/* The last byte of a boundary was seen; m->at counts it already. */
static int delimited(struct km_multipart *m, struct km_err *err)
{
    m->matched = 0;
    m->state = KM_MP_BEHIND;
    return m->parts ? m->events->on_end(m->ctx, m->at - (m->delimiter_n - 2), err) : 0;
}

/* What was taken for the begin of a boundary is value. */
static int give_back(struct km_multipart *m, struct km_err *err)
{
    size_t matched = m->matched, line_end = m->bare ? 2 : 0;
    int r = m->bare ? m->events->on_data(m->ctx, km_str(&m->bare, 1), err) : 0;

    m->matched = 0;
    m->bare = '\0';
    m->state = KM_MP_VALUE;
    return r == 0 && matched > line_end
               ? m->events->on_data(m->ctx, km_str(m->delimiter + line_end, matched - line_end),
                                    err)
               : r;
}

static int delimiter_byte(struct km_multipart *m, char c, bool *ret_again, struct km_err *err)
{
    if (m->matched == 1 && c == m->delimiter[2]) { /* no LF behind the CR */
        m->bare = '\r';
        m->matched = 2;
    }
    if (c == m->delimiter[m->matched]) {
        m->at++;
        if (++m->matched < m->delimiter_n)
            return 0;
        return m->bare ? malformed(err, "a boundary stands behind a line that does not end in CRLF")
                       : delimited(m, err);
    }
    if (m->parts == 0)
        return malformed(err, "it does not begin with its boundary");
    *ret_again = true; /* this byte is looked at as value */
    return give_back(m, err);
}

#define WINDOW 512 /* what has no CR is not searched for one again and again */

/* As much value as is there, up to a line end that may begin a boundary. */
static int value_bytes(struct km_multipart *m, struct km_str *rest, struct km_err *err)
{
    struct km_str value = km_str_sub(*rest, 0, WINDOW);
    size_t window = value.n;

    value.n = km_str_chr(value, '\r');
    value.n = km_str_chr(value, '\n');
    *rest = km_str_skip(*rest, value.n);
    m->at += value.n;
    if (value.n < window) {
        m->bare = rest->p[0] == '\n' ? '\n' : '\0';
        m->matched = m->bare ? 2 : 1;
        m->state = KM_MP_DELIMITER;
        *rest = km_str_skip(*rest, 1);
        m->at++;
    }
    return value.n ? m->events->on_data(m->ctx, value, err) : 0;
}

int km_multipart_feed(struct km_multipart *m, struct km_str bytes, struct km_err *err)
{
    int r = 0;

    while (r == 0 && bytes.n) {
        char c = bytes.p[0];
        bool again = false;

        if (m->state == KM_MP_VALUE) {
            r = value_bytes(m, &bytes, err);
            continue;
        }
        if (m->state == KM_MP_DELIMITER) {
            r = delimiter_byte(m, c, &again, err);
            bytes = again ? bytes : km_str_skip(bytes, 1);
            continue;
        }
        m->at++;
        bytes = km_str_skip(bytes, 1);
        if (m->state == KM_MP_HEAD)
            r = head_byte(m, c, err);
        else if (m->state == KM_MP_BEHIND)
            r = behind_byte(m, c, err);
        else if (m->nbehind >= 4 || c != "\r\n"[m->nbehind++ % 2])
            r = malformed(err, "bytes follow its last boundary");
    }
    return r;
}

int km_multipart_end(const struct km_multipart *m, struct km_err *err)
{
    return m->state == KM_MP_OVER && m->nbehind % 2 == 0
               ? 0
               : malformed(err, "it ends before its last boundary");
}
