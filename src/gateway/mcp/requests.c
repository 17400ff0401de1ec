/* SPDX-License-Identifier: Apache-2.0 */
/* requests.c - requests that are for one server: which one, and what it is sent.
 *
 *     tools/call, prompts/get      params.name, by look-up in the view
 *     resources/read               params.uri, by who lists it, whose template gives it, or whose
 *                                  result last named it to this caller
 *     completion/complete          params.ref, as above
 *     tasks/...                    params.taskId, by who made the task
 *
 * The params go on as they came but for the name, which becomes the server's own, and the state
 * of a retry, which was wrapped.
 */
#include <stdio.h>

#include "gateway/mcp/call.h"
#include "gateway/mcp/notify.h"
#include "mcp/header_check.h"
#include "mcp/memory.h"

static void unknown(struct km_mcp_turn *t, enum km_rpc_fault fault, const char *what,
                    struct km_str name)
{
    char text[300];

    snprintf(text, sizeof text, "%s: %.*s", what, KM_STR_ARG(km_str_sub(name, 0, 200)));
    km_mcp_turn_fault(t, fault, text);
}

static struct km_str quoted(struct km_arena *arena, struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_json(&b, s);
    return km_buf_failed(&b) ? KM_STR("\"\"") : km_arena_str(arena, km_buf_view(&b));
}

/* json empty: without the member. */
static int change_member(struct km_arena *arena, struct km_str object, struct km_str name,
                         struct km_str json, struct km_str *ret, struct km_err *err)
{
    struct km_json_span span;
    struct km_json_object place;
    struct km_json_edits edits;
    struct km_str *parts, text;
    size_t n;
    int r = km_json_spans(object, &name, 1, &span, &place, err);

    if (r < 0)
        return r;
    km_json_edits_init(&edits, object, &place);
    if (span.type == KM_JSON_ABSENT && json.n)
        km_json_add(&edits, arena, name, json);
    else if (json.n)
        km_json_replace(&edits, &span, json);
    else if (span.type != KM_JSON_ABSENT)
        km_json_cut(&edits, &span);
    r = km_json_parts(&edits, arena, &parts, &n, err);
    if (r < 0)
        return r;
    text = km_arena_cat(arena, parts, n);
    if (!text.n)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = text;
    return 0;
}

int km_mcp_with_member(struct km_arena *arena, struct km_str object, struct km_str name,
                       struct km_str json, struct km_str *ret, struct km_err *err)
{
    if (!json.n)
        return km_fail(err, KM_E_NOMEM, "no room for '%.*s'", KM_STR_ARG(name));
    return change_member(arena, object, name, json, ret, err);
}

/* The params could not be changed for the server, which must not get them as they are. */
static void fail_params(struct km_mcp_turn *t, const struct km_err *err)
{
    km_mcp_turn_fail(t, err);
}

/* A retry with requestState: dealt with here, or its inner state goes to the server it names. */
static bool retried(struct km_mcp_turn *t, struct km_str *params, struct km_str *ret_server)
{
    const struct km_json *state = km_json_get(t->msg.params, "requestState");
    struct km_str text, inner = KM_STR_NONE;
    KM_ERR_NONE(err);

    *ret_server = KM_STR_NONE;
    if (!state || t->revision->era != KM_MCP_STATELESS)
        return false;
    if (!km_json_string(state, &text)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "Invalid or expired requestState");
        return true;
    }
    if (km_mcp_unpark(t, text, &inner, ret_server))
        return true;
    if (change_member(t->arena, *params, KM_STR("requestState"),
                      inner.n ? quoted(t->arena, inner) : KM_STR_NONE, params, &err) == 0)
        return false;
    fail_params(t, &err);
    return true;
}

