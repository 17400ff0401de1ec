/* SPDX-License-Identifier: Apache-2.0 */
/* chat.c - building the canonical chat, and the small rules every codec shares.
 *
 * Lists are appended to in the caller's order and live in one arena; nobody checks for memory
 * on the way: what could not be had is NULL, the arena remembers, and whoever built the chat
 * asks it once at the end.  The rules that turn an effort into a budget and back are LiteLLM's,
 * so that a configuration means the same in both.
 */
#include "llm/chat.h"

#include "base/chunk.h"

#include "base/encode.h"
#include "base/map.h"
#include "http/json_out.h"

#define CALLS_MOST ((size_t)1 << 20)

static const char *const param_names[KM_P_COUNT] = {
#define XX(name, text) [KM_P_##name] = text,
    KM_CHAT_PARAMS(XX)
#undef XX
};

void km_chat_init(struct km_chat *c)
{
    *c = (struct km_chat){ .max_tokens = -1, .n = 1, .parallel_tools = true, .schema_strict = -1 };
}

const char *km_chat_param_name(enum km_chat_param p)
{
    return param_names[p];
}

struct km_message *km_chat_message(struct km_chat *c, struct km_arena *a, enum km_role role)
{
    struct km_message *m = km_arena_zalloc(a, sizeof *m), **at = &c->last_message;

    if (!m)
        return NULL;
    m->role = role;
    if (*at)
        (*at)->next = m;
    else
        c->messages = m;
    *at = m;
    return m;
}

struct km_part *km_chat_part(struct km_arena *a, struct km_part **list, enum km_part_kind kind)
{
    struct km_part *part = km_arena_zalloc(a, sizeof *part);

    if (!part)
        return NULL;
    part->kind = kind;
    while (*list)
        list = &(*list)->next;
    *list = part;
    return part;
}

struct km_tool *km_chat_tool(struct km_chat *c, struct km_arena *a)
{
    struct km_tool *tool = km_arena_zalloc(a, sizeof *tool), **at = &c->last_tool;

    if (!tool)
        return NULL;
    tool->strict = -1;
    if (*at)
        (*at)->next = tool;
    else
        c->tools = tool;
    *at = tool;
    return tool;
}

struct km_chat_extra *km_chat_extra(struct km_chat *c, struct km_arena *a, struct km_str name,
                                    struct km_str json)
{
    struct km_chat_extra *extra = km_arena_zalloc(a, sizeof *extra), **at = &c->extras;

    if (!extra)
        return NULL;
    extra->name = name;
    extra->json = json;
    while (*at)
        at = &(*at)->next;
    *at = extra;
    return extra;
}

/* A request may hold as many calls as results: by a table, or it would take their product. */
static void note_calls(struct km_map **calls, struct km_message *m)
{
    for (struct km_part *p = m->parts; p; p = p->next) {
        if (p->kind != KM_PART_TOOL_USE)
            continue;
        if (!*calls)
            *calls = km_map_new_borrowed(CALLS_MOST);
        if (!*calls || km_map_set(*calls, p->id, p, NULL) < 0)
            return; /* names are a help: without memory there are none */
    }
}

void km_chat_name_results(struct km_chat *c)
{
    struct km_map *calls = NULL;

    for (struct km_message *m = c->messages; m; m = m->next) {
        if (m->role == KM_ROLE_ASSISTANT)
            note_calls(&calls, m);
        for (struct km_part *p = m->parts; calls && p; p = p->next) {
            const struct km_part *call = NULL;

            if (p->kind == KM_PART_TOOL_RESULT && !p->name.n)
                call = km_map_get(calls, p->id);
            if (call)
                p->name = call->name;
        }
    }
    km_map_free(calls, NULL);
}

bool km_media_is_place(struct km_str id)
{
    const struct km_str store = KM_STR("generativelanguage.googleapis.com");

    for (size_t i = 0; i + store.n <= id.n; i++)
        if (km_str_ieq(km_str_sub(id, i, store.n), store))
            return false;
    return km_str_find(id, KM_STR("://")) < id.n;
}

bool km_media_in_bucket(struct km_str place)
{
    place = km_str_trim(place);
    return km_str_istarts(place, KM_STR("s3://")) || km_str_istarts(place, KM_STR("gs://"));
}

