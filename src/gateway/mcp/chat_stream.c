/* SPDX-License-Identifier: Apache-2.0 */
/* chat_stream.c - chats with MCP tools as streams; see chat.h.
 *
 *     round 1:  thought text call call finish      the calls and the finish are held back
 *     round 2:  text text finish [DONE]            a last round gives all it held
 *
 * The caller sees one answer: reasoning and text as they come, no calls of tools that are run here,
 * one finish.  The first chunk names the tools (provider_specific_fields.mcp_list_tools), a chunk
 * before the finish what was called and answered.
 *
 * A Responses answer is whole when it comes here and is told as the events it would have had.
 */
#include "gateway/mcp/chat.h"

/* --- chat completions --- */

static void chunk(struct km_mcp_chat *c, struct km_str inside, struct km_str finish,
                  const struct km_json *usage, struct km_buf *out)
{
    km_buf_str(out, KM_STR("data: {"));
    km_buf_str(out, km_buf_view(&c->first));
    km_buf_str(out, KM_STR("\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
                           "\"delta\":{"));
    km_buf_str(out, inside);
    km_buf_str(out, KM_STR("},\"finish_reason\":"));
    if (finish.n)
        km_buf_json(out, finish);
    else
        km_buf_str(out, KM_STR("null"));
    km_buf_str(out, KM_STR("}]"));
    if (usage) {
        km_buf_str(out, KM_STR(",\"usage\":"));
        km_json_write(usage, out);
    }
    km_buf_str(out, KM_STR("}\n\n"));
}

/* id, created and model of all chunks kanmon makes itself: those of the first. */
static void remember(struct km_mcp_chat *c, const struct km_json *root)
{
    static const char *const names[] = { "id", "created", "model" };

    for (size_t i = 0; i < 3; i++) {
        const struct km_json *v = km_json_get(root, names[i]);

        if (!v)
            continue;
        km_buf_printf(&c->first, "\"%s\":", names[i]);
        km_json_write(v, &c->first);
        km_buf_byte(&c->first, ',');
    }
}

static void put_fields(struct km_mcp_chat *c, bool list)
{
    struct km_buf inside KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);

    if (list ? !c->nfns : !c->calls_made.n)
        return;
    km_buf_str(&inside, list ? KM_STR("\"role\":\"assistant\",\"provider_specific_fields\":{")
                             : KM_STR("\"provider_specific_fields\":{"));
    km_mcp_chat_metadata(c, list, &inside);
    km_buf_byte(&inside, '}');
    chunk(c, km_buf_view(&inside), KM_STR_NONE, NULL, &b);
    if (!km_buf_failed(&b))
        km_mcp_chat_write(c, km_buf_view(&b));
}

/* Something the caller is told at once, whatever becomes of the calls beside it. */
static bool tells(struct km_str name, const struct km_json *v)
{
    struct km_str text;

    if (km_str_eq(name, KM_STR("tool_calls")) || km_str_eq(name, KM_STR("role")))
        return false;
    return km_json_string(v, &text) ? text.n > 0 : km_json_count(v) > 0;
}

/* A chunk with calls or a finish waits; what else it says goes on. */
static void hold(struct km_mcp_chat *c, struct km_str raw, const struct km_json *root,
                 const struct km_json *choice)
{
    struct km_buf now KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);
    struct km_buf rest KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);
    struct km_str key, finish = KM_STR_NONE;
    struct km_json_iter it;
    const struct km_json *v;

    for (km_json_iter(km_json_get(choice, "delta"), &it); km_json_next(&it, &key, &v);) {
        struct km_buf *to = tells(key, v) ? &now : &rest;

        if (to->n)
            km_buf_byte(to, ',');
        km_buf_json(to, key);
        km_buf_byte(to, ':');
        km_json_write(v, to);
    }
    if (!now.n) {
        km_buf_str(&c->held, raw);
        return;
    }
    chunk(c, km_buf_view(&now), KM_STR_NONE, NULL, &b);
    km_mcp_chat_write(c, km_buf_view(&b));
    (void)km_json_string(km_json_get(choice, "finish_reason"), &finish);
    chunk(c, km_buf_view(&rest), finish, km_json_get(root, "usage"), &c->held);
}

/* Reads what the chunk says; true: it is dealt with, or waits for the end of the round. */
static bool waits(struct km_mcp_chat *c, const struct km_sse_event *event,
                  const struct km_json *root)
{
    const struct km_json *choice = NULL, *delta;
    struct km_json_iter it;
    struct km_str key, text;

    km_json_iter(km_json_get(root, "choices"), &it);
    if (!km_json_next(&it, &key, &choice)) {
        if (c->held.n)
            km_buf_str(&c->held, event->raw); /* usage, behind the finish */
        return c->held.n > 0;
    }
    delta = km_json_get(choice, "delta");
    km_mcp_chat_add(c, delta);
    if (!km_json_count(km_json_get(delta, "tool_calls")) &&
        !km_json_string(km_json_get(choice, "finish_reason"), &text))
        return false;
    hold(c, event->raw, root, choice);
    return true;
}

