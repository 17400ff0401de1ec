/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - judging a complete request head; contract in head.h.
 *
 * llhttp has checked the grammar of each part.  What it leaves to its user is here, and all
 * of it is refused, never repaired, because whoever stands before or behind us may read the
 * same bytes differently:
 *
 *   request line   exactly one space between three parts, HTTP/1.0 or HTTP/1.1, a method we
 *                  serve, a target in origin-form (or absolute-form for the same Host)
 *   Host           exactly one (none is fine in 1.0), one host[:port] and nothing else
 *   framing        no Transfer-Encoding with Content-Length (even empty), none in HTTP/1.0,
 *                  none but the single coding "chunked"; one Content-Length, digits only
 *   Expect         100-continue exactly once, or 417
 */
#include "http/head_fields.h"
#include "http/syntax.h"

static int bad(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_INVALID, "the request is malformed: %s", what);
}

/* llhttp skips spaces it should not; the line is checked byte by place. */
static int check_line(const struct km_head *h, const char *base, struct km_err *err)
{
    size_t target_end = (size_t)h->target.at + h->target.n;

    if (h->method.at != 0 || h->target.at != h->method.n + 1 || base[h->method.n] != ' ' ||
        h->version.at != target_end + 6 || base[target_end] != ' ')
        return bad(err, "the request line needs exactly one space between its three parts");
    if (h->version.n != 3 || h->parser.http_major != 1 || h->parser.http_minor > 1)
        return km_fail(err, KM_E_HTTP_VERSION, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return 0;
}

static int check_method(struct km_str method, struct km_err *err)
{
    static const struct km_str served[] = { { "POST", 4 },   { "GET", 3 },    { "HEAD", 4 },
                                            { "PUT", 3 },    { "DELETE", 6 }, { "PATCH", 5 },
                                            { "OPTIONS", 7 } };

    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (km_str_eq(method, served[i]))
            return 0;
    return km_fail(err, KM_E_NOT_IMPLEMENTED, "method %.*s is not served here", KM_STR_ARG(method));
}

/* absolute-form: the authority must be the Host, so that no reader can take another. */
static int absolute_form(struct km_request *r, size_t scheme, struct km_err *err)
{
    struct km_str rest = km_str_skip(r->target, scheme), host;
    size_t end = 0;
    uint16_t port;

    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    if (!km_host_port(km_str(rest.p, end), &host, &port))
        return bad(err, "the target names no valid host");
    if (r->host.n > 0 && !km_str_ieq(km_str(rest.p, end), r->host))
        return bad(err, "the target names another host than the Host field");
    r->host = km_str(rest.p, end);
    r->path = km_str_skip(rest, end);
    if (r->path.n == 0 || r->path.p[0] == '?')
        return bad(err, "the target has no path");
    return 0;
}

static int check_target(struct km_request *r, struct km_err *err)
{
    const char *why = NULL;
    size_t query;
    int e = 0;

    r->path = r->target;
    if (km_str_eq(r->target, KM_STR("*")))
        return km_str_eq(r->method, KM_STR("OPTIONS")) ? 0 : bad(err, "'*' is for OPTIONS only");
    if (km_str_istarts(r->target, KM_STR("http://")))
        e = absolute_form(r, 7, err);
    else if (km_str_istarts(r->target, KM_STR("https://")))
        e = absolute_form(r, 8, err);
    else if (r->target.n == 0 || r->target.p[0] != '/')
        e = bad(err, "the target is no path");
    if (e < 0)
        return e;
    query = km_str_chr(r->path, '?');
    r->query = km_str_skip(r->path, query + 1);
    r->path = km_str(r->path.p, query);
    if (!km_path_ok(r->path, &why))
        return km_fail(err, KM_E_INVALID, "the request path holds %s", why);
    if (!km_query_ok(r->query, &why))
        return km_fail(err, KM_E_INVALID, "the query holds %s", why);
    return 0;
}

static int check_host(struct km_request *r, const struct km_head_special *s, struct km_err *err)
{
    struct km_str host;
    uint16_t port;

    if (s->hosts == 0 && r->minor == 0)
        return 0;
    if (s->hosts != 1)
        return bad(err, s->hosts == 0 ? "there is no Host field" : "there are two Host fields");
    if (!km_host_port(s->host, &host, &port))
        return bad(err, "the Host field is no host[:port]");
    r->host = s->host;
    return 0;
}

static int check_framing(struct km_request *r, const struct km_head_special *s,
                         struct km_framing *f, struct km_err *err)
{
    if (s->codings > 0) {
        if (s->lengths > 0)
            return bad(err, "Transfer-Encoding and Content-Length together");
        if (r->minor == 0)
            return bad(err, "Transfer-Encoding in HTTP/1.0");
        if (s->codings > 1 || !km_str_ieq(s->coding, KM_STR("chunked")))
            return km_fail(err, s->codings > 1 ? KM_E_INVALID : KM_E_NOT_IMPLEMENTED,
                           "the only Transfer-Encoding understood is a single 'chunked'");
        f->kind = KM_BODY_CHUNKED;
        r->content_length = UINT64_MAX;
    } else if (s->lengths > 0) {
        if (s->lengths > 1 || km_str_u64(s->length, &f->length) < 0)
            return bad(err, "Content-Length is no single decimal number");
        f->has_length = true;
        f->kind = f->length > 0 ? KM_BODY_LENGTH : KM_BODY_NONE;
        r->content_length = f->length;
    }
    r->has_body = f->kind != KM_BODY_NONE;
    return 0;
}

static int check_expect(const struct km_request *r, const struct km_head_special *s,
                        struct km_framing *f, struct km_err *err)
{
    if (s->expects == 0)
        return 0;
    if (s->expects > 1 || !km_str_ieq(s->expect, KM_STR("100-continue")))
        return km_fail(err, KM_E_EXPECTATION,
                       "the only expectation that can be met is "
                       "'100-continue'");
    f->expect = r->minor > 0 && r->has_body;
    return 0;
}

int km_head_request(const struct km_head *h, const char *base, size_t used, struct km_arena *a,
                    struct km_request *ret_request, struct km_framing *ret_framing,
                    struct km_err *err)
{
    struct km_request *r = ret_request;
    struct km_head_special s;
    const char *copy;
    int e;

    *r = (struct km_request){ 0 };
    *ret_framing = (struct km_framing){ 0 };
    e = check_line(h, base, err);
    if (e < 0)
        return e;
    e = km_head_copy(h, base, used, a, &copy, &r->headers, &s, err);
    if (e < 0)
        return e;
    r->method = km_head_view(copy, h->method);
    r->target = km_head_view(copy, h->target);
    r->minor = h->parser.http_minor;
    ret_framing->keep_alive = r->minor == 0 ? s.keep_alive && !s.close : !s.close;
    if ((e = check_method(r->method, err)) < 0 || (e = check_host(r, &s, err)) < 0 ||
        (e = check_target(r, err)) < 0 || (e = check_framing(r, &s, ret_framing, err)) < 0)
        return e;
    return check_expect(r, &s, ret_framing, err);
}
