/* SPDX-License-Identifier: Apache-2.0 */
/* priced.c - see priced.h; the table is priced_rows.c.
 *
 *     walk of the body (api.c) ── a name of the table? ── no ──> nothing to do
 *                                        │ yes
 *     members at the top  ──> row ──> value, object of more members, tool, stored thing
 *     tools               ──> item by item: its type, or the member it is
 *
 * A small chat has none of these names, and the walk that judges it says so.  `tools` most APIs
 * have read already, and only they are walked where nothing else is there.
 *
 * A value stands for what it costs at most: of two that are said the dearer one counts, and of a
 * tool that may be used without an end KM_HOSTED_USES are counted.
 */
#include "llm/api/priced_rows.h"

#include "llm/usage.h"

#define ITEM_NAMES 32
#define DEPTH 3 /* of objects in objects that have members of the table */
#define SHOWN 80 /* bytes of a value, in what is said of it */

static const char value_remedy[] = "Leave it out, or choose a value that has a price.";
static const char tool_remedy[] = "Leave this tool out: its fee has no price here.";

struct reading {
    struct km_llm_priced *p;
    struct km_arena *arena;
    struct km_str body; /* the outermost object */
    unsigned depth;
    int64_t uses; /* of a tool that says none; -1: not looked for yet */
    struct km_err *err;
};

static bool is_there(const struct km_json_span *s)
{
    return s->type != KM_JSON_ABSENT && s->type != KM_JSON_NULL;
}

/* --- effects --- */

static void set_unpriced(const struct reading *rd, struct km_str where, const char *inner,
                         struct km_str value, const char *remedy)
{
    if (rd->p->unpriced.n)
        return;
    rd->p->unpriced =
        km_arena_printf(rd->arena, "%.*s%s%s: %.*s", KM_STR_ARG(where), inner ? "." : "",
                        inner ? inner : "", KM_STR_ARG(km_str_sub(value, 0, SHOWN)));
    rd->p->remedy = remedy;
}

static int rank_of(enum km_service s)
{
    return s == KM_SERVICE_PRIORITY ? 2 : s == KM_SERVICE_STANDARD ? 1 : 0;
}

static void set_service(struct km_llm_priced *p, enum km_service s)
{
    if (!(p->said & KM_SAID_SERVICE) || rank_of(s) > rank_of(p->service))
        p->service = s;
}

static void take_effect(struct km_llm_priced *p, enum km_said member, enum km_priced_effect effect)
{
    if (member == KM_SAID_SERVICE)
        set_service(p, effect == KM_PRICED_FLEX       ? KM_SERVICE_FLEX
                       : effect == KM_PRICED_PRIORITY ? KM_SERVICE_PRIORITY
                                                      : KM_SERVICE_STANDARD);
    p->fast = p->fast || effect == KM_PRICED_FAST;
    p->in_us = p->in_us || effect == KM_PRICED_US;
    p->said |= member;
}

static const struct km_priced_value *find_value(const struct km_priced_value *v, struct km_str text)
{
    for (; v && v->value; v++)
        if (km_str_ieq(text, km_str_c(v->value)))
            return v;
    return NULL;
}

/* A text without its quotes; what is no text as it is written. */
static struct km_str plain(const struct reading *rd, struct km_str in, const struct km_json_span *s)
{
    return s->type == KM_JSON_STRING ? km_json_text(rd->arena, in, s) : km_json_value(in, s);
}

/* The member that is meant of a value that is an object; *in: what its place is in. */
static int go_inside(const char *inner, struct km_str *in, struct km_json_span *s,
                     struct km_err *err)
{
    struct km_str name = km_str_c(inner);
    struct km_json_span found;
    int r;

    *in = km_json_value(*in, s);
    r = km_json_spans(*in, &name, 1, &found, NULL, err);
    *s = found;
    return r;
}

static int read_value(const struct reading *rd, const struct km_priced_row *row, struct km_str in,
                      struct km_json_span s)
{
    bool inside = row->inner && s.type == KM_JSON_OBJECT;
    const struct km_priced_value *v;

