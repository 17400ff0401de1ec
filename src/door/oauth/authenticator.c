/* SPDX-License-Identifier: Apache-2.0 */
/* authenticator.c - the built-in authorization server as a row of door/auth.h.
 *
 * An access token stands for the key that was shown to the server, and is good for the resource it
 * was asked for and what lies below.  Where the clients of a route know how to log in by
 * themselves (KM_AUTH_LOGIN), the challenge says where the metadata are (RFC 9728, 5.1); others
 * would not look, and are not told.
 */
#include "door/credential.h"
#include "door/oauth/oauth.h"

static int check(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    struct km_grant grant;
    struct km_key *key;
    int64_t expires;

    if (!km_str_starts(shown->text, KM_STR(KM_OAUTH_TOKEN_PREFIX)))
        return KM_E_AGAIN;
    if (!km_grants_access(km_oauth_of(v->w->gw)->grants, shown->hash, v->came_us, &grant, &expires))
        return km_credential_refuse(
            err, "the access token is unknown or too old: refresh it, or log in again.");
    if (!km_grant_covers(km_str_c(grant.resource), km_exchange_request(v->x)->path))
        return km_credential_refuse(
            err, "the access token was issued for another resource of this gateway.");
    v->who.delegated = true;
    v->who.resource = km_arena_str(km_exchange_arena(v->x), km_str_c(grant.resource));
    if (v->who.resource.n != strlen(grant.resource))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    key = km_keys_find(v->w->gw->keys, grant.key_hash);
    if (!key)
        return km_credential_refuse(err, "the virtual key of this access token is gone: log in "
                                         "again.");
    return km_visit_become_key(v, key, err);
}

static bool challenge(const struct km_visit *v, const struct km_err *err, struct km_buf *head)
{
    const struct km_request *req = km_exchange_request(v->x);
    const char *error = "";

    if (!v->match.route || v->match.route->auth != KM_AUTH_LOGIN ||
        !km_oauth_can_log_in(v->view->snap))
        return false;
    if (err->code == KM_E_FORBIDDEN)
        error = "error=\"insufficient_scope\", ";
    else if (v->had_credential)
        error = "error=\"invalid_token\", ";
    km_buf_printf(head,
                  "WWW-Authenticate: Bearer %s"
                  "resource_metadata=\"%.*s/.well-known/oauth-protected-resource%.*s\", "
                  "scope=\"" KM_OAUTH_SCOPE "\"\r\n",
                  error, KM_STR_ARG(km_oauth_base(v)), KM_STR_ARG(req->path));
    return true;
}

const struct km_authenticator km_oauth_authenticator = {
    .name = "token",
    .needs_credential = true,
    .check = check,
    .challenge = challenge,
};