int km_mcp_chat_event(struct km_mcp_chat *c, const struct km_sse_event *event)
{
    const struct km_json *root = NULL;
    struct km_arena arena;
    bool held;

    if (!event->has_data) {
        if (c->call->streaming)
            km_mcp_chat_write(c, event->raw);
        return 0;
    }
    km_arena_init(&arena, (size_t)64 << 20, NULL);
    if (km_str_eq(event->data, KM_STR("[DONE]")) ||
        km_json_parse_answer(&arena, event->data, &root, NULL) < 0) {
        held = true;
        km_buf_str(&c->held, event->raw);
    } else {
        if (!c->first.n)
            remember(c, root);
        if (!c->listed)
            put_fields(c, true);
        c->listed = true;
        held = waits(c, event, root);
    }
    if (!held)
        km_mcp_chat_write(c, event->raw);
    km_arena_done(&arena);
    return km_buf_failed(&c->held) ? KM_E_LIMIT : 0;
}

static void put_own_calls(struct km_mcp_chat *c, struct km_buf *b)
{
    struct km_buf inside KM_CLEANUP(km_buf_done) = KM_BUF((size_t)32 << 20);
    size_t n = 0;

    km_buf_str(&inside, KM_STR("\"tool_calls\":["));
    for (size_t i = 0; i < c->ncalls; i++) {
        if (c->calls[i].fn && c->calls[i].fn->auto_run)
            continue;
        km_buf_printf(&inside, "%s{\"index\":%zu,", n ? "," : "", n);
        n++;
        km_mcp_chat_put_call(&c->calls[i], &inside);
    }
    km_buf_byte(&inside, ']');
    chunk(c, km_buf_view(&inside), KM_STR_NONE, NULL, b);
    chunk(c, KM_STR_NONE, KM_STR("tool_calls"), NULL, b);
    km_buf_str(b, KM_STR("data: [DONE]\n\n"));
}

void km_mcp_chat_release(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);

    put_fields(c, false);
    if (km_mcp_chat_mixed(c))
        put_own_calls(c, &b);
    else
        km_buf_str(&b, km_buf_view(&c->held));
    km_mcp_chat_write(c, km_buf_view(&b));
}

/* --- Responses --- */

struct replay {
    struct km_mcp_chat *c;
    struct km_buf out;
    unsigned number;
};

static void begin(struct replay *p, const char *type)
{
    km_buf_printf(&p->out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%u", type, type,
                  p->number++);
}

static void end(struct replay *p)
{
    km_buf_str(&p->out, KM_STR("}\n\n"));
}

static void member(struct replay *p, const char *name, const struct km_json *v)
{
    km_buf_printf(&p->out, ",\"%s\":", name);
    km_json_write(v, &p->out);
}

static void replay_part(struct replay *p, size_t at, const struct km_json *item,
                        const struct km_json *part, size_t index)
{
    const struct km_json *text = km_json_get(part, "text"), *id = km_json_get(item, "id");
    static const char *const steps[] = { "response.content_part.added",
                                         "response.output_text.delta", "response.output_text.done",
                                         "response.content_part.done" };

    for (size_t i = 0; i < 4; i++) {
        if (!text && (i == 1 || i == 2))
            continue;
        begin(p, steps[i]);
        if (id)
            member(p, "item_id", id);
        km_buf_printf(&p->out, ",\"output_index\":%zu,\"content_index\":%zu", at, index);
        if (i == 1 || i == 2)
            km_buf_str(&p->out, KM_STR(",\"logprobs\":[]"));
        if (i == 0 && text)
            km_buf_str(&p->out, KM_STR(",\"part\":{\"type\":\"output_text\",\"text\":\"\","
                                       "\"annotations\":[]}"));
        else
            member(p, i == 1 ? "delta" : i == 2 ? "text" : "part", i == 1 || i == 2 ? text : part);
        end(p);
    }
}

static void replay_item(struct replay *p, size_t at, const struct km_json *item)
{
    const struct km_json *arguments = km_json_get(item, "arguments"), *v;
    struct km_str type = KM_STR_NONE, key;
    struct km_json_iter it;
    size_t index = 0;

    (void)km_json_string(km_json_get(item, "type"), &type);
    begin(p, "response.output_item.added");
    km_buf_printf(&p->out, ",\"output_index\":%zu", at);
    member(p, "item", item);
    end(p);
    if (km_str_eq(type, KM_STR("message")))
        for (km_json_iter(km_json_get(item, "content"), &it); km_json_next(&it, &key, &v);)
            replay_part(p, at, item, v, index++);
    if (arguments && km_str_eq(type, KM_STR("function_call"))) {
        begin(p, "response.function_call_arguments.done");
        if (km_json_get(item, "id"))
            member(p, "item_id", km_json_get(item, "id"));
        km_buf_printf(&p->out, ",\"output_index\":%zu", at);
        member(p, "name", km_json_get(item, "name"));
        member(p, "arguments", arguments);
        end(p);
    }
    begin(p, "response.output_item.done");
    km_buf_printf(&p->out, ",\"output_index\":%zu", at);
    member(p, "item", item);
    end(p);
}

bool km_mcp_chat_replay(struct km_mcp_chat *c, struct km_str json)
{
    struct replay p = { .c = c, .out = KM_BUF((size_t)256 << 20) };
    const struct km_json *root = NULL, *v;
    struct km_json_iter it;
    struct km_str key;
    size_t at = 0;
    bool whole;

    if (km_json_parse_answer(&c->inner, json, &root, NULL) < 0)
        return false;
    begin(&p, "response.created");
    member(&p, "response", root);
    end(&p);
    for (km_json_iter(km_json_get(root, "output"), &it); km_json_next(&it, &key, &v);)
        replay_item(&p, at++, v);
    begin(&p, "response.completed");
    member(&p, "response", root);
    end(&p);
    whole = !km_buf_failed(&p.out);
    if (whole)
        km_mcp_chat_write(c, km_buf_view(&p.out));
    km_buf_done(&p.out);
    return whole;
}