int km_media_refuse_bucket(struct km_str place, struct km_err *err)
{
    return km_fail(err, KM_E_FORBIDDEN,
                   "'%.*s' would be read with the operator's credentials, and nobody here knows "
                   "whose it is. kanmon_settings.account_objects: [buckets] opens buckets to all "
                   "keys.",
                   KM_STR_ARG(km_str_sub(km_str_trim(place), 0, 100)));
}

bool km_base64_ok(struct km_str s)
{
    size_t pad = 0, i;

    if (s.n % 4)
        return false;
    while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
        pad++;
    for (i = km_run_base64(s.p, s.n - pad); i < s.n - pad; i++) {
        unsigned char b = (unsigned char)s.p[i];

        if (!((b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') ||
              b == '+' || b == '/'))
            return false;
    }
    return true;
}

int km_media_from_url(struct km_media *m, struct km_str url, struct km_err *err)
{
    struct km_str head, type;
    size_t comma;

    if (!km_str_istarts(url, KM_STR("data:"))) {
        if (km_str_find(url, KM_STR("://")) == url.n)
            return km_fail(err, KM_E_INVALID, "it is neither a data: URL nor an address");
        m->url = url;
        return 0;
    }
    comma = km_str_chr(url, ',');
    head = km_str_sub(url, 5, comma - 5);
    if (comma == url.n || !km_str_ends(head, KM_STR(";base64")))
        return km_fail(err, KM_E_INVALID, "a data: URL is like 'data:image/png;base64,...'");
    type = km_str_sub(head, 0, km_str_chr(head, ';'));
    m->type = km_str_ieq(type, KM_STR("image/jpg")) ? KM_STR("image/jpeg") : type;
    m->data = km_str_skip(url, comma + 1);
    if (!m->data.n || !km_base64_ok(m->data))
        return km_fail(err, KM_E_INVALID, "its data is not base64");
    return 0;
}

static const struct {
    const char *name;
    int64_t budget; /* LiteLLM's constants */
} efforts[] = {
    [KM_EFFORT_NONE] = { "none", 0 },      [KM_EFFORT_MINIMAL] = { "minimal", 1024 },
    [KM_EFFORT_LOW] = { "low", 1024 },     [KM_EFFORT_MEDIUM] = { "medium", 2048 },
    [KM_EFFORT_HIGH] = { "high", 4096 },   [KM_EFFORT_XHIGH] = { "xhigh", 8192 },
    [KM_EFFORT_MAX] = { "max", 16384 },
};

int64_t km_effort_budget(enum km_effort e)
{
    return efforts[e].budget;
}

const char *km_effort_name(enum km_effort e)
{
    return efforts[e].name;
}

enum km_effort km_budget_effort(int64_t tokens)
{
    return tokens >= 4096   ? KM_EFFORT_HIGH
           : tokens >= 2048 ? KM_EFFORT_MEDIUM
           : tokens >= 1024 ? KM_EFFORT_LOW
           : tokens > 0     ? KM_EFFORT_MINIMAL
                            : KM_EFFORT_NONE;
}

int km_effort_parse(struct km_str name, enum km_effort *ret)
{
    for (size_t i = 0; i < sizeof efforts / sizeof efforts[0]; i++)
        if (km_str_eq(name, km_str_c(efforts[i].name))) {
            *ret = (enum km_effort)i;
            return 0;
        }
    return KM_E_INVALID;
}

/* --- members that have no place of their own --- */

int km_extra_write(struct km_json_out *o, const struct km_chat_extra *extra, struct km_err *err)
{
    if (km_out_has(o, extra->name))
        return km_fail_param(err, KM_E_INVALID, "body",
                             "'%.*s' is said already: for this provider the gateway writes it from "
                             "another parameter of the request.",
                             KM_STR_ARG(km_str_sub(extra->name, 0, 100)));
    km_out_key_str(o, extra->name);
    km_out_raw(o, extra->json);
    return 0;
}

int km_extras_write(struct km_json_out *o, const struct km_chat_extra *extras, struct km_err *err)
{
    int r = 0;

    for (const struct km_chat_extra *x = extras; r == 0 && x; x = x->next)
        r = km_extra_write(o, x, err);
    return r;
}
