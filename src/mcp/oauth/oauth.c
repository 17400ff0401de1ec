/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - see oauth.h.  What one server's log-ins are kept in: who kanmon is there, and who has
 * what (a holder for each principal, or one for all).
 *
 *     oauth.c         the server and its holders
 *     token.c   a holder's token: from a log-in, a refresh token, an account of kanmon's own
 *     exchange.c   or from the token a caller came with, which has no holder
 *     byok.c    or it is a key that the caller has given
 *     login.c, pending.c, back.c   a person logs in: the way there, the wait, the way back
 *     find.c, meta.c   where to ask
 *     prove.c   how a client proves itself
 *     keep.c    what outlives a restart
 *     offer.c   what is shown to whom has not logged in
 */
#include <stdlib.h>

#include "base/time.h"
#include "mcp/oauth/inside.h"

#define EARLY_MS 60000

void km_mcp_keep(struct km_secret *at, struct km_str text)
{
    km_secret_done(at);
    if (text.n && km_secret_init(at, text) < 0)
        *at = (struct km_secret){ 0 };
}

struct km_oauth_net km_mcp_oauth_net(const struct km_mcp_oauth *o, struct km_loop *loop,
                                     struct km_http_client *client)
{
    return (struct km_oauth_net){ .loop = loop,
                                  .client = client,
                                  .tls = o->tls,
                                  .proxies = &o->proxies,
                                  .trusted_hosts = &o->trusted_hosts,
                                  .server_url = o->server_url,
                                  .guard = o->guard,
                                  .own_urls = {
                                      o->settings.token_url, o->settings.authorization_url,
                                      o->settings.registration_url, o->settings.exchange_url } };
}

bool km_mcp_oauth_configured(const struct km_mcp_oauth *o, struct km_oauth_found *ret)
{
    const struct km_mcp_oauth_settings *s = &o->settings;

    if (!s->token_url.n)
        return false;
    *ret = (struct km_oauth_found){
        .resource = { .resource = o->server_url, .issuer = km_oauth_origin(s->token_url) },
        .server = { .issuer = km_oauth_origin(s->token_url),
                    .authorization = s->authorization_url,
                    .token = s->token_url,
                    .registration = s->registration_url,
                    .secret_post = s->auth_method == KM_MCP_CLIENT_POST,
                    .s256 = true },
    };
    return true;
}

/* --- holders --- */

void km_mcp_oauth_holder_free(void *owner)
{
    struct km_mcp_holder *h = owner;
    struct km_secret *const all[] = { &h->access,    &h->refresh_token, &h->token_url,
                                      &h->client_id, &h->client_secret, &h->resource,
                                      &h->issuer,    &h->granted,       &h->scope,
                                      &h->metadata_url, &h->principal };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        km_secret_done(all[i]);
    pthread_mutex_destroy(&h->lock);
    km_mcp_oauth_unref(h->o);
    free(h);
}

static struct km_mcp_holder *holder_new(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->base.ops = o->scheme ? &km_mcp_byok_auth_ops : &km_mcp_oauth_auth_ops;
    h->o = km_mcp_oauth_ref(o);
    km_mcp_keep(&h->principal, principal);
    pthread_mutex_init(&h->lock, NULL);
    h->refresh = km_refresh_new(&km_mcp_oauth_refresh_ops, h, EARLY_MS);
    return h->refresh ? h : NULL; /* it was freed with its refresh */
}

struct km_mcp_holder *km_mcp_oauth_holder(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h;

    if (o->by_client || (o->settings.shared && !o->scheme))
        principal = KM_STR_NONE;
    pthread_mutex_lock(&o->lock);
    h = km_map_get(o->holders, principal);
    if (!h && (h = holder_new(o, principal)) != NULL &&
        km_map_set(o->holders, principal, h, NULL) < 0) {
        km_refresh_unref(h->refresh);
        h = NULL;
    }
    pthread_mutex_unlock(&o->lock);
    return h;
}

struct km_auth *km_mcp_oauth_auth(struct km_mcp_oauth *o, struct km_str principal,
                                  struct km_mcp_subject *subject, struct km_err *err)
{
    struct km_mcp_holder *h;

