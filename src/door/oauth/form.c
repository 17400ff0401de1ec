/* SPDX-License-Identifier: Apache-2.0 */
/* form.c - bodies and answers of the endpoints that clients post to.
 *
 * A form is read whole (16 KiB at most) before anything is looked at.  A field that stands there
 * twice is refused, as RFC 6749 asks: two readers could take different ones.  Errors are objects
 * of OAuth, {"error", "error_description"}, and never kept by anybody in between.
 */
#include "door/oauth/oauth.h"

#include "door/reply.h"
#include "http/json_out.h"

struct wait {
    struct km_visit *v;
    void (*fn)(struct km_visit *v, struct km_str body);
    bool reading; /* the body has not come yet */
};

void km_oauth_refuse(struct km_visit *v, const struct km_err *err)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    int status = km_err_http(err);
    const char *error = err->reason;
    struct km_json_out o;

    if (!error)
        error = status == 429 || status == 503 ? "temporarily_unavailable"
                : status < 500                 ? "invalid_request"
                                               : "server_error";
    km_json_out_init(&o, &body);
    km_out_open(&o, '{');
    km_out_member(&o, "error", km_str_c(error));
    km_out_member(&o, "error_description", km_str_c(err->text));
    km_out_close(&o, '}');
    km_buf_str(&head, KM_STR("Content-Type: application/json\r\nCache-Control: no-store\r\n"));
    if (err->retry_after_ms > 0)
        km_buf_printf(&head, "Retry-After: %d\r\n", (err->retry_after_ms + 999) / 1000);
    km_exchange_respond(v->x, status, km_buf_view(&head), km_buf_view(&body));
}

int km_oauth_field(struct km_visit *v, struct km_str form, const char *name, size_t most,
                   struct km_str *ret, struct km_err *err)
{
    struct km_arena *arena = km_exchange_arena(v->x);
    struct km_str pair, key, value;
    bool seen = false;

    *ret = KM_STR_NONE;
    while (km_str_split(&form, '&', &pair)) {
        size_t eq = km_str_chr(pair, '=');

        if (km_url_decode(arena, km_str_sub(pair, 0, eq), true, &key, err) < 0)
            return KM_E_INVALID;
        if (!km_str_eq(key, km_str_c(name)))
            continue;
        if (seen)
            return km_fail(err, KM_E_INVALID, "'%s' stands there twice.", name);
        if (km_url_decode(arena, km_str_skip(pair, eq + 1), true, &value, err) < 0)
            return KM_E_INVALID;
        if (value.n > most)
            return km_fail(err, KM_E_INVALID, "'%s' is longer than %zu bytes.", name, most);
        seen = true;
        *ret = value;
    }
    return 0;
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct wait *w = ctx;

    w->reading = false;
    if (err)
        km_oauth_refuse(w->v, err);
    else
        w->fn(w->v, body);
}

/* No body will come any more.  What has begun ends by itself. */
static void on_gone(void *ctx)
{
    struct wait *w = ctx;
    struct km_err err = { 0 };

    if (!w->reading)
        return;
    w->reading = false;
    km_fail(&err, KM_E_CANCELED, "The client went away.");
    km_oauth_refuse(w->v, &err);
}

static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };

static bool has_type(const struct km_visit *v, struct km_str type)
{
    struct km_str said = km_header_get(&km_exchange_request(v->x)->headers, KM_STR("content-type"));

    return km_str_ieq(km_str_trim(km_str_sub(said, 0, km_str_chr(said, ';'))), type);
}

void km_oauth_page_form(struct km_visit *v, struct km_str type,
                        void (*fn)(struct km_visit *v, struct km_str body))
{
    struct wait *w = km_arena_alloc(km_exchange_arena(v->x), sizeof *w);
    struct km_str body = KM_STR_NONE;
    struct km_err err = { 0 };
    int r = 0;

    if (!w)
        r = km_fail(&err, KM_E_NOMEM, "out of memory");
    else if (!has_type(v, type))
        r = km_fail(&err, KM_E_MEDIA_TYPE, "The body must be %.*s.", KM_STR_ARG(type));
    if (r == 0) {
        *w = (struct wait){ .v = v, .fn = fn };
        km_exchange_listen(v->x, &events, w);
        if (km_exchange_request(v->x)->has_body)
            r = km_exchange_body(v->x, KM_OAUTH_BODY_BYTES, &body, &err);
    }
    if (w && r == KM_E_AGAIN) {
        w->reading = true;
        return;
    }
    if (r < 0)
        km_oauth_refuse(v, &err);
    else
        fn(v, body);
}

void km_oauth_form(struct km_visit *v, struct km_str type,
                   void (*fn)(struct km_visit *v, struct km_str body))
{
    struct km_err err = { 0 };

    if (km_oauth_serves(v->view->snap)) {
        km_oauth_page_form(v, type, fn);
        return;
    }
    km_fail(&err, KM_E_NOT_FOUND, "There is no authorization server here.");
    km_oauth_refuse(v, &err);
}
