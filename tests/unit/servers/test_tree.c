/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>

#include "servers/postgres/parse.h"
#include "servers/postgres/tree.h"

static struct km_pg_parser *parser;

struct seen {
    unsigned relations, columns, constants, calls;
    char text[256]; /* the strings, with a blank between */
};

static void see(void *ctx, const struct km_pg_type *type, const ProtobufCMessage *m)
{
    struct seen *s = ctx;

    s->relations += strcmp(type->name, "RangeVar") == 0;
    s->columns += strcmp(type->name, "ColumnRef") == 0;
    s->constants += strcmp(type->name, "A_Const") == 0;
    s->calls += strcmp(type->name, "FuncCall") == 0;
    if (strcmp(type->name, "String") == 0) {
        strncat(s->text, ((const PgQuery__String *)(const void *)m)->sval,
                sizeof s->text - strlen(s->text) - 1);
        strncat(s->text, " ", sizeof s->text - strlen(s->text) - 1);
    }
}

static void every_node_of_a_statement_is_in_the_tree(void **state)
{
    static const char sql[] = "SELECT a.b, lower('x') FROM s.t AS a WHERE EXISTS (SELECT 1 FROM u "
                              "WHERE c IN (1, 2) ORDER BY d) AND $1 = ANY (ARRAY['y', e])";
    struct PgQuery__ParseResult *tree;
    struct seen s = { 0 };
    struct km_arena arena;
    struct km_err err = { 0 };
    size_t at;

    (void)state;
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    assert_int_equal(km_pg_parse(parser, &arena, km_str_c(sql), &tree, &at, &err), 0);
    assert_int_equal(tree->n_stmts, 1);
    km_pg_tree_walk(km_pg_parser_types(parser), &tree->base, see, &s);
    assert_int_equal(s.relations, 2);
    assert_int_equal(s.columns, 4);
    assert_int_equal(s.constants, 5);
    assert_int_equal(s.calls, 1);
    assert_string_equal(s.text, "a b lower x = c d = y e ");
    km_arena_done(&arena);
}

/* A tree that shares nothing with the library's: its memory goes before the tree is read. */
static void a_tree_outlives_other_parses(void **state)
{
    struct PgQuery__ParseResult *tree, *other;
    struct seen s = { 0 };
    struct km_arena arena;
    struct km_err err = { 0 };
    size_t at;

    (void)state;
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    assert_int_equal(
        km_pg_parse(parser, &arena, KM_STR("SELECT one, '' FROM two"), &tree, &at, &err), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(
            km_pg_parse(parser, &arena, KM_STR("SELECT 'zzzz' FROM zzz"), &other, &at, &err), 0);
    km_pg_tree_walk(km_pg_parser_types(parser), &tree->base, see, &s);
    assert_string_equal(s.text, "one  ");
    km_arena_done(&arena);
}

static void a_place_is_told_where_the_text_is_wrong(void **state)
{
    struct PgQuery__ParseResult *tree;
    struct km_arena arena;
    struct km_err err = { 0 };
    size_t at;

    (void)state;
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    assert_int_equal(km_pg_parse(parser, &arena, KM_STR("SELECT FROM FROM x"), &tree, &at, &err),
                     KM_E_INVALID);
    assert_int_equal(at, 12);
    km_arena_done(&arena);
}

static void a_tree_without_room_is_a_limit(void **state)
{
    struct PgQuery__ParseResult *tree;
    struct km_arena arena;
    struct km_err err = { 0 };
    size_t at;
    char sql[8192] = "SELECT 1";

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        memcpy(sql + 8 + 3 * i, ", 1", 3);
    km_arena_init(&arena, 32768, NULL);
    assert_int_equal(km_pg_parse(parser, &arena, km_str_c(sql), &tree, &at, &err), KM_E_LIMIT);
    km_arena_done(&arena);
}

/* --- the library's own packing, which parse.c puts its copy in the place of --- */

/* The library in a namespace of its own, where nothing of ours is in its way. */
struct packer {
    PgQueryProtobufParseResult (*parse)(const char *text);
    void (*free_result)(PgQueryProtobufParseResult result);
    size_t (*packed_size)(const ProtobufCMessage *m);
    size_t (*pack)(const ProtobufCMessage *m, uint8_t *out);
};

static void find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    assert_non_null(symbol);
    memcpy(ret_function, &symbol, sizeof symbol);
}

/* 1: compared; 0: no statement for either. */
static unsigned compare_line(const struct packer *p, struct km_str sql)
{
    struct PgQuery__ParseResult *tree;
    PgQueryProtobufParseResult own;
    struct km_arena arena;
    uint8_t *bytes;
    size_t at, n;

    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    if (km_pg_parse(parser, &arena, sql, &tree, &at, NULL) < 0) {
        km_arena_done(&arena);
        return 0;
    }
    own = p->parse(km_arena_cstr(&arena, sql));
    assert_null(own.error);
    n = p->packed_size(&tree->base);
    assert_int_equal(n, own.parse_tree.len);
    bytes = malloc(n + 1);
    assert_non_null(bytes);
    p->pack(&tree->base, bytes);
    assert_memory_equal(bytes, own.parse_tree.data, n);
    free(bytes);
    p->free_result(own);
    km_arena_done(&arena);
    return 1;
}