    if (o->by_exchange)
        return km_mcp_exchange_auth(o, principal, subject, err);
    h = km_mcp_oauth_holder(o, principal);
    if (!h)
        km_fail(err, KM_E_LIMIT, "too many have logged in at '%.*s'", KM_STR_ARG(o->name));
    return h ? &h->base : NULL;
}

bool km_mcp_oauth_exchanges(const struct km_mcp_oauth *o)
{
    return o->by_exchange;
}

enum km_mcp_login km_mcp_oauth_state(struct km_mcp_oauth *o, struct km_str principal)
{
    enum km_mcp_login state = o->by_client ? KM_MCP_LOGIN_DONE : KM_MCP_LOGIN_NEEDED;
    struct km_mcp_holder *h;

    if (o->settings.shared && !o->scheme)
        principal = KM_STR_NONE;
    pthread_mutex_lock(&o->lock); /* who only asks gets no place: there are so many of them */
    h = o->by_client || !o->holders ? NULL : km_map_get(o->holders, principal);
    pthread_mutex_unlock(&o->lock);
    if (!h)
        return state;
    pthread_mutex_lock(&h->lock);
    if (h->logged_in)
        state = h->step_up ? KM_MCP_LOGIN_MORE : KM_MCP_LOGIN_DONE;
    pthread_mutex_unlock(&h->lock);
    return state;
}

bool km_mcp_oauth_by_client(const struct km_mcp_oauth *o)
{
    return o->by_client;
}

size_t km_mcp_oauth_count(struct km_mcp_oauth *o)
{
    struct km_str key;
    size_t n = 0;
    void *value;

    pthread_mutex_lock(&o->lock);
    for (size_t it = 0; o->holders && km_map_next(o->holders, &it, &key, &value);) {
        struct km_mcp_holder *h = value;

        pthread_mutex_lock(&h->lock);
        n += h->logged_in;
        pthread_mutex_unlock(&h->lock);
    }
    pthread_mutex_unlock(&o->lock);
    return n;
}

/* --- one server's --- */

