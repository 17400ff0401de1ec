/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - from mcp_servers to upstreams (upstream.h).
 *
 * The two sections are merged key by key: an entry of kanmon_settings.mcp_servers lies over the
 * entry with the same name.  What can be made once is made here: origin, header lines, id, alias.
 * An upstream that is configured as it was is the same object as before a reload, with its state,
 * sessions and children (digest.c); the rules of safety it is to have now are beside it in the set.
 *
 * Wire names: the alias is what stands before the separator in names of tools.  It cannot hold the
 * separator, so `_` stands for it there; two servers that end up with one alias, name or id are
 * refused, for a call could not tell them apart.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/map.h"
#include "mcp/asker.h"
#include "mcp/builtin.h"
#include "mcp/oauth/oauth.h"
#include "mcp/openapi/source.h"
#include "mcp/stdio_words.h"
#include "mcp/upstream/config_part.h"
#include "mcp/upstream/live.h"
#include "mcp/view/virtual.h"

#define ARENA_BYTES ((size_t)1024 * 1024)
#define SERVERS_MOST 1000

struct build {
    const struct km_mcp_set_args *args;
    struct km_diags *diags;
    struct km_mcp_set *set;
    bool failed; /* a diagnostic is an error */
};

static const struct km_mcp_entry *find_entry(const struct km_table_list *list, struct km_str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_eq(list->names[i], name))
            return (const struct km_mcp_entry *)list->v + i;
    return NULL;
}

static const struct km_mcp_builtin *find_kind(const struct build *b, struct km_str name)
{
    for (const struct km_mcp_builtin *const *kind = b->args->builtins; kind && *kind; kind++)
        if (km_str_eq((*kind)->name, name))
            return *kind;
    return NULL;
}

/* --- one upstream --- */

static void wrong(struct build *b, const struct km_node *at, const char *help, struct km_str name,
                  const char *what)
{
    b->failed = true;
    km_diag_add(b->diags, KM_DIAG_ERROR, "E0401", at, help, "mcp_servers.%.*s: %s",
                KM_STR_ARG(name), what);
}

/* The alias of wire names: no separator, and what a model's API takes in a name. */
static struct km_str make_alias(struct km_mcp_upstream *u)
{
    struct km_str from = u->entry->alias.n ? u->entry->alias : u->name;
    char *copy = km_arena_alloc(&u->arena, from.n);

    for (size_t i = 0; copy && i < from.n; i++) {
        char c = from.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        copy[i] = plain ? c : '_';
    }
    return copy ? km_str(copy, from.n) : KM_STR_NONE;
}

static struct km_str make_id(struct km_mcp_upstream *u)
{
    char hex[2 * KM_SHA256_LEN + 1];

    if (u->entry->server_id.n)
        return u->entry->server_id;
    km_sha256_hex(u->name, hex);
    return km_arena_str(&u->arena, km_str(hex, 32));
}

/* A risk that is misspelt would be none. */
static const char *wrong_risk(const struct km_mcp_entry *e)
{
    const struct km_node *risks = e->risks;

    if (risks && risks->type != KM_NODE_MAP && risks->type != KM_NODE_NULL)
        return "`risks` is no map of tools";
    for (size_t i = 0; risks && i < risks->n; i++) {
        bool known = false;

        for (int r = KM_RISK_UNKNOWN; r <= KM_RISK_DESTRUCTIVE; r++)
            known = known || (risks->v[i]->type == KM_NODE_STR &&
                              km_str_eq(risks->v[i]->text, km_risk_name((enum km_risk)r)));
        if (!known)
            return "`risks` has a value that is not unknown, read_only, write or destructive";
    }
    return "";
}

/* A list that names none reads like "none", and is as LiteLLM has it: all. */
static void say_all_tools(struct build *b, struct km_str name, const struct km_node *at,
                          const struct km_node *over)
{
    const struct km_node *list = km_node_get(over, KM_STR("allowed_tools"));

    if (!list)
        list = km_node_get(at, KM_STR("allowed_tools"));
    if (list)
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0404", list,
                    "name the tools, or take the key out; `enabled: false` offers none",
                    "mcp_servers.%.*s: allowed_tools names no tool, so all are offered",
                    KM_STR_ARG(name));
}

