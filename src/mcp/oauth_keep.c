/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_keep.c - logins outlive a restart: what a holder has, as one sealed record (oauth.h).
 *
 * The record is JSON with everything a refresh needs: the token, where it is good (issuer, token
 * endpoint, resource) and who kanmon is there.  The access token is kept as well, since a restart
 * within its hour should not cost a refresh.  What of it is a secret is said by the store's seal:
 * all.  Accounts of kanmon's own (client_credentials) are not kept: they ask anew.
 */
#include "base/time.h"
#include "http/json_out.h"
#include "mcp/oauth_inside.h"
#include "store/mcp_tokens.h"

#define PARSE_BYTES (16 * KM_MCP_TOKENS_BYTES)

/* Members of a record that are texts. */
static const struct text {
    const char *name;
    size_t offset;
} texts[] = {
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

static struct km_secret *at(struct km_mcp_holder *h, const struct text *t)
{
    return (struct km_secret *)(void *)((char *)h + t->offset);
}

void km_mcp_oauth_save(struct km_mcp_holder *h)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    struct km_buf issuer KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    struct km_json_out o;

    if (!h->o->store || h->o->by_client)
        return;
    km_json_out_init(&o, &json);
    pthread_mutex_lock(&h->lock);
    km_out_open(&o, '{');
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        km_out_member(&o, texts[i].name, km_secret_view(at(h, &texts[i])));
    km_out_member_i64(&o, "access_expires_us", h->access_expires_us);
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

static void each(void *ctx, struct km_str record)
{
    struct km_mcp_oauth *o = ctx;
    const struct km_json *root;
    struct km_mcp_holder *h;
    struct km_arena arena;
    struct km_str text;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    if (km_json_parse(&arena, record, &root, NULL) == 0 &&
        km_json_string(km_json_get(root, "principal"), &text) &&
        (h = km_mcp_oauth_holder(o, text)) != NULL) {
        pthread_mutex_lock(&h->lock);
        for (size_t i = 1; i < sizeof texts / sizeof texts[0]; i++)
            if (km_json_string(km_json_get(root, texts[i].name), &text))
                km_mcp_keep(at(h, &texts[i]), text);
        (void)km_json_i64(km_json_get(root, "access_expires_us"), &h->access_expires_us);
        (void)km_json_bool(km_json_get(root, "secret_post"), &h->secret_post);
        h->logged_in = h->refresh_token.n || h->access_expires_us > km_wall_us();
        pthread_mutex_unlock(&h->lock);
    }
    km_arena_done(&arena);
}

void km_mcp_oauth_attach(struct km_mcp_oauth *o, struct km_store *store, struct km_str server)
{
    struct km_err ignored;

    if (o->store || o->by_client)
        return; /* the upstream is the same as before */
    km_mcp_keep(&o->server, server);
    o->store = store;
    /* What cannot be read is as if nobody had logged in, which is said when it is needed. */
    if (km_store_mcp_tokens(store, km_secret_view(&o->server), each, o, &ignored) < 0)
        return;
}
