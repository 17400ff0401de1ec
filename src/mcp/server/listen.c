/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - what a client wants to hear of: subscriptions of both eras (peer.h).
 *
 *     handshake   resources/subscribe: addresses, kept with the line; list_changed always goes
 *     stateless   subscriptions/listen: a request that stays open and says what it is about
 *
 * Whatever goes out because of a listening request names it, by its id as it came.
 */
#include <stdlib.h>

#include "mcp/server/part.h"
#include "mcp/server/peer_part.h"

#define NOTICE_BYTES ((size_t)1024 * 1024)
#define SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"

struct uri {
    struct km_list link;
    size_t n;
    char p[];
};

static struct uri *find_uri(const struct km_mcp_peer *p, struct km_str uri)
{
    for (struct km_list *it = p->uris.next; it != &p->uris; it = it->next) {
        struct uri *u = KM_CONTAINER(it, struct uri, link);

        if (km_str_eq(km_str(u->p, u->n), uri))
            return u;
    }
    return NULL;
}

static void remove_uri(struct km_mcp_peer *p, struct uri *u)
{
    km_list_remove(&u->link);
    p->nuris--;
    free(u);
}

void km_mcp_peer_subscribe(struct km_mcp_peer_call *c, bool on)
{
    struct km_mcp_peer *p = c->peer;
    struct km_str uri = KM_STR_NONE;
    struct uri *u;

    (void)km_json_string(km_json_get(c->core.msg.params, "uri"), &uri);
    u = find_uri(p, uri);
    if (u && !on) {
        remove_uri(p, u);
    } else if (!u && on) {
        u = p->nuris < KM_MCP_PEER_URIS ? malloc(sizeof *u + uri.n) : NULL;
        if (!u) {
            km_mcp_fault(&c->core, KM_RPC_INVALID_PARAMS, "too many subscriptions");
            return;
        }
        u->n = uri.n;
        memcpy(u->p, uri.p ? uri.p : "", uri.n);
        km_list_push(&p->uris, &u->link);
        p->nuris++;
    }
    km_mcp_reply_result(&c->core, KM_STR("{}"));
}

/* Does this listening request want to hear of it? */
static bool wants(const struct km_mcp_peer_call *c, struct km_str method, struct km_str uri)
{
    static const struct {
        struct km_str method;
        const char *name;
    } lists[] = {
        { { "notifications/tools/list_changed", 32 }, "toolsListChanged" },
        { { "notifications/prompts/list_changed", 34 }, "promptsListChanged" },
        { { "notifications/resources/list_changed", 36 }, "resourcesListChanged" },
    };
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, one;
    bool on = false;

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (km_str_eq(lists[i].method, method))
            return km_json_bool(km_json_get(c->listens, lists[i].name), &on) && on;
    km_json_iter(km_json_get(c->listens, "resourceSubscriptions"), &it);
    while (km_json_next(&it, &unused, &item))
        if (km_json_string(item, &one) && km_str_eq(one, uri))
            return true;
    return false;
}

static void put_subscription(const struct km_mcp_peer_call *c, struct km_buf *b)
{
    km_buf_str(b, KM_STR("\"_meta\":{\"" SUBSCRIPTION "\":"));
    km_buf_str(b, c->core.msg.id);
    km_buf_byte(b, '}');
}

void km_mcp_peer_listen(struct km_mcp_peer_call *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTICE_BYTES);

    c->listens = km_json_get(c->core.msg.params, "notifications");
    if (km_json_kind(c->listens) != KM_JSON_OBJECT) {
        c->listens = NULL;
        km_mcp_fault(&c->core, KM_RPC_INVALID_PARAMS,
                     "subscriptions/listen needs params.notifications");
        return;
    }
    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/"
                          "acknowledged\",\"params\":{\"notifications\":"));
    km_json_write(c->listens, &b);
    km_buf_byte(&b, ',');
    put_subscription(c, &b);
    km_buf_str(&b, KM_STR("}}"));
    if (!km_buf_failed(&b))
        c->core.host->send(&c->core, km_buf_view(&b));
}

/* {"uri":...} with what else there is to say. */
static void put_notice(struct km_str method, struct km_str params, const struct km_mcp_peer_call *c,
                       struct km_buf *b)
{
    struct km_str inside = params.n ? km_str_sub(params, 1, params.n - 2) : KM_STR_NONE;

    km_buf_str(b, KM_STR("{\"jsonrpc\":\"2.0\",\"method\":"));
    km_buf_json(b, method);
    if (params.n || c)
        km_buf_str(b, KM_STR(",\"params\":{"));
    km_buf_str(b, inside);
    if (inside.n && c)
        km_buf_byte(b, ',');
    if (c)
        put_subscription(c, b);
    km_buf_str(b, params.n || c ? KM_STR("}}") : KM_STR("}"));
}

static struct km_str uri_of(struct km_arena *arena, struct km_str params)
{
    const struct km_json *root;
    struct km_str uri = KM_STR_NONE;

    if (params.n && km_json_parse(arena, params, &root, NULL) == 0)
        (void)km_json_string(km_json_get(root, "uri"), &uri);
    return uri;
}

void km_mcp_peer_tell(struct km_mcp_peer *p, struct km_str method, struct km_str params)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTICE_BYTES);
    bool one = km_str_eq(method, KM_STR("notifications/resources/updated"));
    struct km_arena arena;
    struct km_str uri;

    km_arena_init(&arena, NOTICE_BYTES, NULL);
    uri = one ? uri_of(&arena, params) : KM_STR_NONE;
    if (p->revision && (!one || p->keeps || find_uri(p, uri))) {
        put_notice(method, params, NULL, &b);
        if (!km_buf_failed(&b))
            p->args.put(p->args.ctx, 0, km_buf_view(&b));
    }
    KM_LIST_EACH(it, &p->calls)
    {
        struct km_mcp_peer_call *c = KM_CONTAINER(it, struct km_mcp_peer_call, link);

        if (!c->listens || !wants(c, method, uri))
            continue;
        km_buf_reset(&b);
        put_notice(method, params, c, &b);
        if (!km_buf_failed(&b))
            c->core.host->send(&c->core, km_buf_view(&b));
    }
    km_arena_done(&arena);
}

/* A listening request ends with a result. */
void km_mcp_peer_stop_listening(struct km_mcp_peer_call *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTICE_BYTES);

    c->listens = NULL;
    km_buf_str(&b, KM_STR("{\"resultType\":\"complete\","));
    put_subscription(c, &b);
    km_buf_byte(&b, '}');
    km_mcp_reply_result(&c->core, km_buf_view(&b));
}

void km_mcp_peer_forget_uris(struct km_mcp_peer *p)
{
    struct km_list *link;

    while ((link = km_list_pop(&p->uris)) != NULL)
        free(KM_CONTAINER(link, struct uri, link));
    p->nuris = 0;
}
