/* SPDX-License-Identifier: Apache-2.0 */
/* responses_tools.c - tools of a Responses request, and their names on the way there and back.
 *
 *     {"type":"function","name":"f"}                               f
 *     {"type":"custom","name":"patch"}                             patch, of one text
 *     {"type":"namespace","name":"agents","tools":[{... "spawn"}]} agents__spawn
 *     anything else: a tool of OpenAI's own, as it is
 *
 * Codex has groups ("namespace"): a call of one names group and tool.  Elsewhere there are none, so
 * a group's tools are functions with both names in theirs, and what a model calls is looked up
 * in the request again, never taken apart: a function of the caller's may be called a__b too.  A
 * name over the 64 bytes that providers take ends with a digest in place of its rest.
 */
#include "http/json_take.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"
#include "llm/api/responses.h"

#define NAME_MOST 64 /* bytes of a tool's name */
#define DIGEST 4 /* bytes, as hex */

static struct km_str text_of(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_take(v, name), &s);
    return s;
}

static bool is_type(const struct km_json *v, const char *type)
{
    return km_str_eq(text_of(v, "type"), km_str_c(type));
}

struct km_str km_responses_flat(struct km_str group, struct km_str name, struct km_arena *arena)
{
    struct km_str flat = km_arena_cat(arena, (struct km_str[]){ group, KM_STR("__"), name }, 3);
    uint8_t digest[KM_SHA256_LEN];
    char hex[2 * DIGEST + 1];

    if (flat.n <= NAME_MOST)
        return flat;
    km_sha256(flat, digest);
    km_hex(hex, digest, DIGEST);
    return km_arena_cat(arena,
                        (struct km_str[]){ km_str_sub(flat, 0, NAME_MOST - 1 - 2 * DIGEST),
                                           KM_STR("_"), km_str(hex, 2 * DIGEST) },
                        3);
}

/* --- into the chat --- */

/* A tool whose input is free text is a function with one text here; what grammar the text must
 * have is said in words. */
static int custom(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                  struct km_tool *tool)
{
    struct km_str grammar = KM_STR_NONE;
    int r = km_read_needed(rd, KM_AT(at, "name"), km_json_take(v, "name"), &tool->name);

    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "description"), km_json_take(v, "description"),
                           &tool->description);
    if (km_json_string(km_json_take(km_json_take(v, "format"), "definition"), &grammar))
        tool->description = km_arena_cat(
            rd->arena,
            (struct km_str[]){ tool->description,
                               KM_STR("\n\nThe input is a text in this grammar:\n"), grammar },
            3);
    tool->schema_json = KM_STR("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
                               "\"string\"}},\"required\":[\"input\"]}");
    return r;
}

static int one(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
               struct km_chat *chat, struct km_tool **ret)
{
    struct km_tool *tool = km_chat_tool(chat, rd->arena);

    *ret = tool;
    if (!tool)
        return km_read_nomem(rd);
    if (is_type(v, "custom"))
        return custom(rd, at, v, tool);
    if (is_type(v, "function"))
        return km_openai_tool(rd, at, v, tool);
    tool->hosted_type = text_of(v, "type");
    return km_read_object(rd, at, v, &tool->hosted_json);
}

/* What the group is for is said of each, for a model sees them apart. */
static void join(const struct km_reading *rd, struct km_str group, struct km_str about,
                 struct km_tool *tool)
{
    tool->group = group;
    tool->in_group = tool->name;
    tool->name = km_responses_flat(group, tool->name, rd->arena);
    if (about.n)
        tool->description = km_arena_cat(
            rd->arena,
            (struct km_str[]){ about, tool->description.n ? KM_STR("\n\n") : KM_STR_NONE,
                               tool->description },
            3);
}

static int group_of(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                    struct km_chat *chat)
{
    const struct km_json *tools = km_json_take(v, "tools"), *item;
    struct km_str name = KM_STR_NONE, about = KM_STR_NONE, key;
    struct km_json_iter it;
    struct km_tool *tool;
    int r = km_read_needed(rd, KM_AT(at, "name"), km_json_take(v, "name"), &name);

    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "description"), km_json_take(v, "description"), &about);
    if (r == 0)
        r = km_read_array(rd, KM_AT(at, "tools"), tools);
    km_json_iter(r == 0 && km_given(tools) ? tools : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        const struct km_place *here = KM_ITEM(KM_AT(at, "tools"), i);

        if (!is_type(item, "function") && !is_type(item, "custom"))
            return km_read_bad(rd, KM_AT(here, "type"), "must be function or custom in a group");
        r = one(rd, here, item, chat, &tool);
        if (r == 0)
            join(rd, name, about, tool);
    }
    return r;
}

int km_responses_tools(const struct km_reading *rd, struct km_chat *chat,
                       const struct km_json *root)
{
    const struct km_json *tools = km_json_take(root, "tools"), *v;
    const struct km_place *at = KM_AT(NULL, "tools");
    struct km_json_iter it;
    struct km_tool *ignored;
    struct km_str key;
    int r = km_read_array(rd, at, tools);

    km_json_iter(r == 0 && km_given(tools) ? tools : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &v); i++)
        r = is_type(v, "namespace") ? group_of(rd, KM_ITEM(at, i), v, chat)
                                    : one(rd, KM_ITEM(at, i), v, chat, &ignored);
    if (chat->tools)
        chat->set |= KM_P_BIT(KM_P_TOOLS);
    return r;
}

/* --- and back --- */

static bool is_called(const struct km_json *v, struct km_str group, struct km_str name,
                      struct km_arena *scratch)
{
    struct km_str own = text_of(v, "name");

    return km_str_eq(group.n ? km_responses_flat(group, own, scratch) : own, name);
}

/* Of those in no group first: the caller named them so. */
static bool find(const struct km_json *tools, struct km_str group, struct km_str name,
                 struct km_arena *scratch, struct km_responses_tool *ret)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);)
        if ((is_type(v, "function") || is_type(v, "custom")) &&
            is_called(v, group, name, scratch)) {
            *ret = (struct km_responses_tool){ group, text_of(v, "name"), is_type(v, "custom") };
            return true;
        }
    return false;
}

static bool find_in_groups(const struct km_json *tools, struct km_str name,
                           struct km_arena *scratch, struct km_responses_tool *ret)
{
    struct km_json_iter it;
    const struct km_json *v, *inner;
    struct km_str key;

    for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);) {
        inner = km_json_take(v, "tools");
        if (is_type(v, "namespace") && km_json_kind(inner) == KM_JSON_ARRAY &&
            text_of(v, "name").n && find(inner, text_of(v, "name"), name, scratch, ret))
            return true;
    }
    return false;
}

struct km_responses_tool km_responses_tool(const struct km_llm_request *r, struct km_str name,
                                           struct km_arena *arena)
{
    struct km_responses_tool tool = { .name = name };
    struct km_str tools = r ? km_responses_value(r, KM_R_TOOLS) : KM_STR_NONE;
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, arena->cap, arena->pool);
    if ((km_str_find(tools, KM_STR("\"custom\"")) == tools.n &&
         km_str_find(tools, KM_STR("\"namespace\"")) == tools.n) ||
        km_json_parse(&scratch, tools, &root, NULL) < 0 || km_json_kind(root) != KM_JSON_ARRAY ||
        (!find(root, KM_STR_NONE, name, &scratch, &tool) &&
         !find_in_groups(root, name, &scratch, &tool)))
        return tool;
    tool.group = km_arena_str(arena, tool.group);
    tool.name = km_arena_str(arena, tool.name);
    return tool;
}
