/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c - logins outlive a restart: what a holder has, as one sealed record (oauth.h), and each
 * log-in that a browser is away for, as another for its ten minutes.
 *
 * The record is JSON with everything a refresh needs: the token, where it is good (issuer, token
 * endpoint, resource) and who kanmon is there.  The access token is kept as well, since a restart
 * within its hour should not cost a refresh.  What of it is a secret is said by the store's seal:
 * all.  Accounts of kanmon's own (client_credentials) are not kept: they ask anew.
 *
 * A record is for the resource it names.  When the configuration has another address under the same
 * name, nothing of it is used there.
 */
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "http/json_out.h"
#include "mcp/oauth/inside.h"
#include "store/mcp_tokens.h"

#define PARSE_BYTES (16 * KM_MCP_TOKENS_BYTES)

struct text { /* a member of a record */
    const char *name;
    size_t offset;
};

static const struct text texts[] = {
    { "principal", offsetof(struct km_mcp_holder, principal) },
    { "access", offsetof(struct km_mcp_holder, access) },
    { "refresh", offsetof(struct km_mcp_holder, refresh_token) },
    { "token_url", offsetof(struct km_mcp_holder, token_url) },
    { "client_id", offsetof(struct km_mcp_holder, client_id) },
    { "client_secret", offsetof(struct km_mcp_holder, client_secret) },
    { "resource", offsetof(struct km_mcp_holder, resource) },
    { "issuer", offsetof(struct km_mcp_holder, issuer) },
    { "granted", offsetof(struct km_mcp_holder, granted) },
};

#define PENDING(member) offsetof(struct km_mcp_pending, member)
static const struct text pending_texts[] = {
    { "verifier", PENDING(verifier) },       { "redirect", PENDING(redirect) },
    { "token_url", PENDING(token_url) },     { "client_id", PENDING(client_id) },
    { "client_secret", PENDING(client_secret) }, { "resource", PENDING(resource) },
    { "issuer", PENDING(issuer) },           { "scope", PENDING(scope) },
};
#define NTEXTS(list) (sizeof(list) / sizeof(list)[0])

static struct km_secret *at(void *object, const struct text *t)
{
    return (struct km_secret *)(void *)((char *)object + t->offset);
}

static void put_texts(struct km_json_out *o, void *object, const struct text *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        km_out_member(o, list[i].name, km_secret_view(at(object, &list[i])));
}

static void read_texts(const struct km_json *root, void *object, const struct text *list, size_t n)
{
    struct km_str text;

    for (size_t i = 0; i < n; i++)
        if (km_json_string(km_json_get(root, list[i].name), &text))
            km_mcp_keep(at(object, &list[i]), text);
}

/* --- holders --- */

static bool is_for(const struct km_mcp_oauth *o, struct km_str resource)
{
    return km_oauth_resource_covers(resource, o->server_url);
}

/* A record of a key is none of a log-in, nor the other way about: the server is another one. */
static bool is_kind(const struct km_mcp_oauth *o, struct km_str issuer)
{
    return km_mcp_oauth_by_key(o) == km_str_eq(issuer, KM_STR(KM_MCP_BYOK_ISSUER));
}

/* Whoever has taken over is to have what this one got late: a log-in or a refresh that was under
 * way.  `first` is locked before `next`, and nobody locks them the other way. */
static void pass_on(struct km_mcp_holder *h, struct km_mcp_holder *next)
{
    pthread_mutex_lock(&h->lock);
    pthread_mutex_lock(&next->lock);
    for (size_t i = 1; i < NTEXTS(texts); i++)
        km_mcp_keep(at(next, &texts[i]), km_secret_view(at(h, &texts[i])));
    next->access_expires_us = h->access_expires_us;
    next->since_us = h->since_us;
    next->secret_post = h->secret_post;
    next->fresh = true;
    next->logged_in = h->logged_in;
    pthread_mutex_unlock(&next->lock);
    pthread_mutex_unlock(&h->lock);
}

