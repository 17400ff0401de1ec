/* SPDX-License-Identifier: Apache-2.0 */
/* converse_tools.c - `toolConfig` of a Converse body.
 *
 * Bedrock wants tools described as long as the conversation speaks of any: where the caller gave
 * none, or forbade them, and earlier calls are there, a tool that does nothing stands in.
 *
 * A model that cannot be held to a schema gets a tool whose input is that schema and must call it;
 * the answer's side (converse_answer.c) makes text of the call again.
 *
 * Tools of Anthropic's own that run at the caller's (computer, bash, text editor) are not known to
 * Converse; it passes them on to Claude among the additional fields.
 */
#include "llm/provider/converse.h"

static bool speaks_of_tools(const struct km_chat *chat)
{
    for (const struct km_message *m = chat->messages; m; m = m->next)
        for (const struct km_part *p = m->parts; p; p = p->next)
            if (p->kind == KM_PART_TOOL_USE || p->kind == KM_PART_TOOL_RESULT)
                return true;
    return false;
}

static size_t functions_of(const struct km_chat *chat)
{
    size_t n = 0;

    for (const struct km_tool *tool = chat->tools; tool; tool = tool->next)
        n += !tool->hosted_json.n;
    return n;
}

/* An input's schema must say that it is an object. */
static int write_schema(const struct km_converse_writer *w, struct km_str schema,
                        struct km_err *err)
{
    static const struct km_str type = { "type", 4 };
    struct km_json_object object;
    struct km_json_span span;
    struct km_str text = schema;

    if (!schema.n)
        text = KM_STR("{\"type\":\"object\",\"properties\":{}}");
    else if (km_json_spans(schema, &type, 1, &span, &object, NULL) < 0)
        return km_fail_param(err, KM_E_INVALID, "tools",
                             "'tools' hold a tool whose schema is no JSON object.");
    else if (span.type == KM_JSON_ABSENT)
        text = km_arena_cat(w->args->arena,
                            (struct km_str[]){ object.members ? KM_STR("{\"type\":\"object\",")
                                                              : KM_STR("{\"type\":\"object\""),
                                               km_str_skip(schema, object.open + 1) },
                            2);
    km_out_key(w->out, "inputSchema");
    km_out_open(w->out, '{');
    km_out_member_raw(w->out, "json", text);
    km_out_close(w->out, '}');
    return 0;
}

static int write_spec(const struct km_converse_writer *w, struct km_str name, struct km_str about,
                      struct km_str schema, bool strict, struct km_err *err)
{
    int r;

    km_out_open(w->out, '{');
    km_out_key(w->out, "toolSpec");
    km_out_open(w->out, '{');
    km_out_member(w->out, "name", km_messages_clean(name, KM_CONVERSE_NAME_MOST, w->args->arena));
    if (about.n)
        km_out_member(w->out, "description", about);
    r = write_schema(w, schema, err);
    if (strict) {
        km_out_key(w->out, "strict");
        km_out_bool(w->out, true);
    }
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
    return r;
}

static bool runs_at_the_callers(struct km_str type)
{
    static const char *const begins[] = { "bash_20", "text_editor_20", "computer_20", "memory_20" };

    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (km_str_starts(type, km_str_c(begins[i])))
            return true;
    return false;
}

static int hosted_tools(const struct km_converse_writer *w, struct km_str *ret, struct km_err *err)
{
    struct km_arena *arena = w->args->arena;
    struct km_str list = KM_STR_NONE;

    for (const struct km_tool *tool = w->chat->tools; tool; tool = tool->next) {
        if (!tool->hosted_json.n)
            continue;
        if (km_converse_is(w, KM_FAMILY_CLAUDE) && runs_at_the_callers(tool->hosted_type))
            list = km_arena_cat(
                arena,
                (struct km_str[]){ list, list.n ? KM_STR(",") : KM_STR_NONE, tool->hosted_json },
                3);
        else if (km_tool_refuse(w->args->d, tool, err) < 0)
            return KM_E_UNSUPPORTED;
    }
    if (list.n)
        *ret = km_arena_cat(arena, (struct km_str[]){ KM_STR("["), list, KM_STR("]") }, 3);
    return 0;
}

static int write_list(const struct km_converse_writer *w, struct km_err *err)
{
    const struct km_chat *chat = w->chat;
    bool caches = km_converse_is(w, KM_FAMILY_CLAUDE); /* among tools: Claude only */
    int r = 0;

    for (const struct km_tool *tool = chat->tools; r == 0 && tool; tool = tool->next) {
        if (tool->hosted_json.n)
            continue;
        r = write_spec(w, tool->name, tool->description, tool->schema_json,
                       tool->strict == 1 && (w->args->can->can & KM_CAN_SCHEMA), err);
        km_converse_write_cache(w, caches ? tool->cache_ttl_s : 0);
    }
    if (r == 0 && w->plan.json_tool)
        r = write_spec(w, KM_STR(KM_JSON_TOOL),
                       chat->schema_description.n
                           ? chat->schema_description
                           : KM_STR("Give the answer by calling this, in its input."),
                       chat->schema_json, false, err);
    else if (r == 0 && !functions_of(chat))
        r = write_spec(w, KM_STR("unavailable"),
                       KM_STR("Stands for tools that were there earlier. Do not call it."),
                       KM_STR_NONE, false, err);
    return r;
}

static void write_choice(const struct km_converse_writer *w)
{
    static const char *const kinds[] = { [KM_CHOICE_AUTO] = "auto",
                                         [KM_CHOICE_REQUIRED] = "any",
                                         [KM_CHOICE_NAMED] = "tool" };
    const struct km_messages_plan *plan = &w->plan;
    enum km_family family = w->args->can->family;
    bool knows_auto =
        family == KM_FAMILY_CLAUDE || family == KM_FAMILY_NOVA || family == KM_FAMILY_MISTRAL;

    if (!plan->choice_said || plan->choice == KM_CHOICE_NONE ||
        (plan->choice == KM_CHOICE_AUTO && !knows_auto))
        return;
    km_out_key(w->out, "toolChoice");
    km_out_open(w->out, '{');
    km_out_key(w->out, kinds[plan->choice]);
    km_out_open(w->out, '{');
    if (plan->choice == KM_CHOICE_NAMED)
        km_out_member(
            w->out, "name",
            plan->json_tool && w->chat->tool_choice != KM_CHOICE_NAMED
                ? KM_STR(KM_JSON_TOOL)
                : km_messages_clean(w->chat->tool_name, KM_CONVERSE_NAME_MOST, w->args->arena));
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
}

int km_converse_write_tools(struct km_converse_writer *w, struct km_str *ret_hosted,
                            struct km_err *err)
{
    bool forbidden = w->plan.choice_said && w->plan.choice == KM_CHOICE_NONE;
    bool offered = !forbidden && (functions_of(w->chat) || w->plan.json_tool);
    int r = forbidden ? 0 : hosted_tools(w, ret_hosted, err);

    if (r < 0 || (!offered && !speaks_of_tools(w->chat)))
        return r;
    km_out_key(w->out, "toolConfig");
    km_out_open(w->out, '{');
    km_out_key(w->out, "tools");
    km_out_open(w->out, '[');
    r = write_list(w, err);
    km_out_close(w->out, ']');
    write_choice(w);
    km_out_close(w->out, '}');
    return r;
}
