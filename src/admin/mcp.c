/* SPDX-License-Identifier: Apache-2.0 */
/* mcp.c - the MCP servers behind the gateway, for the administrator.
 *
 *     GET  /kanmon/mcp/servers                    all: state, since when, why, what they offer
 *     GET  /kanmon/mcp/servers/{name}             one
 *     POST /kanmon/mcp/servers/{name}/{action}    start, stop or restart
 *
 * A server is named by its name, its alias or its id.  An address is shown without its query and a
 * command without its arguments: either may hold a secret.  What is done by hand is in the audit
 * log, and answered when that record is written; the server itself follows at once or soon.
 */
#include "admin/mcp.h"

#include <stdio.h>

#include "admin/admin.h"
#include "base/near.h"
#include "base/time.h"
#include "mcp/ask.h"
#include "mcp/oauth/oauth.h"
#include "mcp/openapi/source.h"
#include "mcp/upstream/calls.h"
#include "mcp/view/names.h"
#include "sys/sandbox.h"

#define LIST_BYTES ((size_t)8 * 1024 * 1024)
#define BODY_BYTES 1024

static const char *const transports[] = { [KM_MCP_SSE] = "sse",
                                          [KM_MCP_HTTP] = "http",
                                          [KM_MCP_STDIO] = "stdio",
                                          [KM_MCP_BUILTIN] = "builtin" };

static void put_member(struct km_buf *b, const char *name, struct km_str value)
{
    km_buf_printf(b, ",\"%s\":", name);
    km_buf_json(b, value);
}

/* What the names of its tools begin with, which is not the alias as it is written. */
static void put_prefix(struct km_buf *b, const struct km_mcp_upstream *u)
{
    struct km_arena arena;

    km_arena_init(&arena, 4096, NULL);
    put_member(b, "prefix", km_mcp_name_prefix(&arena, u->alias));
    km_arena_done(&arena);
}

/* Where it is: nothing behind '?', no arguments. */
static void put_place(struct km_buf *b, const struct km_mcp_upstream *u)
{
    struct km_str url = u->entry->url, spec = u->entry->spec_path;

    if (spec.n)
        put_member(b, "spec_path", km_str_sub(spec, 0, km_str_chr(spec, '?')));
    if (u->builtin)
        put_member(b, "builtin", u->entry->builtin);
    else if (u->transport == KM_MCP_STDIO)
        put_member(b, "command", u->entry->command);
    else if (url.n)
        put_member(b, "url", km_str_sub(url, 0, km_str_chr(url, '?')));
}

static void put_offers(struct km_buf *b, const struct km_mcp_catalogue *c)
{
    static const char *const names[KM_MCP_LISTS] = { [KM_MCP_TOOLS] = "tools",
                                                     [KM_MCP_RESOURCES] = "resources",
                                                     [KM_MCP_TEMPLATES] = "templates",
                                                     [KM_MCP_PROMPTS] = "prompts" };

    km_buf_printf(b, ",\"known\":%s,\"from_store\":%s", c->known ? "true" : "false",
                  c->from_store ? "true" : "false");
    put_member(b, "revision", c->revision ? c->revision->name : KM_STR_NONE);
    for (int i = 0; i < KM_MCP_LISTS; i++)
        if (c->lists[i].known == KM_MCP_LIST_UNKNOWN)
            km_buf_printf(b, ",\"%s\":null", names[i]);
        else
            km_buf_printf(b, ",\"%s\":%zu", names[i], c->lists[i].n);
    km_buf_str(b, KM_STR(",\"lists\":{"));
    for (int i = 0; i < KM_MCP_LISTS; i++) {
        km_buf_printf(b, "%s\"%s\":{\"state\":\"%s\"", i ? "," : "", names[i],
                      km_mcp_known_name(c->lists[i].known));
        put_member(b, "why", c->lists[i].why);
        km_buf_byte(b, '}');
    }
    km_buf_byte(b, '}');
}

/* What its document describes and is no tool. */
static void put_left_out(struct km_buf *b, const struct km_mcp_upstream *u)
{
    struct km_buf notes KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    if (!u->openapi)
        return;
    km_buf_printf(b, ",\"left_out\":%zu", km_openapi_source_left_out(u->openapi, &notes));
    put_member(b, "notes", km_buf_view(&notes));
}

/* Items that nobody is shown, for clients would not take their list for them; and how many are
 * shown otherwise than they came, for that reason. */
static void put_refused(struct km_buf *b, const struct km_mcp_catalogue *c)
{
    km_buf_printf(b, ",\"mended\":%zu,\"refused\":%zu,\"refusals\":[", c->nmended, c->nrefused);
    for (size_t i = 0; i < c->nrefused && i < KM_MCP_REFUSALS; i++) {
        km_buf_printf(b, "%s{\"list\":\"%s\"", i ? "," : "",
                      km_mcp_list_member(c->refused[i].list));
        put_member(b, "name", c->refused[i].name);
        put_member(b, "why", c->refused[i].why);
        km_buf_byte(b, '}');
    }
    km_buf_byte(b, ']');
}

