/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - the arguments of a call as an HTTP request (openapi.h).
 *
 *     path      {name} by its value, escaped: no '/', '?' or '#' of a value is one of the target,
 *               and no segment is "." or "..", as sent or decoded up to three times, of one value
 *               or of two that touch: a call stays below the base URL
 *     query     ?name=value, in the styles of OpenAPI 3 and the collection formats of 2.0
 *     header    one line each, refused where a value is none of a header field
 *     cookie    one Cookie line
 *     body      request_body.c
 *
 * Arguments have been held against the tool's schema before: here only what a schema cannot say
 * is looked at.  Rules: OpenAPI 3.1, "Parameter Object"; RFC 6570 for the styles.
 */
#include "mcp/openapi/request_part.h"

static void put_text(struct km_buf *out, const struct km_json *v)
{
    struct km_str text;

    if (km_json_string(v, &text))
        km_buf_str(out, text);
    else if (km_json_kind(v) != KM_JSON_NULL)
        km_json_write(v, out);
}

void km_openapi_put_plain(struct km_buf *out, const struct km_json *v, bool escaped)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_TARGET_BYTES);

    if (!escaped) {
        put_text(out, v);
        return;
    }
    put_text(&text, v);
    km_url_encode(out, km_buf_view(&text));
    out->failed = out->failed || km_buf_failed(&text);
}

static const char *separator(enum km_openapi_style style)
{
    switch (style) {
    case KM_OPENAPI_SPACE:
        return "%20";
    case KM_OPENAPI_PIPE:
        return "%7C";
    case KM_OPENAPI_TAB:
        return "%09";
    default:
        return ",";
    }
}

static void put_string(struct km_buf *out, struct km_str text, bool escaped)
{
    if (escaped)
        km_url_encode(out, text);
    else
        km_buf_str(out, text);
}

/* a,b,c or k,v,k,v; with pairs k=v,k=v. */
static void put_joined(struct km_buf *out, const struct km_json *v, const char *sep, bool pairs,
                       bool escaped)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    bool some = false;

    if (km_json_kind(v) != KM_JSON_ARRAY && km_json_kind(v) != KM_JSON_OBJECT) {
        km_openapi_put_plain(out, v, escaped);
        return;
    }
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        if (some)
            km_buf_str(out, km_str_c(sep));
        if (km_json_kind(v) == KM_JSON_OBJECT) {
            put_string(out, key, escaped);
            km_buf_str(out, pairs ? KM_STR("=") : km_str_c(sep));
        }
        km_openapi_put_plain(out, item, escaped);
        some = true;
    }
}

/* --- query --- */

static void put_pair(struct km_buf *out, struct km_str name, struct km_str key,
                     const struct km_json *v)
{
    if (out->n)
        km_buf_byte(out, '&');
    km_url_encode(out, name);
    if (key.n) {
        km_buf_str(out, KM_STR("%5B"));
        km_url_encode(out, key);
        km_buf_str(out, KM_STR("%5D"));
    }
    km_buf_byte(out, '=');
    km_openapi_put_plain(out, v, true);
}

void km_openapi_put_fields(struct km_buf *out, struct km_str name, const struct km_json *v)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(v) != KM_JSON_ARRAY) {
        put_pair(out, name, KM_STR_NONE, v);
        return;
    }
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
        put_pair(out, name, KM_STR_NONE, item);
}

static void put_query(struct km_buf *out, const struct km_openapi_param *p, const struct km_json *v)
{
    bool object = km_json_kind(v) == KM_JSON_OBJECT, list = km_json_kind(v) == KM_JSON_ARRAY;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if ((object || list) && !km_json_count(v) && !p->json)
        return;
    if (p->json || (!object && !list)) {
        put_pair(out, p->name, KM_STR_NONE, v);
    } else if (object && (p->style == KM_OPENAPI_DEEP || p->explode)) {
        bool deep = p->style == KM_OPENAPI_DEEP;

        for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
            put_pair(out, deep ? p->name : key, deep ? key : KM_STR_NONE, item);
    } else if (p->explode) {
        km_openapi_put_fields(out, p->name, v);
    } else {
        if (out->n)
            km_buf_byte(out, '&');
        km_url_encode(out, p->name);
        km_buf_byte(out, '=');
        put_joined(out, v, separator(p->style), false, true);
    }
}

/* --- path --- */

/* ";name=v", ".v" or "v". */
static void put_place(struct km_buf *out, const struct km_openapi_param *p, const struct km_json *v)
{
    bool many = km_json_kind(v) == KM_JSON_ARRAY || km_json_kind(v) == KM_JSON_OBJECT;
    bool object = km_json_kind(v) == KM_JSON_OBJECT, label = p->style == KM_OPENAPI_LABEL;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (p->style != KM_OPENAPI_MATRIX) {
        if (label)
            km_buf_byte(out, '.');
        if (p->json)
            km_openapi_put_plain(out, v, true);
        else
            put_joined(out, v, label && p->explode ? "." : separator(p->style),
                       object && p->explode, true);
        return;
    }
    if (many && p->explode) {
        for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
            km_buf_byte(out, ';');
            km_url_encode(out, object ? key : p->name);
            km_buf_byte(out, '=');
            km_openapi_put_plain(out, item, true);
        }
        return;
    }
    km_buf_byte(out, ';');
    km_url_encode(out, p->name);
    km_buf_byte(out, '=');
    put_joined(out, v, ",", false, true);
}

static const struct km_openapi_param *place_named(const struct km_openapi_op *op,
                                                  struct km_str name)
{
    for (size_t i = 0; i < op->nparams; i++)
        if (op->params[i].in == KM_OPENAPI_PATH && km_str_eq(op->params[i].name, name))
            return &op->params[i];
    return NULL;
}

