/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - the token a caller came with becomes one for the server (oauth.h; RFC 8693).
 *
 *     link ── head() ──> km_refresh ── a run ──> POST to the configured token endpoint
 *                        (one at a time,             subject_token: the caller's
 *                         all workers wait)      <── a token for the server alone
 *
 * The caller's token goes to that endpoint and nowhere else: it is never discovered, for a server
 * that could name another would be given the tokens of its callers.  What comes back is kept by
 * principal and digest of the caller's token while it lasts, in memory only; a 401 of the server
 * drops it and asks once more.  An error has the endpoint's code, where it is a known one, and none
 * of its words: they may repeat what was sent.
 */
#include <stdlib.h>

#include "base/time.h"
#include "llm/bearer.h"
#include "llm/refresh_work.h"
#include "llm/token.h"
#include "mcp/oauth/inside.h"

#define EARLY_MS 60000
#define SWEEP_US INT64_C(1000000) /* between two looks at what is over */
#define FORM_BYTES (8 * KM_MCP_SUBJECT_BYTES) /* the subject, escaped, and the little else */
#define GRANT(word) "urn:ietf:params:oauth:grant-type:" word
#define TYPE(word) "urn:ietf:params:oauth:token-type:" word

/* What one token of a caller became.  The table has a reference, and so has each user. */
struct exchanged {
    struct km_auth base; /* first */
    _Atomic unsigned refs;
    struct km_mcp_oauth *o; /* referenced */
    struct km_refresh *refresh; /* owns this: it is freed with it, once refs is 0 */
    struct km_mcp_subject *subject; /* referenced */
    _Atomic int64_t used_us; /* wall */
    _Atomic int64_t until_us; /* of the token it has; 0: none */
    struct km_err failure; /* of its last try; code 0: none; under o->lock */
};

struct run {
    struct km_refresh_work work; /* first */
    struct exchanged *e;
};

static struct exchanged *of(struct km_auth *auth)
{
    return (struct exchanged *)(void *)auth;
}

/* --- a run --- */

static void end(struct run *r, struct km_refreshed *token, const struct km_err *err)
{
    struct km_err why = { 0 };

    if (err)
        km_fail(&why, err->code, "no token for '%.*s': %s", KM_STR_ARG(r->e->o->name), err->text);
    pthread_mutex_lock(&r->e->o->lock);
    r->e->failure = why;
    pthread_mutex_unlock(&r->e->o->lock);
    km_refresh_work_end(&r->work, token, err ? &why : NULL);
}

