/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - see parse.h.
 *
 * Only a program that guards SQL needs libpg_query (2.6 MB), so it is opened and not linked.  The
 * file name carries the version whose structures this was compiled with: another one has other
 * fields at other places, and is refused by not being found.
 *
 * The library is never closed: it leaves a destructor for every thread that parsed.
 */
#include "servers/postgres/parse.h"

#include <dlfcn.h>
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "servers/postgres/nesting.h"

struct km_pg_parser {
    PgQueryProtobufParseResult (*parse)(const char *sql);
    void (*free_result)(PgQueryProtobufParseResult result);
    PgQuery__ParseResult *(*unpack)(ProtobufCAllocator *allocator, size_t len, const uint8_t *data);
    const ProtobufCMessageDescriptor *root;
    PgQueryFingerprintResult (*fingerprint)(const char *sql);
    void (*free_fingerprint)(PgQueryFingerprintResult result);
};

/* ISO C has no cast from a data pointer to a function's. */
static bool find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

int km_pg_parser_new(struct km_pg_parser **ret_parser, struct km_err *err)
{
    void *library = dlopen(KM_LIBPG_QUERY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    struct km_pg_parser *p;
    bool found;

    if (!library)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "the SQL guard needs %s, which is not there: install the package "
                       "libpg-query-dev (%s)",
                       KM_LIBPG_QUERY, dlerror());
    p = calloc(1, sizeof *p);
    if (!p) {
        dlclose(library);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    found = find(library, "pg_query_parse_protobuf", &p->parse) &&
            find(library, "pg_query_free_protobuf_parse_result", &p->free_result) &&
            find(library, "pg_query__parse_result__unpack", &p->unpack) &&
            find(library, "pg_query__parse_result__descriptor", &p->root) &&
            find(library, "pg_query_fingerprint", &p->fingerprint) &&
            find(library, "pg_query_free_fingerprint_result", &p->free_fingerprint);
    dlclose(library);
    if (!found) {
        free(p);
        return km_fail(err, KM_E_UNSUPPORTED, "%s has not the functions it should have",
                       KM_LIBPG_QUERY);
    }
    *ret_parser = p;
    return 0;
}

struct km_pg_parser *km_pg_parser_free(struct km_pg_parser *parser)
{
    free(parser);
    return NULL;
}

const void *km_pg_parser_root(const struct km_pg_parser *parser)
{
    return parser->root;
}

static void *arena_alloc(void *arena, size_t n)
{
    return km_arena_alloc(arena, n);
}

static void arena_free(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

/* cursorpos counts characters from 1; 0: unknown. */
static size_t byte_of(struct km_str sql, int cursorpos)
{
    size_t at = 0;

    for (int i = 1; i < cursorpos && at < sql.n; i++)
        at += km_utf8_step(km_str_skip(sql, at));
    return at;
}

static int unpack(const struct km_pg_parser *parser, struct km_arena *arena,
                  const PgQueryProtobufParseResult *parsed, PgQuery__ParseResult **ret_tree,
                  struct km_err *err)
{
    ProtobufCAllocator allocator = { arena_alloc, arena_free, arena };
    PgQuery__ParseResult *tree = parser->unpack(&allocator, parsed->parse_tree.len,
                                                (const uint8_t *)parsed->parse_tree.data);

    if (!tree || km_arena_overflowed(arena))
        return km_fail(err, KM_E_LIMIT, "the statement is too large to be judged");
    *ret_tree = tree;
    return 0;
}

int km_pg_parse(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                struct PgQuery__ParseResult **ret_tree, size_t *ret_at, struct km_err *err)
{
    PgQueryProtobufParseResult parsed;
    const char *text;
    int r;

    *ret_at = 0;
    if (sql.n > KM_PG_SQL_BYTES)
        return km_fail(err, KM_E_LIMIT, "the statement has %zu bytes, at most %zu are allowed",
                       sql.n, KM_PG_SQL_BYTES);
    *ret_at = km_str_chr(sql, '\0');
    if (*ret_at < sql.n)
        return km_fail(err, KM_E_INVALID, "the statement contains a NUL byte");
    *ret_at = 0;
    if (!km_utf8_valid(sql))
        return km_fail(err, KM_E_INVALID, "the statement is not valid UTF-8");
    r = km_pg_nesting(sql, ret_at, err);
    if (r < 0)
        return r;
    text = km_arena_cstr(arena, sql);
    if (km_arena_overflowed(arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    parsed = parser->parse(text);
    if (parsed.error) {
        *ret_at = byte_of(sql, parsed.error->cursorpos);
        r = km_fail(err, KM_E_INVALID, "%s", parsed.error->message);
    } else {
        r = unpack(parser, arena, &parsed, ret_tree, err);
    }
    parser->free_result(parsed);
    return r;
}

void km_pg_fingerprint(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                       char *out, size_t cap)
{
    const char *text = km_arena_cstr(arena, sql);
    PgQueryFingerprintResult r;

    *out = '\0';
    if (!text || km_arena_overflowed(arena))
        return;
    r = parser->fingerprint(text);
    if (!r.error && r.fingerprint_str)
        snprintf(out, cap, "%s", r.fingerprint_str);
    parser->free_fingerprint(r);
}
