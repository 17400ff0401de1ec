/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - see usage.h.
 *
 *     absent, null        0, and bad where the count is due
 *     0 .. most           the count
 *     anything else       0, and bad
 *
 * A number is judged by its text, never by a double: 1e300 and 99999999999999999999 are out of
 * range, not large.
 */
#include "llm/usage.h"

#include "http/json_out.h"
#include "http/json_take.h"

/* A number's text is there, or not: is it a count? */
static int64_t judge_count(bool is_number, const int64_t *n, bool *bad)
{
    if (is_number && *n >= 0 && *n <= KM_TOKENS_SAID_MOST)
        return *n;
    *bad = true;
    return 0;
}

static bool is_left_out(const struct km_json *v)
{
    enum km_json_type kind = km_json_kind(v);

    return kind == KM_JSON_ABSENT || kind == KM_JSON_NULL;
}

int64_t km_usage_value(const struct km_json *v, bool *bad)
{
    int64_t n = 0;
    bool is_number = km_json_i64(v, &n);

    return judge_count(is_number, &n, bad);
}

void km_usage_take(const struct km_json *v, int64_t *value, bool *bad)
{
    if (!is_left_out(v))
        *value = km_usage_value(v, bad);
}

int64_t km_usage_ms(const struct km_json *object, const char *name, bool *bad)
{
    const struct km_json *v = km_json_get(object, name);
    struct km_str number;
    int64_t micro;

    if (is_left_out(v))
        return 0;
    if (km_json_number(v, &number) && km_str_decimal(number, 6, &micro) == 0 && micro >= 0 &&
        micro <= KM_MS_SAID_MOST * 1000)
        return micro / 1000 + (micro % 1000 != 0);
    *bad = true;
    return 0;
}

int64_t km_usage_text(struct km_str text, bool *bad)
{
    int64_t n = 0;
    bool is_number = km_str_i64(text, &n) == 0;

    return judge_count(is_number, &n, bad);
}

/* --- beside tokens --- */

static const struct {
    const char *word;
    enum km_service service;
} services[] = {
    { "default", KM_SERVICE_STANDARD },
    { "standard", KM_SERVICE_STANDARD },
    { "auto", KM_SERVICE_STANDARD },
    { "scale", KM_SERVICE_STANDARD },
    { "reserved", KM_SERVICE_STANDARD },
    { "on_demand", KM_SERVICE_STANDARD },
    { "provisioned_throughput", KM_SERVICE_STANDARD },
    { "flex", KM_SERVICE_FLEX },
    { "on_demand_flex", KM_SERVICE_FLEX },
    { "priority", KM_SERVICE_PRIORITY },
    { "on_demand_priority", KM_SERVICE_PRIORITY },
    { "batch", KM_SERVICE_BATCH },
};

void km_usage_served(struct km_usage *u, struct km_str word)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (km_str_ieq(word, km_str_c(services[i].word))) {
            u->service = services[i].service;
            u->said |= KM_SAID_SERVICE;
        }
}

static void take_served(const struct km_json *v, struct km_usage *u)
{
    struct km_str word;

    if (km_json_kind(v) == KM_JSON_OBJECT)
        v = km_json_take(v, "type");
    if (km_json_string(v, &word))
        km_usage_served(u, word);
}

void km_usage_served_by(struct km_usage *u, const struct km_json *object, const char *name)
{
    take_served(km_json_take(object, name), u);
}

/* Converse's: [{"ttl":"1h","inputTokens":n}] */
static void add_details(const struct km_json *list, int64_t *hour, bool *bad)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key, ttl;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &one);)
        if (km_json_string(km_json_get(one, "ttl"), &ttl) && km_str_eq(ttl, KM_STR("1h")))
            *hour += km_usage_count(one, "inputTokens", bad);
}

static void read_details(const struct km_json *v, struct km_usage *u, bool *bad)
{
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return;
    u->cache_write_1h_tokens = 0;
    add_details(v, &u->cache_write_1h_tokens, bad);
}

static void read_tools(const struct km_json *v, struct km_usage *u, bool *bad)
{
    km_usage_replace(v, "web_search_requests", &u->hosted[KM_HOSTED_WEB_SEARCH], bad);
    km_usage_replace(v, "code_execution_requests", &u->hosted[KM_HOSTED_CODE_INTERPRETER], bad);
}

/* Perplexity's; what it bills by. */
static void take_search(struct km_str word, struct km_usage *u)
{
    static const char *const sizes[KM_SEARCH_SIZES] = {
        [KM_SEARCH_MEDIUM] = "medium", [KM_SEARCH_LOW] = "low", [KM_SEARCH_HIGH] = "high"
    };

    for (int i = 0; i < KM_SEARCH_SIZES; i++)
        if (km_str_eq(word, km_str_c(sizes[i]))) {
            u->search = (enum km_search)i;
            u->said |= KM_SAID_SEARCH;
        }
}

static void read_extra(struct km_str key, const struct km_json *v, struct km_usage *u, bool *bad)
{
    struct km_str word;

    if (km_str_eq(key, KM_STR("server_tool_use"))) {
        read_tools(v, u, bad);
    } else if (km_str_eq(key, KM_STR("cache_creation"))) {
        km_usage_replace(v, "ephemeral_1h_input_tokens", &u->cache_write_1h_tokens, bad);
    } else if (km_str_eq(key, KM_STR("cacheDetails"))) {
        read_details(v, u, bad);
    } else if (km_str_eq(key, KM_STR("service_tier"))) {
        take_served(v, u);
    } else if (km_str_eq(key, KM_STR("speed")) && km_json_string(v, &word)) {
        u->fast = km_str_eq(word, KM_STR("fast"));
        u->said |= KM_SAID_SPEED;
    } else if (km_str_eq(key, KM_STR("search_context_size")) && km_json_string(v, &word)) {
        take_search(word, u);
    } else if (km_str_eq(key, KM_STR("inference_geo")) && km_json_string(v, &word)) {
        u->in_us = km_str_eq(word, KM_STR("us"));
        u->said |= KM_SAID_GEO;
    }
}

/* One walk: most have none of these, and looking for each costs as much. */
void km_usage_extras(const struct km_json *usage, struct km_usage *u, bool *bad)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(usage) != KM_JSON_OBJECT)
        return;
    for (km_json_iter(usage, &it); km_json_next(&it, &key, &v);)
        read_extra(key, v, u, bad);
}

void km_usage_write_split(struct km_json_out *o, const struct km_usage *u)
{
    km_out_open(o, '{');
    km_out_member_i64(o, "ephemeral_5m_input_tokens",
                      u->cache_write_tokens - u->cache_write_1h_tokens);
    km_out_member_i64(o, "ephemeral_1h_input_tokens", u->cache_write_1h_tokens);
    km_out_close(o, '}');
}

/* --- what is final --- */

struct km_usage km_usage_settle(const struct km_usage *said, bool ended,
                                const struct km_heard *heard)
{
    int64_t least = heard->text > heard->pieces ? heard->text : heard->pieces;
    struct km_usage u;

    if (km_usage_is_final(said, ended) || (said->known && ended && heard->text == 0))
        return *said;
    u = *said;
    u.known = false;
    if (!u.prompt_tokens)
        u.prompt_tokens = heard->prompt;
    u.counting = u.completion_tokens > 0 && u.completion_tokens >= least;
    if (u.completion_tokens < least)
        u.completion_tokens = least;
    return u;
}