    if (inside && go_inside(row->inner, &in, &s, rd->err) < 0)
        return KM_E_INVALID;
    if (!is_there(&s)) {
        rd->p->said |= row->member;
        return 0;
    }
    v = find_value(row->values, plain(rd, in, &s));
    if (!v)
        set_unpriced(rd, row->name, inside ? row->inner : NULL, km_json_value(in, &s),
                     value_remedy);
    take_effect(rd->p, row->member, v ? v->effect : KM_PRICED_NOTHING);
    return 0;
}

/* --- tools --- */

/* The dearest counts. */
static void set_search(struct km_llm_priced *p, enum km_search s)
{
    if (!(p->said & KM_SAID_SEARCH) || s == KM_SEARCH_HIGH || p->search == KM_SEARCH_LOW)
        p->search = s;
    p->said |= KM_SAID_SEARCH;
}

/* A size that nobody knows is taken to be the largest. */
static void take_search_size(struct km_llm_priced *p, struct km_str size)
{
    set_search(p, km_str_eq(size, KM_STR("low"))      ? KM_SEARCH_LOW
                  : km_str_eq(size, KM_STR("medium")) ? KM_SEARCH_MEDIUM
                                                      : KM_SEARCH_HIGH);
}

/* OpenAI's containers cost by their memory, the smallest has 1 GB: 4g, 16g and 64g as many times
 * as much.  One that is named was paid for when it was made. */
static bool take_memory(struct km_llm_priced *p, struct km_str limit)
{
    static const struct {
        const char *limit;
        int64_t times;
    } sizes[] = { { "1g", 1 }, { "4g", 4 }, { "16g", 16 }, { "64g", 64 } };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (km_str_eq(limit, km_str_c(sizes[i].limit))) {
            p->container = p->container > sizes[i].times ? p->container : sizes[i].times;
            return true;
        }
    return false;
}

static int64_t add_up(int64_t a, int64_t b)
{
    return a + b < KM_TOKENS_SAID_MOST ? a + b : KM_TOKENS_SAID_MOST;
}

/* Of all its tools together a Responses request may say how often. */
static int uses_without_a_word(struct reading *rd, int64_t *ret)
{
    static const struct km_str name = { "max_tool_calls", 14 };
    struct km_json_span s;
    int r;

    if (rd->uses < 0) {
        rd->uses = KM_HOSTED_USES;
        r = km_json_spans(rd->body, &name, 1, &s, NULL, rd->err);
        if (r < 0)
            return r;
        if (is_there(&s) &&
            (km_str_i64(km_json_value(rd->body, &s), &rd->uses) < 0 || rd->uses < 0))
            return km_fail_param(rd->err, KM_E_INVALID, "max_tool_calls",
                                 "'max_tool_calls' must be an integer from 0 on.");
    }
    *ret = rd->uses;
    return 0;
}

static int count_uses(struct reading *rd, const struct km_priced_tool *tool, struct km_str said)
{
    int64_t uses = 0;
    int r = 0;

    if (!said.n)
        r = uses_without_a_word(rd, &uses);
    else if (km_str_i64(said, &uses) < 0 || uses < 0)
        r = km_fail_param(rd->err, KM_E_INVALID, "tools",
                          "'tools[].max_uses' must be an integer from 0 on.");
    if (r == 0)
        rd->p->hosted[tool->hosted] = add_up(
            rd->p->hosted[tool->hosted], uses < KM_TOKENS_SAID_MOST ? uses : KM_TOKENS_SAID_MOST);
    return r;
}

static const struct km_priced_tool unknown_tool = { .name = "", .cost = KM_PRICED_UNKNOWN,
                                                    .tool = KM_HOSTED_TOOL_OTHER };

