/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_tools.c - `tools`, `tool_choice` and schemas of a Messages body.
 *
 * A model too old to be held to a schema gets a tool whose input is that schema and must call it;
 * the answer's side (anthropic_answer.c) makes text of the call again.  Tools that Anthropic
 * itself offers pass as they are; those of other providers are not known there.
 */
#include "base/hash.h"
#include "llm/provider/anthropic.h"

#define SCHEMA_DEPTH (KM_OUT_DEPTH - 12) /* around a schema some levels are open already */

static bool clean_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* What was changed ends in a digest of what it was, so that two stay two. */
struct km_str km_messages_clean(struct km_str s, size_t most, struct km_arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    size_t good = 0, keep;
    uint32_t crc;
    char *p;

    while (good < s.n && clean_byte(s.p[good]))
        good++;
    if (good == s.n && s.n > 0 && s.n <= most)
        return s;
    keep = s.n < most - 9 ? s.n : most - 9;
    p = km_arena_alloc(arena, keep + 9);
    if (!p)
        return KM_STR_NONE;
    for (size_t i = 0; i < keep; i++)
        p[i] = clean_byte(s.p[i]) ? s.p[i] : '_';
    p[keep] = '_';
    crc = km_crc32(0, s.n ? s.p : "", s.n);
    for (size_t i = 0; i < 8; i++)
        p[keep + 1 + i] = hex[crc >> (28 - 4 * i) & 15];
    return km_str(p, keep + 9);
}

const struct km_tool_alias *km_tool_aliases(const struct km_chat *chat, size_t most,
                                            struct km_arena *arena)
{
    const struct km_tool_alias *aliases = NULL;

    for (const struct km_tool *tool = chat->tools; tool; tool = tool->next) {
        struct km_str said = km_messages_clean(tool->name, most, arena);
        struct km_tool_alias *alias;

        if (km_str_eq(said, tool->name) || tool->hosted_json.n)
            continue;
        alias = km_arena_alloc(arena, sizeof *alias);
        if (!alias)
            break; /* the arena says so at the end */
        *alias = (struct km_tool_alias){ aliases, said, km_arena_str(arena, tool->name) };
        aliases = alias;
    }
    return aliases;
}

struct km_str km_tool_said(const struct km_tool_alias *aliases, struct km_str said)
{
    for (const struct km_tool_alias *alias = aliases; alias; alias = alias->next)
        if (km_str_eq(alias->said, said))
            return alias->name;
    return said;
}

/* --- schemas --- */

static void write_schema(struct km_json_out *out, const struct km_json *schema, unsigned depth);

static bool named(struct km_str key, const char *const *names)
{
    for (; *names; names++)
        if (km_str_eq(key, km_str_c(*names)))
            return true;
    return false;
}

static void write_schemas(struct km_json_out *out, const struct km_json *v, unsigned depth)
{
    bool object = km_json_kind(v) == KM_JSON_OBJECT;
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;

    km_out_open(out, object ? '{' : '[');
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        if (object)
            km_out_key_str(out, key);
        write_schema(out, item, depth);
    }
    km_out_close(out, object ? '}' : ']');
}

static bool is_object_schema(const struct km_json *schema)
{
    struct km_str type = KM_STR_NONE;

    return km_json_get(schema, "properties") ||
           (km_json_string(km_json_get(schema, "type"), &type) &&
            km_str_eq(type, KM_STR("object")));
}

static void write_schema(struct km_json_out *out, const struct km_json *schema, unsigned depth)
{
    static const char *const many[] = { "properties", "$defs", "definitions", "anyOf",
                                        "oneOf",      "allOf", NULL };
    static const char *const one[] = { "items", "not", NULL };
    bool object = is_object_schema(schema);
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    if (km_json_kind(schema) != KM_JSON_OBJECT || depth + 2 >= SCHEMA_DEPTH) {
        km_out_value(out, schema);
        return;
    }
    km_out_open(out, '{');
    for (km_json_iter(schema, &it); km_json_next(&it, &key, &v);) {
        if (object && km_str_eq(key, KM_STR("additionalProperties")))
            continue;
        km_out_key_str(out, key);
        if (named(key, many))
            write_schemas(out, v, depth + 2);
        else if (named(key, one))
            write_schema(out, v, depth + 1);
        else
            km_out_value(out, v);
    }
    if (object) {
        km_out_key(out, "additionalProperties");
        km_out_bool(out, false);
    }
    km_out_close(out, '}');
}

void km_messages_write_schema(struct km_json_out *out, const struct km_json *schema)
{
    write_schema(out, schema, 0);
}

/* An input's schema must say that it is an object. */
static int write_input_schema(const struct km_messages_writer *w, struct km_str schema,
                              struct km_err *err)
{
    static const struct km_str type = { "type", 4 };
    struct km_json_object object;
    struct km_json_span span;
    struct km_str text = schema;

