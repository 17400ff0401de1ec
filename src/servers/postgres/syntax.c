/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.c - see syntax.h.
 *
 *     SELECT TOP 5 * FROM t      the word before the place is TOP      LIMIT, at the end
 *                ^ near "5"
 *     ... AS (a * 2) VIRTUAL     the word at the place is VIRTUAL      syntax of PostgreSQL 18
 *                    ^
 *
 * The parser says where it stopped.  The words there and before it tell which other dialect, or
 * which later PostgreSQL, the text is written in.  Rows are asked in their order.
 */
#include "servers/postgres/syntax.h"

#define NEWER(what)                                                                                \
    what " is syntax of PostgreSQL 18, and the guard reads the grammar of PostgreSQL "             \
    KM_PG_GRAMMAR ": write it without"

/* A row matches where all that it names is there; words in capitals, in "": any. */
static const struct row {
    const char *first; /* of the statement */
    const char *before; /* the place */
    const char *at; /* it: a word, or one character */
    const char *after; /* the word behind the one there */
    const char *said; /* in the parser's words */
    const char *hint;
} rows[] = {
    { "", "", "", "", "LIMIT #,#",
      "write LIMIT count OFFSET rows to skip, instead of LIMIT rows to skip, count" },
    { "", "", "[", "", "", "write names in double quotes, or without quotes, not in brackets" },
    { "", "TOP", "", "", "", "write LIMIT and the number at the end, instead of TOP" },
    { "", "INTERVAL", "", "", "", "write the interval as a text: INTERVAL '1 day'" },
    { "DESCRIBE", "", "", "", "", "describe_table tells about a table" },
    { "DESC", "", "", "", "", "describe_table tells about a table" },
    { "SHOW", "", "", "", "",
      "list_schemas, list_objects and describe_table tell what there is; SHOW tells one setting" },
    { "USE", "", "", "", "",
      "this connection has one database: write schema.table, and list_schemas for its schemas" },
    { "", "", "\\", "", "",
      "commands of psql are no SQL: list_objects and describe_table tell what there is" },
    { "", "", "VIRTUAL", "", "", NEWER("VIRTUAL of a generated column") },
    { "", "", "WITHOUT", "OVERLAPS", "", NEWER("WITHOUT OVERLAPS") },
    { "", "PERIOD", "", "", "", NEWER("PERIOD of a foreign key") },
    { "", "NOT", "ENFORCED", "", "", NEWER("NOT ENFORCED") },
    { "", "", "ENFORCED", "", "", NEWER("ENFORCED") },
    { "", "RETURNING", "WITH", "", "", NEWER("RETURNING WITH (OLD, NEW)") },
    { "ALTER", "", "NOT", "NULL", "", NEWER("a constraint NOT NULL with a name") },
    { "", "", "", "", "end of input",
      "the statement ends too early: something is missing at its end" },
    { "", "", "", "", "NUL byte", "leave the NUL byte out" },
    { "", "", "", "", "UTF-8", "send the text as UTF-8" },
    { "", "", "", "", "unterminated", "end the quote or the comment that begins there" },
};

