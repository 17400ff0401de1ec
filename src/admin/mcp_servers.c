/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_servers.c - LiteLLM's management of MCP servers, for the administrator.
 *
 *     POST   /v1/mcp/server            adds one: 201 and the server
 *     PUT    /v1/mcp/server            {"server_id": ..., what is to be another}: 202
 *     DELETE /v1/mcp/server/{server}   202
 *
 *     worker: the body ──> main: an entry of mcp_servers, a reload ──> writer: row and audit
 *        answer <────────────────── or what was wrong ─────────────────────┘
 *
 * The reload comes first: what does not load is never stored.  If it cannot be stored then, it is
 * taken back.  A server of the configuration file is that file's: it is neither replaced nor
 * removed here, and only the file may name a link-local or metadata address.  Over the network no
 * program can be named and no file or variable of the environment be read: each would make the
 * master key a login to the machine, unless mcp_add_commands says so.
 */
#include "admin/mcp_servers.h"

#include <stdlib.h>

#include "admin/admin.h"
#include "host/added.h"
#include "gateway/mcp/manage.h"
#include "http/json_out.h"
#include "mcp/ask.h"
#include "store/mcp_servers.h"

#define BODY_BYTES ((int64_t)KM_MCP_SERVER_BYTES)
#define NAME_MOST 64
#define ARENA_BYTES (64 * KM_MCP_SERVER_BYTES)

struct change {
    struct km_msg msg;
    struct km_admin *a; /* it waits; its arena is its worker's */
    struct km_arena arena; /* ours: used by whoever has the message */
    struct km_str what, actor; /* for the audit log: "mcp.add", who */
    struct km_str name; /* of the server; of PUT and DELETE, how it is called */
    struct km_str id; /* its server_id, once it is known */
    struct km_str given; /* its members as entries have them, an object; empty: it is removed */
    struct km_str before; /* its entry until now; empty: there was none */
    bool outside; /* it came over the network, and no more is allowed there */
    int status; /* of the answer */
    struct km_err err;
};

/* --- from LiteLLM's body to an entry --- */

/* What LiteLLM's own answers have and nobody configures. */
static bool is_said_only(struct km_str name)
{
    static const char *const names[] = {
        "server_name", "created_at", "created_by", "updated_at", "updated_by", "status",
        "last_health_check", "health_check_error", "teams", "has_user_credential", "source_url",
        "approval_status", NULL
    };

    for (size_t i = 0; names[i]; i++)
        if (km_str_eq(name, km_str_c(names[i])))
            return true;
    return false;
}

/* credentials: its members are keys of the entry themselves. */
static void put_members(struct km_json_out *o, const struct km_json *object)
{
    const struct km_json *value;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(object, &it); km_json_next(&it, &key, &value);) {
        if (km_json_kind(value) == KM_JSON_NULL || is_said_only(key))
            continue;
        if (km_str_eq(key, KM_STR("credentials"))) {
            put_members(o, value);
            continue;
        }
        km_out_key_str(o,
                       km_str_eq(key, KM_STR("mcp_access_groups")) ? KM_STR("access_groups") : key);
        km_out_value(o, value);
    }
}

/* The members of `over`, and those of `under` that it has not. */
static int put_entry(struct km_arena *arena, struct km_str over, struct km_str under,
                     struct km_buf *out, struct km_err *err)
{
    const struct km_json *new, *flat = NULL, *old = NULL, *value;
    struct km_json_out o;
    struct km_json_iter it;
    struct km_str key;
    int r = km_json_parse(arena, over, &new, err);

