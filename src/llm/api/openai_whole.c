/* SPDX-License-Identifier: Apache-2.0 */
/* openai_whole.c - a gathered answer as one chat.completion, and what its stream shares with it.
 *
 * Members that OpenAI always has are always there (`refusal` and `logprobs` null); `tool_calls`
 * is left out when there are none, for an empty list makes some agents loop.  `content` is null
 * where calls stand alone.  reasoning_content and thinking_blocks are LiteLLM's: with them a
 * client can send its provider's signed reasoning back.
 */
#include "llm/api/citations.h"
#include "llm/api/openai.h"
#include "llm/usage.h"

const char *km_openai_finish(const struct km_answer *a, enum km_finish finish)
{
    switch (finish) {
    case KM_FINISH_LENGTH:
        return "length";
    case KM_FINISH_TOOLS:
        return a->legacy_calls ? "function_call" : "tool_calls";
    case KM_FINISH_FILTER:
        return "content_filter";
    default:
        return "stop";
    }
}

const char *km_openai_tier(enum km_service service)
{
    return service == KM_SERVICE_FLEX       ? "flex"
           : service == KM_SERVICE_PRIORITY ? "priority"
                                            : "default";
}

void km_openai_usage(struct km_json_out *o, const struct km_usage *u)
{
    km_out_open(o, '{');
    km_out_member_i64(o, "prompt_tokens", u->prompt_tokens);
    km_out_member_i64(o, "completion_tokens", u->completion_tokens);
    km_out_member_i64(o, "total_tokens", u->prompt_tokens + u->completion_tokens);
    km_out_key(o, "prompt_tokens_details");
    km_out_open(o, '{');
    km_out_member_i64(o, "cached_tokens", u->cached_tokens);
    if (u->cache_write_tokens)
        km_out_member_i64(o, "cache_write_tokens", u->cache_write_tokens);
    if (u->cache_write_1h_tokens) { /* LiteLLM's names */
        km_out_key(o, "cache_creation_token_details");
        km_usage_write_split(o, u);
    }
    km_out_close(o, '}');
    if (u->reasoning_tokens || (u->said & KM_SAID_REASONING)) { /* not known is not 0 */
        km_out_key(o, "completion_tokens_details");
        km_out_open(o, '{');
        km_out_member_i64(o, "reasoning_tokens", u->reasoning_tokens);
        km_out_close(o, '}');
    }
    if (u->cache_write_tokens || u->cached_tokens) { /* LiteLLM's names */
        km_out_member_i64(o, "cache_creation_input_tokens", u->cache_write_tokens);
        km_out_member_i64(o, "cache_read_input_tokens", u->cached_tokens);
    }
    km_out_close(o, '}');
}

struct km_str km_parts_text(const struct km_part *parts, enum km_part_kind kind,
                            struct km_arena *arena)
{
    const struct km_part *only = NULL;
    size_t n = 0, total = 0;
    char *p;

    for (const struct km_part *part = parts; part; part = part->next)
        if (part->kind == kind && part->text.n) {
            only = part;
            total += part->text.n;
            n++;
        }
    if (n <= 1)
        return only ? only->text : KM_STR_NONE;
    p = km_arena_alloc(arena, total);
    if (!p)
        return KM_STR_NONE;
    total = 0;
    for (const struct km_part *part = parts; part; part = part->next)
        if (part->kind == kind && part->text.n) {
            memcpy(p + total, part->text.p, part->text.n);
            total += part->text.n;
        }
    return km_str(p, total);
}

static bool has(const struct km_part *parts, enum km_part_kind kind)
{
    for (; parts; parts = parts->next)
        if (parts->kind == kind)
            return true;
    return false;
}

static bool can_be_sent_back(const struct km_part *part)
{
    return part->kind == KM_PART_REDACTED || (part->kind == KM_PART_REASONING && part->signature.n);
}

static void thinking(struct km_json_out *o, const struct km_part *parts)
{
    bool open = false;

    for (const struct km_part *part = parts; part; part = part->next) {
        if (!can_be_sent_back(part))
            continue;
        if (!open) {
            km_out_key(o, "thinking_blocks");
            km_out_open(o, '[');
            open = true;
        }
        km_out_open(o, '{');
        km_out_key(o, "type");
        if (part->kind == KM_PART_REDACTED) {
            km_out_cstr(o, "redacted_thinking");
            km_out_member(o, "data", part->text);
        } else {
            km_out_cstr(o, "thinking");
            km_out_member(o, "thinking", part->text);
            km_out_member(o, "signature", part->signature);
        }
        km_out_close(o, '}');
    }
    if (open)
        km_out_close(o, ']');
}

