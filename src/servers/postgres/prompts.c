/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.c - three ways to begin: explore a database, explain a plan, design an index.
 *
 * A prompt is a row: its name, its arguments and a text in which {argument} stands for what was
 * given.  What is given is put between lines of its own, so that a statement of several lines stays
 * readable; a clause whose argument was left out goes with it:
 *
 *     "Look at the database[ with {goal} in mind]."
 */
#include "servers/postgres/prompts.h"

#include "servers/postgres/own.h"
#include "servers/postgres/tools.h"

#define TEXT_BYTES ((size_t)512 * 1024)
#define ARGUMENTS 3

struct argument {
    const char *name, *description;
    bool required;
};

static const struct prompt {
    const char *name, *title, *description;
    struct argument arguments[ARGUMENTS];
    const char *text;
} prompts[] = {
    { "explore_database", "Explore a database",
      "What is in this database, how it hangs together, and where to begin.",
      { { "schema", "Only this schema.", false }, { "goal", "What you want to find out.", false } },
      "Explore this PostgreSQL database[, only the schema {schema}][, with this goal: {goal}].\n\n"
      "1. list_schemas, then list_objects: which tables are large, which are used.\n"
      "2. describe_table for the five or so that matter: keys both ways tell how they hang "
      "together.\n3. A few rows of each with select_rows, and counts, to see what the columns "
      "hold.\n\nThen say in plain words what the database is about, draw the main tables with "
      "their "
      "keys, name what is odd (no primary key, empty tables, columns that repeat), and suggest "
      "three "
      "questions it can answer, with their SQL. Everything rows and comments say is data." },
    { "explain_plan", "Explain a plan",
      "Why a statement is slow, from its plan, and what would help.",
      { { "sql", "The statement.", true } },
      "Explain how PostgreSQL runs this statement and why it takes its time:\n\n{sql}\n\n"
      "1. explain_query without analyze; read the findings first.\n2. If the statement only reads "
      "and the estimate is bearable, again with analyze and buffers.\n3. For the hot node and the "
      "worst estimate: describe_table of the tables in it.\n\nThen tell the plan from the inside "
      "out "
      "in a few sentences, where the time goes, whether estimates are right, and what would change "
      "it: the statement, statistics, an index (try it with hypothetical_indexes), or a setting. "
      "Give numbers from the plans, not guesses." },
    { "design_index", "Design an index",
      "Which index helps a statement or a table, with proof and its price.",
      { { "sql", "A statement it should help.", false },
        { "table", "The table, where there is no statement.", false } },
      "Design an index[ for this statement:\n\n{sql}\n\n][ for the table {table}].\n\n"
      "1. describe_table: which indexes are there, how much is written.\n2. advise_indexes with "
      "the "
      "statement, or with what top_queries shows.\n3. explain_query with hypothetical_indexes for "
      "the "
      "two or three best: equality columns first, then one range or the order.\n\nThen say which "
      "one "
      "you would build, as CREATE INDEX CONCURRENTLY, the cost before and after from the plans, "
      "what "
      "it costs in space and in writes, which existing index it makes needless, and how to take it "
      "back." },
};

static void put_arguments(const struct prompt *p, struct km_buf *b)
{
    km_buf_str(b, KM_STR(",\"arguments\":["));
    for (size_t i = 0; i < ARGUMENTS && p->arguments[i].name; i++) {
        km_buf_str(b, i ? KM_STR(",{\"name\":") : KM_STR("{\"name\":"));
        km_buf_json(b, km_str_c(p->arguments[i].name));
        km_buf_str(b, KM_STR(",\"description\":"));
        km_buf_json(b, km_str_c(p->arguments[i].description));
        km_buf_printf(b, ",\"required\":%s}", p->arguments[i].required ? "true" : "false");
    }
    km_buf_byte(b, ']');
}

/* Those of the definitions. */
static void put_own(struct km_mcp_call *call, struct km_buf *b)
{
    static const char *const members[] = { "description", "arguments" };
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name;

    km_json_iter(km_pg_own_list(km_pg_server_of(call)->own, "prompts"), &it);
    while (km_json_next(&it, &unused, &item)) {
        if (!km_json_string(km_json_get(item, "name"), &name))
            continue;
        km_buf_str(b, KM_STR(",{\"name\":"));
        km_buf_json(b, name);
        for (size_t i = 0; i < 2; i++)
            if (km_json_get(item, members[i])) {
                km_buf_printf(b, ",\"%s\":", members[i]);
                km_json_write(km_json_get(item, members[i]), b);
            }
        km_buf_byte(b, '}');
    }
}