/* In our own words, by the endpoint's code (RFC 6749, 5.2; 8693, 2.2.2). */
static int refusal(int status, struct km_str code, struct km_err *err)
{
    static const struct {
        const char *code, *words;
    } known[] = {
        { "invalid_grant", "the issuer does not take the caller's token any more: log in again" },
        { "invalid_request", "the issuer does not take the caller's token" },
        { "invalid_target", "the issuer gives no token for this server: see `audience`" },
        { "invalid_scope", "the issuer does not grant the `scopes` that are configured" },
        { "access_denied", "the issuer denies the caller this server" },
        { "interaction_required", "the issuer wants the caller to log in again, or to consent" },
        { "consent_required", "the issuer wants the caller's consent" },
        { "invalid_client", "the issuer does not know kanmon: see `client_id` and its secret" },
        { "unauthorized_client", "the issuer lets kanmon exchange no tokens" },
        { "unsupported_grant_type", "the issuer exchanges no tokens" },
        { "unsupported_token_type", "the issuer does not know the `subject_token_type`" },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (km_str_eq(code, km_str_c(known[i].code)))
            return km_fail(err, KM_E_UNAUTHENTICATED, "%s (%s)", known[i].words, known[i].code);
    return km_fail(err, status >= 500 ? KM_E_UPSTREAM_STATUS : KM_E_UPSTREAM_PROTOCOL,
                   "the issuer's token endpoint answered without one, status %d", status);
}

static bool is_access(struct km_str type)
{
    return !type.n || km_str_eq(type, KM_STR(TYPE("access_token"))) ||
           km_str_eq(type, KM_STR(TYPE("jwt")));
}

static struct km_refreshed *take(struct run *r, int status, struct km_str body, struct km_err *err)
{
    struct km_oauth_tokens t = { 0 };
    struct km_refreshed *token = NULL;
    int64_t until;

    if (km_oauth_tokens_read(&r->work.arena, status, body, &t, NULL) < 0) {
        refusal(status, t.error, err);
    } else if (!is_access(t.issued)) {
        km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the issuer gave another kind of token");
    } else if (km_secret_str_eq(t.access, km_secret_view(&r->e->subject->token))) {
        km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the issuer gave the caller's own token back");
    } else {
        until = km_wall_us() + t.lifetime_s * 1000000;
        token = km_bearer_new(t.access, until, err);
        if (token)
            atomic_store(&r->e->until_us, until);
    }
    return token;
}

static void on_answer(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct run *r = ctx;
    struct km_err err = { 0 };
    struct km_refreshed *token = NULL;

    r->work.fetch = NULL;
    if (why)
        km_fail(&err, why->code, "the issuer's token endpoint: %s", why->text);
    else
        token = take(r, response->status, body, &err);
    end(r, token, token ? NULL : &err);
}

static void put_form(const struct exchanged *e, struct km_str scope, struct km_buf *form)
{
    const struct km_mcp_oauth_settings *s = &e->o->settings;
    struct km_str subject = km_secret_view(&e->subject->token);

    if (s->profile == KM_MCP_EXCHANGE_ENTRA) { /* RFC 7523, and Entra ID's own word */
        km_token_field(form, "grant_type", KM_STR(GRANT("jwt-bearer")));
        km_token_field(form, "requested_token_use", KM_STR("on_behalf_of"));
        km_token_field(form, "assertion", subject);
    } else {
        km_token_field(form, "grant_type", KM_STR(GRANT("token-exchange")));
        km_token_field(form, "subject_token", subject);
        km_token_field(form, "subject_token_type",
                       s->subject_type.n ? s->subject_type : KM_STR(TYPE("access_token")));
        km_token_field(form, "requested_token_type", KM_STR(TYPE("access_token")));
        km_token_field(form, "resource", e->o->server_url);
        km_token_field(form, "audience", s->audience);
    }
    km_token_field(form, "scope", scope);
}

static void start(struct km_refresh_run *run)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(FORM_BYTES);
    struct run *r = km_refresh_work_new(run, KM_MCP_OAUTH_RUN_BYTES, sizeof *r);
    const struct km_mcp_oauth *o;
    struct km_mcp_client client;
    struct km_oauth_net net;
    struct km_err err = { 0 };
    struct km_str head;
    int rc;

    if (!r)
        return;
    r->e = run->owner;
    o = r->e->o;
    net = km_mcp_oauth_net(o, run->loop, run->client);
    client = (struct km_mcp_client){ o->settings.client_id, o->settings.client_secret };
    put_form(r->e, km_mcp_oauth_scope(o, &r->work.arena, KM_STR_NONE, KM_STR_NONE), &form);
    /* As LiteLLM proves itself: in the form, unless it is told otherwise. */
    rc = km_mcp_oauth_prove(o, &r->work.arena, &client,
                            o->settings.auth_method != KM_MCP_CLIENT_BASIC,
                            km_mcp_exchange_url(&o->settings), &form, &head, &err);
    if (rc == 0) {
        r->work.fetch = km_oauth_fetch(&net, KM_STR("POST"), km_mcp_exchange_url(&o->settings),
                                       head, km_buf_view(&form), on_answer, r, &err);
        rc = r->work.fetch ? 0 : err.code;
    }
    km_wipe(form.p, form.n);
    if (rc < 0)
        end(r, NULL, &err);
}

static void exchanged_free(void *owner)
{
    struct exchanged *e = owner;

    km_mcp_subject_unref(e->subject);
    km_mcp_oauth_unref(e->o);
    free(e);
}

static const struct km_refresh_ops refresh_ops = { start, km_refresh_work_abandon, exchanged_free };

/* --- header lines --- */

static int head(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *out, struct km_err *err)
{
    atomic_store(&of(auth)->used_us, args->now_us);
    return km_bearer_head(of(auth)->refresh, args, wait, out, err);
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    km_refresh_cancel(of(auth)->refresh, wait);
}

static bool refused(struct km_auth *auth, const struct km_auth_wait *wait, int status,
                    const struct km_headers *headers, struct km_str body)
{
    (void)headers;
    (void)body;
    if (status != 401 || !km_refresh_distrust(of(auth)->refresh, wait->serial))
        return false;
    atomic_store(&of(auth)->until_us, 0);
    return true;
}

static const struct km_auth_ops auth_ops = { head, cancel, refused, NULL };

struct km_auth *km_mcp_auth_ref(struct km_auth *auth)
{
    if (auth && auth->ops == &auth_ops)
        atomic_fetch_add_explicit(&of(auth)->refs, 1, memory_order_relaxed);
    return auth;
}

void km_mcp_auth_unref(struct km_auth *auth)
{
    if (auth && auth->ops == &auth_ops &&
        atomic_fetch_sub_explicit(&of(auth)->refs, 1, memory_order_acq_rel) == 1)
        km_refresh_unref(of(auth)->refresh);
}

