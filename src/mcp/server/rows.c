/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - resources and prompts of a server, as rows (server.h).
 *
 *     resources/list            rows with an address    prompts/list    rows
 *     resources/templates/list  rows with a template    prompts/get     by name
 *     resources/read            by address, then by the first template that gives it
 *
 * Names and addresses are those of the rows: an endpoint that prefixes tools has none of these.
 * A server whose list is made of something else (a database's catalogue) has a method of its own
 * for that one; what is in it is read by a template.
 */
#include "mcp/server/server.h"

#include <stdio.h>

#include "mcp/server/part.h"
#include "mcp/view/names.h"

#define LIST_BYTES KM_MCP_RESULT_BYTES

/* --- lists --- */

static void put_member(struct km_buf *out, const char *name, struct km_str value)
{
    if (!value.n)
        return;
    km_buf_printf(out, ",\"%s\":", name);
    km_buf_json(out, value);
}

static void put_resource(const struct km_mcp_call *call, const struct km_mcp_resource *r,
                         struct km_buf *out)
{
    km_buf_str(out, r->is_template ? KM_STR("{\"uriTemplate\":") : KM_STR("{\"uri\":"));
    km_buf_json(out, r->uri);
    put_member(out, "name", r->name);
    if (call->revision->structured)
        put_member(out, "title", r->title);
    put_member(out, "description", r->description);
    put_member(out, "mimeType", r->mime);
    km_buf_byte(out, '}');
}

static void put_prompt(const struct km_mcp_call *call, const struct km_mcp_prompt *p,
                       struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, p->name);
    if (call->revision->structured)
        put_member(out, "title", p->title);
    put_member(out, "description", p->description);
    km_buf_str(out, KM_STR(",\"arguments\":["));
    for (size_t i = 0; i < p->narguments; i++) {
        km_buf_str(out, i ? KM_STR(",{\"name\":") : KM_STR("{\"name\":"));
        km_buf_json(out, p->arguments[i].name);
        put_member(out, "description", p->arguments[i].description);
        km_buf_printf(out, ",\"required\":%s}", p->arguments[i].required ? "true" : "false");
    }
    km_buf_str(out, KM_STR("]}"));
}

/* What of a server's rows is in the list of that name. */
enum list { RESOURCES, TEMPLATES, PROMPTS };

static void put_rows(const struct km_mcp_call *call, const struct km_mcp_server *s, enum list list,
                     size_t *shown, struct km_buf *out)
{
    size_t n = list == PROMPTS ? s->nprompts : s->nresources;

    for (size_t i = 0; i < n; i++) {
        if (list != PROMPTS && s->resources[i].is_template != (list == TEMPLATES))
            continue;
        if ((*shown)++)
            km_buf_byte(out, ',');
        if (list == PROMPTS)
            put_prompt(call, &s->prompts[i], out);
        else
            put_resource(call, &s->resources[i], out);
    }
}

static void list_rows(struct km_mcp_call *call, enum list list, const char *member)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    size_t shown = 0;

    if (km_json_get(call->msg.params, "cursor")) {
        km_mcp_fault(call, KM_RPC_INVALID_PARAMS, "unknown cursor: the list has one page");
        return;
    }
    km_buf_printf(&b, "\"%s\":[", member);
    for (size_t i = 0; i < call->endpoint->nservers; i++)
        put_rows(call, call->endpoint->servers[i], list, &shown, &b);
    km_buf_byte(&b, ']');
    km_mcp_call_members(call, km_buf_view(&b));
}

static void on_resources_list(struct km_mcp_call *call)
{
    list_rows(call, RESOURCES, "resources");
}

static void on_templates_list(struct km_mcp_call *call)
{
    list_rows(call, TEMPLATES, "resourceTemplates");
}

static void on_prompts_list(struct km_mcp_call *call)
{
    list_rows(call, PROMPTS, "prompts");
}

/* --- one of them --- */

static const struct km_mcp_resource *find_resource(struct km_mcp_call *call, bool is_template)
{
    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        const struct km_mcp_server *s = call->endpoint->servers[i];

        for (size_t k = 0; k < s->nresources; k++) {
            const struct km_mcp_resource *r = &s->resources[k];

            if (r->is_template != is_template ||
                !(is_template ? km_mcp_template_matches(r->uri, call->uri)
                              : km_str_eq(r->uri, call->uri)))
                continue;
            call->server = s;
            return r;
        }
    }
    return NULL;
}

