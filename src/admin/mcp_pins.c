/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_pins.c - tools that are not as they were at first sight, for the administrator.
 *
 *     GET  /kanmon/mcp/pins            what is new, changed or flagged, of all servers
 *     GET  /kanmon/mcp/pins/{server}   of one
 *     POST /kanmon/mcp/pins/{server}   {"tool": ..., "hash": ...}: accept it.  Without a tool all
 *                                      of the server; without a hash what was offered last
 *
 * Each has its definition and, where it stands in place of another, the accepted one before it:
 * from the catalogue, else from the store, which keeps what was said (store/pins.h).
 * definition_cut: either is longer than what is shown of it (KM_PIN_TEXT_BYTES).
 *
 * Whoever accepts says the hash of what was looked at, or takes what is there now: a server that
 * changes a definition between looking and accepting is accepted as it is then, unless the hash
 * was given.  The answer comes when it is in the audit log; a definition counts from the moment it
 * was accepted, and clients hear that the list of tools has changed.
 */
#include "admin/mcp_pins.h"

#include "admin/admin.h"
#include "admin/mcp.h"
#include "base/encode.h"
#include "mcp/ask.h"
#include "mcp/safety/shown_args.h"
#include "store/pins.h"

#define LIST_BYTES ((size_t)8 * 1024 * 1024)
#define BODY_BYTES 4096
#define TEXTS_BYTES ((int64_t)8 * 1024 * 1024) /* of both lists, parsed */

/* The definition of this hash as it is offered now; empty where it is not.  A definition is known a
 * moment before the list it is in is used. */
static struct km_str offered(struct km_admin *a, struct km_str server, struct km_str tool,
                             struct km_str hash)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_PIN_TEXT_BYTES);
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);
    struct km_mcp_upstream *u = km_mcp_set_find(set, server);
    struct km_str json = u ? km_mcp_definition(u, tool, hash, &a->arena) : KM_STR_NONE;

    km_mcp_set_unref(set);
    if (json.n)
        km_pin_text(json, &text);
    return km_arena_str(&a->arena, km_buf_view(&text));
}

/* "null", or the definition of this hash that the store has, as it lies there. */
static struct km_str kept(struct km_admin *a, const struct km_json *texts, struct km_str hash)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_PIN_TEXT_BYTES);
    const struct km_json *v = hash.n ? km_json_get(texts, km_arena_cstr(&a->arena, hash)) : NULL;

    if (!v)
        return KM_STR("null");
    /* Again with what nobody sees escaped. */
    (void)km_args_show(v, KM_ARGS_TEXT_BYTES, "", &text);
    return km_arena_str(&a->arena, km_buf_view(&text));
}

static struct km_str member(const struct km_json *v, const char *name)
{
    struct km_str text = KM_STR_NONE;

    (void)km_json_string(km_json_get(v, name), &text);
    return text;
}

/* The description alone, invisible characters spelled out, as it was before definitions were kept
 * whole. */
static void put_description(struct km_admin *a, struct km_str definition, struct km_buf *out)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
    const struct km_json *json;

    if (km_json_parse(&a->arena, definition, &json, NULL) == 0)
        km_scan_plain(&plain, member(json, "description"));
    km_buf_str(out, KM_STR(",\"description\":"));
    km_buf_json(out, km_buf_view(&plain));
}

/* Is this definition all that was pinned under the hash?  One that is too long to be kept whole is
 * not, and what changed may stand where it was cut. */
static bool is_whole(struct km_str name, struct km_str definition, struct km_str hash)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_PIN_TEXT_BYTES);
    const struct km_json *tool;
    struct km_arena arena;
    uint8_t digest[32] = { 0 };
    char hex[65];
    bool ok;

    km_buf_str(&all, KM_STR("{\"name\":"));
    km_buf_json(&all, name);
    km_buf_str(&all, definition.n > 2 ? KM_STR(",") : KM_STR_NONE);
    km_buf_str(&all, km_str_skip(definition, 1));
    km_arena_init(&arena, TEXTS_BYTES, NULL);
    ok = !km_buf_failed(&all) && km_json_parse(&arena, km_buf_view(&all), &tool, NULL) == 0 &&
         km_pin_digest(tool, digest, NULL) == 0;
    km_arena_done(&arena);
    km_hex(hex, digest, sizeof digest);
    return ok && km_str_eq(km_str(hex, 64), hash);
}