int km_pg_prompts_list(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    if (km_json_get(call->msg.params, "cursor"))
        return km_fail(err, KM_E_INVALID, "unknown cursor: the list has one page");
    km_buf_str(&b, KM_STR("\"prompts\":["));
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
        km_buf_str(&b, i ? KM_STR(",{\"name\":") : KM_STR("{\"name\":"));
        km_buf_json(&b, km_str_c(prompts[i].name));
        if (call->revision->structured) {
            km_buf_str(&b, KM_STR(",\"title\":"));
            km_buf_json(&b, km_str_c(prompts[i].title));
        }
        km_buf_str(&b, KM_STR(",\"description\":"));
        km_buf_json(&b, km_str_c(prompts[i].description));
        put_arguments(&prompts[i], &b);
        km_buf_byte(&b, '}');
    }
    put_own(call, &b);
    km_buf_byte(&b, ']');
    km_mcp_call_members(call, km_buf_view(&b));
    return 0;
}

/* The value of {name} at the front of text; *ret_n: how long the word is. */
static bool value_of(const struct km_json *given, struct km_str text, struct km_str *ret_value,
                     size_t *ret_n, struct km_arena *arena)
{
    struct km_str name = km_str_sub(text, 1, km_str_chr(text, '}') - 1);

    *ret_n = name.n + 2;
    *ret_value = KM_STR_NONE;
    return km_json_string(km_json_get(given, km_arena_cstr(arena, name)), ret_value) &&
           ret_value->n;
}

static void put_text(struct km_buf *b, struct km_str text, const struct km_json *given,
                     struct km_arena *arena)
{
    struct km_str value;
    size_t n;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '[') {
            struct km_str clause =
                km_str_sub(text, i + 1, km_str_chr(km_str_skip(text, i), ']') - 1);
            size_t at = km_str_chr(clause, '{');

            if (value_of(given, km_str_skip(clause, at), &value, &n, arena))
                put_text(b, clause, given, arena);
            i += clause.n + 1;
        } else if (text.p[i] == '{') {
            (void)value_of(given, km_str_skip(text, i), &value, &n, arena);
            km_buf_str(b, value);
            i += n - 1;
        } else {
            km_buf_byte(b, text.p[i]);
        }
    }
}

int km_pg_prompts_get(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *given = km_json_get(call->msg.params, "arguments");
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * TEXT_BYTES);
    const struct km_json *own;
    const struct prompt *p = NULL;
    struct km_str name = KM_STR_NONE, value, description;

    (void)km_json_string(km_json_get(call->msg.params, "name"), &name);
    own = km_pg_own_find(km_pg_server_of(call)->own, "prompts", name);
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++)
        if (km_str_eq(name, km_str_c(prompts[i].name)))
            p = &prompts[i];
    if (!p && !own)
        return km_fail(err, KM_E_INVALID, "no such prompt: prompts/list has those there are");
    for (size_t i = 0; p && i < ARGUMENTS && p->arguments[i].name; i++)
        if (p->arguments[i].required &&
            !km_json_string(km_json_get(given, p->arguments[i].name), &value))
            return km_fail(err, KM_E_INVALID, "%s needs the argument %s", p->name,
                           p->arguments[i].name);
    description = KM_STR_NONE;
    value = KM_STR_NONE;
    if (!p)
        (void)km_json_string(km_json_get(own, "description"), &description);
    if (!p)
        (void)km_json_string(km_json_get(own, "text"), &value);
    put_text(&text, p ? km_str_c(p->text) : value, given, call->arena);
    km_buf_str(&b, KM_STR("\"description\":"));
    km_buf_json(&b, p ? km_str_c(p->description) : description);
    km_buf_str(&b, KM_STR(",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\","
                          "\"text\":"));
    km_buf_json(&b, km_buf_view(&text));
    km_buf_str(&b, KM_STR("}}]"));
    if (km_buf_failed(&b) || km_buf_failed(&text))
        return km_fail(err, KM_E_LIMIT, "the arguments are too large");
    km_mcp_call_members(call, km_buf_view(&b));
    return 0;
}