    if (!schema.n) {
        text = KM_STR("{\"type\":\"object\",\"properties\":{}}");
    } else if (km_json_spans(schema, &type, 1, &span, &object, NULL) < 0) {
        return km_fail_param(err, KM_E_INVALID, "tools",
                             "'tools' hold a tool whose schema is no JSON object.");
    } else if (span.type == KM_JSON_ABSENT) {
        struct km_str rest = km_str_skip(schema, object.open + 1);

        text = km_arena_cat(w->args->arena,
                            (struct km_str[]){ object.members ? KM_STR("{\"type\":\"object\",")
                                                              : KM_STR("{\"type\":\"object\""),
                                               rest },
                            2);
    }
    km_out_member_raw(w->out, "input_schema", text);
    return 0;
}

/* --- tools --- */

static bool is_anthropics(struct km_str type)
{
    static const char *const begins[] = { "web_search_20",   "web_fetch_20",   "bash_20",
                                          "text_editor_20",  "computer_20",    "code_execution_20",
                                          "tool_search_tool_", "memory_20",    "mcp_toolset",
                                          "advisor_20" };

    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (km_str_starts(type, km_str_c(begins[i])))
            return true;
    return false;
}

static int write_hosted(const struct km_messages_writer *w, const struct km_tool *tool,
                        struct km_err *err)
{
    if (is_anthropics(tool->hosted_type)) {
        km_out_raw(w->out, tool->hosted_json);
        return 0;
    }
    return km_tool_refuse(w->args->d, tool, err);
}

static int write_tool(const struct km_messages_writer *w, const struct km_tool *tool,
                      struct km_err *err)
{
    struct km_json_out *out = w->out;
    int r;

    if (tool->hosted_json.n)
        return write_hosted(w, tool, err);
    km_out_open(out, '{');
    km_out_member(out, "name",
                  km_messages_clean(tool->name, KM_MESSAGES_NAME_MOST, w->args->arena));
    if (tool->description.n)
        km_out_member(out, "description", tool->description);
    r = write_input_schema(w, tool->schema_json, err);
    if (tool->strict >= 0) {
        km_out_key(out, "strict");
        km_out_bool(out, tool->strict == 1);
    }
    km_messages_write_cache(out, tool->cache_ttl_s);
    km_out_close(out, '}');
    return r;
}

static int write_json_tool(const struct km_messages_writer *w, struct km_err *err)
{
    struct km_str about = w->chat->schema_description;
    int r;

    km_out_open(w->out, '{');
    km_out_member(w->out, "name", KM_STR(KM_JSON_TOOL));
    km_out_member(w->out, "description",
                  about.n ? about : KM_STR("Give the answer by calling this, in its input."));
    r = write_input_schema(w, w->chat->schema_json, err);
    km_out_close(w->out, '}');
    return r;
}

static void write_choice(const struct km_messages_writer *w)
{
    static const char *const types[] = { [KM_CHOICE_AUTO] = "auto", [KM_CHOICE_NONE] = "none",
                                         [KM_CHOICE_REQUIRED] = "any", [KM_CHOICE_NAMED] = "tool" };
    const struct km_messages_plan *plan = w->plan;
    enum km_tool_choice choice = plan->choice_said ? plan->choice : KM_CHOICE_AUTO;
    bool alone = !w->chat->parallel_tools && choice != KM_CHOICE_NONE;

    if (!plan->choice_said && !alone)
        return;
    km_out_key(w->out, "tool_choice");
    km_out_open(w->out, '{');
    km_out_member(w->out, "type", km_str_c(types[choice]));
    if (choice == KM_CHOICE_NAMED)
        km_out_member(
            w->out, "name",
            plan->json_tool && w->chat->tool_choice != KM_CHOICE_NAMED
                ? KM_STR(KM_JSON_TOOL)
                : km_messages_clean(w->chat->tool_name, KM_MESSAGES_NAME_MOST, w->args->arena));
    if (alone) {
        km_out_key(w->out, "disable_parallel_tool_use");
        km_out_bool(w->out, true);
    }
    km_out_close(w->out, '}');
}

int km_messages_write_tools(const struct km_messages_writer *w, struct km_err *err)
{
    int r = 0;

    if (!w->chat->tools && !w->plan->json_tool)
        return 0;
    km_out_key(w->out, "tools");
    km_out_open(w->out, '[');
    for (const struct km_tool *tool = w->chat->tools; r == 0 && tool; tool = tool->next)
        r = write_tool(w, tool, err);
    if (r == 0 && w->plan->json_tool)
        r = write_json_tool(w, err);
    km_out_close(w->out, ']');
    if (r == 0)
        write_choice(w);
    return r;
}