static void fill(struct build *b, struct km_mcp_upstream *u, const struct km_node *at,
                 const struct km_node *over, struct km_mcp_rules *rules)
{
    struct km_err err = { 0 };
    const char *what = km_mcp_pick_transport(b->args, u), *missing = NULL, *bad;
    const struct km_node *place;

    u->alias = make_alias(u);
    u->id = make_id(u);
    u->personal = km_asker_personal(u->entry);
    u->added = at && km_str_eq(at->file, KM_STR(KM_MCP_ADDED_NAME));
    *rules = km_mcp_rules_of(km_config_get(b->args->config, &km_mcp_safety_table), u->entry);
    km_mcp_rules_set(u, *rules);
    if (*what)
        wrong(b, at, "a server has a `url`, a `command`, a `spec_path` or `builtin`", u->name,
              what);
    else if (*wrong_risk(u->entry))
        wrong(b, u->entry->risks, NULL, u->name, wrong_risk(u->entry));
    else if (*(bad = km_mcp_entry_wrong(u->entry, &place)))
        wrong(b, place ? place : at, NULL, u->name, bad);
    else if (km_mcp_make_address(b->args, u, &err) < 0 ||
             km_mcp_make_signer(b->args, u, &err) < 0 || km_mcp_make_oauth(b->args, u, &err) < 0 ||
             km_mcp_upstream_digest(u, &err) < 0 || km_stdio_check(u->entry, &missing, &err) < 0)
        wrong(b, at, NULL, u->name, err.text);
    else if (u->alias.n > 40)
        wrong(b, at, "give it a short `alias`", u->name,
              "its name is over 40 bytes, too long for names of tools");
    if (!km_mcp_entry_fits(u->entry, u->name, at, over, b->diags))
        b->failed = true;
    if (u->entry->allowed_tools.n == 0)
        say_all_tools(b, u->name, at, over);
    if (missing)
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0401", at, NULL, "mcp_servers.%.*s: %s",
                    KM_STR_ARG(u->name), missing);
}

/* By litellm_settings.mcp_aliases; empty: none. */
static struct km_str short_name(const struct km_config *config, struct km_str server)
{
    const struct km_mcp_aliases *a = km_config_get(config, &km_mcp_alias_table);

    for (size_t i = 0; i < a->aliases.n; i++)
        if (km_str_eq(a->aliases.v[i].value, server))
            return a->aliases.v[i].name;
    return KM_STR_NONE;
}

static struct km_mcp_upstream *upstream_new(struct build *b, struct km_str name,
                                            const struct km_mcp_entry *base,
                                            const struct km_mcp_entry *over,
                                            const struct km_node *over_node)
{
    struct km_mcp_upstream *u = calloc(1, sizeof *u);
    struct km_mcp_entry *e;

    if (!u)
        return NULL;
    u->refs = 1;
    km_arena_init(&u->arena, ARENA_BYTES, NULL);
    e = km_arena_alloc(&u->arena, sizeof *e);
    u->live = km_mcp_live_new();
    if (!e || !u->live)
        return km_mcp_upstream_unref(u);
    *e = base ? *base : *over;
    if (base && over)
        km_mcp_merge(&km_mcp_entry_table, over_node, over, e);
    u->builtin = e->builtin.n ? find_kind(b, e->builtin) : NULL;
    u->settings = u->builtin && u->builtin->settings
                      ? km_mcp_kind_settings(b->args->config, u, base, over)
                      : NULL;
    if (u->builtin && u->builtin->settings && !u->settings)
        return km_mcp_upstream_unref(u);
    u->entry = e;
    u->name = km_arena_str(&u->arena, name);
    if (!e->alias.n)
        e->alias = short_name(b->args->config, u->name);
    u->client_auth =
        ((const struct km_mcp_general *)km_config_get(b->args->config, &km_mcp_general_table))
            ->client_auth;
    u->key_header = b->args->key_header;
    u->config = km_config_ref((struct km_config *)(uintptr_t)b->args->config);
    return u;
}