static void tell_next(struct km_mcp_holder *h)
{
    struct km_mcp_oauth *next;
    struct km_mcp_holder *heir;

    pthread_mutex_lock(&h->o->lock);
    next = h->o->next;
    pthread_mutex_unlock(&h->o->lock);
    heir = next && km_mcp_oauth_by_key(next) == km_mcp_oauth_by_key(h->o) &&
                   is_for(next, km_secret_view(&h->resource))
               ? km_mcp_oauth_holder(next, km_secret_view(&h->principal))
               : NULL;
    if (heir)
        pass_on(h, heir);
}

void km_mcp_oauth_save(struct km_mcp_holder *h)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    struct km_buf issuer KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    struct km_json_out o;

    tell_next(h);
    if (!h->o->store || h->o->by_client)
        return;
    km_json_out_init(&o, &json);
    pthread_mutex_lock(&h->lock);
    km_out_open(&o, '{');
    put_texts(&o, h, texts, NTEXTS(texts));
    km_out_member_i64(&o, "access_expires_us", h->access_expires_us);
    km_out_member_i64(&o, "since_us", h->since_us);
    km_out_key(&o, "secret_post");
    km_out_bool(&o, h->secret_post);
    km_out_close(&o, '}');
    km_buf_str(&issuer, km_secret_view(&h->issuer));
    if (!h->refresh_token.n && !h->access.n)
        km_buf_reset(&json); /* nothing is left of it */
    pthread_mutex_unlock(&h->lock);
    if (!km_buf_failed(&json))
        km_store_mcp_token_put(
            h->o->store, &(struct km_mcp_token_row){ .server = km_secret_view(&h->o->server),
                                                     .principal = km_secret_view(&h->principal),
                                                     .issuer = km_buf_view(&issuer),
                                                     .record = km_buf_view(&json) });
    km_wipe(json.p, json.n);
}

static void read_holder(struct km_mcp_oauth *o, const struct km_json *root)
{
    struct km_str principal = KM_STR_NONE, resource = KM_STR_NONE, issuer = KM_STR_NONE;
    struct km_mcp_holder *h;

    (void)km_json_string(km_json_get(root, "resource"), &resource);
    (void)km_json_string(km_json_get(root, "issuer"), &issuer);
    if (!is_kind(o, issuer) || !is_for(o, resource) ||
        !km_json_string(km_json_get(root, "principal"), &principal) ||
        (h = km_mcp_oauth_holder(o, principal)) == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    if (!h->logged_in) { /* else it has newer ones, of before a reload */
        read_texts(root, h, texts + 1, NTEXTS(texts) - 1);
        (void)km_json_i64(km_json_get(root, "access_expires_us"), &h->access_expires_us);
        (void)km_json_i64(km_json_get(root, "since_us"), &h->since_us);
        (void)km_json_bool(km_json_get(root, "secret_post"), &h->secret_post);
        h->fresh = true;
        h->logged_in = h->refresh_token.n || h->access_expires_us > km_wall_us();
    }
    pthread_mutex_unlock(&h->lock);
}

/* --- log-ins under way --- */

void km_mcp_pending_save(struct km_mcp_oauth *o, const struct km_mcp_pending *p, bool over)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    struct km_buf place KM_CLEANUP(km_buf_done) = KM_BUF(256);
    char state[2 * KM_SHA256_LEN + 1], browser[2 * KM_SHA256_LEN + 1];
    struct km_json_out out;

    if (!o->store)
        return;
    km_hex(state, p->state, sizeof p->state);
    km_hex(browser, p->browser, sizeof p->browser);
    km_buf_printf(&place, "login:%s", state);
    km_json_out_init(&out, &json);
    km_out_open(&out, '{');
    km_out_member(&out, "state", km_str_c(state));
    km_out_member(&out, "browser", km_str_c(browser));
    km_out_member(&out, "principal", over ? KM_STR_NONE : km_secret_view(&p->h->principal));
    put_texts(&out, (void *)(uintptr_t)p, pending_texts, NTEXTS(pending_texts));
    km_out_member_i64(&out, "until_us", p->until_us);
    km_out_key(&out, "says_iss");
    km_out_bool(&out, p->says_iss);
    km_out_key(&out, "secret_post");
    km_out_bool(&out, p->secret_post);
    km_out_close(&out, '}');
    if (!km_buf_failed(&json) && !km_buf_failed(&place))
        km_store_mcp_token_put(o->store, &(struct km_mcp_token_row){
                                             .server = km_secret_view(&o->server),
                                             .principal = km_buf_view(&place),
                                             .issuer = km_secret_view(&p->issuer),
                                             .record = over ? KM_STR_NONE : km_buf_view(&json) });
    km_wipe(json.p, json.n);
}

