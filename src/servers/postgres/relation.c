/* SPDX-License-Identifier: Apache-2.0 */
/* relation.c - see relation.h; the filter stands in filter.c.
 *
 *     {"name": "t", "columns": [{"name", "type", "oid", ...}], "key": ["id"]}
 *                                   │
 *     a caller's "qty" ── is it one of them? ── "qty" ── its value: $3, of type 23
 *
 * A value goes as the text its type reads; a domain's as that of what it is made of, for a pattern
 * that is compared with it need not fit its checks.  What a result writes can be sent back as it
 * is: bytea as base64, a list as an array, an object as JSON.
 */
#include "servers/postgres/relation.h"

#include "base/encode.h"
#include "servers/postgres/page.h"

#define VALUE_BYTES ((size_t)1024 * 1024)
#define COLUMNS 1600 /* PostgreSQL's own bound */
#define BYTEA 17u

const char *const km_pg_relation_sql[] = {
    "SELECT (SELECT json_build_object('schema', n.nspname, 'name', c.relname, 'columns', "
    "(SELECT json_agg(json_build_object('name', a.attname, 'type', "
    "format_type(a.atttypid, a.atttypmod), 'oid', (WITH RECURSIVE d(o, b) AS (SELECT t.oid, "
    "t.typbasetype UNION ALL SELECT y.oid, y.typbasetype FROM d JOIN pg_type y ON y.oid = d.b) "
    "SELECT o::int8 FROM d WHERE b = 0), 'array', "
    "t.typcategory = 'A', 'own', coalesce(e.typnamespace, b.typnamespace, t.typnamespace) = "
    "'pg_catalog'::regnamespace, 'generated', a.attgenerated <> '' OR a.attidentity = 'a') "
    "ORDER BY a.attnum) "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' "
    "LEFT JOIN pg_type b ON b.oid = t.typbasetype "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND "
    KM_PG_SHOWN("c.oid", "a.attname", "$3") "), "
    "'key', (SELECT json_agg(a.attname ORDER BY x.i) FROM pg_constraint k, "
    "unnest(k.conkey) WITH ORDINALITY x(n, i), pg_attribute a WHERE k.conrelid = c.oid "
    "AND k.contype = 'p' AND a.attrelid = c.oid AND a.attnum = x.n)) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', "
    "'v', 'm', 'f') "
    "AND has_schema_privilege(n.oid, 'USAGE') AND ((c.relname = $2::text AND CASE WHEN $1::text "
    "IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = $1 END) OR c.oid = (SELECT "
    KM_PG_AS_WRITTEN ")) ORDER BY c.relname = $2 DESC LIMIT 1)",
    NULL,
};

static bool said(const struct km_json *v, const char *name)
{
    bool on = false;

    return km_json_bool(km_json_get(v, name), &on) && on;
}

static int read_key(struct km_pg_relation *rel, const struct km_json *names, struct km_arena *arena,
                    struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name;

    rel->key = km_arena_zalloc(arena, (km_json_count(names) + 1) * sizeof(void *));
    for (km_json_iter(names, &it); rel->key && km_json_next(&it, &unused, &item);)
        if (km_json_string(item, &name)) {
            rel->key[rel->nkey] = km_pg_relation_column(rel, name, err);
            if (rel->key[rel->nkey])
                rel->nkey++;
        }
    return rel->key ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

int km_pg_relation_read(struct km_pg_relation *rel, const struct km_json *value,
                        struct km_arena *arena, struct km_err *err)
{
    const struct km_json *columns = km_json_get(value, "columns"), *item;
    size_t n = km_json_count(columns);
    struct km_json_iter it;
    struct km_str unused;

    *rel = (struct km_pg_relation){ 0 };
    (void)km_json_string(km_json_get(value, "schema"), &rel->schema);
    (void)km_json_string(km_json_get(value, "name"), &rel->name);
    rel->columns = km_arena_zalloc(arena, (n + 1) * sizeof *rel->columns);
    if (!rel->columns || n > COLUMNS)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (km_json_iter(columns, &it); km_json_next(&it, &unused, &item);) {
        struct km_pg_column *c = &rel->columns[rel->ncolumns++];
        int64_t oid = 0;

        (void)km_json_string(km_json_get(item, "name"), &c->name);
        (void)km_json_string(km_json_get(item, "type"), &c->type);
        (void)km_json_i64(km_json_get(item, "oid"), &oid);
        c->oid = (unsigned)oid;
        c->array = said(item, "array");
        c->pinned = said(item, "own");
        c->generated = said(item, "generated");
    }
    return read_key(rel, km_json_get(value, "key"), arena, err);
}

const struct km_pg_column *km_pg_relation_column(const struct km_pg_relation *rel,
                                                 struct km_str name, struct km_err *err)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(300);

    for (size_t i = 0; i < rel->ncolumns; i++)
        if (km_str_eq(rel->columns[i].name, name))
            return &rel->columns[i];
    for (size_t i = 0; i < rel->ncolumns && !km_buf_failed(&names); i++)
        km_buf_printf(&names, "%s%.*s", i ? ", " : "", KM_STR_ARG(rel->columns[i].name));
    km_fail(err, KM_E_INVALID, "%.*s has no column '%.*s'; it has %.*s", KM_STR_ARG(rel->name),
            KM_STR_ARG(km_str_sub(name, 0, 64)), KM_STR_ARG(km_buf_view(&names)));
    return NULL;
}

