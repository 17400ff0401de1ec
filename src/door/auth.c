/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - the table of authenticators run over a request; see auth.h.
 *
 * A row looks at the request and says: it is mine and good (0), not mine (KM_E_AGAIN), or mine
 * and bad.  Nothing here knows what the rows are.
 */
#include "door/auth.h"

#include "door/credential.h"

static bool applies(const struct km_authenticator *row, const struct km_visit *v)
{
    return !row->applies || row->applies(v);
}

static const struct km_authenticator *const *rows_of(const struct km_visit *v)
{
    return v->w->gw->args->authenticators;
}

bool km_auth_waits(struct km_visit *v, km_visit_fn *go_on)
{
    struct km_str text = KM_STR_NONE;

    if (v->local)
        return false;
    for (const struct km_authenticator *const *row = rows_of(v); *row; row++) {
        if (!(*row)->prepare || !applies(*row, v))
            continue;
        if (!text.n && (km_credential(v, &text, NULL) < 0 || !text.n))
            return false; /* there is nothing to judge, or it is refused without being judged */
        if ((*row)->prepare(v, text, go_on) == KM_E_AGAIN)
            return true;
    }
    return false;
}

static int identify(struct km_visit *v, struct km_err *err)
{
    struct km_shown shown = { 0 };
    int r = v->local ? 0 : km_credential(v, &shown.text, err);

    if (r < 0)
        return r;
    v->had_credential = shown.text.n > 0;
    if (shown.text.n)
        km_sha256(shown.text, shown.hash);
    for (const struct km_authenticator *const *row = rows_of(v); *row; row++) {
        if (((*row)->needs_credential && !shown.text.n) || !applies(*row, v))
            continue;
        r = (*row)->check(v, &shown, err);
        if (r == 0)
            v->standing = KM_STANDING_KNOWN;
        if (r != KM_E_AGAIN)
            return r;
    }
    return km_credential_refuse(err, "No api key passed in.");
}

int km_authenticate(struct km_visit *v, enum km_auth_level level, struct km_err *err)
{
    int r;

    if (level == KM_AUTH_PUBLIC || level == KM_AUTH_WEB || level == KM_AUTH_OPEN)
        return 0;
    if (level == KM_AUTH_METRICS && v->view->snap->metrics_open)
        return 0;
    r = identify(v, err);
    if (r == 0 && level == KM_AUTH_ADMIN && !v->who.admin)
        r = km_fail(err, KM_E_FORBIDDEN,
                    "Only the proxy admin can do this: use the master key, or `kanmon` on the "
                    "machine itself.");
    return r;
}

void km_auth_vouch(struct km_visit *v, enum km_auth_level level)
{
    static const struct km_err no_memory = { .code = KM_E_NOMEM, .text = "out of memory" };
    KM_ERR_NONE(err);
    struct km_err *kept;

    if (level == KM_AUTH_OPEN) {
        v->standing = KM_STANDING_OPEN;
        return;
    }
    if (km_authenticate(v, level, &err) == 0)
        return;
    kept = km_arena_alloc(km_exchange_arena(v->x), sizeof *kept);
    if (kept)
        *kept = err;
    v->refusal = kept ? kept : &no_memory;
    v->standing = KM_STANDING_REFUSED;
}

void km_auth_challenge(const struct km_visit *v, const struct km_err *err, struct km_buf *head)
{
    for (const struct km_authenticator *const *row = rows_of(v); *row; row++)
        if ((*row)->challenge && (*row)->challenge(v, err, head))
            return;
    km_buf_str(head, KM_STR("WWW-Authenticate: Bearer\r\n"));
}
