/* SPDX-License-Identifier: Apache-2.0 */
/* request_body.c - the body of a request, of the argument `body` or of fields (openapi.h).
 *
 *     application/json          the value
 *     x-www-form-urlencoded     name=value&..., a list once for each item, an object as JSON
 *     multipart/form-data       the same in parts; a data: URL is a file
 *     anything else             text, or the bytes of a data: URL
 *
 * A data: URL with base64 (RFC 2397) is how a client that can only write text sends bytes.
 */
#include "base/crypto.h"
#include "base/encode.h"
#include "mcp/openapi/request_part.h"

/* One field of a form, wherever it comes from. */
typedef void put_field_fn(struct km_buf *out, struct km_str name, const struct km_json *v,
                          struct km_str boundary);

static void each_field(const struct km_openapi_op *op, const struct km_json *args,
                       put_field_fn *put, struct km_str boundary, struct km_buf *out)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    for (size_t i = 0; i < op->nparams; i++) {
        item = km_json_member(args, op->params[i].arg);
        if (op->params[i].in == KM_OPENAPI_FIELD && item && km_json_kind(item) != KM_JSON_NULL)
            put(out, op->params[i].name, item, boundary);
    }
    if (!op->body_arg.n)
        return;
    for (km_json_iter(km_json_member(args, op->body_arg), &it); km_json_next(&it, &key, &item);)
        if (km_json_kind(item) != KM_JSON_NULL)
            put(out, key, item, boundary);
}

static void put_form_field(struct km_buf *out, struct km_str name, const struct km_json *v,
                           struct km_str boundary)
{
    (void)boundary;
    km_openapi_put_fields(out, name, v);
}

/* --- data: URLs --- */

/* "data:image/png;base64,...": its type and bytes.  false: it is none. */
static bool data_url(struct km_str text, struct km_str *ret_type, struct km_buf *bytes)
{
    size_t comma = km_str_chr(text, ',');
    struct km_str head = km_str_sub(text, 0, comma);

    if (!km_str_istarts(text, KM_STR("data:")) || comma == text.n ||
        !km_str_ends(head, KM_STR(";base64")))
        return false;
    *ret_type = km_str_sub(head, 5, head.n - 5 - 7);
    return km_buf_unbase64(bytes, km_str_skip(text, comma + 1)) == 0 && !km_buf_failed(bytes);
}

/* --- parts --- */

/* In quotes, as browsers write it. */
static void put_quoted(struct km_buf *out, struct km_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c == '"' || c < 0x20 || c == 0x7f)
            km_buf_printf(out, "%%%02X", c);
        else
            km_buf_byte(out, (char)c);
    }
}

static void put_one_part(struct km_buf *out, struct km_str name, const struct km_json *v,
                         struct km_str boundary)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_BODY_BYTES);
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_str text = KM_STR_NONE, type = KM_STR_NONE;
    bool file = km_json_string(v, &text) && data_url(text, &type, &bytes);

    km_buf_printf(out, "--%.*s\r\nContent-Disposition: form-data; name=\"", KM_STR_ARG(boundary));
    put_quoted(out, name);
    if (file) {
        if (!type.n || km_header_put(&line, KM_STR("Content-Type"), type, NULL) < 0) {
            km_buf_reset(&line);
            km_buf_str(&line, KM_STR("Content-Type: application/octet-stream\r\n"));
        }
        km_buf_str(out, KM_STR("\"; filename=\""));
        put_quoted(out, name);
        km_buf_str(out, KM_STR("\"\r\n"));
        km_buf_str(out, km_buf_view(&line));
        km_buf_str(out, KM_STR("\r\n"));
        km_buf_str(out, km_buf_view(&bytes));
    } else {
        km_buf_str(out, KM_STR("\"\r\n\r\n"));
        km_openapi_put_plain(out, v, false);
    }
    km_buf_str(out, KM_STR("\r\n"));
}

static void put_part(struct km_buf *out, struct km_str name, const struct km_json *v,
                     struct km_str boundary)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(v) != KM_JSON_ARRAY) {
        put_one_part(out, name, v, boundary);
        return;
    }
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
        put_one_part(out, name, item, boundary);
}

static int put_multipart(const struct km_openapi_op *op, const struct km_json *args,
                         struct km_openapi_request *r, struct km_err *err)
{
    uint8_t random[16];
    char boundary[2 * sizeof random + 1];
    int e = km_random(random, sizeof random, err);

    if (e < 0)
        return e;
    km_hex(boundary, random, sizeof random);
    each_field(op, args, put_part, km_str_c(boundary), &r->body);
    km_buf_printf(&r->body, "--%s--\r\n", boundary);
    km_buf_printf(&r->head, "Content-Type: multipart/form-data; boundary=%s\r\n", boundary);
    return 0;
}

/* --- the body --- */

static void put_bytes(const struct km_json *v, struct km_buf *out)
{
    struct km_str text, type;

    if (km_json_string(v, &text) && data_url(text, &type, out))
        return;
    km_buf_reset(out);
    km_openapi_put_plain(out, v, false);
}

int km_openapi_put_body(const struct km_openapi_op *op, const struct km_json *args,
                        struct km_openapi_request *r, struct km_err *err)
{
    const struct km_json *v = op->body_arg.n ? km_json_member(args, op->body_arg) : NULL;
    int e = 0;

    if (op->body == KM_OPENAPI_NO_BODY || (op->body_arg.n && !v))
        return 0;
    r->has_body = true;
    if ((op->body == KM_OPENAPI_FORM || op->body == KM_OPENAPI_MULTIPART) && v &&
        km_json_kind(v) != KM_JSON_OBJECT)
        return km_fail(err, KM_E_INVALID, "arguments.%.*s must be of type object",
                       KM_STR_ARG(km_str_sub(op->body_arg, 0, 64)));
    if (op->body == KM_OPENAPI_MULTIPART)
        e = put_multipart(op, args, r, err);
    else
        e = km_header_put(&r->head, KM_STR("Content-Type"), op->media, err);
    if (op->body == KM_OPENAPI_JSON)
        km_json_write(v, &r->body);
    else if (op->body == KM_OPENAPI_FORM)
        each_field(op, args, put_form_field, KM_STR_NONE, &r->body);
    else if (op->body == KM_OPENAPI_TEXT)
        put_bytes(v, &r->body);
    if (e == 0 && km_buf_failed(&r->body))
        e = km_fail(err, KM_E_LIMIT, "the body is over %zu bytes", KM_OPENAPI_BODY_BYTES);
    return e;
}
