/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_options.c - a request's parameters by Ollama's own names: `options` and what is beside it.
 *
 *     temperature, max_tokens ...       of the chat, under Ollama's names
 *     num_ctx, mirostat, min_p ...      what param.h knows as an option, whoever said it
 *     options: {...}                    the members of an object of the caller's or deployment's
 *     keep_alive, format, think ...     beside `options`
 *
 * Each is said once.  What the chat says comes first, so that a budget's bound on the output is
 * not undone by a `num_predict`.
 */
#include "llm/param.h"
#include "llm/provider/ollama.h"

#define OPTIONS_MOST 64

/* The options under way, each name once: what comes first holds. */
struct options {
    struct km_json_out *out;
    struct km_str names[OPTIONS_MOST];
    size_t n;
};

/* false: it is there already. */
static bool begin_option(struct options *op, struct km_str name)
{
    if (op->n == OPTIONS_MOST || km_str_iamong(name, op->names, op->n))
        return false;
    op->names[op->n++] = name;
    km_out_key_str(op->out, name);
    return true;
}

static void option(struct options *op, const char *name, struct km_str json)
{
    if (json.n && begin_option(op, km_str_c(name)))
        km_out_raw(op->out, json);
}

static bool is_option(struct km_str name)
{
    return (km_param_apis(name) & KM_API_OLLAMA_OPTIONS) != 0;
}

/* What the request or the configuration says by Ollama's own names. */
static void extra_options(struct options *op, const struct km_chat_extra *extras,
                          struct km_arena *arena)
{
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_str key;

    for (const struct km_chat_extra *x = extras; x; x = x->next)
        if (is_option(x->name) && begin_option(op, x->name))
            km_out_raw(op->out, x->json);
    for (const struct km_chat_extra *x = extras; x; x = x->next) {
        if (!km_str_eq(x->name, KM_STR("options")) ||
            km_json_parse(arena, x->json, &root, NULL) < 0)
            continue;
        for (km_json_iter(root, &it); km_json_next(&it, &key, &item);)
            if (km_json_kind(root) == KM_JSON_OBJECT && begin_option(op, key))
                km_out_raw(op->out, km_json_compact(item, arena));
    }
}

static void stops(struct options *op, const struct km_chat *chat)
{
    if (!chat->nstop || !begin_option(op, KM_STR("stop")))
        return;
    km_out_open(op->out, '[');
    for (size_t i = 0; i < chat->nstop; i++)
        km_out_str(op->out, chat->stop[i]);
    km_out_close(op->out, ']');
}

void km_ollama_options(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_json_out *o)
{
    int64_t most = args->max_tokens >= 0 ? args->max_tokens : chat->max_tokens;
    struct options op = { .out = o };

    km_out_key(o, "options");
    km_out_open(o, '{');
    option(&op, "temperature", chat->temperature);
    option(&op, "top_p", chat->top_p);
    option(&op, "top_k", chat->top_k);
    option(&op, "seed", chat->seed);
    option(&op, "frequency_penalty", chat->frequency_penalty);
    option(&op, "presence_penalty", chat->presence_penalty);
    if (most >= 0 && begin_option(&op, KM_STR("num_predict")))
        km_out_i64(o, most);
    stops(&op, chat);
    extra_options(&op, chat->extras, args->arena);
    km_out_close(o, '}');
}

void km_ollama_members(const struct km_chat *chat, struct km_json_out *o)
{
    bool format = chat->format != KM_FORMAT_TEXT;
    bool think = km_chat_has(chat, KM_P_EFFORT) || km_chat_has(chat, KM_P_THINKING);

    for (const struct km_chat_extra *x = chat->extras; x; x = x->next) {
        if (is_option(x->name) || km_str_eq(x->name, KM_STR("options")) ||
            (format && km_str_eq(x->name, KM_STR("format"))) ||
            (think && km_str_eq(x->name, KM_STR("think"))))
            continue;
        km_out_key_str(o, x->name);
        km_out_raw(o, x->json);
    }
}

int km_ollama_extras(const struct km_chat_extra *extras, struct km_arena *arena,
                     struct km_json_out *o, struct km_err *err)
{
    struct options op = { .out = o };
    bool any = false;
    int r = 0;

    for (const struct km_chat_extra *x = extras; r == 0 && x; x = x->next) {
        if (is_option(x->name) || km_str_eq(x->name, KM_STR("options")))
            any = true;
        else
            r = km_extra_write(o, x, err);
    }
    if (r < 0 || !any)
        return r;
    km_out_key(o, "options");
    km_out_open(o, '{');
    extra_options(&op, extras, arena);
    km_out_close(o, '}');
    return 0;
}