static bool is_cut(struct km_str name, struct km_str definition, struct km_str hash)
{
    return km_str_starts(definition, KM_STR("{")) && !is_whole(name, definition, hash);
}

/* One tool: what is said of it, its definition and the accepted one that it stands in place of. */
static void put_tool(struct km_admin *a, const struct km_json *item, const struct km_json *texts,
                     struct km_buf *out)
{
    struct km_buf said KM_CLEANUP(km_buf_done) = KM_BUF(KM_ARGS_TEXT_BYTES);
    struct km_str hash = member(item, "hash"), before = member(item, "before");
    struct km_str name = member(item, "tool");
    struct km_str now = offered(a, member(item, "server"), name, hash), was;

    if (!now.n)
        now = kept(a, texts, hash);
    was = kept(a, texts, before);
    (void)km_args_show(item, KM_ARGS_SHOWN_BYTES, "", &said);
    km_buf_str(out, km_str_sub(km_buf_view(&said), 0, said.n ? said.n - 1 : 0));
    put_description(a, now, out);
    km_buf_str(out, KM_STR(",\"definition\":"));
    km_buf_str(out, now);
    km_buf_str(out, KM_STR(",\"definition_before\":"));
    km_buf_str(out, was);
    km_buf_printf(out, ",\"definition_cut\":%s}",
                  is_cut(name, now, hash) || is_cut(name, was, before) ? "true" : "false");
}

static void on_texts(void *ctx, struct km_str json, const struct km_err *failed)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_admin *a = ctx;
    const struct km_str *list = a->state;
    const struct km_json *root, *texts, *item;
    struct km_json_iter it;
    struct km_str key;
    struct km_err err = { 0 };
    int r = failed ? failed->code : km_json_parse(&a->arena, *list, &root, &err);

    if (r == 0)
        r = km_json_parse(&a->arena, km_arena_str(&a->arena, json), &texts, &err);
    km_buf_str(&out, KM_STR("{\"tools\":["));
    if (r == 0)
        km_json_iter(root, &it);
    for (size_t n = 0; r == 0 && km_json_next(&it, &key, &item); n++) {
        km_buf_str(&out, n ? KM_STR(",") : KM_STR_NONE);
        put_tool(a, item, texts, &out);
    }
    km_buf_str(&out, KM_STR("]}"));
    if (r == 0 && (km_buf_failed(&out) || km_arena_overflowed(&a->arena)))
        r = km_fail(&err, KM_E_LIMIT, "the list is too long; name one server");
    if (r == 0)
        km_admin_json(a, 200, km_buf_view(&out));
    else
        km_admin_error(a, failed ? failed : &err);
}

static int list_of(struct km_admin *a, struct km_str server, struct km_err *err)
{
    struct km_buf list KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_str *state = km_arena_zalloc(&a->arena, sizeof *state);

    km_buf_byte(&list, '[');
    km_pins_json(km_mcp_upstreams_pins(a->v->w->gw->mcp), server, &list);
    km_buf_byte(&list, ']');
    if (km_buf_failed(&list) || !state)
        return km_fail(err, KM_E_LIMIT, "the list is too long; name one server");
    *state = km_arena_str(&a->arena, km_buf_view(&list));
    a->state = state;
    if (list.n == sizeof "[]" - 1)
        on_texts(a, KM_STR("{}"), NULL);
    else
        km_store_pin_texts(a->v->w->gw->store, a->v->w->mailbox, server, on_texts, a);
    return 0;
}

/* The server's own name; empty with err: there is none. */
static struct km_str server_name(struct km_admin *a, struct km_mcp_upstream **ret,
                                 struct km_err *err)
{
    *ret = km_mcp_admin_find(a, a->v->match.params[0], err);
    return *ret ? km_arena_str(&a->arena, (*ret)->name) : KM_STR_NONE;
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

KM_ADMIN_HANDLER(on_all, TEXTS_BYTES, list_all)
KM_ADMIN_HANDLER(on_one, TEXTS_BYTES, list_one)
KM_ADMIN_HANDLER(on_accept, BODY_BYTES, accept_pins)

static const struct km_route rows[] = {
    { "GET", "/kanmon/mcp/pins", on_all, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/mcp/pins/{server}", on_one, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/mcp/pins/{server}", on_accept, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_pin_routes = { rows, sizeof rows / sizeof rows[0] };