/* --- the statement --- */

static void drop_buf(void *buf)
{
    km_buf_done(buf);
}

int km_pg_build_init(struct km_pg_build *b, struct km_arena *arena,
                     const struct km_pg_relation *rel, struct km_err *err)
{
    *b = (struct km_pg_build){ .arena = arena, .rel = rel };
    km_buf_init(&b->sql, KM_PG_BUILD_BYTES);
    b->values = km_arena_zalloc(arena, KM_PG_VALUES * sizeof *b->values);
    b->types = km_arena_zalloc(arena, KM_PG_VALUES * sizeof *b->types);
    if (!b->values || !b->types || km_arena_defer(arena, drop_buf, &b->sql) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return 0;
}

void km_pg_build_text(struct km_pg_build *b, const char *text)
{
    km_buf_str(&b->sql, km_str_c(text));
}

void km_pg_build_table(struct km_pg_build *b)
{
    km_pg_quote(&b->sql, b->rel->schema);
    km_buf_byte(&b->sql, '.');
    km_pg_quote(&b->sql, b->rel->name);
}

void km_pg_build_name(struct km_pg_build *b, const struct km_pg_column *column)
{
    km_pg_quote(&b->sql, column->name);
}

static void put_array(struct km_buf *out, const struct km_json *list, unsigned depth)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, s;
    bool on, first = true;

    km_buf_byte(out, '{');
    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item); first = false) {
        struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

        if (!first)
            km_buf_byte(out, ',');
        if (km_json_kind(item) == KM_JSON_NULL) {
            km_buf_str(out, KM_STR("NULL"));
            continue;
        }
        if (km_json_kind(item) == KM_JSON_ARRAY && depth < 6) {
            put_array(out, item, depth + 1);
            continue;
        }
        if (km_json_bool(item, &on)) {
            s = on ? KM_STR("true") : KM_STR("false");
        } else if (!km_json_string(item, &s) && !km_json_number(item, &s)) {
            km_json_write(item, &text);
            s = km_buf_view(&text);
        }
        km_buf_byte(out, '"');
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] == '"' || s.p[i] == '\\')
                km_buf_byte(out, '\\');
            km_buf_byte(out, s.p[i]);
        }
        km_buf_byte(out, '"');
    }
    km_buf_byte(out, '}');
}

void km_pg_array(struct km_buf *out, const struct km_json *list)
{
    put_array(out, list, 0);
}

/* base64 as results write it; a text that begins with \x stays. */
static int put_bytes(struct km_buf *out, struct km_str s)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);
    static const char digits[] = "0123456789abcdef";

    if (km_str_starts(s, KM_STR("\\x"))) {
        km_buf_str(out, s);
        return 0;
    }
    if (km_buf_unbase64(&raw, s) < 0)
        return KM_E_INVALID;
    km_buf_str(out, KM_STR("\\x"));
    for (size_t i = 0; i < raw.n; i++) {
        km_buf_byte(out, digits[(unsigned char)raw.p[i] >> 4]);
        km_buf_byte(out, digits[(unsigned char)raw.p[i] & 15]);
    }
    return 0;
}

static int put_text(const struct km_pg_column *c, const struct km_json *v, struct km_buf *out,
                    struct km_err *err)
{
    struct km_str s;
    bool on;

    if (c->array && km_json_kind(v) == KM_JSON_ARRAY) {
        km_pg_array(out, v);
    } else if (km_json_bool(v, &on)) {
        km_buf_str(out, on ? KM_STR("true") : KM_STR("false"));
    } else if (km_json_string(v, &s) && c->oid == BYTEA) {
        if (put_bytes(out, s) < 0)
            return km_fail(err, KM_E_INVALID, "%.*s: bytea is given as base64",
                           KM_STR_ARG(c->name));
    } else if ((c->oid == 114 || c->oid == 3802) && v) {
        km_json_write(v, out); /* json, jsonb: a string is a JSON string */
    } else if (km_json_string(v, &s) || km_json_number(v, &s)) {
        km_buf_str(out, s);
    } else {
        km_json_write(v, out);
    }
    if (km_buf_failed(out))
        return km_fail(err, KM_E_LIMIT, "%.*s: the value is too large", KM_STR_ARG(c->name));
    if (km_str_chr(km_buf_view(out), '\0') < out->n)
        return km_fail(err, KM_E_INVALID, "%.*s: a text with a NUL byte", KM_STR_ARG(c->name));
    return 0;
}

int km_pg_build_value(struct km_pg_build *b, const struct km_pg_column *column,
                      const struct km_json *value, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

    if (b->n == KM_PG_VALUES)
        return km_fail(err, KM_E_LIMIT, "at most %d values", KM_PG_VALUES);
    b->types[b->n] = column->oid;
    if (km_json_kind(value) != KM_JSON_NULL) {
        if (put_text(column, value, &text, err) < 0)
            return KM_E_INVALID;
        b->values[b->n] = km_arena_cstr(b->arena, km_buf_view(&text));
    }
    km_buf_printf(&b->sql, "$%u", ++b->n);
    return 0;
}