    if (r == 0 && under.n)
        r = km_json_parse(arena, under, &old, err);
    if (r < 0)
        return r;
    km_json_out_init(&o, out);
    km_out_open(&o, '{');
    put_members(&o, new);
    if (old)
        r = km_json_parse(
            arena, km_arena_cat(arena, (struct km_str[]){ km_buf_view(out), KM_STR("}") }, 2),
            &flat, err);
    if (r < 0)
        return r;
    for (km_json_iter(old, &it); km_json_next(&it, &key, &value);)
        if (!km_json_get(flat, km_arena_cstr(arena, key))) {
            km_out_key_str(&o, key);
            km_out_value(&o, value);
        }
    km_out_close(&o, '}');
    return km_buf_failed(out) || out->n > KM_MCP_SERVER_BYTES
               ? km_fail(err, KM_E_LIMIT, "The server's entry is over %zu bytes.",
                         KM_MCP_SERVER_BYTES)
               : 0;
}

static int check_name(struct km_str name, struct km_err *err)
{
    bool fine = name.n > 0 && name.n <= NAME_MOST && !km_str_eq(name, KM_STR("kanmon")); /* ours */

    for (size_t i = 0; fine && i < name.n; i++) {
        char c = name.p[i];

        fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    }
    return fine ? 0
                : km_fail_param(err, KM_E_INVALID, "server_name",
                                "server_name is 1 to %d letters, digits, '_', '-' or '.'.",
                                NAME_MOST);
}

static bool says(const struct km_json *entry, const char *name)
{
    struct km_str text;

    return km_json_string(km_json_get(entry, name), &text) && text.n;
}

/* What only somebody on this machine may say, now or before. */
static int check_place(struct km_arena *arena, struct km_str text, struct km_err *err)
{
    const struct km_json *entry;
    int r = km_json_parse(arena, text, &entry, err);
    struct km_str spec;

    if (r < 0)
        return r;
    if (says(entry, "command") || says(entry, "builtin"))
        return km_fail(err, KM_E_FORBIDDEN,
                       "A server that runs here is for the configuration file, the control socket, "
                       "or kanmon_settings.mcp_add_commands.");
    if (km_json_string(km_json_get(entry, "spec_path"), &spec) && spec.n && !km_url_is_http(spec))
        return km_fail(err, KM_E_FORBIDDEN,
                       "A file of this machine as spec_path is for the configuration file, the "
                       "control socket, or kanmon_settings.mcp_add_commands: give its address.");
    if (km_str_find(text, KM_STR("os.environ")) < text.n)
        return km_fail(err, KM_E_FORBIDDEN,
                       "Variables of this machine (os.environ/...) are for the configuration file, "
                       "the control socket, or kanmon_settings.mcp_add_commands: say the value.");
    return 0;
}

/* What a description says is no address. */
static bool names_place(struct km_str member)
{
    return !km_str_eq(member, KM_STR("description")) && !km_str_eq(member, KM_STR("instructions"));
}

/* A name is judged when it is connected to (net/dial.h); who writes the address itself is told at
 * once.  Not even mcp_add_commands opens these: that is for programs. */
static int check_addresses(struct km_arena *arena, struct km_str text, struct km_err *err)
{
    const struct km_json *entry, *value;
    struct km_json_iter it;
    struct km_str key, said;
    int r = km_json_parse(arena, text, &entry, err);

    if (r < 0)
        return r;
    for (km_json_iter(entry, &it); km_json_next(&it, &key, &value);) {
        union km_addr a;
        struct km_url url;

        if (names_place(key) && km_json_string(value, &said) &&
            km_url_parse(said, &url, NULL) == 0 && km_addr_parse(url.host, url.port, &a) == 0 &&
            km_addr_metadata(&a))
            return km_fail_param(err, KM_E_FORBIDDEN, NULL,
                                 "%.*s: %.*s is a link-local or metadata address, which only the "
                                 "configuration file may name.",
                                 KM_STR_ARG(km_str_sub(key, 0, 64)),
                                 KM_STR_ARG(km_str_sub(url.host, 0, 64)));
    }
    return 0;
}

/* --- back at the worker --- */

static void change_free(struct change *c)
{
    km_arena_done(&c->arena);
    free(c);
}