static void begin(struct km_mcp_turn *t, struct km_mcp_view *view, const struct km_mcp_member *m,
                  const struct km_mcp_item *item, struct km_str params, struct km_str shown)
{
    struct km_mcp_call_args args = { .view = view,
                                     .member = m,
                                     .item = item,
                                     .method = t->msg.method,
                                     .params = params,
                                     .shown = shown };

    km_mcp_call_begin(t, &args);
}

/* --- by name --- */

static const char *param_headers(struct km_mcp_turn *t, const struct km_mcp_item *item)
{
    const struct km_json *tool;

    /* Standard input has no headers; a client that sends some is not excused by saying so. */
    if (t->client.n && !km_mcp_has_params(&t->in->headers))
        return NULL;
    if (t->revision->era != KM_MCP_STATELESS || t->searched || !item->marked ||
        km_json_parse(t->arena, item->json, &tool, NULL) < 0)
        return NULL;
    return km_mcp_param_mismatch(t->arena, &t->in->headers, km_json_get(tool, "inputSchema"),
                                 km_json_get(t->msg.params, "arguments"));
}

/* It would be of a server that shows the caller nothing yet, for it has no token for it. */
static bool no_token(struct km_mcp_turn *t, const struct km_mcp_view *view, const char *what,
                     struct km_str name)
{
    const struct km_mcp_member *m;
    struct km_err why = { 0 };
    size_t n = km_mcp_view_members(view, &m);
    char text[700];

    for (size_t i = 0; i < n; i++) {
        if ((n > 1 && !km_str_starts(name, m[i].alias)) || !km_mcp_no_token(t->in, &m[i], &why))
            continue;
        snprintf(text, sizeof text, "%s: %.*s. %s", what, KM_STR_ARG(km_str_sub(name, 0, 100)),
                 why.text);
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, text);
        return true;
    }
    return false;
}

/* Nobody has it, or it is withheld. */
static void not_there(struct km_mcp_turn *t, const struct km_mcp_view *view, enum km_mcp_list list,
                      const char *what, struct km_str name)
{
    const struct km_mcp_entry_of *e =
        list == KM_MCP_TOOLS ? km_mcp_view_withheld(view, name) : NULL;
    char text[400];

    if (list == KM_MCP_TOOLS)
        km_mcp_record_refused(t, e ? e->member->name : KM_STR_NONE, e ? e->item->name : name,
                              e ? "withheld" : "unknown_tool");
    if (!e) {
        if (!no_token(t, view, what, name))
            unknown(t, KM_RPC_INVALID_PARAMS, what, name);
        return;
    }
    snprintf(text, sizeof text,
             "Tool %.*s is withheld: it is not as it was approved. Who runs this gateway can look "
             "at it and accept it with `kanmon mcp approve %.*s`.",
             KM_STR_ARG(km_str_sub(name, 0, 100)), KM_STR_ARG(e->member->name));
    km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, text);
}

static void by_name(struct km_mcp_turn *t, enum km_mcp_list list, const char *what)
{
    struct km_str name, params = t->msg.params_text, server;
    const struct km_mcp_entry_of *e;
    struct km_mcp_view *view;
    KM_ERR_NONE(err);
    const char *why;

    if (!km_json_string(km_json_get(t->msg.params, "name"), &name)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS,
                          list == KM_MCP_TOOLS ? "tools/call needs params.name"
                                               : "prompts/get needs params.name");
        return;
    }
    if (retried(t, &params, &server))
        return;
    view = km_mcp_turn_view(t);
    if (!view)
        return;
    e = km_mcp_view_named(view, list, name);
    if (!e && (km_mcp_later(t, view) || km_mcp_later_own(t, view, name))) {
        km_mcp_view_unref(view);
        return;
    }
    if (!e) {
        not_there(t, view, list, what, name);
    } else if (server.n && !km_str_eq(server, e->member->name)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "Invalid or expired requestState");
    } else if (list == KM_MCP_TOOLS && (why = param_headers(t, e->item))) {
        km_mcp_turn_fault(t, KM_RPC_HEADER_MISMATCH, why);
    } else if (!km_str_eq(name, e->item->name) &&
               km_mcp_with_member(t->arena, params, KM_STR("name"), quoted(t->arena, e->item->name),
                                  &params, &err) < 0) {
        fail_params(t, &err);
    } else {
        begin(t, view, e->member, e->item, params, name);
    }
    km_mcp_view_unref(view);
}