/* What a process of it is really kept by on this machine. */
static void put_sandbox(struct km_buf *b, const struct km_mcp_upstream *u)
{
    enum km_sandbox_mode mode = (enum km_sandbox_mode)u->entry->sandbox;
    struct km_buf words KM_CLEANUP(km_buf_done) = KM_BUF(256);
    struct km_sandbox_have have;

    if (u->transport != KM_MCP_STDIO)
        return;
    if (mode != KM_SANDBOX_OFF) {
        km_sandbox_have(&have);
        km_sandbox_say(&have, mode, &words);
    }
    put_member(b, "sandbox", words.n ? km_buf_view(&words) : KM_STR("off"));
}

/* Tools that say nothing of their risk, and what holds for those. */
static void put_unannotated(struct km_buf *b, const struct km_mcp_upstream *u,
                            const struct km_mcp_catalogue *c)
{
    static const char *const rules[] = {
        [KM_APPROVE_NEVER] = "never", [KM_APPROVE_ALWAYS] = "always", [KM_APPROVE_DENY] = "deny"
    };
    const struct km_mcp_listing *tools = &c->lists[KM_MCP_TOOLS];
    bool first = true;

    km_buf_printf(b, ",\"approve_unknown\":\"%s\",\"unannotated\":[",
                  rules[km_mcp_rules(u).policy.unknown]);
    for (size_t i = 0; i < tools->n; i++) {
        if (km_mcp_tool_risk(u, &tools->v[i]) != KM_RISK_UNKNOWN)
            continue;
        km_buf_str(b, first ? KM_STR_NONE : KM_STR(","));
        km_buf_json(b, tools->v[i].name);
        first = false;
    }
    km_buf_byte(b, ']');
}

/* How its tools are watched, and which of them are not as they were. */
static void put_safety(struct km_buf *b, const struct km_mcp_upstream *u, struct km_pins *pins)
{
    static const char *const modes[] = { "off", "warn", "strict" };
    enum km_pin_mode pin = km_mcp_rules(u).pin;

    km_buf_printf(b, ",\"pin\":\"%s\",\"alerts\":[", modes[pin]);
    if (pin != KM_PIN_OFF)
        km_pins_json(pins, u->name, b);
    km_buf_str(b, KM_STR("],\"flagged\":["));
    if (pin != KM_PIN_OFF)
        km_mcp_upstream_suspects(u, b);
    km_buf_byte(b, ']');
}

/* Of its state, and of each list that is not as the server has it now. */
static void put_why(struct km_buf *b, const struct km_mcp_status *s,
                    const struct km_mcp_catalogue *c, enum km_breaker_state breaker)
{
    struct km_buf why KM_CLEANUP(km_buf_done) = KM_BUF((size_t)16 * 1024);

    km_buf_str(&why, km_str_c(s->why));
    if (breaker != KM_BREAKER_CLOSED)
        km_buf_printf(&why, "%s%s", why.n ? "; " : "",
                      breaker == KM_BREAKER_OPEN
                          ? "its calls failed in a row, so it gets none"
                          : "its calls failed in a row: the next one tests it");
    for (int i = 0; i < KM_MCP_LISTS; i++) {
        const struct km_mcp_listing *l = &c->lists[i];

        if (l->why.n && km_str_find(km_buf_view(&why), l->why) == why.n)
            km_buf_printf(&why, "%s%s: %.*s", why.n ? "; " : "",
                          km_mcp_list_method((enum km_mcp_list)i), KM_STR_ARG(l->why));
    }
    put_member(b, "why", km_buf_view(&why));
}

static const char *breaker_word(enum km_breaker_state state)
{
    return state == KM_BREAKER_CLOSED ? "closed" : state == KM_BREAKER_OPEN ? "open" : "half_open";
}

static void put_server(struct km_buf *b, struct km_mcp_upstream *u, struct km_pins *pins)
{
    const enum km_breaker_state breaker = km_mcp_calls_state(u, km_mono_ms());
    struct km_mcp_catalogue *c = km_mcp_catalogue(NULL, u, NULL);
    struct km_mcp_status s;
    char when[KM_TIME_ISO_LEN + 1];

    km_mcp_status(u, &s);
    km_buf_str(b, KM_STR("{\"name\":"));
    km_buf_json(b, u->name);
    put_member(b, "alias", u->alias);
    put_prefix(b, u);
    put_member(b, "server_id", u->id);
    put_member(b, "transport", km_str_c(transports[u->transport]));
    put_place(b, u);
    km_buf_printf(b, ",\"added\":%s", u->added ? "true" : "false");
    put_member(b, "state", km_str_c(km_mcp_state_name(s.state)));
    km_time_iso(s.since_us, when);
    put_member(b, "since", km_str_c(s.since_us ? when : ""));
    put_why(b, &s, c, breaker);
    km_time_iso(s.last_ok_us, when);
    put_member(b, "last_ok", km_str_c(s.last_ok_us ? when : ""));
    put_member(b, "breaker", km_str_c(breaker_word(breaker)));
    km_buf_printf(b, ",\"sessions\":%u,\"asks\":%u,\"restarts\":%llu", s.sessions, s.asks,
                  (unsigned long long)s.restarts);
    km_buf_printf(b, ",\"declared\":{\"calls\":%llu,\"questions\":%llu,\"lists_differ\":%s}",
                  (unsigned long long)s.declared.calls, (unsigned long long)s.declared.questions,
                  s.declared.differs ? "true" : "false");
    put_sandbox(b, u);
    if (u->oauth && u->personal && !km_mcp_oauth_exchanges(u->oauth))
        km_buf_printf(b, ",\"logins\":%zu", km_mcp_oauth_count(u->oauth));
    put_offers(b, c);
    put_left_out(b, u);
    put_refused(b, c);
    put_safety(b, u, pins);
    put_unannotated(b, u, c);
    km_buf_byte(b, '}');
    km_mcp_catalogue_unref(c);
}