static void answer(const struct change *c, struct km_admin *a)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1 << 20);
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);
    const struct km_mcp_upstream *u = km_mcp_set_find(set, c->name);

    if (u && c->given.n)
        km_mcp_manage_json(u, true, KM_STR_NONE, &b);
    km_mcp_set_unref(set);
    km_admin_json(a, c->status, b.n ? km_buf_view(&b) : KM_STR("{}"));
}

static void on_refused(struct km_msg *msg, void *owner)
{
    struct change *c = (struct change *)(void *)msg;

    (void)owner;
    km_admin_error(c->a, &c->err);
    change_free(c);
}

/* Main thread. */
static void take_back(struct km_msg *msg, void *owner)
{
    struct change *c = (struct change *)(void *)msg;
    struct km_gateway *gw = owner;
    struct km_err why = { 0 };

    if (km_gateway_change_added(gw, gw->mcp_added, c->name, c->before, &why) < 0)
        km_log_msg(gw->log, KM_LOG_ERROR, "mcp.added", "'%.*s' was not taken back: %s",
                   KM_STR_ARG(c->name), why.text);
    c->msg.run = on_refused;
    km_mailbox_post(c->a->v->w->mailbox, &c->msg);
}

static void on_stored(void *ctx, const struct km_err *err)
{
    struct change *c = ctx;

    if (!err) {
        answer(c, c->a);
        change_free(c);
        return;
    }
    c->err = *err;
    c->msg.run = take_back;
    km_mailbox_post(c->a->v->w->gw->main_mailbox, &c->msg);
}

/* --- main thread --- */

static int find_added(const struct km_gateway *gw, struct change *c, struct km_err *err)
{
    const struct km_mcp_upstream *u = km_mcp_set_find(gw->current->mcp, c->name);

    if (!u)
        return km_fail(err, KM_E_NOT_FOUND, "There is no MCP server '%.*s'.", KM_STR_ARG(c->name));
    if (!u->added)
        return km_fail(err, KM_E_INVALID,
                       "MCP server '%.*s' is in the configuration file: change it there, then "
                       "`kanmon reload`.",
                       KM_STR_ARG(u->name));
    c->name = km_arena_str(&c->arena, u->name);
    c->id = km_arena_str(&c->arena, u->id);
    c->before = km_arena_str(&c->arena, km_added_get(gw->mcp_added, c->name));
    return 0;
}

static int find_free(const struct km_gateway *gw, struct change *c, struct km_err *err)
{
    static const char *const names[] = { "server_id", "alias" };
    const struct km_json *body = NULL;
    struct km_str also;
    int r = km_json_parse(&c->arena, c->given, &body, err);
    bool taken = km_mcp_set_find(gw->current->mcp, c->name) != NULL ||
                 km_added_get(gw->mcp_added, c->name).n;

    for (size_t i = 0; i < 2; i++)
        taken = taken || (km_json_string(km_json_get(body, names[i]), &also) && also.n &&
                          km_mcp_set_find(gw->current->mcp, also));
    return taken ? km_fail(err, KM_E_INVALID, "MCP server '%.*s' already exists.",
                           KM_STR_ARG(c->name))
                 : r;
}

static int make(struct km_gateway *gw, struct change *c, struct km_err *err)
{
    struct km_buf entry KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_MCP_SERVER_BYTES);
    int r = km_str_eq(c->what, KM_STR("mcp.add")) ? find_free(gw, c, err) : find_added(gw, c, err);

    if (r == 0 && c->given.n) {
        r = put_entry(&c->arena, c->given, c->before, &entry, err);
        c->given = km_arena_str(&c->arena, km_buf_view(&entry));
    }
    if (r == 0 && c->given.n && c->outside)
        r = check_place(&c->arena, c->given, err);
    if (r == 0 && c->given.n)
        r = check_addresses(&c->arena, c->given, err);
    if (r == 0 && km_arena_overflowed(&c->arena))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    return r == 0 ? km_gateway_change_added(gw, gw->mcp_added, c->name, c->given, err) : r;
}