/* where, value: how the request calls it; uses: how often it may run, or empty. */
static int take_tool(struct reading *rd, const struct km_priced_tool *tool, struct km_str where,
                     struct km_str value, struct km_str uses)
{
    if (tool->cost == KM_PRICED_BY_CALLER)
        return 0;
    if (!rd->p->tools)
        rd->p->tool = km_arena_str(rd->arena, km_str_sub(value, 0, SHOWN));
    rd->p->tools |= 1U << tool->tool;
    rd->p->hosts = rd->p->opens_input = true;
    if (tool->cost == KM_PRICED_UNKNOWN)
        set_unpriced(rd, where, NULL, value, tool_remedy);
    return tool->cost == KM_PRICED_BY_USE ? count_uses(rd, tool, uses) : 0;
}

/* The whole name before one that only starts so. */
static const struct km_priced_tool *find_tool(const struct km_priced_tool *list, struct km_str name)
{
    const struct km_priced_tool *t;

    for (t = list; t->name; t++)
        if (!t->starts && km_str_eq(name, km_str_c(t->name)))
            return t;
    for (t = list; t->name; t++)
        if (t->starts && km_str_starts(name, km_str_c(t->name)))
            return t;
    return &unknown_tool;
}

/* Members of a tool that are read, before those that it may be. */
enum { T_TYPE, T_MAX_USES, T_ENVIRONMENT, T_CONTAINER, T_SEARCH_SIZE, T_SYSTEM, T_KEYS };
static const struct km_str tool_names[T_KEYS] = {
    { "type", 4 },       { "max_uses", 8 },
    { "environment", 11 }, { "container", 9 },
    { "search_context_size", 19 }, { "systemTool", 10 },
};

static size_t item_names(struct km_str *names)
{
    size_t n = T_KEYS;

    memcpy(names, tool_names, sizeof tool_names);
    for (const struct km_priced_tool *t = km_priced_keys; t->name && n < ITEM_NAMES; t++)
        names[n++] = km_str_c(t->name);
    return n;
}

/* OpenAI's shell runs in a container of the provider's unless it says where. */
static bool is_local(struct km_str item, const struct km_json_span *environment, struct km_err *err)
{
    struct km_json_span s = *environment;

    return s.type == KM_JSON_OBJECT && go_inside("type", &item, &s, err) == 0 &&
           km_str_eq(km_json_value(item, &s), KM_STR("\"local\""));
}

/* {"type":"auto","memory_limit":"4g"} */
static int read_container(const struct reading *rd, struct km_str item, struct km_json_span s)
{
    int r = s.type == KM_JSON_OBJECT ? go_inside("memory_limit", &item, &s, rd->err) : KM_E_AGAIN;

    if (r == 0 && is_there(&s) && !take_memory(rd->p, plain(rd, item, &s)))
        set_unpriced(rd, KM_STR("tools[].container"), "memory_limit", km_json_value(item, &s),
                     value_remedy);
    return r == KM_E_AGAIN ? 0 : r;
}

static int read_typed(struct reading *rd, struct km_str item, const struct km_json_span *spans)
{
    struct km_str type = plain(rd, item, &spans[T_TYPE]);
    const struct km_priced_tool *tool = find_tool(km_priced_types, type);
    int r = 0;

    if (km_str_eq(type, KM_STR("shell")) && is_local(item, &spans[T_ENVIRONMENT], rd->err))
        return 0;
    if (tool->hosted == KM_HOSTED_CODE_INTERPRETER && tool->cost == KM_PRICED_BY_USE)
        r = read_container(rd, item,
                           spans[km_str_eq(type, KM_STR("shell")) ? T_ENVIRONMENT : T_CONTAINER]);
    if (r < 0)
        return r;
    if (is_there(&spans[T_SEARCH_SIZE]))
        take_search_size(rd->p, plain(rd, item, &spans[T_SEARCH_SIZE]));
    return take_tool(rd, tool, KM_STR("tools[].type"), type,
                     is_there(&spans[T_MAX_USES]) ? km_json_value(item, &spans[T_MAX_USES])
                                                  : KM_STR_NONE);
}

