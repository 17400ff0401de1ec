/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.c - three ways to begin: explore a database, explain a plan, design an index; and those
 * of the definitions.
 *
 *     prompt ── a row of the server (mcp/server/rows.c lists and finds it) ── run: its text, filled
 *
 * A prompt is its name, its arguments and a text in which {argument} stands for what was
 * given.  What is given is put between lines of its own, so that a statement of several lines stays
 * readable; a clause whose argument was left out goes with it:
 *
 *     "Look at the database[ with {goal} in mind]."
 */
#include "servers/postgres/prompts.h"

#include "servers/postgres/tools.h"

#define TEXT_BYTES ((size_t)512 * 1024)
#define ARGUMENTS 3
#define OWN_ARGUMENTS 16

static const struct prompt {
    const char *name, *title, *description;
    struct km_mcp_argument arguments[ARGUMENTS];
    const char *text;
} prompts[] = {
    { "explore_database", "Explore a database",
      "What is in this database, how it hangs together, and where to begin.",
      { { KM_PG_TEXT("schema"), KM_PG_TEXT("Only this schema."), false },
        { KM_PG_TEXT("goal"), KM_PG_TEXT("What you want to find out."), false } },
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
      { { KM_PG_TEXT("sql"), KM_PG_TEXT("The statement."), true } },
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
      { { KM_PG_TEXT("sql"), KM_PG_TEXT("A statement it should help."), false },
        { KM_PG_TEXT("table"), KM_PG_TEXT("The table, where there is no statement."), false } },
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

/* --- a text and what was given --- */

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

static int run(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * TEXT_BYTES);
    const struct km_mcp_prompt *p = call->prompt;

    put_text(&text, km_str_c(p->data), call->args, call->arena);
    km_buf_str(&b, KM_STR("\"description\":"));
    km_buf_json(&b, p->description);
    km_buf_str(&b, KM_STR(",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\","
                          "\"text\":"));
    km_buf_json(&b, km_buf_view(&text));
    km_buf_str(&b, KM_STR("}}]"));
    if (km_buf_failed(&b) || km_buf_failed(&text))
        return km_fail(err, KM_E_LIMIT, "the arguments are too large");
    km_mcp_call_members(call, km_buf_view(&b));
    return 0;
}

/* --- rows --- */

void km_pg_prompts_add(struct km_pg_server *s)
{
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
        const struct prompt *p = &prompts[i];
        size_t n = 0;

        while (n < ARGUMENTS && p->arguments[n].name.n)
            n++;
        s->prompts[s->mcp.nprompts++] = (struct km_mcp_prompt){
            .name = km_str_c(p->name),
            .title = km_str_c(p->title),
            .description = km_str_c(p->description),
            .arguments = p->arguments,
            .narguments = n,
            .data = p->text,
            .run = run,
        };
    }
}

static int take_arguments(struct km_mcp_prompt *p, struct km_arena *arena,
                          const struct km_json *list, struct km_err *err)
{
    struct km_mcp_argument *v = km_arena_zalloc(arena, OWN_ARGUMENTS * sizeof *v);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;

    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    p->arguments = v;
    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item); p->narguments++) {
        struct km_mcp_argument *a = &v[p->narguments];

        if (p->narguments == OWN_ARGUMENTS)
            return km_fail(err, KM_E_CONFIG, "at most %d arguments", OWN_ARGUMENTS);
        if (!km_json_string(km_json_get(item, "name"), &a->name) || !a->name.n)
            return km_fail(err, KM_E_CONFIG, "an argument needs a name");
        (void)km_json_string(km_json_get(item, "description"), &a->description);
        (void)km_json_bool(km_json_get(item, "required"), &a->required);
    }
    return 0;
}

int km_pg_prompts_add_own(struct km_pg_server *s, struct km_arena *arena,
                          const struct km_json *definition, struct km_err *err)
{
    struct km_mcp_prompt *p = &s->prompts[s->mcp.nprompts];
    struct km_str text = KM_STR_NONE;
    int r;

    if (s->mcp.nprompts == KM_PG_PROMPTS)
        return km_fail(err, KM_E_CONFIG, "too many prompts");
    *p = (struct km_mcp_prompt){ .run = run };
    (void)km_json_string(km_json_get(definition, "name"), &p->name);
    (void)km_json_string(km_json_get(definition, "title"), &p->title);
    (void)km_json_string(km_json_get(definition, "description"), &p->description);
    (void)km_json_string(km_json_get(definition, "text"), &text);
    if (!p->name.n || !text.n)
        return km_fail(err, KM_E_CONFIG, "a prompt needs a name and a text");
    for (size_t i = 0; i < s->mcp.nprompts; i++)
        if (km_str_eq(s->prompts[i].name, p->name))
            return km_fail(err, KM_E_CONFIG, "there is a prompt of that name");
    r = take_arguments(p, arena, km_json_get(definition, "arguments"), err);
    p->data = km_arena_cstr(arena, text);
    if (r == 0 && km_arena_overflowed(arena))
        r = km_fail(err, KM_E_CONFIG, "too much text");
    s->mcp.nprompts += r == 0;
    return r;
}