void km_openai_call(struct km_json_out *o, const struct km_part *part)
{
    km_out_open(o, '{');
    km_out_member(o, "id", part->id);
    km_out_member(o, "type", KM_STR("function"));
    km_out_key(o, "function");
    km_out_open(o, '{');
    km_out_member(o, "name", part->name);
    km_out_member(o, "arguments", part->input_json.n ? part->input_json : KM_STR("{}"));
    km_out_close(o, '}');
    if (part->signature.n) {
        km_out_key(o, "extra_content");
        km_out_open(o, '{');
        km_out_key(o, "google");
        km_out_open(o, '{');
        km_out_member(o, "thought_signature", part->signature);
        km_out_close(o, '}');
        km_out_close(o, '}');
    }
    km_out_close(o, '}');
}

/* {"name","arguments"}: the older form, of one call. */
static void function_call(struct km_json_out *o, const struct km_part *parts)
{
    while (parts->kind != KM_PART_TOOL_USE)
        parts = parts->next;
    km_out_key(o, "function_call");
    km_out_open(o, '{');
    km_out_member(o, "name", parts->name);
    km_out_member(o, "arguments", parts->input_json.n ? parts->input_json : KM_STR("{}"));
    km_out_close(o, '}');
}

static void message(struct km_answer *a, struct km_json_out *o, const struct km_choice *c)
{
    struct km_str text = km_parts_text(c->parts, KM_PART_TEXT, a->arena);
    struct km_str reasoning = km_parts_text(c->parts, KM_PART_REASONING, a->arena);
    struct km_str refusal = km_parts_text(c->parts, KM_PART_REFUSAL, a->arena);
    bool calls = has(c->parts, KM_PART_TOOL_USE);

    if (!refusal.n && c->finish == KM_FINISH_FILTER)
        refusal = c->finish_text;
    km_out_open(o, '{');
    km_out_member(o, "role", KM_STR("assistant"));
    km_out_key(o, "content");
    if (text.n || (!calls && !refusal.n))
        km_out_str(o, text);
    else
        km_out_null(o);
    km_out_key(o, "refusal");
    if (refusal.n)
        km_out_str(o, refusal);
    else
        km_out_null(o);
    km_cite_chat_parts(a, o, c->parts);
    if (reasoning.n)
        km_out_member(o, "reasoning_content", reasoning);
    thinking(o, c->parts);
    if (calls && a->legacy_calls) {
        function_call(o, c->parts);
    } else if (calls) {
        km_out_key(o, "tool_calls");
        km_out_open(o, '[');
        for (const struct km_part *part = c->parts; part; part = part->next)
            if (part->kind == KM_PART_TOOL_USE)
                km_openai_call(o, part);
        km_out_close(o, ']');
    }
    km_out_close(o, '}');
}

void km_openai_head(struct km_answer *a, struct km_json_out *o, const char *prefix,
                    const char *object)
{
    km_out_open(o, '{');
    km_out_member(o, "id", km_arena_cat(a->arena, (struct km_str[]){ km_str_c(prefix), a->id }, 2));
    km_out_member(o, "object", km_str_c(object));
    km_out_member_i64(o, "created", a->created_s);
    km_out_member(o, "model", a->model);
    km_out_key(o, "choices");
    km_out_open(o, '[');
}

int km_openai_tail(struct km_answer *a, struct km_json_out *o, struct km_err *err)
{
    struct km_usage usage = km_answer_usage(a);

    km_out_close(o, ']');
    km_out_key(o, "usage");
    km_openai_usage(o, &usage);
    if (usage.said & KM_SAID_SERVICE)
        km_out_member(o, "service_tier", km_str_c(km_openai_tier(usage.service)));
    km_out_close(o, '}');
    if (km_arena_overflowed(a->arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return km_buf_failed(a->out) ? km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the answer is too long")
                                 : 0;
}

int km_openai_whole(struct km_answer *a, struct km_err *err)
{
    struct km_json_out o;

    km_json_out_init(&o, a->out);
    km_openai_head(a, &o, "chatcmpl-", "chat.completion");
    for (size_t i = 0; i < a->nchoices; i++) {
        const struct km_choice *c = &a->choices[i];

        km_out_open(&o, '{');
        km_out_member_i64(&o, "index", (int64_t)i);
        km_out_key(&o, "message");
        message(a, &o, c);
        km_out_member_raw(&o, "logprobs", c->logprobs_json);
        km_out_member(&o, "finish_reason", km_str_c(km_openai_finish(a, c->finish)));
        km_out_close(&o, '}');
    }
    return km_openai_tail(a, &o, err);
}
