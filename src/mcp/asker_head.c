/* SPDX-License-Identifier: Apache-2.0 */
/* asker_head.c - the header lines a server is sent for somebody (asker.h).
 *
 * Never passed on is what a client proves itself to kanmon with, whatever extra_headers says: a
 * server that could use it would be the client.  A header meant for one server has its name in
 * front, as LiteLLM has it: `x-mcp-{alias}-authorization`; LiteLLM's older `x-mcp-auth` is a
 * credential for every server that wants one, in the form it wants.
 *
 *     static header  >  what the client sent  >  the configured credential
 */
#include "base/crypto.h"
#include "base/encode.h"
#include "http/fields.h"
#include "mcp/asker.h"

#define HEAD_BYTES ((size_t)32 * 1024)
#define VALUE_BYTES ((size_t)64 * 1024)

bool km_asker_kept_back(struct km_str name, struct km_str key_header)
{
    return !km_field_goes(name, KM_WAY_MCP) || (key_header.n && km_str_ieq(name, key_header));
}

/* "x-mcp-{alias}-{name}": name, or empty. */
static struct km_str meant_for(const struct km_mcp_upstream *u, struct km_str name)
{
    struct km_str rest = km_str_skip(name, 6);

    if (!km_str_istarts(name, KM_STR("x-mcp-")))
        return KM_STR_NONE;
    if (km_str_istarts(rest, u->alias) && rest.n > u->alias.n + 1 && rest.p[u->alias.n] == '-')
        return km_str_skip(rest, u->alias.n + 1);
    if (km_str_istarts(rest, u->name) && rest.n > u->name.n + 1 && rest.p[u->name.n] == '-')
        return km_str_skip(rest, u->name.n + 1);
    return KM_STR_NONE;
}

static bool in_map(const struct km_str_map *map, struct km_str name)
{
    for (size_t i = 0; i < map->n; i++)
        if (km_str_ieq(map->v[i].name, name))
            return true;
    return false;
}

static int put_sent(const struct km_mcp_upstream *u, const struct km_header *h, struct km_buf *head,
                    struct km_err *err)
{
    struct km_str own = meant_for(u, h->name);
    /* Only where it is meant for that server: by its plain name it proves the client here. */
    bool proof = km_str_ieq(own, KM_STR("authorization")) || km_str_ieq(own, KM_STR("x-api-key"));

    if (!own.n && km_str_iamong(h->name, u->entry->extra_headers.v, u->entry->extra_headers.n))
        own = h->name;
    if (!own.n || (!proof && km_asker_kept_back(own, u->key_header)) ||
        in_map(&u->entry->static_headers, own) ||
        (proof && u->entry->auth == KM_MCP_AUTH_SIGV4)) /* the signature stands there */
        return 0;
    return km_header_put(head, own, h->value, err);
}

/* Is there a line of this name ("Authorization:")? */
static bool has_line(struct km_str lines, struct km_str name)
{
    struct km_str line;

    while (km_str_split(&lines, '\n', &line))
        if (km_str_istarts(line, name))
            return true;
    return false;
}

static struct km_str name_of(struct km_str line)
{
    return km_str_sub(line, 0, km_str_chr(line, ':') + 1);
}

int km_asker_credential(const struct km_mcp_entry *e, struct km_str value, struct km_buf *head,
                        struct km_err *err)
{
    return km_asker_line(e->auth, value, head, err);
}

int km_asker_line(int64_t auth, struct km_str value, struct km_buf *head, struct km_err *err)
{
    static const char *const schemes[] = { [KM_MCP_AUTH_BEARER] = "Bearer ",
                                           [KM_MCP_AUTH_BASIC] = "Basic ",
                                           [KM_MCP_AUTH_RAW] = "",
                                           [KM_MCP_AUTH_TOKEN] = "token " };
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    int r;

    if (!value.n || auth == KM_MCP_AUTH_NONE || auth >= KM_MCP_AUTH_OAUTH2)
        return 0;
    if (auth == KM_MCP_AUTH_API_KEY)
        return km_header_put(head, KM_STR("X-API-Key"), value, err);
    km_buf_str(&text, km_str_c(schemes[auth]));
    if (auth == KM_MCP_AUTH_BASIC && km_str_chr(value, ':') < value.n)
        km_buf_base64(&text, value);
    else
        km_buf_str(&text, value);
    r = km_header_put(head, KM_STR("Authorization"), km_buf_view(&text), err);
    km_wipe(text.p, text.n);
    return r;
}

/* The client's own for all servers, unless it has sent one for this. */
static int put_client_auth(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                           struct km_buf *head, struct km_err *err)
{
    struct km_str value = km_header_get(asker->headers, u->client_auth), name;
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    int r;

    if (!value.n || km_asker_kept_back(u->client_auth, u->key_header))
        return 0;
    r = km_asker_credential(u->entry, value, &line, err);
    name = name_of(km_buf_view(&line));
    if (r == 0 && line.n && !has_line(km_buf_view(head), name) && !has_line(u->head, name))
        km_buf_str(head, km_buf_view(&line));
    return r;
}

bool km_mcp_headers_matter(const struct km_mcp_upstream *u, const struct km_headers *headers)
{
    if (u->personal || u->entry->extra_headers.n)
        return true;
    for (size_t i = 0; (u->origin || u->openapi) && i < headers->n; i++)
        if (meant_for(u, headers->v[i].name).n || km_str_ieq(headers->v[i].name, u->client_auth))
            return true;
    return false;
}

int km_asker_head(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                  struct km_buf *head, struct km_err *err)
{
    const struct km_str_map *fixed = &u->entry->static_headers;
    int r = 0;

    for (size_t i = 0; r == 0 && i < fixed->n; i++) {
        struct km_buf value KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

        if (!km_asker_wanted(fixed->v[i].value))
            continue;
        km_asker_expand(u, asker, fixed->v[i].value, &value);
        r = km_header_put(head, fixed->v[i].name, km_buf_view(&value), err);
    }
    for (size_t i = 0; r == 0 && asker->headers && i < asker->headers->n; i++)
        r = put_sent(u, &asker->headers->v[i], head, err);
    return r == 0 && asker->headers ? put_client_auth(u, asker, head, err) : r;
}

bool km_asker_proven(const struct km_mcp_upstream *u, struct km_str own)
{
    return has_line(own, KM_STR("authorization:")) ||
           (u->entry->auth == KM_MCP_AUTH_API_KEY && has_line(own, KM_STR("x-api-key:")));
}

void km_asker_lines(const struct km_mcp_upstream *u, struct km_str own, struct km_buf *head)
{
    struct km_str name = name_of(u->credential);

    km_buf_str(head, u->head);
    km_buf_str(head, own);
    if (!has_line(own, name) && !has_line(u->head, name))
        km_buf_str(head, u->credential);
}
