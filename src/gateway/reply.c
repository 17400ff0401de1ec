/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - see reply.h. */
#include "gateway/reply.h"

void km_error_json(const struct km_err *err, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"error\":{\"message\":"));
    km_buf_json(out, km_str_c(err->text));
    km_buf_printf(out, ",\"type\":\"%s\",\"param\":", km_err_openai_type(err));
    if (err->param)
        km_buf_json(out, km_str_c(err->param));
    else
        km_buf_str(out, KM_STR("null"));
    km_buf_printf(out, ",\"code\":\"%d\"}}", km_err_http(err));
}

void km_error_event(enum km_dialect dialect, const struct km_err *err, struct km_buf *out)
{
    (void)dialect;
    km_buf_str(out, KM_STR("data: "));
    km_error_json(err, out);
    km_buf_str(out, KM_STR("\n\n"));
}

void km_error_head(const struct km_err *err, struct km_buf *head)
{
    km_buf_str(head, KM_STR("Content-Type: application/json\r\n"));
    if (err->retry_after_ms > 0)
        km_buf_printf(head, "Retry-After: %d\r\n", (err->retry_after_ms + 999) / 1000);
    if (err->code == KM_E_UNAUTHENTICATED)
        km_buf_str(head, KM_STR("WWW-Authenticate: Bearer\r\n"));
}

void km_reply_error(struct km_visit *v, const struct km_err *err)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4 * 1024);

    km_error_json(err, &body);
    km_error_head(err, &head);
    if (err->code == KM_E_BAD_METHOD)
        km_buf_printf(&head, "Allow: %.*s\r\n", KM_STR_ARG(v->allow));
    km_buf_printf(&head, "x-litellm-call-id: %s\r\nx-request-id: %s\r\n", v->id_text, v->id_text);
    km_exchange_respond(v->x, km_err_http(err), km_buf_view(&head), km_buf_view(&body));
}

void km_reply_json(struct km_visit *v, int status, struct km_str json)
{
    km_exchange_respond(v->x, status, KM_STR("Content-Type: application/json\r\n"), json);
}

void km_reply_text(struct km_visit *v, int status, struct km_str type, struct km_str text)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_err ignored;

    if (km_header_put(&head, KM_STR("Content-Type"), type, &ignored) < 0)
        km_buf_reset(&head);
    km_exchange_respond(v->x, status, km_buf_view(&head), text);
}
