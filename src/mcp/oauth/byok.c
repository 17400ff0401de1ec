/* SPDX-License-Identifier: Apache-2.0 */
/* byok.c - a principal's own credential for a server (oauth.h; LiteLLM's is_byok).
 *
 *     page, REST ──> km_mcp_byok_set ──> holder ──> keep.c: sealed, bound to server and principal
 *                                          │
 *     link ── head() <────────────────────┘  the line that auth_type says
 *
 * It is a log-in without an authorization server: who has given one is logged in, and all that is
 * said of log-ins holds (whose session is whose, what the lists show, how a call asks for it).  A
 * 401 of the server does not remove it, for that may pass; it asks for another.
 */
#include <stdlib.h>

#include "base/time.h"
#include "llm/refresh.h"
#include "mcp/asker.h"
#include "mcp/oauth/inside.h"

static struct km_mcp_holder *of(struct km_auth *auth)
{
    return (struct km_mcp_holder *)(void *)auth;
}

int km_mcp_byok_told(const struct km_mcp_oauth *o, struct km_err *err)
{
    return km_fail(err, KM_E_UNAUTHENTICATED,
                   "'%.*s' wants a credential of your own: POST "
                   "/v1/mcp/server/%.*s/user-credential keeps one",
                   KM_STR_ARG(o->name), KM_STR_ARG(o->name));
}

static int head(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *out, struct km_err *err)
{
    struct km_mcp_holder *h = of(auth);
    int r;

    (void)args;
    (void)wait;
    pthread_mutex_lock(&h->lock);
    r = h->logged_in ? km_asker_line(h->o->scheme, km_secret_view(&h->access), out, err)
                     : km_mcp_byok_told(h->o, err);
    pthread_mutex_unlock(&h->lock);
    return r;
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    (void)auth;
    (void)wait;
}

/* There is no other to try; its owner is to be asked for one. */
static bool refused(struct km_auth *auth, const struct km_auth_wait *wait, int status,
                    const struct km_headers *headers, struct km_str body)
{
    (void)wait;
    (void)headers;
    (void)body;
    if (status == 401) {
        pthread_mutex_lock(&of(auth)->lock);
        of(auth)->step_up = true;
        pthread_mutex_unlock(&of(auth)->lock);
    }
    return false;
}

const struct km_auth_ops km_mcp_byok_auth_ops = { head, cancel, refused, NULL };

bool km_mcp_oauth_by_key(const struct km_mcp_oauth *o)
{
    return o->scheme != 0;
}

struct km_str km_mcp_byok_help(const struct km_mcp_oauth *o)
{
    return o->help;
}

/* As a header line it must hold; what is wrong with it is said without it. */
static int check(const struct km_mcp_oauth *o, struct km_str credential, struct km_err *err)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_MCP_BYOK_BYTES);
    struct km_err why = { 0 };
    int r = 0;

    if (credential.n > KM_MCP_BYOK_BYTES)
        return km_fail_param(err, KM_E_INVALID, "credential", "The credential is over %zu bytes.",
                             KM_MCP_BYOK_BYTES);
    if (km_asker_line(o->scheme, credential, &line, &why) < 0 || km_buf_failed(&line))
        r = km_fail_param(err, KM_E_INVALID, "credential",
                          "The credential has a character that no header field can hold.");
    km_wipe(line.p, line.n);
    return r;
}

static void put(struct km_mcp_holder *h, struct km_str credential)
{
    pthread_mutex_lock(&h->lock);
    km_mcp_keep(&h->access, credential);
    km_secret_done(&h->refresh_token);
    km_mcp_keep(&h->issuer, h->o->scheme ? KM_STR(KM_MCP_BYOK_ISSUER) : KM_STR_NONE);
    km_mcp_keep(&h->resource, h->o->server_url);
    h->logged_in = h->access.n > 0;
    h->step_up = h->fresh = false;
    h->access_expires_us = h->logged_in ? INT64_MAX : 0;
    h->since_us = h->logged_in ? km_wall_us() : 0;
    pthread_mutex_unlock(&h->lock);
    (void)km_refresh_renew(h->refresh); /* what it has of a log-in is over, too */
    km_mcp_oauth_save(h);
}

int km_mcp_byok_set(struct km_mcp_oauth *o, struct km_str principal, struct km_str credential,
                    struct km_err *err)
{
    int r = check(o, credential, err);
    struct km_mcp_holder *h = r == 0 ? km_mcp_oauth_holder(o, principal) : NULL;

    if (r < 0)
        return r;
    if (!h || !principal.n)
        return km_fail(err, KM_E_LIMIT, "too many have a credential for '%.*s'",
                       KM_STR_ARG(o->name));
    put(h, credential);
    return 0;
}

/* Of a principal that has left one; locked; NULL: it has not, and nothing is locked. */
static struct km_mcp_holder *lock_of(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h;

    pthread_mutex_lock(&o->lock);
    h = o->holders ? km_map_get(o->holders, principal) : NULL;
    pthread_mutex_unlock(&o->lock);
    if (!h)
        return NULL;
    pthread_mutex_lock(&h->lock);
    if (h->logged_in)
        return h;
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

void km_mcp_byok_mark(struct km_mcp_oauth *o, struct km_str principal, struct km_buf *out)
{
    struct km_mcp_holder *h = lock_of(o, principal);
    uint8_t digest[KM_SHA256_LEN];

    if (!h)
        return;
    km_sha256(km_secret_view(&h->access), digest);
    pthread_mutex_unlock(&h->lock);
    km_buf_bytes(out, digest, sizeof digest);
}

int64_t km_mcp_byok_since(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h = lock_of(o, principal);
    int64_t since = 0;

    if (h) {
        since = h->since_us;
        pthread_mutex_unlock(&h->lock);
    }
    return since;
}

void km_mcp_oauth_forget(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h;

    pthread_mutex_lock(&o->lock);
    h = o->holders ? km_map_get(o->holders, principal) : NULL;
    pthread_mutex_unlock(&o->lock);
    if (h) /* as long as o's users */
        put(h, KM_STR_NONE);
}

void km_mcp_oauth_forget_all(struct km_mcp_oauth *o)
{
    struct km_mcp_holder **v = NULL;
    struct km_str key;
    size_t n = 0;
    void *h;

    pthread_mutex_lock(&o->lock);
    if (o->holders)
        v = calloc(km_map_count(o->holders) + 1, sizeof *v);
    for (size_t it = 0; v && km_map_next(o->holders, &it, &key, &h);)
        v[n++] = h;
    pthread_mutex_unlock(&o->lock);
    while (n > 0) /* they stay as long as o's users */
        put(v[--n], KM_STR_NONE);
    free(v);
}
