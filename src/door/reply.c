/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - see reply.h. */
#include "door/reply.h"

#include "door/auth.h"

void km_reply_error(struct km_visit *v, const struct km_err *err)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4 * 1024);

    km_error_json(v->dialect, err, km_str(v->id_text, KM_UUID_LEN), &body);
    km_error_head(err, &head);
    if (err->code == KM_E_UNAUTHENTICATED || (err->code == KM_E_FORBIDDEN && v->had_credential))
        km_auth_challenge(v, err, &head);
    if (err->code == KM_E_BAD_METHOD)
        km_buf_printf(&head, "Allow: %.*s\r\n", KM_STR_ARG(v->allow));
    km_id_lines(v, &head);
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