void km_mcp_on_tools_call(struct km_mcp_turn *t)
{
    if (!km_mcp_search_call(t))
        by_name(t, KM_MCP_TOOLS, "Unknown tool");
}

void km_mcp_on_prompts_get(struct km_mcp_turn *t)
{
    by_name(t, KM_MCP_PROMPTS, "Unknown prompt");
}

/* --- by uri --- */

/* The only server that could have it, when there is one. */
static const struct km_mcp_member *only_one(const struct km_mcp_view *view, struct km_str uri)
{
    const struct km_mcp_member *m, *found = NULL;
    size_t n = km_mcp_view_members(view, &m);

    for (size_t i = 0; i < n; i++)
        if (m[i].upstream) {
            if (found)
                return NULL;
            found = &m[i];
        }
    if (found && found->part && !km_mcp_part_pick(found->part, KM_MCP_RESOURCES, uri))
        return NULL;
    return found;
}

/* Its server lists it and the virtual server does not take it: a mention does not open it. */
static bool left_out(const struct km_mcp_member *m, struct km_str uri)
{
    const struct km_mcp_listing *items = &m->catalogue->lists[KM_MCP_RESOURCES];

    if (!m->part || km_mcp_part_pick(m->part, KM_MCP_RESOURCES, uri))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (km_str_eq(items->v[i].name, uri))
            return true;
    return false;
}

static const struct km_mcp_member *mentioned(struct km_mcp_turn *t, const struct km_mcp_view *view,
                                             struct km_str uri)
{
    struct km_str name =
        km_mcp_memory_owner(t->hub->shared->memory, t->arena, t->in->principal, uri);
    const struct km_mcp_member *m;

    m = name.n ? km_mcp_view_member(view, name) : NULL;
    return m && left_out(m, uri) ? NULL : m;
}

/* A whole result that was too large to send. */
static bool read_kept(struct km_mcp_turn *t, struct km_str uri)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_RPC_BYTES);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_RPC_BYTES);

    if (!km_mcp_memory_read(t->hub->shared->memory, t->in->principal, uri, km_mono_ms(), &text))
        return false;
    km_buf_byte(&b, '{');
    if (t->revision->era == KM_MCP_STATELESS)
        km_buf_str(&b, KM_STR("\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":"
                              "\"private\","));
    km_buf_str(&b, KM_STR("\"contents\":[{\"uri\":"));
    km_buf_json(&b, uri);
    km_buf_str(&b, KM_STR(",\"mimeType\":\"application/json\",\"text\":"));
    km_buf_json(&b, km_buf_view(&text));
    km_buf_str(&b, KM_STR("}]}"));
    if (km_buf_failed(&b))
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, "the result is too large to be read in one piece");
    else
        km_mcp_turn_result(t, km_buf_view(&b));
    return true;
}

const struct km_mcp_member *km_mcp_resource_owner(struct km_mcp_turn *t,
                                                  const struct km_mcp_view *view, struct km_str uri)
{
    const struct km_mcp_member *m;

    if (km_str_starts(uri, KM_STR(KM_MCP_SPOOL_URI)))
        return NULL; /* a result kept here: another's, or of long ago, and no server's */
    m = km_mcp_view_owner(view, uri);
    if (!m)
        m = mentioned(t, view, uri);
    return m ? m : only_one(view, uri);
}

static void not_found(struct km_mcp_turn *t, struct km_str uri)
{
    struct km_buf data KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&data, KM_STR("{\"uri\":"));
    km_buf_json(&data, uri);
    km_buf_byte(&data, '}');
    km_mcp_turn_fault_data(t, KM_RPC_RESOURCE_NOT_FOUND, "Resource not found", km_buf_view(&data));
}