struct km_mcp_upstream *km_mcp_upstream_ref(struct km_mcp_upstream *u)
{
    u->refs++;
    return u;
}

struct km_mcp_upstream *km_mcp_upstream_unref(struct km_mcp_upstream *u)
{
    if (!u || --u->refs > 0)
        return NULL;
    km_origin_unref(u->origin);
    km_openapi_source_unref(u->openapi);
    km_mcp_oauth_close(u->oauth);
    if (u->signer)
        u->signer->ops->free(u->signer);
    km_mcp_live_free(u->live);
    km_config_unref(u->config);
    km_arena_done(&u->arena);
    free(u);
    return NULL;
}

/* --- the set --- */

static void claim(struct build *b, struct km_mcp_upstream *u, struct km_str name,
                  const struct km_node *at)
{
    struct km_mcp_upstream *other = km_map_get(b->set->names, name);
    char what[256];

    if (other == u)
        return;
    if (km_str_eq(name, KM_STR("kanmon")))
        wrong(b, at, "give it another name or `alias`", u->name,
              "it is called like kanmon's own tools, 'kanmon'");
    if (other) {
        snprintf(what, sizeof what,
                 "it and mcp_servers.%.*s are both called '%.*s'; give one of them another alias",
                 KM_STR_ARG(other->name), KM_STR_ARG(name));
        wrong(b, at, "tools of two servers with one name could not be told apart", u->name, what);
        return;
    }
    if (km_map_set(b->set->names, name, u, NULL) < 0)
        wrong(b, at, NULL, u->name, "there are too many servers");
}

/* The one of before, where nothing is different. */
static struct km_mcp_upstream *same_as_before(struct build *b, struct km_mcp_upstream *u)
{
    struct km_mcp_upstream *old =
        b->args->before ? km_mcp_set_find(b->args->before, u->name) : NULL;

    if (old && old->oauth && u->oauth && km_mcp_oauth_same(old->oauth, u->oauth)) {
        km_mcp_oauth_close(u->oauth);
        u->oauth = km_mcp_oauth_share(old->oauth);
    }
    if (!old || memcmp(old->digest, u->digest, sizeof u->digest) != 0 ||
        (u->oauth && u->oauth != old->oauth))
        return u;
    km_mcp_upstream_unref(u);
    return km_mcp_upstream_ref(old);
}

static int add(struct build *b, struct km_str name, const struct km_mcp_entry *base,
               const struct km_mcp_entry *over, struct km_err *err)
{
    const struct km_node *root = km_config_root(b->args->config);
    const struct km_node *over_node =
        km_node_get(km_node_path(root, "kanmon_settings.mcp_servers"), name);
    const struct km_node *at =
        base ? km_node_get(km_node_path(root, "mcp_servers"), name) : over_node;
    struct km_mcp_upstream *u;

    if (b->set->n == SERVERS_MOST)
        return km_fail(err, KM_E_CONFIG, "over %d MCP servers", SERVERS_MOST);
    u = upstream_new(b, name, base, over, over_node);
    if (!u)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    fill(b, u, at, over_node, &b->set->rules[b->set->n]);
    if (!b->failed)
        u = same_as_before(b, u);
    b->set->v[b->set->n++] = u;
    b->set->exchanges = b->set->exchanges || u->entry->auth == KM_MCP_AUTH_EXCHANGE;
    km_mcp_check_headers(u->entry, at, b->args->key_header, b->diags);
    claim(b, u, u->name, at);
    claim(b, u, u->alias, at);
    claim(b, u, u->id, at);
    return 0;
}