static int read_system(struct reading *rd, struct km_str item, const struct km_json_span *at)
{
    struct km_json_span s = *at;
    struct km_str name;

    if (s.type != KM_JSON_OBJECT || go_inside("name", &item, &s, rd->err) < 0 || !is_there(&s))
        return take_tool(rd, &unknown_tool, KM_STR("systemTool"), km_json_value(item, at),
                         KM_STR_NONE);
    name = plain(rd, item, &s);
    return take_tool(rd, find_tool(km_priced_system, name), KM_STR("systemTool.name"), name,
                     KM_STR_NONE);
}

/* Which member is it that no row knows?  Seldom asked. */
static int take_unknown(struct reading *rd, struct km_str item)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root, *v;
    struct km_json_iter it;
    struct km_str key;
    int r;

    km_arena_init(&scratch, rd->arena->cap, rd->arena->pool);
    r = km_json_parse(&scratch, item, &root, rd->err);
    for (km_json_iter(r == 0 ? root : NULL, &it); r == 0 && km_json_next(&it, &key, &v);) {
        if (find_tool(km_priced_keys, key) != &unknown_tool || km_str_eq(key, tool_names[T_SYSTEM]))
            continue;
        return take_tool(rd, &unknown_tool, KM_STR("tools[]"), key, KM_STR_NONE);
    }
    return r;
}

static int read_keyed(struct reading *rd, struct km_str item, const struct km_json_span *spans,
                      const struct km_str *names, size_t n, size_t members, bool only_known)
{
    size_t known = 0;
    int r = 0;

    for (size_t i = T_KEYS; r == 0 && i < n; i++) {
        known += spans[i].type != KM_JSON_ABSENT;
        if (is_there(&spans[i]))
            r = take_tool(rd, &km_priced_keys[i - T_KEYS], KM_STR("tools[]"), names[i],
                          KM_STR_NONE);
    }
    if (r == 0 && spans[T_SYSTEM].type != KM_JSON_ABSENT) {
        known++;
        r = read_system(rd, item, &spans[T_SYSTEM]);
    }
    return r == 0 && only_known && known < members ? take_unknown(rd, item) : r;
}

/* Of Google's and Converse's tools each member is one; elsewhere one without a type is the caller's
 * function, unless it is one of theirs, which gateways take there too. */
static int read_tools(struct reading *rd, unsigned apis, struct km_str array)
{
    bool only_known = !(apis & ~(unsigned)(KM_PRICED_GEMINI | KM_PRICED_CONVERSE));
    struct km_json_span item, spans[ITEM_NAMES];
    struct km_str names[ITEM_NAMES], text;
    struct km_json_object object;
    size_t at = 0, n = item_names(names);
    int r = 0;

    while (r == 0 && km_json_next_item(array, &at, &item)) {
        text = km_json_value(array, &item);
        if (item.type != KM_JSON_OBJECT)
            continue; /* no API takes it */
        r = km_json_spans(text, names, n, spans, &object, rd->err);
        if (r == 0 && !only_known && is_there(&spans[T_TYPE]))
            r = read_typed(rd, text, spans);
        else if (r == 0)
            r = read_keyed(rd, text, spans, names, n, object.members, only_known);
    }
    return r;
}

/* --- members --- */

/* null, false, [] and {} ask for nothing, but for an object that asks by being there. */
static bool asks(struct km_str in, const struct km_json_span *s)
{
    struct km_str inner = km_str_sub(km_json_value(in, s), 1, s->value_n ? s->value_n - 2 : 0);

    return is_there(s) && s->type != KM_JSON_FALSE &&
           (s->type != KM_JSON_ARRAY || km_str_trim(inner).n > 0);
}

/* {"search_context_size":"low","search_type":"pro"}: Perplexity bills other searches than fast ones
 * by prices of their own. */
