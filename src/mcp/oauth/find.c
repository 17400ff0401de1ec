/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - see find.h.
 *
 *     a request to the server itself, without a token: its challenge says where to look and what
 *     to ask for
 *     the challenge's resource_metadata, or the well-known places    (RFC 9728)
 *       └── authorization_servers[0], or the server's own origin where there is no document
 *             └── RFC 8414's place, OpenID's two                     (issuer must be the same)
 *                   └── of a server of 2025-03-26 without any: /authorize, /token, /register
 */
#include "mcp/oauth/find.h"

#include "http/json.h"

#define TIMEOUT_MS 10000
#define PROBE_HEAD                                                                                 \
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"            \
    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n"
#define PROBE_BODY                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{"              \
    "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                  \
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"kanmon\",\"version\":\"" KM_VERSION      \
    "\"},\"io.modelcontextprotocol/clientCapabilities\":{}}}}"

struct km_oauth_find {
    struct km_arena *arena;
    struct km_oauth_net net;
    km_oauth_find_fn *fn;
    void *ctx;
    struct km_fetch *fetch;
    struct km_str urls[KM_OAUTH_URLS];
    size_t n, at;
    bool probing; /* the server itself is asked */
    bool server; /* which of the two is looked for */
    bool old; /* no resource document: a server of 2025-03-26 */
    struct km_oauth_found found;
    bool *over; /* it ended before km_oauth_find() returned */
};

static void look(struct km_oauth_find *f);

static bool same_host(struct km_str a, struct km_str b)
{
    return km_oauth_origin(a).n && km_str_ieq(km_oauth_origin(a), km_oauth_origin(b));
}

struct km_fetch *km_oauth_fetch(const struct km_oauth_net *net, struct km_str method,
                                struct km_str url, struct km_str head, struct km_str body,
                                km_fetch_fn *fn, void *ctx, struct km_err *err)
{
    bool trusted = same_host(url, net->server_url) || km_url_host_listed(url, net->trusted_hosts);
    bool post = km_str_eq(method, KM_STR("POST"));

    for (size_t i = 0; i < sizeof net->own_urls / sizeof net->own_urls[0]; i++)
        trusted = trusted || same_host(url, net->own_urls[i]);

    return km_fetch_start(&(struct km_fetch_args){ .loop = net->loop,
                                                   .client = net->client,
                                                   .tls = net->tls,
                                                   .proxies = net->proxies,
                                                   .guard = trusted ? net->guard : KM_GUARD_PUBLIC,
                                                   .method = method,
                                                   .url = url,
                                                   .head = head,
                                                   .body = body,
                                                   .has_body = post,
                                                   .timeout_ms = TIMEOUT_MS,
                                                   .tries = 1,
                                                   .max_bytes = KM_OAUTH_DOCUMENT_BYTES },
                          fn, ctx, err);
}

static void finish(struct km_oauth_find *f, const struct km_err *err)
{
    if (f->over)
        *f->over = true;
    f->fn(f->ctx, err ? NULL : &f->found, err); /* f may be gone */
}

static void find_server(struct km_oauth_find *f)
{
    f->server = true;
    f->at = 0;
    f->n = km_oauth_server_urls(f->arena, f->found.resource.issuer, f->urls);
    look(f);
}

/* Nothing at all of places asked. */
static void nowhere(struct km_oauth_find *f)
{
    struct km_str origin = km_oauth_origin(f->net.server_url);
    struct km_err err = { 0 };

    if (!f->server) {
        f->old = true;
        f->found.resource =
            (struct km_oauth_resource){ .resource = f->net.server_url, .issuer = origin };
        find_server(f);
        return;
    }
    if (!f->old) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
                "the authorization server %.*s says nothing of itself (RFC 8414)",
                KM_STR_ARG(km_str_sub(f->found.resource.issuer, 0, 150)));
        finish(f, &err);
        return;
    }
    f->found.server = (struct km_oauth_server){
        .issuer = origin,
        .s256 = true,
        .authorization =
            km_arena_cat(f->arena, (struct km_str[]){ origin, KM_STR("/authorize") }, 2),
        .token = km_arena_cat(f->arena, (struct km_str[]){ origin, KM_STR("/token") }, 2),
        .registration = km_arena_cat(f->arena, (struct km_str[]){ origin, KM_STR("/register") }, 2),
    };
    finish(f, NULL);
}

