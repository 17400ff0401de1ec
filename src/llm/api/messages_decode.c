/* SPDX-License-Identifier: Apache-2.0 */
/* messages_decode.c - a Messages request, read into the canonical chat.
 *
 *     system          ->  one SYSTEM message, first
 *     user            ->  USER: results of tools, then the rest
 *     assistant       ->  ASSISTANT, its blocks in their order
 *     tools           ->  tools; those with a `type` of Anthropic's own are hosted
 *     output_config   ->  effort and format
 *
 * A table says who reads which member.  The others are extras; of those some only advise
 * (context_management and the like: Claude Code sends them always) and may be left out silently
 * where the upstream does not know them.
 */
#include "http/json_take.h"
#include "llm/api/messages.h"

#define EXTRAS_MOST 64
#define STOPS_MOST 64

struct decoding {
    struct km_reading rd;
    struct km_chat *chat;
};

typedef int member_fn(struct decoding *d, const struct km_place *at, const struct km_json *v);

static void set(struct decoding *d, enum km_chat_param p)
{
    d->chat->set |= KM_P_BIT(p);
}

/* --- the conversation --- */

static int read_system(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_message *m = km_chat_message(d->chat, d->rd.arena, KM_ROLE_SYSTEM);

    if (!m)
        return km_read_nomem(&d->rd);
    return km_messages_read_blocks(&d->rd, at, v, KM_ROLE_SYSTEM, &m->parts);
}

static int read_message(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_str name = KM_STR_NONE;
    struct km_message *m;
    enum km_role role;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_needed(&d->rd, KM_AT(at, "role"), km_json_take(v, "role"), &name);
    if (r < 0)
        return r;
    if (km_str_eq(name, KM_STR("user")))
        role = KM_ROLE_USER;
    else if (km_str_eq(name, KM_STR("assistant")))
        role = KM_ROLE_ASSISTANT;
    else if (km_str_eq(name, KM_STR("system")))
        role = KM_ROLE_SYSTEM;
    else
        return km_read_bad(&d->rd, KM_AT(at, "role"), "must be user, assistant or system");
    if (!km_given(km_json_take(v, "content")))
        return km_read_bad(&d->rd, KM_AT(at, "content"),
                           "must be a string or an array of content blocks");
    m = km_chat_message(d->chat, d->rd.arena, role);
    if (!m)
        return km_read_nomem(&d->rd);
    return km_messages_read_blocks(&d->rd, KM_AT(at, "content"), km_json_take(v, "content"), role,
                                   &m->parts);
}

static int read_messages(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;
    int r = 0;

    if (km_json_count(v) == 0 || km_json_kind(v) != KM_JSON_ARRAY)
        return km_read_bad(&d->rd, at, "must be an array of messages");
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_message(d, KM_ITEM(at, i), item);
    return r;
}

/* --- tools --- */

static int read_tool(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_str type = KM_STR("custom");
    struct km_tool *tool;
    bool strict = false;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    tool = km_chat_tool(d->chat, d->rd.arena);
    if (!tool)
        return km_read_nomem(&d->rd);
    tool->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    r = km_read_string(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    if (r == 0 && !km_str_eq(type, KM_STR("custom"))) {
        tool->hosted_type = type;
        (void)km_json_string(km_json_take(v, "name"), &tool->name);
        return km_read_object(&d->rd, at, v, &tool->hosted_json);
    }
    if (r == 0)
        r = km_read_needed(&d->rd, KM_AT(at, "name"), km_json_take(v, "name"), &tool->name);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "description"), km_json_take(v, "description"),
                           &tool->description);
    if (r == 0)
        r = km_read_object(&d->rd, KM_AT(at, "input_schema"), km_json_take(v, "input_schema"),
                           &tool->schema_json);
    if (r == 0)
        r = km_read_bool(&d->rd, KM_AT(at, "strict"), km_json_take(v, "strict"), &strict);
    if (r == 0 && km_given(km_json_take(v, "strict")))
        tool->strict = strict;
    return r;
}

