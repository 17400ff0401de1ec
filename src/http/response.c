/* SPDX-License-Identifier: Apache-2.0 */
/* response.c - judging a complete response head; contract in head.h.
 *
 * A response whose end is not certain must not be believed: what follows it on the connection
 * would be taken for the answer to somebody else's request.  So the rules of RFC 9112, 6.3 are
 * applied without the forgiveness it allows: two lengths, a length beside a coding, or any
 * coding but a single "chunked" break the protocol.
 */
#include "http/head_fields.h"

static int broken(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the response is malformed: %s", what);
}

static bool has_no_body(int status, struct km_str method)
{
    return status < 200 || status == 204 || status == 304 || km_str_eq(method, KM_STR("HEAD"));
}

static int check_framing(const struct km_head_special *s, struct km_response *r,
                         struct km_framing *f, struct km_err *err)
{
    r->content_length = UINT64_MAX;
    f->kind = KM_BODY_CLOSE;
    if (s->codings > 0) {
        if (s->lengths > 0)
            return broken(err, "Transfer-Encoding and Content-Length together");
        if (r->minor == 0)
            return broken(err, "Transfer-Encoding in HTTP/1.0");
        if (s->codings > 1 || !km_str_ieq(s->coding, KM_STR("chunked")))
            return broken(err, "a Transfer-Encoding other than 'chunked'");
        f->kind = KM_BODY_CHUNKED;
    } else if (s->lengths > 0) {
        if (s->lengths > 1 || km_str_u64(s->length, &f->length) < 0)
            return broken(err, "Content-Length is no single decimal number");
        f->has_length = true;
        f->kind = KM_BODY_LENGTH;
        r->content_length = f->length;
    }
    return 0;
}

int km_head_response(const struct km_head *h, const char *base, size_t used, struct km_arena *a,
                     struct km_str method, struct km_response *ret_response,
                     struct km_framing *ret_framing, struct km_err *err)
{
    struct km_head_special s;
    struct km_framing f = { 0 };
    struct km_response r = { 0 };
    const char *copy;
    int e;

    if (used < 12 || memcmp(base, "HTTP/1.", 7) != 0 || base[8] != ' ' || h->parser.http_minor > 1)
        return broken(err, "its version is neither HTTP/1.1 nor HTTP/1.0");
    e = km_head_copy(h, base, used, a, &copy, &r.headers, &s, err);
    if (e < 0)
        return e;
    r.status = h->parser.status_code;
    r.minor = h->parser.http_minor;
    if (r.status < 100 || r.status > 599)
        return broken(err, "its status is not between 100 and 599");
    f.keep_alive = r.minor == 0 ? s.keep_alive && !s.close : !s.close;
    e = check_framing(&s, &r, &f, err);
    if (e < 0)
        return e;
    if (has_no_body(r.status, method)) {
        f.kind = KM_BODY_NONE;
    } else if (f.kind == KM_BODY_LENGTH && f.length == 0) {
        f.kind = KM_BODY_NONE;
    }
    *ret_response = r;
    *ret_framing = f;
    return 0;
}
