/* SPDX-License-Identifier: Apache-2.0 */
/* pin_look.c - a server's list came: its tools are compared with what they were (pin.h), and what
 * is new of them is said wherever people look.
 *
 *     catalogue ──> km_pins_look ──> log, event ring, audit log, a counter
 *          └──> prompts, resources, instructions that scan.h flagged when they were taken in
 *                   ──> km_suspects_look ──> log, event ring, the same counter
 *
 * It happens before the catalogue is put in place of the old one, so that no view is ever made of
 * a tool nobody has looked at.  A server whose `pin` is off is not looked at.
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/metric.h"
#include "mcp/desk.h"
#include "mcp/schema.h"

static const struct km_metric_row alerts = {
    .name = "kanmon_mcp_tool_alerts_total",
    .type = KM_COUNTER,
    .help = "Tools of MCP servers that are new, changed, gone, or hide something; prompts, "
            "resources and instructions that do.",
    .labels = { "server", "what" },
};

struct look {
    struct km_mcp_upstreams *ups;
    const struct km_mcp_upstream *u;
    size_t desk;
    const struct km_mcp_listing *tools;
};

static void put_hash(struct km_buf *b, const char *name, const uint8_t *hash)
{
    char hex[65];

    if (!hash)
        return;
    km_hex(hex, hash, 32);
    km_buf_printf(b, ",\"%s\":\"%s\"", name, hex);
}

static void record(const struct look *l, const struct km_pin_news *news, bool withheld)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_audit audit = { .actor = KM_STR("kanmon"), .action = KM_STR("mcp.tool") };

    km_buf_str(&b, KM_STR("{\"server\":"));
    km_buf_json(&b, l->u->name);
    km_buf_str(&b, KM_STR(",\"tool\":"));
    km_buf_json(&b, km_str_sub(news->tool, 0, 128));
    km_buf_printf(&b, ",\"state\":\"%s\",\"flags\":", km_pin_state_name(news->state));
    km_scan_words(news->flags, &b);
    put_hash(&b, "hash", news->hash);
    put_hash(&b, "before", news->before);
    km_buf_printf(&b, ",\"withheld\":%s}", withheld ? "true" : "false");
    audit.target = km_str_sub(news->tool, 0, 128);
    audit.detail = km_buf_view(&b);
    if (l->ups->store && !km_buf_failed(&b))
        km_store_audit(l->ups->store, NULL, &audit, NULL, NULL);
}

static void on_news(void *ctx, const struct km_pin_news *news)
{
    const struct look *l = ctx;
    bool gone = news->state == KM_PIN_GONE;
    bool withheld = km_mcp_rules(l->u).pin == KM_PIN_STRICT && !gone;
    const char *state = km_pin_state_name(news->state);
    struct km_str values[] = { l->u->name, km_str_c(state) };
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF(2048),
                       flags KM_CLEANUP(km_buf_done) = KM_BUF(256);

    km_scan_line(&name, km_str_sub(news->tool, 0, 100));
    if (news->flags)
        km_scan_words(news->flags, &flags);
    record(l, news, withheld);
    if (l->ups->log)
        km_log_msg(l->ups->log, gone ? KM_LOG_INFO : KM_LOG_WARN, "mcp.tool",
                   "tool '%s' of %.*s is %s %s%s", km_buf_cstr(&name), KM_STR_ARG(l->u->name),
                   state, km_buf_cstr(&flags),
                   withheld ? "; it is withheld until `kanmon mcp approve` accepts it" : "");
    if (l->ups->events)
        km_event_add(l->ups->events, gone ? KM_LOG_INFO : KM_LOG_WARN, "mcp.tool",
                     "tool '%s' of %.*s is %s", km_buf_cstr(&name), KM_STR_ARG(l->u->name), state);
    if (l->ups->metrics && l->desk != SIZE_MAX)
        km_metric_count(l->ups->metrics, &alerts, values, l->desk, 1);
}

static void on_suspect(void *ctx, const struct km_suspect *s)
{
    const struct look *l = ctx;
    struct km_str values[] = { l->u->name, km_str_c(s->kind) };
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF(2048),
                       flags KM_CLEANUP(km_buf_done) = KM_BUF(256);

    km_scan_line(&name, km_str_sub(s->name, 0, 100));
    km_scan_words(s->flags, &flags);
    if (l->ups->log)
        km_log_msg(l->ups->log, KM_LOG_WARN, "mcp.flagged", "%s '%s' of %.*s is flagged %s",
                   s->kind, km_buf_cstr(&name), KM_STR_ARG(l->u->name), km_buf_cstr(&flags));
    if (l->ups->events)
        km_event_add(l->ups->events, KM_LOG_WARN, "mcp.flagged", "%s '%s' of %.*s is flagged",
                     s->kind, km_buf_cstr(&name), KM_STR_ARG(l->u->name));
    if (l->ups->metrics && l->desk != SIZE_MAX)
        km_metric_count(l->ups->metrics, &alerts, values, l->desk, 1);
}

/* All that is no tool. */
static void look_beside(struct look *l, const struct km_mcp_catalogue *c, uint64_t key)
{
    static const char *const kinds[KM_MCP_LISTS] = { [KM_MCP_RESOURCES] = "resource",
                                                     [KM_MCP_TEMPLATES] = "resource template",
                                                     [KM_MCP_PROMPTS] = "prompt" };
    struct km_suspect v[KM_SUSPECTS_MOST];
    uint8_t hash[KM_SHA256_LEN];
    size_t n = 0;

    if (c->instructions_flags) {
        km_sha256(c->instructions, hash);
        v[n++] = (struct km_suspect){ "text", KM_STR("instructions"), hash, c->instructions_flags };
    }
    for (int list = 0; list < KM_MCP_LISTS; list++)
        for (size_t i = 0; kinds[list] && i < c->lists[list].n && n < KM_SUSPECTS_MOST; i++) {
            const struct km_mcp_item *item = &c->lists[list].v[i];

            if (item->flags)
                v[n++] = (struct km_suspect){ kinds[list], item->name, item->hash, item->flags };
        }
    km_suspects_look(l->u->live->suspects, key, v, n, on_suspect, l);
}

