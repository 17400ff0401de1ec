/* SPDX-License-Identifier: Apache-2.0 */
/* guard_json.c - SQL/JSON: what its constructors, queries and JSON_TABLE run without writing it.
 *
 *     JSON_VALUE(x, '$.a' RETURNING t) ──┬─ types json, jsonb, jsonpath: x and the path become
 *                                        │  such, by somebody's cast where there is one
 *                                        ├─ function json_value: nobody but pg_catalog may have
 *                                        │  one on the path
 *                                        └─ t: by its own rule, as in any cast
 *
 * To a server older than the grammar some of these are calls of plain functions, found by the
 * search path: JSON_SCALAR(1) runs public.json_scalar(int) there.  So each goes to the look-up as a
 * function too.
 */
#include "servers/postgres/guard_inside.h"

struct node {
    const char *name; /* as protobuf-c calls it */
    const char *functions; /* words: what an older server would call; "": it would not */
    bool swells, gathers; /* as in guard_slow.c */
};

static const struct node nodes[] = {
    { "JsonArrayAgg", "json_arrayagg", true, true },
    { "JsonArrayConstructor", "json_array", true, false },
    { "JsonArrayQueryConstructor", "json_array", true, true },
    { "JsonFuncExpr", "json_exists json_query json_value", false, false },
    { "JsonIsPredicate", "", false, false },
    { "JsonObjectAgg", "json_objectagg", true, true },
    { "JsonObjectConstructor", "json_object", true, false },
    { "JsonParseExpr", "json", false, false },
    { "JsonScalarExpr", "json_scalar", true, false },
    { "JsonSerializeExpr", "json_serialize", true, false },
    { "JsonTable", "json_table", false, false },
    { "MergeSupportFunc", "merge_action", false, false },
};

static const struct node *find_node(const char *name)
{
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        if (strcmp(nodes[i].name, name) == 0)
            return &nodes[i];
    return NULL;
}

int km_pg_check_json(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    static const char types[] = "json jsonb jsonpath";
    const char *short_name = strrchr(message->descriptor->name, '.');
    const struct node *node = find_node(short_name ? short_name + 1 : message->descriptor->name);
    struct km_str words, word;
    int r = 0;

    if (!node)
        return km_pg_refuse(w, "GUARD_NODE", "JsonExpr", w->at, NULL, "a form of SQL/JSON unknown");
    w->swells = w->swells || node->swells;
    w->gathers = w->gathers || node->gathers;
    words = km_str_c(types);
    while (r == 0 && km_str_split(&words, ' ', &word))
        r = km_pg_refer(w, KM_PG_REF_TYPE, KM_STR("pg_catalog"), word, NULL, -1);
    words = km_str_c(node->functions);
    while (r == 0 && words.n && km_str_split(&words, ' ', &word))
        r = km_pg_refer(w, KM_PG_REF_FUNCTION, KM_STR_NONE, word, "@pg_catalog", w->at);
    return r;
}