void km_mcp_on_resources_read(struct km_mcp_turn *t)
{
    struct km_str uri, params = t->msg.params_text, server;
    const struct km_mcp_member *m;
    struct km_mcp_view *view;

    if (!km_json_string(km_json_get(t->msg.params, "uri"), &uri)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "resources/read needs params.uri");
        return;
    }
    if (read_kept(t, uri) || retried(t, &params, &server))
        return;
    view = km_mcp_turn_view(t);
    if (!view)
        return;
    m = km_mcp_resource_owner(t, view, uri);
    if (!m && km_mcp_later(t, view)) {
        km_mcp_view_unref(view);
        return;
    }
    if (!m || !m->upstream)
        not_found(t, uri);
    else if (server.n && !km_str_eq(server, m->name))
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "Invalid or expired requestState");
    else
        begin(t, view, m, NULL, params, uri);
    km_mcp_view_unref(view);
}

/* --- completion --- */

/* *ret: who has it; NULL: nobody. */
static int of_prompt(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str name,
                     struct km_str *params, const struct km_mcp_member **ret, struct km_err *err)
{
    const struct km_mcp_entry_of *e = km_mcp_view_named(view, KM_MCP_PROMPTS, name);
    struct km_str names[] = { KM_STR("ref") }, ref;
    struct km_json_span span;
    int r;

    if (!e)
        return 0;
    *ret = e->member;
    if (km_str_eq(name, e->item->name))
        return 0;
    r = km_json_spans(*params, names, 1, &span, NULL, err);
    if (r == 0)
        r = km_mcp_with_member(t->arena, km_json_value(*params, &span), KM_STR("name"),
                               quoted(t->arena, e->item->name), &ref, err);
    return r == 0 ? km_mcp_with_member(t->arena, *params, KM_STR("ref"), ref, params, err) : r;
}

void km_mcp_on_complete(struct km_mcp_turn *t)
{
    const struct km_json *ref = km_json_get(t->msg.params, "ref");
    struct km_str type = KM_STR_NONE, name = KM_STR_NONE, params = t->msg.params_text;
    const struct km_mcp_member *m = NULL;
    struct km_mcp_view *view = km_mcp_turn_view(t);
    struct km_err err = { 0 };
    int r = 0;

    if (!view)
        return;
    (void)km_json_string(km_json_get(ref, "type"), &type);
    if (km_str_eq(type, KM_STR("ref/prompt")) && km_json_string(km_json_get(ref, "name"), &name))
        r = of_prompt(t, view, name, &params, &m, &err);
    else if (km_str_eq(type, KM_STR("ref/resource")) &&
             km_json_string(km_json_get(ref, "uri"), &name))
        m = km_mcp_resource_owner(t, view, name);
    if (r < 0)
        fail_params(t, &err);
    else if (m && m->upstream)
        begin(t, view, m, NULL, params, name);
    else if (m || !km_mcp_later(t, view))
        unknown(t, KM_RPC_INVALID_PARAMS, "Unknown reference", name);
    km_mcp_view_unref(view);
}

/* --- tasks --- */

void km_mcp_on_task(struct km_mcp_turn *t)
{
    const struct km_mcp_member *m;
    struct km_mcp_view *view;
    struct km_str id;

    if (!km_json_string(km_json_get(t->msg.params, "taskId"), &id)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "this method needs params.taskId");
        return;
    }
    view = km_mcp_turn_view(t);
    if (!view)
        return;
    m = mentioned(t, view, km_arena_cat(t->arena, (struct km_str[]){ KM_STR("task:"), id }, 2));
    if (!m)
        unknown(t, KM_RPC_INVALID_PARAMS, "Unknown task", id);
    else
        begin(t, view, m, NULL, t->msg.params_text, id);
    km_mcp_view_unref(view);
}