static int check_place(const struct km_openapi_param *p, const struct km_json *v,
                       struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_TARGET_BYTES);
    struct km_str name = km_str_sub(p->arg, 0, 64);
    struct km_err why = { 0 };

    if (!v || km_json_kind(v) == KM_JSON_NULL)
        return km_fail(err, KM_E_INVALID, "arguments needs the member %.*s", KM_STR_ARG(name));
    put_joined(&text, v, ",", false, true);
    if (!text.n)
        return km_fail(err, KM_E_INVALID,
                       "arguments.%.*s must not be empty: it is part of the path",
                       KM_STR_ARG(name));
    if (km_buf_failed(&text))
        return km_fail(err, KM_E_LIMIT, "arguments.%.*s is too long for a path", KM_STR_ARG(name));
    if (km_target_check_filled(km_buf_view(&text), &why) < 0)
        return km_fail(err, KM_E_INVALID, "arguments.%.*s must not be '.' or '..': %s",
                       KM_STR_ARG(name), why.text);
    return 0;
}

static int put_path(const struct km_openapi_op *op, const struct km_json *args, struct km_buf *out,
                    struct km_err *err)
{
    struct km_str rest = op->path;

    while (rest.n) {
        size_t open = km_str_chr(rest, '{'), close = km_str_chr(rest, '}');
        const struct km_openapi_param *p;
        const struct km_json *v;
        int r;

        km_buf_str(out, km_str_sub(rest, 0, open));
        if (open == rest.n)
            return 0;
        p = place_named(op, km_str_sub(rest, open + 1, close - open - 1));
        v = p ? km_json_member(args, p->arg) : NULL;
        r = p ? check_place(p, v, err) : km_fail(err, KM_E_INTERNAL, "the path has no such place");
        if (r < 0)
            return r;
        put_place(out, p, v);
        rest = km_str_skip(rest, close + 1);
    }
    return 0;
}

/* --- the request --- */

static int put_param(const struct km_openapi_param *p, const struct km_json *v,
                     struct km_openapi_request *r, struct km_buf *query, struct km_buf *cookies,
                     struct km_err *err)
{
    struct km_buf value KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);

    if (!v || km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (p->in == KM_OPENAPI_QUERY)
        put_query(query, p, v);
    if (p->in == KM_OPENAPI_COOKIE) {
        km_buf_str(cookies, cookies->n ? KM_STR("; ") : KM_STR_NONE);
        km_url_encode(cookies, p->name);
        km_buf_byte(cookies, '=');
        put_joined(cookies, v, ",", false, true);
    }
    if (p->in != KM_OPENAPI_HEADER)
        return 0;
    if (p->json)
        km_json_write(v, &value);
    else
        put_joined(&value, v, ",", p->explode, false);
    if (km_buf_failed(&value) || km_header_put(&r->head, p->name, km_buf_view(&value), NULL) < 0)
        return km_fail(err, KM_E_INVALID, "arguments.%.*s cannot be the value of a header field",
                       KM_STR_ARG(km_str_sub(p->arg, 0, 64)));
    return 0;
}

static int put_params(const struct km_openapi_op *op, const struct km_json *args,
                      struct km_openapi_request *r, struct km_buf *query, struct km_err *err)
{
    struct km_buf cookies KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);
    int e = 0;

    for (size_t i = 0; e == 0 && i < op->nparams; i++)
        e = put_param(&op->params[i], km_json_member(args, op->params[i].arg), r, query, &cookies,
                      err);
    if (e == 0 && cookies.n)
        e = km_header_put(&r->head, KM_STR("Cookie"), km_buf_view(&cookies), err);
    if (e == 0 && km_buf_failed(&cookies))
        e = km_fail(err, KM_E_LIMIT, "the cookies are too long");
    return e;
}

int km_openapi_request(const struct km_openapi_op *op, struct km_str base,
                       const struct km_json *args, struct km_openapi_request *ret,
                       struct km_err *err)
{
    struct km_buf query KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_TARGET_BYTES);
    size_t mark = km_str_chr(base, '?');
    struct km_str path = km_str_sub(base, 0, mark), fixed = km_str_skip(base, mark + 1);
    int r;

    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    km_buf_str(&ret->target, path);
    km_buf_str(&query, fixed);
    r = put_path(op, args, &ret->target, err);
    if (r == 0)
        r = km_target_check_filled(km_str_skip(km_buf_view(&ret->target), path.n), err);
    if (r == 0)
        r = put_params(op, args, ret, &query, err);
    if (r == 0 && query.n) {
        km_buf_byte(&ret->target, '?');
        km_buf_str(&ret->target, km_buf_view(&query));
    }
    if (r == 0)
        r = km_openapi_put_body(op, args, ret, err);
    if (r == 0 &&
        (km_buf_failed(&query) || km_buf_failed(&ret->target) || km_buf_failed(&ret->head)))
        r = km_fail(err, KM_E_LIMIT, "the request's path, query and header fields are too long");
    return r;
}

void km_openapi_request_init(struct km_openapi_request *r)
{
    km_buf_init(&r->target, KM_OPENAPI_TARGET_BYTES);
    km_buf_init(&r->head, KM_OPENAPI_HEAD_BYTES);
    km_buf_init(&r->body, KM_OPENAPI_BODY_BYTES);
    r->has_body = false;
}

void km_openapi_request_done(struct km_openapi_request *r)
{
    km_buf_done(&r->target);
    km_buf_done(&r->head);
    km_buf_done(&r->body);
}