static int read_tools(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;
    int r = km_read_array(&d->rd, at, v);

    km_json_iter(r == 0 ? v : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_tool(d, KM_ITEM(at, i), item);
    if (d->chat->tools)
        set(d, KM_P_TOOLS);
    return r;
}

static int read_choice(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    static const struct {
        const char *type;
        enum km_tool_choice choice;
    } types[] = { { "auto", KM_CHOICE_AUTO },
                  { "any", KM_CHOICE_REQUIRED },
                  { "tool", KM_CHOICE_NAMED },
                  { "none", KM_CHOICE_NONE } };
    struct km_str type = KM_STR_NONE;
    bool alone = false, known = false;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_needed(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    for (size_t i = 0; r == 0 && i < sizeof types / sizeof types[0]; i++)
        if (km_str_eq(type, km_str_c(types[i].type))) {
            d->chat->tool_choice = types[i].choice;
            known = true;
        }
    if (r == 0 && !known)
        r = km_read_bad(&d->rd, KM_AT(at, "type"), "must be auto, any, tool or none");
    if (r == 0 && d->chat->tool_choice == KM_CHOICE_NAMED)
        r = km_read_needed(&d->rd, KM_AT(at, "name"), km_json_take(v, "name"), &d->chat->tool_name);
    if (r == 0)
        r = km_read_bool(&d->rd, KM_AT(at, "disable_parallel_tool_use"),
                         km_json_take(v, "disable_parallel_tool_use"), &alone);
    set(d, KM_P_TOOL_CHOICE);
    d->chat->parallel_tools = !alone;
    if (alone)
        set(d, KM_P_PARALLEL_TOOLS);
    return r;
}

/* --- thinking and format --- */

static int read_thinking(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_str type = KM_STR_NONE;
    int64_t budget = -1;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_needed(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    if (r == 0)
        r = km_read_i64(&d->rd, KM_AT(at, "budget_tokens"), km_json_take(v, "budget_tokens"), 0,
                        KM_LLM_TOKENS_MOST, &budget);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "display"), km_json_take(v, "display"),
                           &d->chat->thinking_display);
    if (r < 0)
        return r;
    if (km_str_eq(type, KM_STR("enabled")) && budget < 0)
        return km_read_bad(&d->rd, KM_AT(at, "budget_tokens"), "must be a number of tokens");
    if (km_str_eq(type, KM_STR("enabled"))) {
        d->chat->thinking = KM_THINKING_BUDGET;
        d->chat->thinking_budget = budget;
    } else if (km_str_eq(type, KM_STR("disabled"))) {
        d->chat->thinking = KM_THINKING_OFF;
    } else {
        d->chat->thinking = KM_THINKING_ADAPTIVE;
    }
    set(d, KM_P_THINKING);
    return 0;
}

static int read_format(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_str type = KM_STR_NONE;
    int r;

    if (!km_given(v))
        return 0;
    r = km_read_needed(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    if (r == 0 && !km_str_eq(type, KM_STR("json_schema")))
        r = km_read_bad(&d->rd, KM_AT(at, "type"), "must be json_schema");
    if (r == 0)
        r = km_read_object(&d->rd, KM_AT(at, "schema"), km_json_take(v, "schema"),
                           &d->chat->schema_json);
    if (r == 0 && !d->chat->schema_json.n)
        r = km_read_bad(&d->rd, KM_AT(at, "schema"), "must be an object");
    d->chat->format = KM_FORMAT_SCHEMA;
    d->chat->schema_name = KM_STR("answer");
    d->chat->schema_strict = 1;
    set(d, KM_P_FORMAT);
    return r;
}

static int read_output(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_str effort = KM_STR_NONE;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_string(&d->rd, KM_AT(at, "effort"), km_json_take(v, "effort"), &effort);
    if (r == 0 && effort.n) {
        if (km_effort_parse(effort, &d->chat->effort) < 0)
            return km_read_bad(&d->rd, KM_AT(at, "effort"),
                               "must be low, medium, high, xhigh or "
                               "max");
        set(d, KM_P_EFFORT);
    }
    return r == 0 ? read_format(d, KM_AT(at, "format"), km_json_take(v, "format")) : r;
}

/* --- bounds, sampling, the rest --- */

static int read_max_tokens(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    set(d, KM_P_MAX_TOKENS);
    return km_read_i64(&d->rd, at, v, 0, KM_LLM_TOKENS_MOST, &d->chat->max_tokens);
}

static int read_temperature(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    set(d, KM_P_TEMPERATURE);
    return km_read_number(&d->rd, at, v, &d->chat->temperature);
}

static int read_top_p(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    set(d, KM_P_TOP_P);
    return km_read_number(&d->rd, at, v, &d->chat->top_p);
}

static int read_top_k(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    set(d, KM_P_TOP_K);
    return km_read_number(&d->rd, at, v, &d->chat->top_k);
}

static int read_stop(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, *stop;
    size_t n = km_json_count(v), i = 0;
    int r = km_read_array(&d->rd, at, v);

    if (r < 0 || n == 0)
        return r;
    if (n > STOPS_MOST)
        return km_read_bad(&d->rd, at, "has too many sequences");
    stop = km_arena_alloc(d->rd.arena, n * sizeof *stop);
    if (!stop)
        return km_read_nomem(&d->rd);
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &item); i++)
        if (!km_json_string(item, &stop[i]))
            r = km_read_bad(&d->rd, KM_ITEM(at, i), "must be a string");
    d->chat->stop = stop;
    d->chat->nstop = n;
    set(d, KM_P_STOP);
    return r;
}