static bool read_digest(const struct km_json *root, const char *name, uint8_t out[KM_SHA256_LEN])
{
    struct km_str hex = KM_STR_NONE;

    (void)km_json_string(km_json_get(root, name), &hex);
    return km_unhex(hex, out, KM_SHA256_LEN) == 0;
}

/* One that is over goes from the store, too. */
static void read_pending(struct km_mcp_oauth *o, const struct km_json *root)
{
    struct km_mcp_pending *p = calloc(1, sizeof *p);
    struct km_str principal = KM_STR_NONE;

    if (!p)
        return;
    read_texts(root, p, pending_texts, NTEXTS(pending_texts));
    (void)km_json_string(km_json_get(root, "principal"), &principal);
    (void)km_json_i64(km_json_get(root, "until_us"), &p->until_us);
    (void)km_json_bool(km_json_get(root, "says_iss"), &p->says_iss);
    (void)km_json_bool(km_json_get(root, "secret_post"), &p->secret_post);
    if (read_digest(root, "state", p->state) && read_digest(root, "browser", p->browser) &&
        p->until_us > km_wall_us() && is_for(o, km_secret_view(&p->resource)))
        p->h = km_mcp_oauth_holder(o, principal);
    if (p->h && !km_mcp_pending_has(o, p->state)) {
        km_mcp_pending_add(o, p);
        return;
    }
    if (!p->h)
        km_mcp_pending_save(o, p, true);
    km_mcp_pending_free(p);
}

/* --- both --- */

static void each(void *ctx, struct km_str record)
{
    const struct km_json *root;
    struct km_arena arena;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    if (km_json_parse(&arena, record, &root, NULL) == 0) {
        if (km_json_get(root, "state"))
            read_pending(ctx, root);
        else
            read_holder(ctx, root);
    }
    km_arena_done(&arena);
}

void km_mcp_oauth_follow(struct km_mcp_oauth *o, struct km_mcp_oauth *old)
{
    struct km_str key;
    void *value;

    if (o->store || o->by_client || o->by_exchange ||
        km_mcp_oauth_by_key(o) != km_mcp_oauth_by_key(old))
        return;
    pthread_mutex_lock(&old->lock);
    if (!old->next)
        old->next = km_mcp_oauth_ref(o);
    for (size_t it = 0; old->holders && km_map_next(old->holders, &it, &key, &value);) {
        struct km_mcp_holder *h = value, *heir;

        heir = is_for(o, km_secret_view(&h->resource)) ? km_mcp_oauth_holder(o, key) : NULL;
        if (heir)
            pass_on(h, heir);
    }
    pthread_mutex_unlock(&old->lock);
    km_mcp_pending_move(old, o);
}

void km_mcp_oauth_attach(struct km_mcp_oauth *o, struct km_store *store, struct km_str server)
{
    struct km_err ignored;

    if (o->store || o->by_client || o->by_exchange)
        return; /* the upstream is the same as before, or nothing of it is kept */
    km_mcp_keep(&o->server, server);
    o->store = store;
    /* What cannot be read is as if nobody had logged in, which is said when it is needed. */
    if (km_store_mcp_tokens(store, km_secret_view(&o->server), each, o, &ignored) < 0)
        return;
}
