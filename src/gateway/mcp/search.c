/* SPDX-License-Identifier: Apache-2.0 */
/* search.c - search_tools, describe_tool and call_tool, where an endpoint's tools are searched.
 *
 *     search_tools   {query, limit?}       words to tools, by the view's index (mcp/view/search.h)
 *     describe_tool  {name}                the tool as tools/list would have it
 *     call_tool      {name, arguments?}    becomes the call of that tool, here, at once
 *
 * All three see the view of the caller and nothing else, so who may not use a tool does not find
 * it.  A call_tool is rewritten before anything is decided: access, approval, limits and the audit
 * log see the tool itself, as if it had been called by its name.  A tool that is not listed may be
 * called by its name as well.
 */
#include "gateway/mcp/call.h"

#include "base/encode.h"

#define ANSWER_BYTES ((size_t)256 * 1024)
#define DESCRIPTION_MOST 400 /* bytes of it in a search's answer */

static void answer(struct km_mcp_turn *t, struct km_str json, bool structured, bool failed)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(3 * KM_RPC_BYTES);

    km_buf_byte(&b, '{');
    if (t->revision->era == KM_MCP_STATELESS)
        km_buf_str(&b, KM_STR("\"resultType\":\"complete\","));
    km_buf_str(&b, KM_STR("\"content\":[{\"type\":\"text\",\"text\":"));
    km_buf_json(&b, json);
    km_buf_str(&b, KM_STR("}]"));
    if (structured) {
        km_buf_str(&b, KM_STR(",\"structuredContent\":"));
        km_buf_str(&b, json);
    }
    km_buf_printf(&b, ",\"isError\":%s}", failed ? "true" : "false");
    if (km_buf_failed(&b))
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, "the answer is too large");
    else
        km_mcp_turn_result(t, km_buf_view(&b));
}

static void wrong(struct km_mcp_turn *t, const char *text)
{
    answer(t, km_str_c(text), false, true);
}

/* --- search_tools --- */

static void put_found(struct km_arena *arena, const struct km_mcp_found *f, struct km_buf *out)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_RPC_BYTES);
    const struct km_json *tool = NULL;
    struct km_str text;

    km_mcp_view_tool(f->entry, KM_MCP_HANDSHAKE, &b);
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, f->entry->wire);
    km_buf_str(out, KM_STR(",\"server\":"));
    km_buf_json(out, f->entry->member->name);
    if (!km_buf_failed(&b) && km_json_parse(arena, km_buf_view(&b), &tool, NULL) == 0) {
        if (km_json_string(km_json_get(tool, "title"), &text)) {
            km_buf_str(out, KM_STR(",\"title\":"));
            km_buf_json(out, km_utf8_cut(text, DESCRIPTION_MOST));
        }
        if (km_json_string(km_json_get(tool, "description"), &text)) {
            km_buf_str(out, KM_STR(",\"description\":"));
            km_buf_json(out, km_utf8_cut(text, DESCRIPTION_MOST));
        }
    }
    km_buf_printf(out, ",\"score\":%.3f}", (double)f->score);
}

static void search(struct km_mcp_turn *t, struct km_mcp_view *view, const struct km_json *args)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_mcp_search *index = km_mcp_view_index(view);
    int64_t limit = t->in->visit->view->snap->mcp_search->results;
    struct km_mcp_found found[KM_MCP_SEARCH_RESULTS];
    struct km_str query;
    size_t n;

    (void)km_json_i64(km_json_get(args, "limit"), &limit);
    if (!km_json_string(km_json_get(args, "query"), &query) || !query.n) {
        wrong(t, "search_tools needs a query: a few words of what the tool should do");
        return;
    }
    if (!index) {
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    limit = limit < 1 ? 1 : limit > KM_MCP_SEARCH_RESULTS ? KM_MCP_SEARCH_RESULTS : limit;
    n = km_mcp_search_query(index, query, found, (size_t)limit);
    km_buf_str(&b, KM_STR("{\"tools\":["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            km_buf_byte(&b, ',');
        put_found(t->arena, &found[i], &b);
    }
    km_buf_str(&b, KM_STR("]}"));
    answer(t, km_buf_view(&b), true, km_buf_failed(&b));
}

/* --- describe_tool --- */

static void describe(struct km_mcp_turn *t, const struct km_mcp_view *view,
                     const struct km_json *args)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_RPC_BYTES);
    const struct km_mcp_entry_of *e = NULL;
    struct km_str name;

    if (km_json_string(km_json_get(args, "name"), &name))
        e = km_mcp_view_named(view, KM_MCP_TOOLS, name);
    if (!e) {
        wrong(t, "There is no tool of that name here; search_tools finds what there is.");
        return;
    }
    km_mcp_view_tool(e, t->revision->era, &b);
    answer(t, km_buf_view(&b), true, km_buf_failed(&b));
}

/* --- call_tool --- */

static struct km_str quoted(struct km_arena *arena, struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_json(&b, s);
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&b));
}

/* The message with the tool in the place of call_tool; all beside name and arguments stays. */
static bool rewrite(struct km_mcp_turn *t, const struct km_json *args)
{
    static const struct km_str names[] = { { "params", 6 } };
    const struct km_json *inner = km_json_get(args, "arguments");
    enum km_rpc_fault fault;
    struct km_json_span span;
    struct km_str name, params, text;

    if (!km_json_string(km_json_get(args, "name"), &name) || !name.n ||
        (inner && km_json_kind(inner) != KM_JSON_OBJECT)) {
        wrong(t, "call_tool needs the tool's name, and its arguments as an object");
        return false;
    }
    if (km_json_spans(t->text, names, 1, &span, NULL, NULL) < 0)
        return false;
    if (km_mcp_with_member(t->arena, km_json_value(t->text, &span), KM_STR("name"),
                           quoted(t->arena, name), &params, NULL) < 0 ||
        km_mcp_with_member(t->arena, params, KM_STR("arguments"),
                           inner ? km_json_compact(inner, t->arena) : KM_STR("{}"), &params,
                           NULL) < 0 ||
        km_mcp_with_member(t->arena, t->text, names[0], params, &text, NULL) < 0 ||
        km_rpc_parse(t->arena, text, &t->msg, &fault, NULL) < 0) {
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, "the call is too large");
        return false;
    }
    t->text = text;
    t->searched = true;
    return true;
}

bool km_mcp_search_call(struct km_mcp_turn *t)
{
    const struct km_json *args = km_json_get(t->msg.params, "arguments");
    struct km_mcp_view *view = NULL;
    struct km_str name;
    bool call, done = true;

    if (t->searched || !km_json_string(km_json_get(t->msg.params, "name"), &name))
        return false;
    call = km_str_eq(name, KM_STR("call_tool"));
    if ((!call && !km_str_eq(name, KM_STR("search_tools")) &&
         !km_str_eq(name, KM_STR("describe_tool"))) ||
        km_mcp_view_for(t->in, t->capabilities, &view, NULL) < 0)
        return false;
    if (!km_mcp_view_searched(view)) {
        done = false;
    } else if (call) {
        done = !rewrite(t, args);
    } else if (!km_mcp_later(t, view)) {
        km_mcp_record_refused(t, KM_STR("kanmon"), name, "ok");
        if (name.p[0] == 's')
            search(t, view, args);
        else
            describe(t, view, args);
    }
    km_mcp_view_unref(view);
    return done;
}
