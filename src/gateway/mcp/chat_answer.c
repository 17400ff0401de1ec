/* SPDX-License-Identifier: Apache-2.0 */
/* chat_answer.c - the answer of a chat's last round with what was done for it; see chat.h.
 *
 *     chat        each message gets provider_specific_fields, in LiteLLM's words
 *     Responses   items of type mcp_list_tools and mcp_call stand before its own
 *
 * Everything else of the answer is as the model's API gave it.
 */
#include "gateway/mcp/chat.h"

/* An object's members but two, as they are: `"a":1,"b":2`. */
static void put_others(const struct km_json *object, const char *but, const char *nor,
                       struct km_buf *b)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;
    bool any = false;

    for (km_json_iter(object, &it); km_json_next(&it, &key, &v);) {
        if (km_str_eq(key, km_str_c(but)) || km_str_eq(key, km_str_c(nor)))
            continue;
        if (any)
            km_buf_byte(b, ',');
        any = true;
        km_buf_json(b, key);
        km_buf_byte(b, ':');
        km_json_write(v, b);
    }
}

void km_mcp_chat_metadata(const struct km_mcp_chat *c, bool list, struct km_buf *b)
{
    size_t from = b->n;

    if (list && c->nfns) {
        km_buf_str(b, KM_STR("\"mcp_list_tools\":["));
        for (size_t i = 0; i < c->nfns; i++) {
            if (i)
                km_buf_byte(b, ',');
            km_buf_str(b, c->fns[i].json);
        }
        km_buf_byte(b, ']');
    }
    if (c->calls_made.n) {
        km_buf_str(b,
                   b->n > from ? KM_STR(",\"mcp_tool_calls\":[") : KM_STR("\"mcp_tool_calls\":["));
        km_buf_str(b, km_str_skip(km_buf_view(&c->calls_made), 1));
        km_buf_str(b, KM_STR("],\"mcp_call_results\":["));
        km_buf_str(b, km_str_skip(km_buf_view(&c->results), 1));
        km_buf_byte(b, ']');
    }
}

bool km_mcp_chat_mixed(const struct km_mcp_chat *c)
{
    size_t here = 0;

    for (size_t i = 0; i < c->ncalls; i++)
        here += c->calls[i].fn && c->calls[i].fn->auto_run;
    return here > 0 && here < c->ncalls;
}

/* A call that is left out of a mixed turn. */
static bool left_out(const struct km_mcp_chat *c, const struct km_json *call)
{
    const struct km_json *f = km_json_get(call, "function");
    const struct km_mcp_chat_fn *fn = NULL;
    struct km_str name;

    if (km_json_string(km_json_get(f ? f : call, "name"), &name))
        fn = km_mcp_chat_find(c, name);
    return fn && fn->auto_run && km_mcp_chat_mixed(c);
}

static void put_calls(const struct km_mcp_chat *c, const struct km_json *calls, struct km_buf *b)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;
    bool any = false;

    if (km_json_kind(calls) != KM_JSON_ARRAY)
        return;
    km_buf_str(b, KM_STR(",\"tool_calls\":["));
    for (km_json_iter(calls, &it); km_json_next(&it, &key, &v);) {
        if (left_out(c, v))
            continue;
        if (any)
            km_buf_byte(b, ',');
        any = true;
        km_json_write(v, b);
    }
    km_buf_byte(b, ']');
}

static void put_choice(const struct km_mcp_chat *c, const struct km_json *choice, struct km_buf *b)
{
    const struct km_json *message = km_json_get(choice, "message");
    const struct km_json *fields = km_json_get(message, "provider_specific_fields");

    km_buf_byte(b, '{');
    put_others(choice, "message", "", b);
    km_buf_str(b, KM_STR(",\"message\":{"));
    put_others(message, "provider_specific_fields", "tool_calls", b);
    put_calls(c, km_json_get(message, "tool_calls"), b);
    km_buf_str(b, KM_STR(",\"provider_specific_fields\":{"));
    put_others(fields, "", "", b);
    if (km_json_count(fields))
        km_buf_byte(b, ',');
    km_mcp_chat_metadata(c, true, b);
    km_buf_str(b, KM_STR("}}}"));
}

void km_mcp_chat_answer(const struct km_mcp_chat *c, const struct km_json *root, struct km_buf *b)
{
    const char *member = c->responses ? "output" : "choices";
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;
    bool any = false;

    km_buf_byte(b, '{');
    put_others(root, member, "", b);
    km_buf_printf(b, ",\"%s\":[", member);
    if (c->responses && c->items.n) {
        km_buf_str(b, km_str_skip(km_buf_view(&c->items), 1));
        any = true;
    }
    for (km_json_iter(km_json_get(root, member), &it); km_json_next(&it, &key, &v);) {
        if (c->responses && left_out(c, v))
            continue;
        if (any)
            km_buf_byte(b, ',');
        any = true;
        if (c->responses)
            km_json_write(v, b);
        else
            put_choice(c, v, b);
    }
    km_buf_str(b, KM_STR("]}"));
}
