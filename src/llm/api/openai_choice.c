/* SPDX-License-Identifier: Apache-2.0 */
/* openai_choice.c - `tool_choice`: a word, one tool, or some of them.
 *
 *     "auto" | "none" | "required"
 *     {"type":"function","function":{"name"}}             chat
 *     {"type":"function","name"[,"namespace"]}            Responses
 *     {"type":"allowed_tools","mode","tools":[...]}       the others are not offered at all
 *
 * A tool of a group (Responses' "namespace", as Codex has them) goes upstream under a name made
 * of both (responses_tools.c).  Whoever chooses it says its own name, with the group where two
 * have one of that name, or the joined one; among the allowed ones a whole group may stand.
 */
#include "http/json_take.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"

struct chosen {
    struct km_str type, name, group;
};

static struct chosen chosen_of(const struct km_json *v)
{
    struct chosen c = { KM_STR_NONE, KM_STR_NONE, KM_STR_NONE };

    (void)km_json_string(km_json_take(v, "type"), &c.type);
    if (!km_json_string(km_json_take(km_json_take(v, "function"), "name"), &c.name))
        (void)km_json_string(km_json_take(v, "name"), &c.name);
    (void)km_json_string(km_json_take(v, "namespace"), &c.group);
    return c;
}

static bool names(const struct chosen *c, const struct km_tool *tool)
{
    if (km_str_eq(c->type, KM_STR("namespace")))
        return tool->group.n && km_str_eq(c->name, tool->group);
    if (c->group.n)
        return km_str_eq(c->group, tool->group) && km_str_eq(c->name, tool->in_group);
    return km_str_eq(c->name, tool->group.n ? tool->in_group : tool->name);
}

/* What goes upstream: of a tool that has the very name, else of the one it means. */
static int resolve(const struct km_reading *rd, const struct km_chat *chat,
                   const struct km_place *at, const struct chosen *c, struct km_str *ret)
{
    const struct km_tool *found = NULL;

    *ret = c->name;
    for (const struct km_tool *t = chat->tools; t && !c->group.n; t = t->next)
        if (km_str_eq(t->name, c->name))
            return 0;
    for (const struct km_tool *t = chat->tools; t; t = t->next)
        if (names(c, t)) {
            if (found)
                return km_read_bad(rd, KM_AT(at, "name"),
                                   "is the name of tools in several groups: say which in "
                                   "`namespace`");
            found = t;
        }
    if (found)
        *ret = found->name;
    else if (c->group.n)
        return km_read_bad(rd, KM_AT(at, "namespace"), "has no such tool");
    return 0;
}

static void choose(struct km_chat *chat, enum km_tool_choice choice, struct km_str name)
{
    chat->tool_choice = choice;
    chat->tool_name = name;
    chat->set |= KM_P_BIT(KM_P_TOOL_CHOICE);
}

static int choose_word(const struct km_reading *rd, struct km_chat *chat, const struct km_place *at,
                       struct km_str word)
{
    if (km_str_eq(word, KM_STR("auto")))
        choose(chat, KM_CHOICE_AUTO, KM_STR_NONE);
    else if (km_str_eq(word, KM_STR("none")))
        choose(chat, KM_CHOICE_NONE, KM_STR_NONE);
    else if (km_str_eq(word, KM_STR("required")) || km_str_eq(word, KM_STR("any")))
        choose(chat, KM_CHOICE_REQUIRED, KM_STR_NONE);
    else
        return km_read_bad(rd, at, "must be auto, none, required or an object");
    return 0;
}

static bool allows(const struct km_json *tools, const struct km_tool *tool)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);) {
        const struct chosen c = chosen_of(v);

        if (c.name.n && (names(&c, tool) || (!c.group.n && km_str_eq(c.name, tool->name))))
            return true;
    }
    return false;
}

/* {"mode":"auto"|"required","tools":[...]} */
static int choose_among(const struct km_reading *rd, struct km_chat *chat,
                        const struct km_place *at, const struct km_json *allowed)
{
    const struct km_json *tools = km_json_take(allowed, "tools");
    struct km_tool **from = &chat->tools;
    struct km_str mode = KM_STR("auto");
    int r = km_read_string(rd, KM_AT(at, "mode"), km_json_take(allowed, "mode"), &mode);

    if (r == 0 && km_json_kind(tools) != KM_JSON_ARRAY)
        r = km_read_bad(rd, KM_AT(at, "tools"), "must be an array");
    if (r < 0)
        return r;
    chat->last_tool = NULL;
    while (*from) {
        if (allows(tools, *from)) {
            chat->last_tool = *from;
            from = &(*from)->next;
        } else {
            *from = (*from)->next;
        }
    }
    if (!chat->tools)
        return km_read_bad(rd, KM_AT(at, "tools"), "names none of the tools");
    return choose_word(rd, chat, KM_AT(at, "mode"), mode);
}

int km_openai_choice(const struct km_reading *rd, struct km_chat *chat, const struct km_place *at,
                     const struct km_json *v)
{
    const struct km_json *allowed = km_json_take(v, "allowed_tools");
    const struct chosen c = chosen_of(v);
    struct km_str word, name;
    int r;

    if (km_json_string(v, &word))
        return choose_word(rd, chat, at, word);
    if (!km_json_string(km_json_take(v, "type"), &word))
        return km_read_bad(rd, at, "must be auto, none, required or an object with a type");
    if (km_str_eq(c.type, KM_STR("allowed_tools")))
        return choose_among(rd, chat, allowed ? KM_AT(at, "allowed_tools") : at,
                            allowed ? allowed : v);
    if (!km_str_eq(c.type, KM_STR("function")) &&
        !(km_str_eq(c.type, KM_STR("custom")) && km_json_take(v, "name"))) /* Responses' */
        return km_read_refuse(rd, KM_AT(at, "type"),
                              "is a kind of tool that this model's provider does not know");
    if (!km_json_string(km_json_take(km_json_take(v, "function"), "name"), &name) &&
        !km_json_string(km_json_take(v, "name"), &name))
        return km_read_bad(rd, KM_AT(KM_AT(at, "function"), "name"), "must be a string");
    r = resolve(rd, chat, at, &c, &name);
    if (r == 0)
        choose(chat, KM_CHOICE_NAMED, name);
    return r;
}

/* The older form: "none", "auto", {"name"}. */
int km_openai_function_call(const struct km_reading *rd, struct km_chat *chat,
                            const struct km_place *at, const struct km_json *v)
{
    struct km_str word;

    if (km_json_string(v, &word))
        return choose_word(rd, chat, at, word);
    if (!km_json_string(km_json_take(v, "name"), &word))
        return km_read_bad(rd, KM_AT(at, "name"), "must be a string");
    choose(chat, KM_CHOICE_NAMED, word);
    return 0;
}
