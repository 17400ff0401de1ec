/* SPDX-License-Identifier: Apache-2.0 */
/* authenticators.c - the door's own ways to know who is asking:
 *
 *     local    the control socket: its owner was checked by the kernel
 *     open     authentication is off, for all or for want of a master key: then for this machine
 *     master   the master key
 *     key      a virtual key, by the SHA-256 of what was sent
 *
 * The last of them refuses what nobody knew, so it stands last.
 */
#include "door/auth.h"

#include <stdio.h>

#include "door/credential.h"
#include "door/origin.h"

static bool is_local(const struct km_visit *v)
{
    return v->local;
}

static int by_local(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    (void)shown;
    (void)err;
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "local:%u", v->uid);
    return 0;
}

static bool is_off(const struct km_visit *v)
{
    return v->view->snap->auth_off;
}

static struct km_str forwarded_name(const struct km_visit *v)
{
    struct km_str name = km_forwarded_by(&km_exchange_request(v->x)->headers);

    return name.n ? km_str_sub(name, 0, 40) : KM_STR("another machine's address");
}

static int by_open(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    const struct km_snapshot *snap = v->view->snap;

    (void)shown;
    if (snap->gateway->auth != KM_AUTH_MODE_NONE && !km_visit_is_local(v))
        return km_fail(err, KM_E_FORBIDDEN,
                       "A proxy passed this request on (it has %.*s), and without "
                       "general_settings.master_key only requests made on this machine are "
                       "served. Set a master key.",
                       KM_STR_ARG(forwarded_name(v)));
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "anonymous");
    return 0;
}

static bool has_master(const struct km_visit *v)
{
    return v->view->snap->has_master;
}

static int by_master(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    (void)err;
    if (!km_secret_eq(shown->hash, v->view->snap->master_hash, sizeof shown->hash))
        return KM_E_AGAIN;
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "master");
    return 0;
}

static int by_key(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    struct km_str text = shown->text;
    struct km_key *key;
    int r;

    if (!km_str_starts(text, KM_STR("sk-"))) {
        char why[120];
        bool show = text.n > 8;

        snprintf(why, sizeof why,
                 "LiteLLM Virtual Key expected. Received=%.*s****%.*s, expected to "
                 "start with 'sk-'.",
                 show ? 4 : 0, text.p, show ? 4 : 0, show ? text.p + text.n - 4 : "");
        return km_credential_refuse(err, why);
    }
    key = km_keys_find(v->w->gw->keys, shown->hash);
    if (!key) {
        r = km_fail_param(err, KM_E_UNAUTHENTICATED, "key",
                          "Authentication Error, Invalid proxy server token passed. It is unknown "
                          "here: ask your administrator for a key, or make one with POST "
                          "/key/generate.");
        if (err)
            err->type = "token_not_found_in_db";
        return r;
    }
    return km_visit_become_key(v, key, err);
}

const struct km_authenticator km_auth_local = {
    .name = "local",
    .applies = is_local,
    .check = by_local,
};

const struct km_authenticator km_auth_open = {
    .name = "open",
    .applies = is_off,
    .check = by_open,
};

const struct km_authenticator km_auth_master = {
    .name = "master",
    .needs_credential = true,
    .applies = has_master,
    .check = by_master,
};

const struct km_authenticator km_auth_key = {
    .name = "key",
    .needs_credential = true,
    .check = by_key,
};
