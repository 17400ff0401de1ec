/* SPDX-License-Identifier: Apache-2.0 */
/* redirect.c - a document that has moved: where it is, and what may be taken there (source_part.h).
 *
 *     from + Location ── absolute (RFC 3986, 5.2) ──> http or https, no user, no way from https
 *                                                     back to http
 *     the same host and port, or http://host to https://host    credentials go along
 *     any other    they stay, and it must be a public address, for who redirects chose it
 */
#include "mcp/openapi/source_part.h"

/* Behind "http://host" in out: a path without dots. */
static void put_path(struct km_str path, struct km_buf *out)
{
    const size_t root = out->n;
    const bool slash = km_str_ends(path, KM_STR("/"));
    bool folder = false;
    struct km_str segment;

    while (km_str_split(&path, '/', &segment)) {
        bool up = km_str_eq(segment, KM_STR(".."));

        folder = up || km_str_eq(segment, KM_STR("."));
        while (up && out->n > root && out->p[--out->n] != '/')
            ;
        if (segment.n && !folder) {
            km_buf_byte(out, '/');
            km_buf_str(out, segment);
        }
    }
    if (folder || slash || out->n == root)
        km_buf_byte(out, '/');
}

static void put_absolute(struct km_str from, struct km_str location, struct km_buf *out)
{
    struct km_buf both KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_URL_BYTES);
    struct km_str to = km_str_sub(location, 0, km_str_chr(location, '?'));
    size_t host = km_str_find(from, KM_STR("://")) + 3;
    struct km_str old = km_str_sub(from, 0, km_str_chr(from, '?'));
    size_t path = host + km_str_chr(km_str_skip(old, host), '/');

    if (km_str_find(to, KM_STR("://")) < to.n) {
        km_buf_str(out, location);
        return;
    }
    if (km_str_starts(location, KM_STR("//"))) {
        km_buf_str(out, km_str_sub(from, 0, host - 2));
        km_buf_str(out, location);
        return;
    }
    km_buf_str(out, km_str_sub(old, 0, path));
    old = km_str_skip(old, path);
    if (to.n && to.p[0] != '/')
        old = km_str_sub(old, 0, old.n ? km_str_rchr(old, '/') + 1 : 0);
    if (to.n && to.p[0] == '/')
        old = KM_STR_NONE;
    km_buf_str(&both, old);
    km_buf_str(&both, to);
    put_path(km_buf_view(&both), out);
    km_buf_str(out, km_str_skip(location, to.n));
}

static bool same_place(const struct km_url *a, const struct km_url *b)
{
    bool up = !a->https && b->https && a->port == 80 && b->port == 443;

    return km_str_ieq(a->host, b->host) && (up || (a->https == b->https && a->port == b->port));
}

int km_openapi_redirect(struct km_str from, struct km_str location, struct km_buf *ret,
                        bool *ret_strange, struct km_err *err)
{
    struct km_url old, new;
    struct km_str to;
    int r = km_url_parse(from, &old, err);

    if (r < 0)
        return r;
    location = km_str_trim(km_str_sub(location, 0, km_str_chr(location, '#')));
    if (!location.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it is redirected, and not said where to");
    km_buf_reset(ret);
    put_absolute(from, location, ret);
    to = km_buf_view(ret);
    if (km_buf_failed(ret) || !km_url_is_http(to) || km_url_parse(to, &new, NULL) < 0 ||
        new.userinfo.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it is redirected to what is no address");
    if (old.https && !new.https)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it is redirected from https to http");
    *ret_strange = !same_place(&old, &new);
    return 0;
}