static struct km_str_list copy_list(struct km_arena *arena, const struct km_str_list *list)
{
    struct km_str *v = km_arena_alloc(arena, (list->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < list->n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    return (struct km_str_list){ v, v ? list->n : 0 };
}

static void copy_settings(struct km_mcp_oauth *o, const struct km_mcp_oauth_settings *from)
{
    struct km_mcp_oauth_settings *s = &o->settings;
    struct km_str *const texts[] = { &s->client_id, &s->client_secret,    &s->authorization_url,
                                     &s->token_url, &s->registration_url, &s->flow,
                                     &s->private_key, &s->exchange_url, &s->audience,
                                     &s->subject_type };

    *s = *from;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = km_arena_str(&o->arena, *texts[i]);
    s->scopes = copy_list(&o->arena, &from->scopes);
}

/* All that a log-in depends on: under another address or client it may be another one. */
static void digest(const struct km_mcp_oauth_args *args, uint8_t ret[KM_SHA256_LEN])
{
    const struct km_mcp_oauth_settings *s = args->settings;
    const struct km_str texts[] = { args->name,       args->server_url,    args->document,
                                    s->client_id,     s->client_secret,    s->authorization_url,
                                    s->token_url,     s->registration_url, s->flow,
                                    s->private_key,   s->exchange_url,     s->audience,
                                    s->subject_type,  args->help };
    const struct km_str_list *const lists[] = { &s->scopes, args->trusted_hosts };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        km_buf_json(&b, texts[i]);
    for (size_t i = 0; i < 2; i++) {
        km_buf_byte(&b, '[');
        for (size_t k = 0; k < lists[i]->n; k++)
            km_buf_json(&b, lists[i]->v[k]);
    }
    km_buf_printf(&b, "%d,%d,%lld,%lld,%lld", s->shared, args->exchange, (long long)s->profile,
                  (long long)s->auth_method, (long long)args->scheme);
    if (km_buf_failed(&b))
        (void)(km_random(ret, KM_SHA256_LEN, NULL) == 0); /* nothing else's */
    else
        km_sha256(km_buf_view(&b), ret);
    km_wipe(b.p, b.n);
}

bool km_mcp_oauth_same(const struct km_mcp_oauth *a, const struct km_mcp_oauth *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

struct km_mcp_oauth *km_mcp_oauth_share(struct km_mcp_oauth *o)
{
    atomic_fetch_add_explicit(&o->users, 1, memory_order_relaxed);
    return o;
}

struct km_mcp_oauth *km_mcp_oauth_new(const struct km_mcp_oauth_args *args, struct km_err *err)
{
    struct km_arena arena;
    struct km_mcp_oauth *o;

    km_arena_init(&arena, 256 * 1024, NULL);
    o = km_arena_zalloc(&arena, sizeof *o);
    if (o) {
        o->arena = arena;
        o->holders = km_map_new(KM_MCP_OAUTH_PRINCIPALS);
        o->exchanged = km_map_new(KM_MCP_OAUTH_PRINCIPALS);
    }
    if (!o || !o->holders || !o->exchanged) {
        if (o) {
            arena = o->arena;
            km_map_free(o->holders, NULL);
            km_map_free(o->exchanged, NULL);
        }
        km_arena_done(&arena);
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    atomic_init(&o->refs, 1);
    atomic_init(&o->users, 1);
    pthread_mutex_init(&o->lock, NULL);
    km_list_init(&o->logins);
    o->name = km_arena_str(&o->arena, args->name);
    o->server_url = km_arena_str(&o->arena, args->server_url);
    o->document = km_arena_str(&o->arena, args->document);
    copy_settings(o, args->settings);
    digest(args, o->digest);
    o->by_exchange = args->exchange;
    o->scheme = args->scheme;
    o->help = km_arena_str(&o->arena, args->help);
    o->guard = args->guard;
    o->by_client = !args->exchange && !args->scheme &&
                   km_str_eq(o->settings.flow, KM_STR("client_credentials"));
    o->tls = km_tls_client_ref(args->tls);
    if (args->proxies)
        o->proxies = (struct km_proxy_env){ km_arena_str(&o->arena, args->proxies->http),
                                            km_arena_str(&o->arena, args->proxies->https),
                                            km_arena_str(&o->arena, args->proxies->none) };
    o->trusted_hosts = copy_list(&o->arena, args->trusted_hosts);
    o->offer = km_mcp_oauth_offer_new(o);
    if (o->offer)
        return o;
    km_mcp_oauth_close(o);
    km_fail(err, KM_E_NOMEM, "out of memory");
    return NULL;
}

struct km_mcp_oauth *km_mcp_oauth_ref(struct km_mcp_oauth *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void km_mcp_oauth_unref(struct km_mcp_oauth *o)
{
    struct km_arena arena;

    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    km_mcp_pending_free_all(o);
    if (o->next)
        km_mcp_oauth_unref(o->next);
    km_secret_done(&o->server);
    km_secret_done(&o->registered_id);
    km_secret_done(&o->registered_secret);
    km_secret_done(&o->registered_at);
    km_secret_done(&o->registered_for);
    km_mcp_catalogue_unref(o->offer);
    km_tls_client_unref(o->tls);
    pthread_mutex_destroy(&o->lock);
    if (o->settings.client_secret.n)
        km_wipe((void *)(uintptr_t)o->settings.client_secret.p, o->settings.client_secret.n);
    if (o->settings.private_key.n)
        km_wipe((void *)(uintptr_t)o->settings.private_key.p, o->settings.private_key.n);
    arena = o->arena;
    km_arena_done(&arena);
}

static void close_holder(void *value)
{
    struct km_mcp_holder *h = value;

    km_refresh_unref(h->refresh); /* the last reference frees h */
}

void km_mcp_oauth_close(struct km_mcp_oauth *o)
{
    struct km_map *holders, *exchanged;

    if (!o || atomic_fetch_sub_explicit(&o->users, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&o->lock);
    holders = o->holders;
    exchanged = o->exchanged;
    o->holders = o->exchanged = NULL;
    pthread_mutex_unlock(&o->lock);
    km_map_free(holders, close_holder);
    km_map_free(exchanged, km_mcp_exchanged_drop);
    km_mcp_oauth_unref(o);
}
