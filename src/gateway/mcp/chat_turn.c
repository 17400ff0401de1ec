/* SPDX-License-Identifier: Apache-2.0 */
/* chat_turn.c - what the model said in a round, as the turn it gets back; see chat.h.
 *
 *     whole      the message, or the items of output, as they came
 *     streamed   deltas ──┬── content, reasoning_content, reasoning     texts, one after another
 *                         ├── thinking_blocks, reasoning_details        lists, one after another
 *                         └── tool_calls   by index; extra_content (a signature) as it came
 *                                  └──> {"role":"assistant", ...}
 *
 * Nothing of a turn with calls may be lost: Claude refuses a turn that called a tool without the
 * thinking that led to it, its signature and sealed blocks included; Gemini wants the signature of
 * each call; DeepSeek its reasoning_content.  A turn with more calls than KM_MCP_CHAT_CALLS is not
 * run here: its calls are the caller's.
 */
#include "gateway/mcp/chat.h"

/* Members of a delta that are put together again; content is first: it is always said. */
static const struct {
    struct km_str name;
    bool list;
} kept[KM_MCP_CHAT_KEPT] = {
    { { "content", 7 }, false },           { { "reasoning_content", 17 }, false },
    { { "reasoning", 9 }, false },         { { "thinking_blocks", 15 }, true },
    { { "reasoning_details", 17 }, true },
};

/* Members of a call beside its function that belong to it. */
static const struct km_str call_more[] = { { "extra_content", 13 },
                                           { "provider_specific_fields", 24 } };

void km_mcp_chat_forget(struct km_mcp_chat *c)
{
    for (size_t i = 0; i < c->ncalls; i++) {
        km_buf_reset(&c->calls[i].id);
        km_buf_reset(&c->calls[i].name);
        km_buf_reset(&c->calls[i].arguments);
        km_buf_reset(&c->calls[i].more);
    }
    for (size_t i = 0; i < KM_MCP_CHAT_KEPT; i++)
        km_buf_reset(&c->kept[i]);
    c->ncalls = c->at = 0;
    c->crowded = false;
}

/* --- whole --- */

static void take_call(struct km_mcp_chat *c, struct km_str id, const struct km_json *f)
{
    struct km_mcp_chat_call *call;
    struct km_str text;

    c->crowded = c->ncalls == KM_MCP_CHAT_CALLS;
    if (c->crowded)
        return;
    call = &c->calls[c->ncalls++];
    km_buf_str(&call->id, id);
    if (km_json_string(km_json_get(f, "name"), &text))
        km_buf_str(&call->name, text);
    if (km_json_string(km_json_get(f, "arguments"), &text))
        km_buf_str(&call->arguments, text);
}

static void hear_items(struct km_mcp_chat *c, const struct km_json *output)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    struct km_buf shown KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, text;

    for (km_json_iter(output, &it); km_json_next(&it, &key, &v);) {
        bool call = km_json_string(km_json_get(v, "type"), &text) &&
                    km_str_eq(text, KM_STR("function_call"));

        km_buf_byte(&all, ',');
        km_json_write(v, &all);
        if (call && km_json_string(km_json_get(v, "call_id"), &text))
            take_call(c, text, v);
        if (call)
            continue;
        km_buf_byte(&shown, ',');
        km_json_write(v, &shown);
    }
    c->said = km_arena_str(&c->arena, km_buf_view(&all));
    c->shown = km_arena_str(&c->arena, km_buf_view(&shown));
}

void km_mcp_chat_hear(struct km_mcp_chat *c, const struct km_json *root)
{
    const struct km_json *message, *v;
    struct km_json_iter it;
    struct km_str key, text;

    if (c->responses) {
        hear_items(c, km_json_get(root, "output"));
        return;
    }
    km_json_iter(km_json_get(root, "choices"), &it);
    if (!km_json_next(&it, &key, &v))
        return;
    message = km_json_get(v, "message");
    for (km_json_iter(km_json_get(message, "tool_calls"), &it); km_json_next(&it, &key, &v);)
        if (km_json_string(km_json_get(v, "id"), &text))
            take_call(c, text, km_json_get(v, "function"));
    c->said = km_arena_cat(
        &c->arena, (struct km_str[]){ KM_STR(","), km_json_compact(message, &c->arena) }, 2);
}

/* --- streamed --- */

