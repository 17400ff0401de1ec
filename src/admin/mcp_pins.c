/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_pins.c - tools that are not as they were at first sight, for the administrator.
 *
 *     GET  /kanmon/mcp/pins            what is new, changed or flagged, of all servers
 *     GET  /kanmon/mcp/pins/{server}   of one
 *     POST /kanmon/mcp/pins/{server}   {"tool": ..., "hash": ...}: accept it.  Without a tool all
 *                                      of the server; without a hash what was offered last
 *
 * Whoever accepts says the hash of what was looked at, or takes what is there now: a server that
 * changes a definition between looking and accepting is accepted as it is then, unless the hash
 * was given.  The answer comes when it is in the audit log; a definition counts from the moment it
 * was accepted, and clients hear that the list of tools has changed.
 */
#include "admin/mcp_pins.h"

#include "admin/admin.h"
#include "base/encode.h"
#include "mcp/ask.h"

#define LIST_BYTES ((size_t)8 * 1024 * 1024)
#define BODY_BYTES 4096

/* The description in the definition of this hash, for the person who decides: empty where that is
 * not what is offered now.  A definition is known a moment before the list it is in is used. */
static struct km_str description(struct km_admin *a, struct km_str server, struct km_str tool,
                                 struct km_str hash)
{
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);
    struct km_mcp_upstream *u = km_mcp_set_find(set, server);
    struct km_str text = u ? km_mcp_definition(u, tool, hash, &a->arena) : KM_STR_NONE;
    const struct km_json *json;

    km_mcp_set_unref(set);
    if (!text.n || km_json_parse(&a->arena, text, &json, NULL) < 0 ||
        !km_json_string(km_json_get(json, "description"), &text))
        return KM_STR_NONE;
    return text;
}

/* Each with its description, invisible characters spelled out. */
static int put_all(struct km_admin *a, struct km_str list, struct km_buf *out, struct km_err *err)
{
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_str key, server, tool, hash;
    bool first = true;
    int r = km_json_parse(&a->arena, list, &root, err);

    for (km_json_iter(root, &it); r == 0 && km_json_next(&it, &key, &item);) {
        struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
        struct km_str json = km_json_compact(item, &a->arena);

        (void)km_json_string(km_json_get(item, "server"), &server);
        (void)km_json_string(km_json_get(item, "tool"), &tool);
        (void)km_json_string(km_json_get(item, "hash"), &hash);
        km_scan_plain(&plain, description(a, server, tool, hash));
        km_buf_str(out, first ? KM_STR_NONE : KM_STR(","));
        km_buf_str(out, km_str_sub(json, 0, json.n - 1));
        km_buf_str(out, KM_STR(",\"description\":"));
        km_buf_json(out, km_buf_view(&plain));
        km_buf_byte(out, '}');
        first = false;
    }
    return r;
}

static int list_of(struct km_admin *a, struct km_str server, struct km_err *err)
{
    struct km_buf list KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    int r;

    km_buf_byte(&list, '[');
    km_pins_json(km_mcp_upstreams_pins(a->v->w->gw->mcp), server, &list);
    km_buf_byte(&list, ']');
    km_buf_str(&out, KM_STR("{\"tools\":["));
    r = put_all(a, km_buf_view(&list), &out, err);
    km_buf_str(&out, KM_STR("]}"));
    if (r == 0 && (km_buf_failed(&list) || km_buf_failed(&out)))
        r = km_fail(err, KM_E_LIMIT, "the list is too long; name one server");
    if (r == 0)
        km_admin_json(a, 200, km_buf_view(&out));
    return r;
}

/* The server's own name; empty with err: there is none. */
static struct km_str server_name(struct km_admin *a, struct km_mcp_upstream **ret,
                                 struct km_err *err)
{
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);
    struct km_str name = a->v->match.params[0];
    struct km_mcp_upstream *u = km_mcp_set_find(set, name);

    if (u)
        *ret = km_mcp_upstream_ref(u);
    else
        km_fail(err, KM_E_NOT_FOUND, "There is no MCP server '%.*s'; `kanmon mcp list` names them.",
                KM_STR_ARG(km_str_sub(name, 0, 100)));
    name = u ? km_arena_str(&a->arena, u->name) : KM_STR_NONE;
    km_mcp_set_unref(set);
    return name;
}

static int list_all(struct km_admin *a, struct km_err *err)
{
    return list_of(a, KM_STR_NONE, err);
}

static int list_one(struct km_admin *a, struct km_err *err)
{
    struct km_mcp_upstream *u = NULL;
    struct km_str server = server_name(a, &u, err);

    km_mcp_upstream_unref(u);
    return server.n ? list_of(a, server, err) : err->code;
}

/* --- accepting --- */

static void on_accepted(void *ctx, const struct km_pin_news *news)
{
    struct km_buf *names = ctx;

    if (names->n)
        km_buf_byte(names, ',');
    km_buf_json(names, news->tool);
}

static void on_recorded(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct km_str *json = a->state;

    if (err)
        km_admin_error(a, err);
    else
        km_admin_json(a, 200, *json);
}

static int write_down(struct km_admin *a, struct km_str server, struct km_str names,
                      struct km_err *err)
{
    struct km_audit audit = { .actor = km_admin_actor(a),
                              .action = KM_STR("mcp.accept"),
                              .target = server };
    struct km_str *json = km_arena_zalloc(&a->arena, sizeof *json);

    if (!json)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *json = km_arena_cat(&a->arena,
                         (struct km_str[]){ KM_STR("{\"accepted\":["), names, KM_STR("]}") }, 3);
    a->state = json;
    audit.detail = *json;
    km_store_audit(a->v->w->gw->store, a->v->w->mailbox, &audit, on_recorded, a);
    return 0;
}

static int accept_pins(struct km_admin *a, struct km_err *err)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_gateway *gw = a->v->w->gw;
    struct km_mcp_upstream *u = NULL;
    struct km_pin_accept args = { .server = server_name(a, &u, err),
                                  .store = gw->store,
                                  .accepted = on_accepted,
                                  .ctx = &names };
    int r;

    if (!u)
        return err->code;
    (void)km_json_string(km_json_get(a->body, "tool"), &args.tool);
    (void)km_json_string(km_json_get(a->body, "hash"), &args.hash);
    if (km_pins_accept(km_mcp_upstreams_pins(gw->mcp), &args) == 0) {
        r = km_fail(err, KM_E_NOT_FOUND, "No tool of '%.*s' waits to be accepted%s",
                    KM_STR_ARG(args.server), args.tool.n || args.hash.n ? " under that name" : "");
    } else {
        km_mcp_upstream_tools_changed(gw->mcp, u);
        r = write_down(a, args.server, km_buf_view(&names), err);
    }
    km_mcp_upstream_unref(u);
    return r;
}

KM_ADMIN_HANDLER(on_all, BODY_BYTES, list_all)
KM_ADMIN_HANDLER(on_one, BODY_BYTES, list_one)
KM_ADMIN_HANDLER(on_accept, BODY_BYTES, accept_pins)

static const struct km_route rows[] = {
    { "GET", "/kanmon/mcp/pins", on_all, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/mcp/pins/{server}", on_one, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/mcp/pins/{server}", on_accept, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_pin_routes = { rows, sizeof rows / sizeof rows[0] };
