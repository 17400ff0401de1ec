/* SPDX-License-Identifier: Apache-2.0 */
/* texts.c - see texts.h.
 *
 *     value of the database ── each "query" ── without its values (normal.h)
 *                                          └── its first word and "...", where that cannot be told
 *
 * What sessions run, and what pg_stat_statements keeps, was written by others.  Its literals are
 * data, and in utility statements passwords: the extension keeps those as they were written (CREATE
 * USER ... PASSWORD '...').  So no literal of them is shown, in any mode; and a text that was cut
 * inside of one is not shown at all.
 *
 * Where relations are narrowed, a text that names one is withheld too: it may tell of columns that
 * its readers are not shown.  Names are looked for as words anywhere in the text, a column's or an
 * alias's too, which withholds more than need be and never less.
 */
#include "servers/postgres/texts.h"

#include "http/json_out.h"
#include "servers/postgres/normal.h"
#include "servers/postgres/own.h"
#include "servers/postgres/process.h"

#define TEXT_BYTES 4000 /* of a statement that is shown */
#define WORD_BYTES 16 /* of its first word */
#define DEPTH 16 /* of the values our own queries build */
#define TEXT_ARENA ((size_t)4 * 1024 * 1024) /* of one statement's words */

struct texts {
    const struct km_pg_parser *parser;
    const struct km_json *narrowed; /* as narrow.h says; NULL: nothing is */
    struct km_json_out out;
};

static bool of_name(struct km_str text, size_t i)
{
    return i < text.n && ((unsigned char)text.p[i] >= 0x80 || text.p[i] == '_' ||
                          text.p[i] == '$' || (text.p[i] >= '0' && text.p[i] <= '9') ||
                          ((text.p[i] | 0x20) >= 'a' && (text.p[i] | 0x20) <= 'z'));
}

/* Between things no name is made of; in quotes or not. */
static bool has_name(struct km_str text, struct km_str name)
{
    for (size_t i = 0; name.n && i + name.n <= text.n; i++)
        if (km_str_ieq(km_str_sub(text, i, name.n), name) && !of_name(text, i - 1) &&
            !of_name(text, i + name.n))
            return true;
    return false;
}

/* An identifier with escapes could be any name, and a name with a quote is written in two ways. */
bool km_pg_text_withheld(const struct km_json *narrowed, struct km_str text)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name;

    if (!km_json_count(narrowed))
        return false;
    for (km_json_iter(narrowed, &it); km_json_next(&it, &unused, &item);)
        if (!km_json_string(km_json_get(item, "n"), &name) || km_str_chr(name, '"') < name.n ||
            has_name(text, name))
            return true;
    for (size_t i = 0; i + 3 <= text.n; i++)
        if (km_str_ieq(km_str_sub(text, i, 3), KM_STR("u&\"")))
            return true;
    return false;
}

static void put_first_word(struct texts *t, struct km_str text)
{
    char word[WORD_BYTES + 5];
    size_t n = 0;

    text = km_str_trim(text);
    while (n < text.n && n < WORD_BYTES &&
           ((text.p[n] | 0x20) >= 'a' && (text.p[n] | 0x20) <= 'z')) {
        word[n] = text.p[n];
        n++;
    }
    memcpy(word + n, " ...", 4);
    km_out_str(&t->out, n ? km_str(word, n + 4) : KM_STR("..."));
}

static void put_text(struct texts *t, struct km_str text)
{
    struct km_str shown = KM_STR_NONE;
    struct km_arena arena;

    km_arena_init(&arena, TEXT_ARENA, NULL);
    if (!km_pg_text_withheld(t->narrowed, text))
        shown = km_pg_normal(t->parser, &arena, text, TEXT_BYTES);
    if (shown.n || !text.n)
        km_out_str(&t->out, shown);
    else
        put_first_word(t, text);
    km_arena_done(&arena);
}

static void put_value(struct texts *t, const struct km_json *v, unsigned depth)
{
    bool object = km_json_kind(v) == KM_JSON_OBJECT;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;

    if (depth == DEPTH) {
        km_out_null(&t->out);
        return;
    }
    if (!object && km_json_kind(v) != KM_JSON_ARRAY) {
        km_out_value(&t->out, v);
        return;
    }
    km_out_open(&t->out, object ? '{' : '[');
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        if (object)
            km_out_key_str(&t->out, key);
        if (object && km_str_eq(key, KM_STR("query")) && km_json_string(item, &text))
            put_text(t, text);
        else
            put_value(t, item, depth + 1);
    }
    km_out_close(&t->out, object ? '}' : ']');
}

int km_pg_answer_texts(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    const struct km_pg_server *s = km_pg_server_of(task->call);
    struct km_arena *arena = task->call->arena;
    struct texts t = { .parser = km_pg_db_parser(s->db) };
    struct km_str value = km_pg_task_value(task);
    const struct km_json *root;

    if (!value.n)
        return km_pg_answer_value(task, o, err);
    if (km_json_parse(arena, value, &root, err) < 0 ||
        km_json_parse(arena, km_pg_processors_names(s->processors), &t.narrowed, err) < 0)
        return KM_E_LIMIT;
    km_json_out_init(&t.out, &b);
    put_value(&t, root, 0);
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the answer is too large: ask for less of it");
    return km_pg_answer(task->call, km_buf_view(&b), err);
}