static unsigned compare_file(const struct packer *p, const char *name)
{
    static char line[65536];
    FILE *f = fopen(name, "r");
    unsigned n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += compare_line(p, km_str_sub(km_str_c(line), 0, strcspn(line, "\t\n")));
    fclose(f);
    return n;
}

/* What parse.c falls back to when the library does not call it gives the same verdicts: the trees
 * are the same, byte for byte. */
static void a_copied_tree_is_the_packed_one(void **state)
{
    static const char folder[] = KM_TEST_POSTGRES;
    void *library = dlmopen(LM_ID_NEWLM, KM_LIBPG_QUERY, RTLD_NOW | RTLD_LOCAL);
    static const char *const files[] = { "hostile.tsv", "hostile-more.tsv", "legit.tsv",
                                         "legit-more.tsv" };
    struct packer p;
    char name[4096];
    unsigned n = 0;

    (void)state;
    assert_non_null(library);
    find(library, "pg_query_parse_protobuf", &p.parse);
    find(library, "pg_query_free_protobuf_parse_result", &p.free_result);
    find(library, "protobuf_c_message_get_packed_size", &p.packed_size);
    find(library, "protobuf_c_message_pack", &p.pack);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i]);
        n += compare_file(&p, name);
    }
    assert_true(n > 400);
    dlclose(library);
}

static const ProtobufCMessageDescriptor *descriptor_of(const char *name)
{
    const struct km_pg_types *types = km_pg_parser_types(parser);

    for (size_t i = 0; i < types->n; i++)
        if (strcmp(types->v[i].name, name) == 0)
            return types->v[i].descriptor;
    return NULL;
}

/* x IS NULL IS NULL ... as no text may have it. */
static void a_tree_that_is_too_deep_is_refused(void **state)
{
    PgQuery__NullTest *tests = calloc(KM_PG_WALK, sizeof *tests);
    PgQuery__Node *nodes = calloc(KM_PG_WALK, sizeof *nodes);
    ProtobufCMessage *copy;
    struct km_arena arena;
    struct km_err err = { 0 };

    (void)state;
    assert_true(tests && nodes);
    for (size_t i = 0; i < KM_PG_WALK; i++) {
        tests[i].base.descriptor = descriptor_of("NullTest");
        nodes[i].base.descriptor = descriptor_of("Node");
        nodes[i].node_case = PG_QUERY__NODE__NODE_NULL_TEST;
        nodes[i].null_test = &tests[i];
        if (i > 0)
            tests[i - 1].arg = &nodes[i];
    }
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    assert_int_equal(
        km_pg_tree_copy(km_pg_parser_types(parser), &arena, &nodes[0].base, &copy, &err),
        KM_E_LIMIT);
    tests[1000].arg = NULL;
    err.code = 0;
    assert_int_equal(
        km_pg_tree_copy(km_pg_parser_types(parser), &arena, &nodes[0].base, &copy, &err), 0);
    km_arena_done(&arena);
    free(tests);
    free(nodes);
}

/* Else it would be packed and unpacked, which is slow and not seen otherwise. */
static void the_library_asks_this_program_before_it_packs(void **state)
{
    void *library = dlopen(KM_LIBPG_QUERY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    PgQueryProtobufParseResult (*parse)(const char *);
    void (*free_result)(PgQueryProtobufParseResult);
    PgQueryProtobufParseResult r;
    void *symbol;

    (void)state;
    assert_non_null(library);
    symbol = dlsym(library, "pg_query_parse_protobuf");
    memcpy(&parse, &symbol, sizeof parse);
    symbol = dlsym(library, "pg_query_free_protobuf_parse_result");
    memcpy(&free_result, &symbol, sizeof free_result);
    r = parse("SELECT 1");
    assert_null(r.error);
    assert_int_equal(r.parse_tree.len, 0);
    free_result(r);
    dlclose(library);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_of_a_statement_is_in_the_tree),
        cmocka_unit_test(a_tree_outlives_other_parses),
        cmocka_unit_test(a_place_is_told_where_the_text_is_wrong),
        cmocka_unit_test(a_tree_without_room_is_a_limit),
        cmocka_unit_test(a_copied_tree_is_the_packed_one),
        cmocka_unit_test(a_tree_that_is_too_deep_is_refused),
        cmocka_unit_test(the_library_asks_this_program_before_it_packs),
    };
    struct km_err err = { 0 };
    int failed;

    if (km_pg_parser_new(&parser, &err) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    km_pg_parser_free(parser);
    return failed;
}
