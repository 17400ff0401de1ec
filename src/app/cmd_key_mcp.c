/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key_mcp.c - a key's object_permission by options: which servers, tools, parameters.
 *
 *     --mcp-tools git:log,git:show ──> items "git" "log", ... ──> are there such? ──> {"git": ...}
 *
 * What is named is looked for among what the gateway has now (admin/mcp_names.c), so that a typing
 * error does not become a key that may do nothing, or too much later.  A server whose tools nobody
 * knows yet is told of and taken; --unchecked takes anything.  Who names a tool names its server:
 * without it the key could not reach the tool.
 */
#include "app/cmd_key_mcp.h"

#include "app/say.h"
#include "base/near.h"

#define ITEMS_MOST 512
#define PART_BYTES ((size_t)64 * 1024)

enum part { SERVERS, GROUPS, TOOLS, PARAMS, MODES, VALUES, PARTS };

/* What an option is called, and the member it makes; words: how many an item has. */
static const struct {
    const char *option, *member;
    unsigned words;
} parts[PARTS] = {
    [SERVERS] = { "mcp-servers", "mcp_servers", 1 },
    [GROUPS] = { "mcp-groups", "mcp_access_groups", 1 },
    [TOOLS] = { "mcp-tools", "mcp_tool_permissions", 2 },
    [PARAMS] = { "mcp-params", "mcp_param_permissions", 3 },
    [MODES] = { "mcp-modes", "mcp_modes", 2 },
    [VALUES] = { "mcp-values", "mcp_values", 2 },
};

struct item {
    struct km_str words[3]; /* the last of VALUES: name=value */
};

struct list {
    struct item v[ITEMS_MOST];
    size_t n;
    bool given;
};

/* The word for an empty list.  No tools are named where all of a server's may be used: "none" would
 * say the contrary of what it does. */
static const char *empty_word(enum part part)
{
    return part == TOOLS || part == PARAMS ? "all" : "none";
}

/* "name=value", of VALUES. */
static bool is_assigned(struct km_str s)
{
    size_t at = km_str_chr(s, '=');

    return at > 0 && at < s.n;
}

static int read_items(struct km_cli *cli, enum part part, struct list *list)
{
    const char *value = km_cli_option(cli, parts[part].option);
    struct km_str rest = km_str_c(value), one;

    list->given = value != NULL;
    if (!value || strcmp(value, empty_word(part)) == 0)
        return 0;
    if (strcmp(value, "none") == 0)
        return km_cli_usage(cli, "--%s none would restrict nothing: say all, or --mcp-servers none",
                            parts[part].option);
    while (km_str_split(&rest, ',', &one)) {
        struct item *item = &list->v[list->n];
        struct km_str left = km_str_trim(one);
        unsigned n = 0;

        if (list->n++ == ITEMS_MOST)
            return km_cli_usage(cli, "--%s has more than %d names", parts[part].option, ITEMS_MOST);
        while (n < parts[part].words - 1 && km_str_split(&left, ':', &item->words[n]))
            n++;
        item->words[n] = left;
        if (part == VALUES && !is_assigned(left))
            return km_cli_usage(cli, "--mcp-values: '%.*s' is not SERVER:NAME=VALUE",
                                KM_STR_ARG(km_str_sub(one, 0, 100)));
        for (unsigned i = 0; i < parts[part].words; i++)
            if (!item->words[i].n)
                return km_cli_usage(cli, "--%s: '%.*s' is not %s", parts[part].option,
                                    KM_STR_ARG(km_str_sub(one, 0, 100)),
                                    parts[part].words == 1   ? "a name"
                                    : parts[part].words == 2 ? "two words with ':' between them"
                                                             : "SERVER:TOOL:PARAMETER");
    }
    return 0;
}

/* --- are there such? --- */

/* The object of an array that has this name by one of its members; NULL: none. */
static const struct km_json *named(const struct km_json *list, struct km_str name)
{
    static const char *const members[] = { "name", "alias", "server_id" };
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key, text;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);) {
        if (km_json_string(v, &text) && km_str_eq(text, name))
            return v;
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            if (km_str_eq(km_answer_text(v, members[i]), name))
                return v;
    }
    return NULL;
}

/* Whose name is probably meant; empty: nobody's. */
static struct km_str meant(const struct km_json *list, struct km_str name)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key, text;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);) {
        if (!km_json_string(v, &text))
            text = km_answer_text(v, "name");
        if (km_near_miss(text, name))
            return text;
    }
    return KM_STR_NONE;
}

