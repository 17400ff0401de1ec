/* SPDX-License-Identifier: Apache-2.0 */
/* approvals.c - who may let a waiting tool call run: the administrator, by its id.
 *
 *     GET  /kanmon/approvals         what waits, and what was answered and is not used yet, with
 *                                    the arguments that are approved (shown_args.h)
 *     GET  /kanmon/approvals/{id}    one of them
 *     POST /kanmon/approvals/{id}    {"approve": true} or {"approve": false}
 *
 * The answer counts at once and its record follows; the caller hears of it when the record is
 * written.  A record that cannot be written is told as an error, though the answer stands: the
 * call it allows is recorded again when it runs, and without a record gets no result.
 */
#include "admin/approvals.h"

#include "admin/admin.h"
#include "base/crypto.h"
#include "gateway/mcp/hub.h"
#include "mcp/safety/approval.h"

#define BODY_BYTES 1024

/* An array; id empty: all. */
static void put_list(struct km_admin *a, struct km_str id, struct km_buf *out)
{
    const struct km_gateway *gw = a->v->w->gw;

    km_approvals_json(km_mcp_shared_of(a->v->w->gw)->approvals, id, gw->veil, km_mono_ms(), out);
}

static int list(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_APPROVALS_MOST * KM_APPROVAL_JSON_BYTES);

    km_buf_str(&out, KM_STR("{\"approvals\":"));
    put_list(a, KM_STR_NONE, &out);
    km_buf_byte(&out, '}');
    if (km_buf_failed(&out))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_admin_json(a, 200, km_buf_view(&out));
    km_wipe(out.p, out.n); /* of calls that wait: nobody's memory but the table's */
    return 0;
}

static int show(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_APPROVAL_JSON_BYTES);
    struct km_str id = a->v->match.params[0];

    put_list(a, id, &out);
    if (km_buf_failed(&out))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!id.n || out.n == sizeof "[]" - 1)
        return km_fail(err, KM_E_NOT_FOUND, "no call waits for approval under '%.*s'",
                       KM_STR_ARG(km_str_sub(id, 0, 64)));
    km_admin_json(a, 200, km_str_sub(km_buf_view(&out), 1, out.n - 2));
    km_wipe(out.p, out.n);
    return 0;
}

KM_ADMIN_HANDLER(on_list, BODY_BYTES, list)
KM_ADMIN_HANDLER(on_show, BODY_BYTES, show)

static void on_recorded(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    bool approve = false;

    if (err) {
        km_admin_error(a, err);
        return;
    }
    (void)km_json_bool(km_json_get(a->body, "approve"), &approve);
    km_buf_str(&out, KM_STR("{\"id\":"));
    km_buf_json(&out, a->v->match.params[0]);
    km_buf_printf(&out, ",\"state\":\"%s\"}", approve ? "approved" : "refused");
    km_admin_json(a, 200, km_buf_view(&out));
}

static int answer(struct km_admin *a, struct km_err *err)
{
    char tool[160];
    struct km_audit audit = { .actor = km_admin_actor(a) };
    struct km_str id = a->v->match.params[0];
    bool approve;
    int r;

    if (!km_json_bool(km_json_get(a->body, "approve"), &approve))
        return km_fail_param(err, KM_E_INVALID, "approve",
                             "Say {\"approve\": true} or {\"approve\": false}.");
    r = km_approvals_answer(km_mcp_shared_of(a->v->w->gw)->approvals, id, approve, km_mono_ms(),
                            tool, err);
    if (r < 0)
        return r;
    audit.action = approve ? KM_STR("mcp.approve") : KM_STR("mcp.refuse");
    audit.target = km_str_c(tool);
    audit.detail = km_arena_printf(&a->arena, "{\"id\":\"%.*s\"}", KM_STR_ARG(id));
    km_store_audit(a->v->w->gw->store, a->v->w->mailbox, &audit, on_recorded, a);
    return 0;
}

KM_ADMIN_HANDLER(on_answer, BODY_BYTES, answer)

static const struct km_route rows[] = {
    { "GET", "/kanmon/approvals", on_list, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/approvals/{id}", on_show, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/approvals/{id}", on_answer, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_approval_routes = { rows, sizeof rows / sizeof rows[0] };