static void add_call(struct km_mcp_chat *c, const struct km_json *v)
{
    const struct km_json *f = km_json_get(v, "function"), *more;
    struct km_mcp_chat_call *call;
    struct km_str text;
    int64_t index = 0;

    (void)km_json_i64(km_json_get(v, "index"), &index);
    if (index < 0 || index >= KM_MCP_CHAT_CALLS) {
        c->crowded = true;
        return;
    }
    if ((size_t)index >= c->ncalls)
        c->ncalls = (size_t)index + 1;
    call = &c->calls[index];
    if (km_json_string(km_json_get(v, "id"), &text) && !call->id.n)
        km_buf_str(&call->id, text);
    if (km_json_string(km_json_get(f, "name"), &text))
        km_buf_str(&call->name, text);
    if (km_json_string(km_json_get(f, "arguments"), &text))
        km_buf_str(&call->arguments, text);
    for (size_t i = 0; i < sizeof call_more / sizeof call_more[0] && !call->more.n; i++) {
        more = km_json_get(v, call_more[i].p);
        if (km_json_count(more) == 0)
            continue;
        km_buf_byte(&call->more, ',');
        km_buf_json(&call->more, call_more[i]);
        km_buf_byte(&call->more, ':');
        km_json_write(more, &call->more);
    }
}

void km_mcp_chat_add(struct km_mcp_chat *c, const struct km_json *delta)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, text;

    for (size_t i = 0; i < KM_MCP_CHAT_KEPT; i++) {
        const struct km_json *of = km_json_get(delta, kept[i].name.p);

        if (!kept[i].list && km_json_string(of, &text))
            km_buf_str(&c->kept[i], text);
        if (!kept[i].list || km_json_kind(of) != KM_JSON_ARRAY)
            continue;
        for (km_json_iter(of, &it); km_json_next(&it, &key, &v);) {
            km_buf_byte(&c->kept[i], ',');
            km_json_write(v, &c->kept[i]);
        }
    }
    for (km_json_iter(km_json_get(delta, "tool_calls"), &it); km_json_next(&it, &key, &v);)
        add_call(c, v);
}

void km_mcp_chat_put_call(const struct km_mcp_chat_call *call, struct km_buf *b)
{
    km_buf_str(b, KM_STR("\"id\":"));
    km_buf_json(b, km_buf_view(&call->id));
    km_buf_str(b, KM_STR(",\"type\":\"function\",\"function\":{\"name\":"));
    km_buf_json(b, km_buf_view(&call->name));
    km_buf_str(b, KM_STR(",\"arguments\":"));
    km_buf_json(b, km_buf_view(&call->arguments));
    km_buf_byte(b, '}');
    km_buf_str(b, km_buf_view(&call->more));
    km_buf_byte(b, '}');
}

bool km_mcp_chat_say(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    bool lost = false;

    km_buf_str(&b, KM_STR(",{\"role\":\"assistant\",\"content\":"));
    if (c->kept[0].n)
        km_buf_json(&b, km_buf_view(&c->kept[0]));
    else
        km_buf_str(&b, KM_STR("null"));
    for (size_t i = 1; i < KM_MCP_CHAT_KEPT; i++) {
        lost = lost || km_buf_failed(&c->kept[i]);
        if (!c->kept[i].n)
            continue;
        km_buf_byte(&b, ',');
        km_buf_json(&b, kept[i].name);
        km_buf_str(&b, kept[i].list ? KM_STR(":[") : KM_STR(":"));
        if (kept[i].list)
            km_buf_str(&b, km_str_skip(km_buf_view(&c->kept[i]), 1));
        else
            km_buf_json(&b, km_buf_view(&c->kept[i]));
        km_buf_str(&b, kept[i].list ? KM_STR("]") : KM_STR_NONE);
    }
    km_buf_str(&b, KM_STR(",\"tool_calls\":["));
    for (size_t i = 0; i < c->ncalls; i++) {
        lost = lost || km_buf_failed(&c->calls[i].arguments) || km_buf_failed(&c->calls[i].more);
        km_buf_str(&b, i ? KM_STR(",{") : KM_STR("{"));
        km_mcp_chat_put_call(&c->calls[i], &b);
    }
    km_buf_str(&b, KM_STR("]}"));
    c->said = km_arena_str(&c->arena, km_buf_view(&b));
    return !lost && !km_buf_failed(&c->kept[0]) && !km_buf_failed(&b);
}