static int unknown(struct km_cli *cli, const char *what, struct km_str name,
                   const struct km_json *list, const char *where)
{
    struct km_str near = meant(list, name);

    if (near.n)
        return km_cli_usage(cli, "there is no %s '%.*s'; did you mean '%.*s'?", what,
                            KM_STR_ARG(km_str_sub(name, 0, 100)), KM_STR_ARG(near));
    return km_cli_usage(cli,
                        "there is no %s '%.*s' now; %s lists them, and --unchecked takes it "
                        "all the same",
                        what, KM_STR_ARG(km_str_sub(name, 0, 100)), where);
}

static int check_item(struct km_cli *cli, enum part part, const struct item *item,
                      const struct km_json *names)
{
    const struct km_json *servers = km_json_get(names, "servers");
    const struct km_json *server = named(servers, item->words[0]);
    const struct km_json *tools, *tool, *list;
    bool known = false;

    if (part == GROUPS)
        return named(km_json_get(names, "groups"), item->words[0])
                   ? 0
                   : unknown(cli, "access group", item->words[0], km_json_get(names, "groups"),
                             "access_groups in the configuration");
    if (!server && named(km_json_get(names, "virtual"), item->words[0]))
        return 0;
    if (!server)
        return unknown(cli, "MCP server", item->words[0], servers, "`kanmon mcp list`");
    if ((part == MODES || part == VALUES) && !km_answer_text(server, "builtin").n)
        return km_cli_usage(cli,
                            "--%s: '%.*s' would not be held to it, only a server that is part of "
                            "kanmon (builtin); --unchecked takes it all the same",
                            parts[part].option, KM_STR_ARG(item->words[0]));
    (void)km_json_bool(km_json_get(server, "known"), &known);
    if ((part != TOOLS && part != PARAMS) || !known) {
        if (part == TOOLS || part == PARAMS)
            fprintf(stderr, "note: what tools %.*s has is not known now: its names are taken\n",
                    KM_STR_ARG(item->words[0]));
        return 0;
    }
    tools = km_json_get(server, "tools");
    tool = named(tools, item->words[1]);
    if (!tool)
        return unknown(cli, "tool", item->words[1], tools, "`kanmon mcp tools SERVER`");
    list = km_json_get(tool, "parameters"); /* one without any may take what it likes */
    if (part == PARAMS && km_json_count(list) && !named(list, item->words[2]))
        return unknown(cli, "parameter", item->words[2], list, "`kanmon mcp tools SERVER --json`");
    return 0;
}

static int check(struct km_cli *cli, const struct list lists[PARTS])
{
    struct km_answer a;
    struct km_err err = { 0 };
    int code = 0;

    if (km_cli_flag(cli, "unchecked"))
        return 0;
    km_answer_init(&a);
    if (km_cli_call(cli, "GET", "/kanmon/mcp/names", KM_STR_NONE, &a, &err) < 0)
        code = km_cli_fail(cli, &err);
    for (int part = SERVERS; code == 0 && part < PARTS; part++)
        for (size_t i = 0; code == 0 && i < lists[part].n; i++)
            code = check_item(cli, (enum part)part, &lists[part].v[i], a.json);
    km_answer_done(&a);
    return code;
}

/* --- the permission --- */

static bool is_first(const struct list *list, size_t at, unsigned words)
{
    for (size_t i = 0; i < at; i++) {
        bool same = true;

        for (unsigned w = 0; w < words; w++)
            same = same && km_str_eq(list->v[i].words[w], list->v[at].words[w]);
        if (same)
            return false;
    }
    return true;
}

static void put_next(struct km_buf *out)
{
    if (out->n && !strchr("{[:", out->p[out->n - 1]))
        km_buf_byte(out, ',');
}

static void put_key(struct km_buf *out, struct km_str name)
{
    put_next(out);
    km_buf_json(out, name);
    km_buf_byte(out, ':');
}

static void put_leaf(enum part part, const struct item *item, struct km_buf *out)
{
    struct km_str last = item->words[parts[part].words - 1];
    size_t equals = km_str_chr(last, '=');

    put_next(out);
    if (part == VALUES) {
        km_buf_json(out, km_str_sub(last, 0, equals));
        km_buf_byte(out, ':');
        last = km_str_skip(last, equals + 1);
    }
    km_buf_json(out, last);
}