static int read_metadata(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_string(&d->rd, KM_AT(at, "user_id"), km_json_take(v, "user_id"), &d->chat->user);
    if (d->chat->user.n)
        set(d, KM_P_USER);
    return r;
}

static int read_tier(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    int r = km_read_string(&d->rd, at, v, &d->chat->service_tier);

    if (km_str_eq(d->chat->service_tier, KM_STR("standard_only")))
        d->chat->service_tier = KM_STR("default"); /* OpenAI's word for it */
    set(d, KM_P_SERVICE_TIER);
    return r;
}

static int read_cache(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    (void)at;
    d->chat->cache_ttl_s = km_read_cache(v);
    return 0;
}

/* Read by parse(), or of no meaning to anybody but the gateway. */
static int read_nothing(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    (void)d;
    (void)at;
    (void)v;
    return 0;
}

static const struct member_row {
    const char *name;
    member_fn *read;
} rows[] = {
    { "model", read_nothing },
    { "stream", read_nothing },
    { "system", read_nothing }, /* both read first: see km_messages_read() */
    { "messages", read_nothing },
    { "max_tokens", read_max_tokens },
    { "temperature", read_temperature },
    { "top_p", read_top_p },
    { "top_k", read_top_k },
    { "stop_sequences", read_stop },
    { "tools", read_tools },
    { "tool_choice", read_choice },
    { "thinking", read_thinking },
    { "output_config", read_output },
    { "output_format", read_format },
    { "metadata", read_metadata },
    { "service_tier", read_tier },
    { "cache_control", read_cache },
};

static bool advises(struct km_str name)
{
    static const char *const hints[] = { "context_management", "anthropic_beta", "betas",
                                         "inference_geo",      "speed",          "diagnostics" };

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (km_str_eq(name, km_str_c(hints[i])))
            return true;
    return false;
}

static int read_member(struct decoding *d, struct km_str name, const struct km_json *v)
{
    struct km_chat_extra *extra;

    km_json_take_this(v);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(name, km_str_c(rows[i].name)))
            return rows[i].read(d, KM_AT(NULL, rows[i].name), v);
    if (km_messages_is_gateways(name)) {
        km_json_take_all(v);
        return 0;
    }
    extra = km_chat_extra(d->chat, d->rd.arena, name, km_json_take_compact(v, d->rd.arena));
    if (!extra)
        return km_read_nomem(&d->rd);
    extra->kind = advises(name) ? KM_EXTRA_ADVICE : KM_EXTRA_PLAIN;
    return 0;
}

int km_messages_read(const struct km_llm_request *req, const struct km_json *root,
                     struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err)
{
    struct decoding d = { .rd = { arena, err }, .chat = ret_chat };
    struct km_json_iter it;
    const struct km_json *v = km_json_take(root, "system");
    struct km_str name;
    size_t members = 0;
    int r = 0;

    (void)req;
    km_chat_init(ret_chat);
    if (km_given(v))
        r = read_system(&d, KM_AT(NULL, "system"), v);
    if (r == 0)
        r = read_messages(&d, KM_AT(NULL, "messages"), km_json_take(root, "messages"));
    km_json_iter(root, &it);
    while (r == 0 && km_json_next(&it, &name, &v)) {
        if (++members > EXTRAS_MOST + sizeof rows / sizeof rows[0])
            return km_fail(err, KM_E_LIMIT, "More than %d unknown members.", EXTRAS_MOST);
        if (km_given(v))
            r = read_member(&d, name, v);
    }
    if (r < 0)
        return r;
    km_chat_name_results(ret_chat);
    return km_arena_overflowed(arena) ? km_read_nomem(&d.rd) : 0;
}