/* What the server says to a request without a token (RFC 6750, 3; RFC 9728, 5.1). */
static void take_challenge(struct km_oauth_find *f, const struct km_response *response)
{
    struct km_oauth_challenge_parts c = { 0 };

    f->probing = false;
    if (response && (response->status == 401 || response->status == 403))
        (void)km_oauth_challenge_read(
            f->arena, km_header_get(&response->headers, KM_STR("www-authenticate")), &c);
    f->found.scope = km_arena_str(f->arena, c.scope);
    f->at = f->n = 0;
    if (c.resource_metadata.n)
        f->urls[f->n++] = km_arena_str(f->arena, c.resource_metadata);
    else
        f->n = km_oauth_resource_urls(f->arena, f->net.server_url, f->urls);
    look(f);
}

/* In 2025-03-26 the metadata lay at the server's origin whatever the issuer's path. */
static void take_old_issuer(struct km_oauth_find *f, struct km_str body)
{
    const struct km_json *root = NULL;
    struct km_str said;

    if (f->old && km_json_parse(f->arena, body, &root, NULL) == 0 &&
        km_json_string(km_json_get(root, "issuer"), &said) &&
        same_host(said, f->found.resource.issuer))
        f->found.resource.issuer = said;
}

static void on_answer(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct km_oauth_find *f = ctx;
    struct km_err err = { 0 }, said = { 0 };
    int r = 0;

    f->fetch = NULL;
    if (f->probing) {
        take_challenge(f, why ? NULL : response);
        return;
    }
    if (why || response->status >= 500) {
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "%.*s: %s",
                KM_STR_ARG(km_str_sub(f->urls[f->at], 0, 150)),
                why ? why->text : "it answered with an error");
        finish(f, &err);
        return;
    }
    if (response->status != 200) {
        f->at++;
        look(f);
        return;
    }
    take_old_issuer(f, body);
    r = f->server
            ? km_oauth_server_read(f->arena, body, f->found.resource.issuer, &f->found.server,
                                   &said)
            : km_oauth_resource_read(f->arena, body, f->net.server_url, &f->found.resource, &said);
    if (r < 0) {
        km_fail(&err, r, "%.*s: %s", KM_STR_ARG(km_str_sub(f->urls[f->at], 0, 150)), said.text);
        finish(f, &err);
    } else if (f->server) {
        finish(f, NULL);
    } else {
        find_server(f);
    }
}

static void probe(struct km_oauth_find *f)
{
    struct km_err err = { 0 };

    f->probing = true;
    f->urls[0] = f->net.server_url;
    f->fetch = km_oauth_fetch(&f->net, KM_STR("POST"), f->net.server_url, KM_STR(PROBE_HEAD),
                              KM_STR(PROBE_BODY), on_answer, f, &err);
    if (!f->fetch)
        finish(f, &err);
}

static void look(struct km_oauth_find *f)
{
    struct km_err err = { 0 };

    if (f->at >= f->n) {
        nowhere(f);
        return;
    }
    f->fetch = km_oauth_fetch(&f->net, KM_STR("GET"), f->urls[f->at],
                              KM_STR("Accept: application/json\r\n"
                                     "MCP-Protocol-Version: 2025-11-25\r\n"),
                              KM_STR_NONE, on_answer, f, &err);
    if (!f->fetch)
        finish(f, &err);
}

struct km_oauth_find *km_oauth_find(struct km_arena *arena, const struct km_oauth_net *net,
                                    struct km_str metadata_url, km_oauth_find_fn *fn, void *ctx)
{
    struct km_oauth_find *f = km_arena_zalloc(arena, sizeof *f);
    struct km_err err = { 0 };
    bool over = false;

    if (!f) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        fn(ctx, NULL, &err);
        return NULL;
    }
    *f = (struct km_oauth_find){ .arena = arena, .net = *net, .fn = fn, .ctx = ctx, .over = &over };
    if (metadata_url.n) {
        f->urls[f->n++] = metadata_url;
        look(f);
    } else {
        probe(f);
    }
    if (over)
        return NULL;
    f->over = NULL;
    return f;
}

void km_oauth_find_abandon(struct km_oauth_find *f)
{
    if (f)
        km_fetch_abandon(f->fetch);
}
