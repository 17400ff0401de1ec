/* SPDX-License-Identifier: Apache-2.0 */
/* parser_fixture.h - PostgreSQL's parser for a group of tests, and an arena for each of them.
 *
 *     cmocka_run_group_tests(tests, parser_setup, parser_teardown)     parser
 *         ARENA_TEST(a_test)                       arena: new before it, gone behind it
 */
#ifndef KM_TESTS_PARSER_FIXTURE_H
#define KM_TESTS_PARSER_FIXTURE_H

#include "servers/postgres/parse.h"
#include "servers/postgres/tree.h"

#define ARENA_TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

static struct km_pg_parser *parser;
static struct km_arena arena;

static inline int parser_setup(void **state)
{
    struct km_err err;

    (void)state;
    return km_pg_parser_new(&parser, &err);
}

static inline int parser_teardown(void **state)
{
    (void)state;
    parser = km_pg_parser_free(parser);
    return 0;
}

static inline int arena_setup(void **state)
{
    (void)state;
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    return 0;
}

static inline int arena_teardown(void **state)
{
    (void)state;
    km_arena_done(&arena);
    return 0;
}

#endif