static void do_change(struct km_msg *msg, void *owner)
{
    struct change *c = (struct change *)(void *)msg;
    struct km_gateway *gw = owner;
    struct km_mcp_server_row row;
    struct km_audit audit = { .actor = c->actor, .action = c->what, .detail = KM_STR("{}") };

    if (gw->ending)
        km_fail(&c->err, KM_E_CANCELED, "the gateway is ending");
    if (gw->ending || make(gw, c, &c->err) < 0) {
        c->msg.run = on_refused;
        km_mailbox_post(c->a->v->w->mailbox, &c->msg);
        return;
    }
    audit.target = c->name;
    row = (struct km_mcp_server_row){ .name = c->name, .json = c->given, .id = c->id };
    km_store_mcp_server_put(gw->store, c->a->v->w->mailbox, &row, &audit, on_stored, c);
}

/* --- routes --- */

#define AT(member) offsetof(struct km_mcp_server_settings, member)

static const struct km_setting server_rows[] = {
    { .name = "mcp_add_commands",
      .type = KM_SET_BOOL,
      .offset = AT(add_commands),
      .flags = KM_SET_SAFETY,
      .help = "POST /v1/mcp/server may add servers with a `command`, and read os.environ/NAME: "
              "then whoever has the master key can run programs here." },
    { 0 },
};

const struct km_settings_table km_mcp_server_settings_table = {
    .section = "kanmon_settings",
    .rows = server_rows,
    .size = sizeof(struct km_mcp_server_settings),
    .extra = SIZE_MAX,
};

static int begin(struct km_admin *a, const char *what, struct km_str name, int status,
                 struct km_err *err)
{
    const struct km_mcp_server_settings *s =
        km_config_get(a->v->view->snap->config, &km_mcp_server_settings_table);
    struct change *c = calloc(1, sizeof *c);

    if (!c)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_arena_init(&c->arena, ARENA_BYTES, NULL);
    c->a = a;
    c->what = km_str_c(what);
    c->actor = km_arena_str(&c->arena, km_admin_actor(a));
    c->name = km_arena_str(&c->arena, name);
    c->given = km_arena_str(&c->arena, a->body ? a->text : KM_STR_NONE);
    c->status = status;
    c->outside = !a->v->local && !s->add_commands;
    c->msg.run = do_change;
    km_mailbox_post(a->v->w->gw->main_mailbox, &c->msg);
    return 0;
}

static int add(struct km_admin *a, struct km_err *err)
{
    struct km_str name = KM_STR_NONE;
    int r;

    if (!km_json_string(km_json_get(a->body, "server_name"), &name) || !name.n)
        (void)km_json_string(km_json_get(a->body, "alias"), &name);
    r = check_name(name, err);
    return r == 0 ? begin(a, "mcp.add", name, 201, err) : r;
}

static int change(struct km_admin *a, struct km_err *err)
{
    struct km_str name;

    if (!km_json_string(km_json_get(a->body, "server_id"), &name) || !name.n)
        return km_fail_param(err, KM_E_INVALID, "server_id", "Say which server: server_id.");
    return begin(a, "mcp.change", name, 202, err);
}

static int remove_one(struct km_admin *a, struct km_err *err)
{
    a->body = NULL;
    return begin(a, "mcp.remove", a->v->match.params[0], 202, err);
}

KM_ADMIN_CHANGE(on_add, BODY_BYTES, add)
KM_ADMIN_CHANGE(on_change, BODY_BYTES, change)
KM_ADMIN_CHANGE(on_remove, BODY_BYTES, remove_one)

static const struct km_route rows[] = {
    { "POST", "/v1/mcp/server", on_add, KM_AUTH_ADMIN, NULL },
    { "PUT", "/v1/mcp/server", on_change, KM_AUTH_ADMIN, NULL },
    { "DELETE", "/v1/mcp/server/{server}", on_remove, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_server_routes = { rows, sizeof rows / sizeof rows[0] };
