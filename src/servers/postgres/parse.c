/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - see parse.h.
 *
 * Only a program that guards SQL needs libpg_query (2.6 MB), so it is opened and not linked.  The
 * file name carries the version whose structures this was compiled with: another one has other
 * fields at other places, and is refused by not being found.
 *
 * The library is never closed: it leaves a destructor for every thread that parsed.
 *
 * What it hands out is its tree packed into bytes, and packing takes four times as long as parsing:
 * for each node the 240 members of the wrapper are looked at, twice.  So its call of the packing
 * function is taken over here: the two functions below have the names it calls, and a program that
 * exports them (the link options of this layer) is asked before the library itself.
 *
 *     parse ── tree, the library's ── get_packed_size(tree) ──> here: copied to the caller's arena
 *                                  └─ pack(tree) ─────────────> here: nothing
 *
 * Where they are not asked (a library that was linked to ask itself), bytes come, and are unpacked.
 */
#include "servers/postgres/parse.h"

#include <dlfcn.h>
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "servers/postgres/nesting.h"
#include "servers/postgres/tree.h"

struct km_pg_parser {
    PgQueryProtobufParseResult (*parse)(const char *sql);
    void (*free_result)(PgQueryProtobufParseResult result);
    PgQuery__ParseResult *(*unpack)(ProtobufCAllocator *allocator, size_t len, const uint8_t *data);
    struct km_pg_types types;
    PgQueryFingerprintResult (*fingerprint)(const char *sql);
    void (*free_fingerprint)(PgQueryFingerprintResult result);
    PgQueryScanResult (*scan)(const char *sql);
    void (*free_scan)(PgQueryScanResult result);
    PgQuery__ScanResult *(*unpack_scan)(ProtobufCAllocator *allocator, size_t len,
                                        const uint8_t *data);
};

/* A parse that waits for its tree.  The library calls back without saying for whom, on the thread
 * that called it: the only reason for a variable of a thread. */
struct capture {
    const struct km_pg_parser *parser;
    struct km_arena *arena;
    PgQuery__ParseResult *tree; /* NULL: none came */
    struct km_err err;
};

static _Thread_local struct capture *capturing;

__attribute__((used)) size_t
pg_query__parse_result__get_packed_size(const PgQuery__ParseResult *message)
{
    struct capture *c = capturing;
    ProtobufCMessage *copy = NULL;

    if (c && !c->err.code &&
        km_pg_tree_copy(&c->parser->types, c->arena, &message->base, &copy, &c->err) == 0)
        c->tree = (PgQuery__ParseResult *)(void *)copy;
    return 0;
}

__attribute__((used)) size_t pg_query__parse_result__pack(const PgQuery__ParseResult *message,
                                                          uint8_t *out)
{
    (void)message;
    (void)out;
    return 0; /* as many bytes as were said */
}

/* One of the two alone would be worse than none: bytes without room for them. */
static bool both_or_none(void)
{
    size_t (*size)(const PgQuery__ParseResult *) = pg_query__parse_result__get_packed_size;
    size_t (*pack)(const PgQuery__ParseResult *, uint8_t *) = pg_query__parse_result__pack;
    void *first = dlsym(RTLD_DEFAULT, "pg_query__parse_result__get_packed_size");
    void *second = dlsym(RTLD_DEFAULT, "pg_query__parse_result__pack");

    return (memcmp(&first, &size, sizeof first) == 0) == (memcmp(&second, &pack, sizeof pack) == 0);
}

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
    const ProtobufCMessageDescriptor *root;
    struct km_pg_parser *p;
    bool found;
    int r;

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
            find(library, "pg_query__parse_result__descriptor", &root) && both_or_none() &&
            find(library, "pg_query_fingerprint", &p->fingerprint) &&
            find(library, "pg_query_free_fingerprint_result", &p->free_fingerprint) &&
            find(library, "pg_query_scan", &p->scan) &&
            find(library, "pg_query_free_scan_result", &p->free_scan) &&
            find(library, "pg_query__scan_result__unpack", &p->unpack_scan);
    dlclose(library);
    if (!found) {
        free(p);
        return km_fail(err, KM_E_UNSUPPORTED, "%s has not the functions it should have",
                       KM_LIBPG_QUERY);
    }
    r = km_pg_types_init(&p->types, root, err);
    if (r == 0)
        *ret_parser = p;
    else
        km_pg_parser_free(p);
    return r;
}

struct km_pg_parser *km_pg_parser_free(struct km_pg_parser *parser)
{
    if (parser)
        km_pg_types_done(&parser->types);
    free(parser);
    return NULL;
}

const struct km_pg_types *km_pg_parser_types(const struct km_pg_parser *parser)
{
    return &parser->types;
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

/* The library's parse, with its tree in the arena. */
static int parse(const struct km_pg_parser *parser, struct km_arena *arena, const char *text,
                 PgQuery__ParseResult **ret_tree, int *ret_cursor, struct km_err *err)
{
    struct capture c = { .parser = parser, .arena = arena };
    PgQueryProtobufParseResult parsed;
    int r = 0;

    capturing = &c;
    parsed = parser->parse(text);
    capturing = NULL;
    if (parsed.error) {
        *ret_cursor = parsed.error->cursorpos;
        r = km_fail(err, KM_E_INVALID, "%s", parsed.error->message);
    } else if (c.err.code) {
        r = km_fail(err, c.err.code, "%s", c.err.text);
    } else if (c.tree) {
        *ret_tree = c.tree;
    } else {
        r = unpack(parser, arena, &parsed, ret_tree, err);
    }
    parser->free_result(parsed);
    return r;
}

int km_pg_parse(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                struct PgQuery__ParseResult **ret_tree, size_t *ret_at, struct km_err *err)
{
    const char *text;
    int cursor = 0, r;

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
    r = parse(parser, arena, text, ret_tree, &cursor, err);
    if (r == KM_E_INVALID)
        *ret_at = byte_of(sql, cursor);
    return r;
}

int km_pg_scan(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
               struct PgQuery__ScanResult **ret_words, struct km_err *err)
{
    ProtobufCAllocator allocator = { arena_alloc, arena_free, arena };
    const char *text = km_arena_cstr(arena, sql);
    PgQuery__ScanResult *words;
    PgQueryScanResult scanned;
    int r = 0;

    if (!text || km_arena_overflowed(arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    scanned = parser->scan(text);
    if (scanned.error) {
        r = km_fail(err, KM_E_INVALID, "%s", scanned.error->message);
    } else {
        words =
            parser->unpack_scan(&allocator, scanned.pbuf.len, (const uint8_t *)scanned.pbuf.data);
        if (!words || km_arena_overflowed(arena))
            r = km_fail(err, KM_E_LIMIT, "the statement has too many words");
        else
            *ret_words = words;
    }
    parser->free_scan(scanned);
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