static bool is_known(const struct km_mcp_catalogue *c, const struct km_mcp_refusal *r)
{
    for (size_t i = 0; i < c->nrefused && i < KM_MCP_REFUSALS; i++)
        if (c->refused[i].list == r->list && km_str_eq(c->refused[i].name, r->name) &&
            km_str_eq(c->refused[i].why, r->why))
            return true;
    return false;
}

/* What nobody is shown of it, and was not in the list before. */
static void look_refused(const struct look *l, const struct km_mcp_catalogue *c,
                         const uint8_t key[KM_MCP_KEY])
{
    struct km_mcp_catalogue *before = km_mcp_live_catalogue(l->u->live, key, NULL);

    for (size_t i = 0; i < c->nrefused && i < KM_MCP_REFUSALS; i++) {
        const struct km_mcp_refusal *r = &c->refused[i];
        struct km_buf said KM_CLEANUP(km_buf_done) = KM_BUF(2048);

        if (is_known(before, r))
            continue;
        km_scan_line(&said, r->name);
        km_buf_str(&said, KM_STR("' of "));
        km_scan_line(&said, l->u->name);
        km_buf_str(&said, KM_STR(" is withheld, as clients would lose the whole list for it: "));
        km_scan_line(&said, r->why);
        if (l->ups->log)
            km_log_msg(l->ups->log, KM_LOG_WARN, "mcp.refused", "%s: '%s",
                       km_mcp_list_member(r->list), km_buf_cstr(&said));
        if (l->ups->events)
            km_event_add(l->ups->events, KM_LOG_WARN, "mcp.refused", "%s: '%s",
                         km_mcp_list_member(r->list), km_buf_cstr(&said));
    }
    km_mcp_catalogue_unref(before);
}

/* The digest of what is declared, however it is written. */
static bool kind_of(struct km_str declared, uint8_t kind[32])
{
    const struct km_json *root;
    struct km_arena arena;
    bool ok;

    km_arena_init(&arena, (size_t)1024 * 1024, NULL);
    ok = declared.n && km_json_parse(&arena, declared, &root, NULL) == 0 &&
         km_json_digest(root, kind, NULL) == 0;
    km_arena_done(&arena);
    return ok;
}

static void put_text(void *ctx, size_t i, struct km_buf *out)
{
    const struct look *l = ctx;

    km_pin_text(l->tools->v[i].json, out);
}

void km_catalogue_look(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u,
                       const struct km_mcp_catalogue *c, size_t desk, const uint8_t key[KM_MCP_KEY],
                       struct km_str declared)
{
    uint8_t kind[32];
    const struct km_mcp_listing *items = &c->lists[KM_MCP_TOOLS];
    struct look l = { ups, u, desk, items };
    struct km_pin_look look = { .server = u->name,
                                .n = items->n,
                                .whole = km_mcp_plain(key),
                                .kind = kind_of(declared, kind) ? kind : NULL,
                                .store = ups->store,
                                .text = put_text,
                                .news = on_news,
                                .ctx = &l };
    struct km_pin_tool *tools;
    uint64_t who;
    size_t first;

    look_refused(&l, c, key);
    if (km_mcp_rules(u).pin == KM_PIN_OFF)
        return;
    memcpy(&who, key, sizeof who);
    look_beside(&l, c, who);
    tools = calloc(items->n + 1, sizeof *tools);
    if (!tools)
        return; /* then they are not known, and count as new */
    for (size_t i = 0; i < items->n; i++)
        tools[i] = (struct km_pin_tool){ items->v[i].name, items->v[i].pin, items->v[i].flags };
    look.tools = tools;
    km_pins_look(ups->pins, &look, &first);
    free(tools);
    if (first && ups->log)
        km_log_msg(ups->log, KM_LOG_INFO, "mcp.pinned",
                   "%zu tools of %.*s are remembered as they are", first, KM_STR_ARG(u->name));
}