/* Statements by the names of their nodes, and what is done instead. */
static const struct statement {
    const char *node, *words, *hint;
} statements[] = {
    { "AlterDatabaseSetStmt", "ALTER DATABASE ... SET", NULL },
    { "AlterRoleSetStmt", "ALTER ROLE ... SET", NULL },
    { "AlterRoleStmt", "ALTER ROLE", NULL },
    { "AlterSystemStmt", "ALTER SYSTEM", NULL },
    { "AlterTableStmt", "ALTER TABLE", NULL },
    { "CallStmt", "CALL", "send the queries of the procedure yourself" },
    { "ClusterStmt", "CLUSTER", NULL },
    { "CommentStmt", "COMMENT", NULL },
    { "CopyStmt", "COPY", "SELECT the rows: a result has pages" },
    { "CreateExtensionStmt", "CREATE EXTENSION", NULL },
    { "CreateFunctionStmt", "CREATE FUNCTION", NULL },
    { "CreateRoleStmt", "CREATE ROLE", NULL },
    { "CreateSchemaStmt", "CREATE SCHEMA", NULL },
    { "CreateStmt", "CREATE TABLE", NULL },
    { "CreateTableAsStmt", "CREATE TABLE AS", NULL },
    { "CreateTrigStmt", "CREATE TRIGGER", NULL },
    { "CreatedbStmt", "CREATE DATABASE", NULL },
    { "DeallocateStmt", "DEALLOCATE", "send the statement itself, with params" },
    { "DeclareCursorStmt", "DECLARE", "send the SELECT itself: a result has pages" },
    { "DeleteStmt", "DELETE", NULL },
    { "DiscardStmt", "DISCARD", "leave it out: nothing is kept from one call to the next" },
    { "DoStmt", "DO", "send the queries of the block yourself" },
    { "DropStmt", "DROP", NULL },
    { "ExecuteStmt", "EXECUTE", "send the statement itself, with params" },
    { "FetchStmt", "FETCH", "send the SELECT itself: a result has pages" },
    { "GrantRoleStmt", "GRANT and REVOKE", NULL },
    { "GrantStmt", "GRANT and REVOKE", NULL },
    { "IndexStmt", "CREATE INDEX", NULL },
    { "InsertStmt", "INSERT", NULL },
    { "ListenStmt", "LISTEN", NULL },
    { "LockStmt", "LOCK", "leave it out: a lock would end with the call" },
    { "MergeStmt", "MERGE", NULL },
    { "NotifyStmt", "NOTIFY", NULL },
    { "PrepareStmt", "PREPARE", "send the statement itself, with params" },
    { "RefreshMatViewStmt", "REFRESH MATERIALIZED VIEW", NULL },
    { "ReindexStmt", "REINDEX", NULL },
    { "RenameStmt", "ALTER ... RENAME", NULL },
    { "SelectStmt", "SELECT", NULL },
    { "TransactionStmt", "BEGIN, COMMIT and ROLLBACK",
      "leave it out: each call is a transaction of its own" },
    { "TruncateStmt", "TRUNCATE", NULL },
    { "UpdateStmt", "UPDATE", NULL },
    { "VacuumStmt", "VACUUM and ANALYZE", NULL },
    { "VariableSetStmt", "SET",
      "leave it out: it would hold for this call alone; timeout_ms is an argument" },
    { "ViewStmt", "CREATE VIEW", NULL },
};

static const struct statement *find_statement(const char *node)
{
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (strcmp(statements[i].node, node) == 0)
            return &statements[i];
    return NULL;
}

const char *km_pg_node_words(const char *node)
{
    const struct statement *s = find_statement(node);

    return s ? s->words : node;
}

const char *km_pg_node_hint(const char *node)
{
    const struct statement *s = find_statement(node);

    return s ? s->hint : NULL;
}

static bool part_of_word(char c)
{
    unsigned char u = (unsigned char)c;

    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' ||
           u == '$' || u >= 0x80;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* The word that begins at i, or the character there. */
static struct km_str word_at(struct km_str sql, size_t i)
{
    size_t end = i;

    while (end < sql.n && part_of_word(sql.p[end]))
        end++;
    return km_str_sub(sql, i, end > i ? end - i : i < sql.n);
}

static size_t skip_blanks(struct km_str sql, size_t i)
{
    while (i < sql.n && blank(sql.p[i]))
        i++;
    return i;
}

static struct km_str word_before(struct km_str sql, size_t i)
{
    size_t end;

    while (i && blank(sql.p[i - 1]))
        i--;
    for (end = i; i && part_of_word(sql.p[i - 1]);)
        i--;
    return km_str_sub(sql, i, end - i);
}

static bool is(struct km_str word, const char *wanted)
{
    return !*wanted || (word.n == strlen(wanted) && km_str_istarts(word, km_str_c(wanted)));
}

/* GENERATED ALWAYS AS (...) with nothing behind it, which is VIRTUAL to PostgreSQL 18. */
static bool lacks_stored(struct km_str sql, size_t at, struct km_str here)
{
    if (!is(here, ")") && !is(here, ","))
        return false;
    while (at && blank(sql.p[at - 1]))
        at--;
    if (!at || sql.p[at - 1] != ')')
        return false;
    for (size_t i = 0; i < at; i++)
        if (is(word_at(sql, i), "GENERATED") && (!i || !part_of_word(sql.p[i - 1])))
            return true;
    return false;
}

struct km_str km_pg_syntax_hint(struct km_str sql, size_t at, struct km_str message)
{
    struct km_str first = word_at(sql, skip_blanks(sql, 0)), here = word_at(sql, at);
    struct km_str before = word_before(sql, at < sql.n ? at : sql.n);
    struct km_str after = word_at(sql, skip_blanks(sql, at + here.n));

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];

        if (is(first, r->first) && is(before, r->before) && is(here, r->at) &&
            is(after, r->after) &&
            (!*r->said || km_str_find(message, km_str_c(r->said)) < message.n))
            return km_str_c(r->hint);
    }
    if (km_str_chr(sql, '`') < sql.n) /* an operator to PostgreSQL: it stops somewhere behind */
        return KM_STR("write names in double quotes, or without quotes, not in backticks");
    if (lacks_stored(sql, at, here))
        return KM_STR(NEWER("a generated column that is not STORED"));
    return KM_STR("correct the text at this position");
}