static void on_resources_read(struct km_mcp_call *call)
{
    struct km_buf data KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    const struct km_mcp_resource *r;

    (void)km_json_string(km_json_get(call->msg.params, "uri"), &call->uri);
    r = find_resource(call, false);
    if (!r)
        r = find_resource(call, true);
    if (r) {
        km_mcp_run(call, r->run);
        return;
    }
    km_buf_str(&data, KM_STR("{\"uri\":"));
    km_buf_json(&data, call->uri);
    km_buf_byte(&data, '}');
    km_mcp_end_fault(call, KM_RPC_RESOURCE_NOT_FOUND, "unknown", "Resource not found",
                     km_buf_failed(&data) ? KM_STR_NONE : km_buf_view(&data));
}

static const struct km_mcp_prompt *find_prompt(struct km_mcp_call *call, struct km_str name)
{
    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        const struct km_mcp_server *s = call->endpoint->servers[i];

        for (size_t k = 0; k < s->nprompts; k++)
            if (km_str_eq(s->prompts[k].name, name)) {
                call->server = s;
                return &s->prompts[k];
            }
    }
    return NULL;
}

static void on_prompts_get(struct km_mcp_call *call)
{
    struct km_str name = KM_STR_NONE, value;
    const struct km_mcp_prompt *p;
    char text[200];

    (void)km_json_string(km_json_get(call->msg.params, "name"), &name);
    call->args = km_json_get(call->msg.params, "arguments");
    p = find_prompt(call, name);
    if (!p) {
        km_mcp_fault(call, KM_RPC_INVALID_PARAMS,
                     "no such prompt: prompts/list has those there are");
        return;
    }
    for (size_t i = 0; i < p->narguments; i++)
        if (p->arguments[i].required &&
            !km_json_string(
                km_json_get(call->args, km_arena_cstr(call->arena, p->arguments[i].name)),
                &value)) {
            snprintf(text, sizeof text, "%.*s needs the argument %.*s", KM_STR_ARG(p->name),
                     KM_STR_ARG(p->arguments[i].name));
            km_mcp_fault(call, KM_RPC_INVALID_PARAMS, text);
            return;
        }
    call->prompt = p;
    km_mcp_run(call, p->run);
}

/* --- the methods --- */

void km_mcp_put_row_capabilities(const struct km_mcp_call *call, struct km_buf *out)
{
    bool resources = false, prompts = false, changes = false, watched = false;

    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        resources = resources || call->endpoint->servers[i]->nresources > 0;
        prompts = prompts || call->endpoint->servers[i]->nprompts > 0;
        changes = changes || call->endpoint->servers[i]->changes;
        watched = watched || call->endpoint->servers[i]->watched;
    }
    if (resources)
        km_buf_str(out, changes || watched
                            ? KM_STR(",\"resources\":{\"subscribe\":true,\"listChanged\":true}")
                            : KM_STR(",\"resources\":{}"));
    if (prompts)
        km_buf_str(out, changes ? KM_STR(",\"prompts\":{\"listChanged\":true}")
                                : KM_STR(",\"prompts\":{}"));
}

static bool has(const struct km_mcp_call *call, bool prompts)
{
    for (size_t i = 0; i < call->endpoint->nservers; i++)
        if (prompts ? call->endpoint->servers[i]->nprompts : call->endpoint->servers[i]->nresources)
            return true;
    return false;
}

bool km_mcp_rows(struct km_mcp_call *call)
{
    static const struct {
        struct km_str name;
        bool prompts;
        void (*run)(struct km_mcp_call *call);
    } methods[] = {
        { { "resources/list", 14 }, false, on_resources_list },
        { { "resources/templates/list", 24 }, false, on_templates_list },
        { { "resources/read", 14 }, false, on_resources_read },
        { { "prompts/list", 12 }, true, on_prompts_list },
        { { "prompts/get", 11 }, true, on_prompts_get },
    };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (km_str_eq(methods[i].name, call->msg.method) && has(call, methods[i].prompts)) {
            methods[i].run(call);
            return true;
        }
    return false;
}