static int give(struct km_admin *a, const struct km_buf *b, struct km_err *err)
{
    if (km_buf_failed(b))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_admin_json(a, 200, km_buf_view(b));
    return 0;
}

/* --- asking --- */

static int list(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);

    km_buf_str(&out, KM_STR("{\"servers\":["));
    for (size_t i = 0; i < set->n; i++) {
        if (i)
            km_buf_byte(&out, ',');
        put_server(&out, set->v[i], km_mcp_upstreams_pins(a->v->w->gw->mcp));
    }
    km_buf_str(&out, KM_STR("]}"));
    km_mcp_set_unref(set);
    return give(a, &out, err);
}

/* One whose name is probably meant. */
static struct km_str near_of(const struct km_mcp_set *set, struct km_str name)
{
    for (size_t i = 0; i < set->n; i++)
        if (km_near_miss(set->v[i]->name, name))
            return set->v[i]->name;
    return KM_STR_NONE;
}

struct km_mcp_upstream *km_mcp_admin_find(struct km_admin *a, struct km_str name,
                                          struct km_err *err)
{
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);
    struct km_mcp_upstream *u = km_mcp_set_find(set, name);
    struct km_str meant = u ? KM_STR_NONE : near_of(set, name);

    name = km_str_sub(name, 0, 100);
    if (u)
        km_mcp_upstream_ref(u);
    else if (meant.n)
        km_fail(err, KM_E_NOT_FOUND, "There is no MCP server '%.*s'; did you mean '%.*s'?",
                KM_STR_ARG(name), KM_STR_ARG(meant));
    else
        km_fail(err, KM_E_NOT_FOUND, "There is no MCP server '%.*s'; `kanmon mcp list` names them.",
                KM_STR_ARG(name));
    km_mcp_set_unref(set);
    return u;
}

static int show(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_mcp_upstream *u = km_mcp_admin_find(a, a->v->match.params[0], err);

    if (!u)
        return err->code;
    put_server(&out, u, km_mcp_upstreams_pins(a->v->w->gw->mcp));
    km_mcp_upstream_unref(u);
    return give(a, &out, err);
}

/* --- by hand --- */

static const struct action {
    const char *name, *audit;
    void (*run)(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u);
} actions[] = {
    { "start", "mcp.start", km_mcp_upstream_start },
    { "stop", "mcp.stop", km_mcp_upstream_stop },
    { "restart", "mcp.restart", km_mcp_upstream_restart },
};

static void on_recorded(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct km_err own = { 0 };

    if (err || show(a, &own) < 0)
        km_admin_error(a, err ? err : &own);
}

static int act(struct km_admin *a, struct km_err *err)
{
    struct km_str name = a->v->match.params[1];
    struct km_audit audit = { .actor = km_admin_actor(a) };
    const struct action *action = NULL;
    struct km_mcp_upstream *u;

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (km_str_eq(name, km_str_c(actions[i].name)))
            action = &actions[i];
    if (!action)
        return km_fail(err, KM_E_NOT_FOUND, "A server can start, stop or restart.");
    u = km_mcp_admin_find(a, a->v->match.params[0], err);
    if (!u)
        return err->code;
    action->run(a->v->w->gw->mcp, u);
    audit.action = km_str_c(action->audit);
    audit.target = km_arena_str(&a->arena, u->name);
    km_mcp_upstream_unref(u);
    km_store_audit(a->v->w->gw->store, a->v->w->mailbox, &audit, on_recorded, a);
    return 0;
}

KM_ADMIN_HANDLER(on_list, BODY_BYTES, list)
KM_ADMIN_HANDLER(on_show, BODY_BYTES, show)
KM_ADMIN_HANDLER(on_act, BODY_BYTES, act)

static const struct km_route rows[] = {
    { "GET", "/kanmon/mcp/servers", on_list, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/mcp/servers/{name}", on_show, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/mcp/servers/{name}/{action}", on_act, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_admin_routes = { rows, sizeof rows / sizeof rows[0] };