static int read_search(const struct reading *rd, struct km_str in, const struct km_json_span *s)
{
    static const struct km_str names[] = { { "search_context_size", 19 }, { "search_type", 11 } };
    struct km_str object = km_json_value(in, s), size, type;
    struct km_json_span at[2];
    int r = km_json_spans(object, names, 2, at, NULL, rd->err);

    if (r < 0)
        return r;
    size = is_there(&at[0]) ? plain(rd, object, &at[0]) : KM_STR_NONE;
    if (size.p)
        take_search_size(rd->p, size);
    type = is_there(&at[1]) ? plain(rd, object, &at[1]) : KM_STR_NONE;
    if (type.p && !km_str_eq(type, KM_STR("fast")))
        set_unpriced(rd, KM_STR("web_search_options"), "search_type", km_json_value(object, &at[1]),
                     value_remedy);
    return 0;
}

static int read_tool(struct reading *rd, const struct km_priced_row *row, struct km_str in,
                     struct km_json_span s)
{
    struct km_json_span value = s;

    if (!asks(in, &s))
        return 0;
    if (row->inner && s.type == KM_JSON_OBJECT && go_inside(row->inner, &in, &value, rd->err) < 0)
        return KM_E_INVALID;
    if (is_there(&value) && find_value(row->values, plain(rd, in, &value)))
        return 0;
    if (row->kind == KM_PRICED_SEARCH && s.type == KM_JSON_OBJECT && read_search(rd, in, &s) < 0)
        return KM_E_INVALID;
    return take_tool(rd, row->tool, KM_STR("request"), row->name, KM_STR_NONE);
}

static int read_object(struct reading *rd, struct km_str object, unsigned apis);

static int read_row(struct reading *rd, const struct km_priced_row *row, unsigned apis,
                    struct km_str in, struct km_json_span s)
{
    switch (row->kind) {
    case KM_PRICED_VALUE:
        return read_value(rd, row, in, s);
    case KM_PRICED_OBJECT:
        return s.type == KM_JSON_OBJECT ? read_object(rd, km_json_value(in, &s), row->inside) : 0;
    case KM_PRICED_TOOLS:
        if (row->inner && s.type == KM_JSON_OBJECT && go_inside(row->inner, &in, &s, rd->err) < 0)
            return KM_E_INVALID;
        return s.type == KM_JSON_ARRAY ? read_tools(rd, apis & row->apis, km_json_value(in, &s))
                                       : 0;
    case KM_PRICED_TOOL:
    case KM_PRICED_SEARCH:
        return read_tool(rd, row, in, s);
    case KM_PRICED_STORED:
        rd->p->opens_input = rd->p->opens_input || is_there(&s);
        return 0;
    default:
        rd->p->background = rd->p->background || (is_there(&s) && s.type != KM_JSON_FALSE);
        return 0;
    }
}

static int read_object(struct reading *rd, struct km_str object, unsigned apis)
{
    struct km_json_span spans[ITEM_NAMES];
    struct km_str names[ITEM_NAMES];
    int r;

    if (rd->depth == DEPTH)
        return 0;
    for (size_t i = 0; i < km_priced_rows_n; i++)
        names[i] = km_priced_rows[i].name;
    r = km_json_spans(object, names, km_priced_rows_n, spans, NULL, rd->err);
    rd->depth++;
    for (size_t i = 0; r == 0 && i < km_priced_rows_n; i++)
        if ((km_priced_rows[i].apis & apis) && spans[i].type != KM_JSON_ABSENT)
            r = read_row(rd, &km_priced_rows[i], apis, object, spans[i]);
    rd->depth--;
    return r;
}

/* --- what others ask --- */

int km_llm_priced_object(struct km_str object, unsigned apis, struct km_arena *arena,
                         struct km_llm_priced *ret, struct km_err *err)
{
    struct reading rd = { .p = ret, .arena = arena, .body = object, .uses = -1, .err = err };

    return read_object(&rd, object, apis);
}

int km_llm_priced_read(struct km_llm_request *r, unsigned apis, const struct km_json_span *tools,
                       struct km_arena *arena, struct km_err *err)
{
    const unsigned opening = KM_NAMES_FILES | KM_NAMES_AUDIO | KM_NAMES_SERVERS | KM_NAMES_MEDIA;
    struct reading rd = {
        .p = &r->priced, .arena = arena, .body = r->body, .uses = -1, .err = err
    };