/* The items that begin as item `at` does by `depth` words, as list, map, or map of maps. */
static void put_tree(enum part part, const struct list *list, size_t at, unsigned depth,
                     struct km_buf *out)
{
    const bool leaves = depth == parts[part].words - 1, object = !leaves || part == VALUES;
    const bool bare = part == MODES && leaves; /* one mode a server */

    if (!bare)
        km_buf_byte(out, object ? '{' : '[');
    for (size_t i = 0; i < list->n; i++) {
        bool ours = is_first(list, i, depth + 1);

        for (unsigned w = 0; w < depth; w++)
            ours = ours && km_str_eq(list->v[i].words[w], list->v[at].words[w]);
        if (!ours || (bare && i != at))
            continue;
        if (leaves) {
            put_leaf(part, &list->v[i], out);
        } else {
            put_key(out, list->v[i].words[depth]);
            put_tree(part, list, i, depth + 1, out);
        }
    }
    if (!bare)
        km_buf_byte(out, object ? '}' : ']');
}

/* Servers of tools that were named are named. */
static void add_servers(struct list lists[PARTS])
{
    struct list *servers = &lists[SERVERS];

    for (int part = TOOLS; part < PARTS; part++)
        for (size_t i = 0; i < lists[part].n; i++)
            if (servers->n < ITEMS_MOST) {
                servers->given = true;
                servers->v[servers->n++] = lists[part].v[i];
            }
}

static void put_part(enum part part, const struct list *list, const struct km_json *before,
                     struct km_buf *out)
{
    const struct km_json *old = km_json_get(before, parts[part].member);

    if (list->given) {
        put_key(out, km_str_c(parts[part].member));
        put_tree(part, list, 0, 0, out);
    } else if (old) {
        put_key(out, km_str_c(parts[part].member));
        km_json_write(old, out);
    }
}

bool km_key_mcp_given(const struct km_cli *cli)
{
    for (int part = SERVERS; part < PARTS; part++)
        if (km_cli_option(cli, parts[part].option))
            return true;
    return false;
}

int km_key_mcp_put(struct km_cli *cli, const struct km_json *before, struct km_buf *out)
{
    static struct list lists[PARTS]; /* a command reads its options once */
    int code = 0;

    if (!km_key_mcp_given(cli))
        return 0;
    for (int part = SERVERS; code == 0 && part < PARTS; part++)
        code = read_items(cli, (enum part)part, &lists[part]);
    if (code == 0)
        code = check(cli, lists);
    if (code != 0)
        return code;
    add_servers(lists);
    put_key(out, KM_STR("object_permission"));
    km_buf_byte(out, '{');
    for (int part = SERVERS; part < PARTS; part++)
        put_part((enum part)part, &lists[part], before, out);
    km_buf_byte(out, '}');
    return 0;
}

/* --- for people --- */

static void put_names(const struct km_json *list, struct km_buf *out)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key, text;
    size_t n = 0;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(v, &text)) {
            km_buf_str(out, n++ ? KM_STR(",") : KM_STR_NONE);
            km_buf_str(out, text);
        }
}

void km_key_mcp_word(const struct km_json *permission, struct km_buf *out)
{
    const struct km_json *servers = km_json_get(permission, "mcp_servers");
    const struct km_json *groups = km_json_get(permission, "mcp_access_groups");

    if (km_json_kind(permission) != KM_JSON_OBJECT) {
        km_buf_str(out, KM_STR("all"));
        return;
    }
    put_names(servers, out);
    if (km_json_count(groups)) {
        km_buf_str(out, out->n ? KM_STR(",group:") : KM_STR("group:"));
        put_names(groups, out);
    }
    if (!out->n)
        km_buf_str(out, KM_STR("none"));
}

void km_key_mcp_print(const struct km_json *permission)
{
    static const char *const labels[PARTS] = { "mcp servers", "mcp groups", "mcp tools",
                                               "mcp params",  "mcp modes",  "mcp values" };

    if (km_json_kind(permission) != KM_JSON_OBJECT)
        return;
    for (int part = SERVERS; part < PARTS; part++) {
        const struct km_json *v = km_json_get(permission, parts[part].member);
        struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(PART_BYTES);

        if (km_json_kind(v) == KM_JSON_ARRAY)
            put_names(v, &text);
        else if (km_json_count(v))
            km_json_write(v, &text);
        if (part == SERVERS && !text.n &&
            !km_json_count(km_json_get(permission, "mcp_access_groups")))
            km_buf_str(&text, KM_STR("none"));
        if (text.n)
            km_say(stdout, "  %-12s %.*s", labels[part], KM_STR_ARG(km_buf_view(&text)));
    }
}