struct km_mcp_subject *km_mcp_auth_subject(struct km_auth *auth)
{
    return auth && auth->ops == &auth_ops ? of(auth)->subject : NULL;
}

/* --- the table --- */

void km_mcp_exchanged_drop(void *value)
{
    struct exchanged *e = value;

    km_mcp_auth_unref(&e->base);
}

/* Under the lock: out goes one that nobody holds and that is over; of a full table, with none such,
 * the one that was not used for longest.  Once a second, or when it is full. */
static void sweep(struct km_mcp_oauth *o, int64_t now_us)
{
    bool full = km_map_count(o->exchanged) >= KM_MCP_OAUTH_PRINCIPALS;
    struct km_str key, keys[64], oldest = KM_STR_NONE;
    int64_t oldest_us = INT64_MAX;
    size_t n = 0;
    void *value;

    if (!full && now_us - o->swept_us < SWEEP_US)
        return;
    o->swept_us = now_us;
    for (size_t it = 0; n < 64 && km_map_next(o->exchanged, &it, &key, &value);) {
        struct exchanged *e = value;
        int64_t used = atomic_load(&e->used_us);

        if (atomic_load(&e->refs) != 1)
            continue;
        if (atomic_load(&e->until_us) <= now_us && now_us - used > SWEEP_US)
            keys[n++] = key;
        else if (used < oldest_us) {
            oldest = key;
            oldest_us = used;
        }
    }
    if (full && n == 0 && oldest.n)
        keys[n++] = oldest;
    while (n > 0)
        km_mcp_exchanged_drop(km_map_del(o->exchanged, keys[--n]));
}

static struct exchanged *exchanged_new(struct km_mcp_oauth *o, struct km_mcp_subject *subject)
{
    struct exchanged *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->base.ops = &auth_ops;
    atomic_init(&e->refs, 1);
    e->o = km_mcp_oauth_ref(o);
    e->subject = km_mcp_subject_ref(subject);
    atomic_init(&e->used_us, km_wall_us());
    e->refresh = km_refresh_new(&refresh_ops, e, EARLY_MS);
    return e->refresh ? e : NULL; /* it was freed with its refresh */
}

static void key_of(struct km_str principal, const struct km_mcp_subject *subject,
                   uint8_t key[KM_SHA256_LEN])
{
    const struct km_str digest = km_str((const char *)subject->digest, sizeof subject->digest);

    km_sha256_parts((struct km_str[]){ digest, principal }, 2, key);
}

bool km_mcp_exchange_failed(struct km_mcp_oauth *o, struct km_str principal,
                            const struct km_mcp_subject *subject, struct km_err *ret)
{
    uint8_t key[KM_SHA256_LEN];
    const struct exchanged *e;
    bool yes;

    key_of(principal, subject, key);
    pthread_mutex_lock(&o->lock);
    e = o->exchanged ? km_map_get(o->exchanged, km_str((const char *)key, sizeof key)) : NULL;
    yes = e && e->failure.code && atomic_load(&e->until_us) <= km_wall_us();
    if (yes && ret)
        *ret = e->failure;
    pthread_mutex_unlock(&o->lock);
    return yes;
}

struct km_auth *km_mcp_exchange_auth(struct km_mcp_oauth *o, struct km_str principal,
                                     struct km_mcp_subject *subject, struct km_err *err)
{
    uint8_t key[KM_SHA256_LEN] = { 0 };
    const struct km_str name = km_str((const char *)key, sizeof key);
    struct km_auth *auth = NULL;
    struct exchanged *e;

    if (!subject || !principal.n) {
        km_mcp_exchange_told(o, err);
        return NULL;
    }
    key_of(principal, subject, key);
    pthread_mutex_lock(&o->lock);
    e = o->exchanged ? km_map_get(o->exchanged, name) : NULL;
    if (!e && o->exchanged) {
        sweep(o, km_wall_us());
        e = exchanged_new(o, subject);
        if (e && km_map_set(o->exchanged, name, e, NULL) < 0) {
            km_refresh_unref(e->refresh);
            e = NULL;
        }
    }
    if (e)
        auth = km_mcp_auth_ref(&e->base);
    pthread_mutex_unlock(&o->lock);
    if (!auth)
        km_fail(err, KM_E_LIMIT, "too many tokens are kept for '%.*s'", KM_STR_ARG(o->name));
    return auth;
}

int km_mcp_exchange_told(const struct km_mcp_oauth *o, struct km_err *err)
{
    return km_fail(err, KM_E_UNAUTHENTICATED,
                   "'%.*s' needs an OIDC login: it takes who comes with a token of a trusted "
                   "issuer (kanmon_settings.jwt) that names its subject, not with a virtual key",
                   KM_STR_ARG(o->name));
}