    r->priced.opens_input = r->priced.opens_input || (r->names & opening);
    r->priced.keeps_hour = r->names & KM_NAMES_HOUR;
    if (!tools || (r->names & KM_NAMES_PRICED))
        return read_object(&rd, r->body, apis);
    return tools->type == KM_JSON_ARRAY ? read_tools(&rd, apis, km_json_value(r->body, tools)) : 0;
}

void km_llm_priced_head(struct km_llm_priced *p, const struct km_headers *h, struct km_arena *arena)
{
    const struct reading rd = { .p = p, .arena = arena };

    for (size_t i = 0; i < km_priced_headers_n; i++) {
        const struct km_priced_header *row = &km_priced_headers[i];
        struct km_str value = km_str_trim(km_header_get(h, row->name));
        const struct km_priced_value *v = find_value(row->values, value);

        if (!value.n)
            continue;
        if (!v)
            set_unpriced(&rd, row->name, NULL, value, value_remedy);
        take_effect(p, KM_SAID_SERVICE, v ? v->effect : KM_PRICED_NOTHING);
    }
}

void km_llm_priced_add(struct km_llm_priced *p, const struct km_llm_priced *more)
{
    if (more->said & KM_SAID_SERVICE)
        set_service(p, more->service);
    if (more->said & KM_SAID_SEARCH)
        set_search(p, more->search);
    if (more->container > p->container)
        p->container = more->container;
    if (more->queries > p->queries)
        p->queries = more->queries;
    p->said |= more->said;
    p->fast = p->fast || more->fast;
    p->in_us = p->in_us || more->in_us;
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++)
        if (more->hosted[i] > p->hosted[i])
            p->hosted[i] = more->hosted[i];
    if (!p->tools)
        p->tool = more->tool;
    p->tools |= more->tools;
    p->hosts = p->hosts || more->hosts;
    p->keeps_hour = p->keeps_hour || more->keeps_hour;
    p->background = p->background || more->background;
    p->opens_input = p->opens_input || more->opens_input;
    if (!p->unpriced.n) {
        p->unpriced = more->unpriced;
        p->remedy = more->remedy;
    }
}

const struct km_llm_priced *km_llm_priced_at(const struct km_llm_request *r,
                                             const struct km_deployment *d,
                                             struct km_llm_priced *room)
{
    struct km_llm_priced own;

    if (!d->priced)
        return &r->priced;
    *room = r->priced;
    own = *d->priced;
    if (room->said & KM_SAID_SERVICE)
        own.said &= ~(unsigned)KM_SAID_SERVICE;
    own.fast = own.fast && !(room->said & KM_SAID_SPEED);
    own.in_us = own.in_us && !(room->said & KM_SAID_GEO);
    km_llm_priced_add(room, &own);
    return room;
}

static int64_t at_least_one(int64_t n)
{
    return n > 1 ? n : 1;
}

void km_llm_priced_usage(const struct km_llm_priced *p, struct km_usage *u)
{
    u->service = p->service;
    u->fast = p->fast;
    u->in_us = p->in_us;
    u->search = p->search;
    u->queries = p->queries;
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++)
        u->hosted[i] = p->hosted[i];
    u->hosted[KM_HOSTED_CODE_INTERPRETER] *= at_least_one(p->container);
    if (p->keeps_hour)
        u->cache_write_tokens = u->cache_write_1h_tokens = u->prompt_tokens;
}

void km_llm_priced_served(const struct km_llm_priced *p, struct km_usage *u)
{
    if (!(u->said & KM_SAID_SERVICE))
        u->service = p->service;
    if (!(u->said & KM_SAID_SPEED))
        u->fast = p->fast;
    if (!(u->said & KM_SAID_GEO))
        u->in_us = p->in_us;
    if (!(u->said & KM_SAID_SEARCH))
        u->search = p->search;
    if (!u->queries)
        u->queries = p->queries;
    u->hosted[KM_HOSTED_CODE_INTERPRETER] *= at_least_one(p->container);
}