/* LiteLLM's other sections. */
static void check_litellm(struct build *b)
{
    const struct km_mcp_aliases *a = km_config_get(b->args->config, &km_mcp_alias_table);
    const struct km_mcp_general *g = km_config_get(b->args->config, &km_mcp_general_table);
    const struct km_node *root = km_config_root(b->args->config);
    const struct km_node *at = km_node_path(root, "litellm_settings.mcp_aliases");

    if (km_asker_kept_back(g->client_auth, b->args->key_header))
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0402",
                    km_node_path(root, "general_settings.mcp_client_side_auth_header_name"),
                    "name another header, x-mcp-auth for one",
                    "mcp_client_side_auth_header_name: '%.*s' is for kanmon, no server is sent it",
                    KM_STR_ARG(g->client_auth));
    for (size_t i = 0; i < a->aliases.n; i++)
        if (!km_map_get(b->set->names, a->aliases.v[i].value))
            km_diag_add(b->diags, KM_DIAG_WARNING, "W0402", km_node_get(at, a->aliases.v[i].name),
                        "name one of mcp_servers",
                        "mcp_aliases.%.*s: there is no MCP server '%.*s'",
                        KM_STR_ARG(a->aliases.v[i].name), KM_STR_ARG(a->aliases.v[i].value));
}

/* The last would count and the others be servers that somebody believes to be there. */
static void check_once(struct build *b, const char *section)
{
    const struct km_node *map = km_node_path(km_config_root(b->args->config), section);
    const struct km_node *again = map && map->lost ? map->lost->by : NULL;
    char what[96];

    for (size_t i = 0; again && i < map->n; i++) {
        if (!km_str_eq(map->k[i]->text, again->text))
            continue;
        snprintf(what, sizeof what, "it is there twice, in line %u and in line %u", map->k[i]->line,
                 again->line);
        wrong(b, again, "give one of them another name", again->text, what);
    }
}

static int add_all(struct build *b, struct km_err *err)
{
    const struct km_table_list *theirs = km_config_get(b->args->config, &km_mcp_settings_table);
    const struct km_table_list *ours = km_config_get(b->args->config, &km_mcp_own_table);
    int r = 0;

    b->set->v = calloc(theirs->n + ours->n + 1, sizeof *b->set->v);
    b->set->rules = calloc(theirs->n + ours->n + 1, sizeof *b->set->rules);
    if (!b->set->v || !b->set->rules)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < theirs->n; i++)
        r = add(b, theirs->names[i], (const struct km_mcp_entry *)theirs->v + i,
                find_entry(ours, theirs->names[i]), err);
    for (size_t i = 0; r == 0 && i < ours->n; i++)
        if (!find_entry(theirs, ours->names[i]))
            r = add(b, ours->names[i], NULL, (const struct km_mcp_entry *)ours->v + i, err);
    if (r == 0) {
        check_once(b, "mcp_servers");
        check_once(b, "kanmon_settings.mcp_servers");
        check_litellm(b);
        b->failed = b->failed || !km_mcp_followers_check(b->set, b->args->config, b->diags);
    }
    if (r == 0 && b->failed)
        r = km_fail(err, KM_E_CONFIG, "mcp_servers cannot be used as it is");
    return r;
}

static void set_free(struct km_mcp_set *set)
{
    km_map_free(set->names, NULL);
    for (size_t i = 0; i < set->nvirtuals; i++)
        km_mcp_virtual_unref(set->virtuals[i]);
    for (size_t i = 0; i < set->n; i++)
        km_mcp_upstream_unref(set->v[i]);
    free(set->virtuals);
    free(set->rules);
    free(set->v);
    free(set);
}

int km_mcp_set_new(const struct km_mcp_set_args *args, struct km_diags *diags,
                   struct km_mcp_set **ret_set, struct km_err *err)
{
    struct build b = { .args = args, .diags = diags, .set = calloc(1, sizeof *b.set) };
    int r;

    if (!b.set)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    b.set->refs = 1;
    b.set->names = km_map_new_borrowed((size_t)4 * SERVERS_MOST);
    r = b.set->names ? add_all(&b, err) : km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_mcp_virtuals_new(args->config, b.set, diags, err);
    if (r < 0) {
        set_free(b.set);
        return r;
    }
    *ret_set = b.set;
    return 0;
}

struct km_mcp_set *km_mcp_set_ref(struct km_mcp_set *set)
{
    set->refs++;
    return set;
}

struct km_mcp_set *km_mcp_set_unref(struct km_mcp_set *set)
{
    if (set && --set->refs == 0)
        set_free(set);
    return NULL;
}

struct km_mcp_upstream *km_mcp_set_find(const struct km_mcp_set *set, struct km_str name)
{
    return km_map_get(set->names, name);
}
