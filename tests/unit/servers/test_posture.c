/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>

#include "servers/postgres/guard.h"
#include "servers/postgres/posture.h"
#include "pg/lib.h"

static struct km_pg_lib *lib;

/* libpq's own results, made without a server. */
static PGresult *(*make_result)(PGconn *conn, ExecStatusType status);
static int (*set_columns)(PGresult *res, int n, PGresAttDesc *columns);
static int (*set_value)(PGresult *res, int row, int column, char *value, int len);

static struct km_pg_posture of(const char *const *reasons, int n)
{
    PGresAttDesc column = { .name = (char[]){ "why" }, .typid = 25, .typlen = -1, .atttypmod = -1 };
    PGresult *res = make_result(NULL, PGRES_TUPLES_OK);
    const struct km_pg_result result = { lib, res };
    struct km_pg_posture posture;

    memset(&posture, 0x5a, sizeof posture);
    assert_non_null(res);
    assert_int_equal(set_columns(res, 1, &column), 1);
    for (int i = 0; i < n; i++) {
        char text[KM_PG_POSTURE_BYTES * 2];

        snprintf(text, sizeof text, "%s", reasons[i]);
        assert_int_equal(set_value(res, i, 0, text, (int)strlen(text)), 1);
    }
    km_pg_posture_take(&result, &posture);
    lib->PQclear(res);
    assert_true(posture.known);
    return posture;
}

static void no_reason_is_a_role_that_only_reads(void **state)
{
    struct km_pg_posture posture = of(NULL, 0);

    (void)state;
    assert_false(posture.writes);
    assert_string_equal(posture.why, "");
}

static void reasons_are_told_in_their_order(void **state)
{
    static const char *const reasons[] = { "it is a superuser", "it may change table a.\"B c\"",
                                           "it may create schemas" };
    struct km_pg_posture posture = of(reasons, 1);

    (void)state;
    assert_true(posture.writes);
    assert_string_equal(posture.why, "it is a superuser");
    posture = of(reasons, 3);
    assert_true(posture.writes);
    assert_string_equal(posture.why, "it is a superuser, it may change table a.\"B c\", it may "
                                     "create schemas");
}

/* Whatever a table is called and however many reasons there are, the text has an end. */
static void a_long_text_is_cut_at_its_room(void **state)
{
    char most[KM_PG_POSTURE_BYTES], more[KM_PG_POSTURE_BYTES + 50];
    const char *const fits[] = { most };
    const char *const over[] = { more, "it may create roles" };
    const char *const full[] = { most, "it may create roles", "it may replicate" };
    const char *many[100];
    struct km_pg_posture posture;

    (void)state;
    memset(most, 'm', sizeof most - 1);
    memset(more, 'n', sizeof more - 1);
    most[sizeof most - 1] = more[sizeof more - 1] = '\0';
    posture = of(fits, 1);
    assert_string_equal(posture.why, most);
    posture = of(full, 3);
    assert_true(posture.writes);
    assert_string_equal(posture.why, most);
    posture = of(over, 2);
    assert_int_equal(strlen(posture.why), KM_PG_POSTURE_BYTES - 1);
    assert_int_equal(strspn(posture.why, "n"), KM_PG_POSTURE_BYTES - 1);
    for (size_t i = 0; i < 100; i++)
        many[i] = "it may replicate";
    posture = of(many, 100);
    assert_int_equal(strlen(posture.why), KM_PG_POSTURE_BYTES - 1);
    assert_memory_equal(posture.why, "it may replicate, it may replicate", 34);
}

/* It runs on a session whose path somebody else may have set: nothing in it is looked up there. */
static void the_question_is_one_that_the_guard_would_let_pass(void **state)
{
    /* of_view: what it reads of pg_roles is not put in the relation's place */
    const struct km_pg_guard_options options = { .mode = KM_PG_READ_ONLY, .of_view = true };
    struct km_pg_verdict verdict;
    struct km_pg_guard *guard;
    struct km_arena arena;
    struct km_err err;

    (void)state;
    assert_int_equal(km_pg_guard_new(&guard, &err), 0);
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    assert_int_equal(
        km_pg_guard_judge(guard, &arena, km_str_c(km_pg_posture_sql), &options, &verdict, &err), 0);
    if (!verdict.allowed)
        print_message("%s %s\n", verdict.code, km_arena_cstr(&arena, verdict.message));
    assert_true(verdict.allowed);
    assert_false(verdict.writes);
    assert_int_equal(verdict.params, 0);
    /* The guard writes pg_catalog before functions that have no schema: here none is added. */
    assert_true(km_str_eq(verdict.sql, km_str_c(km_pg_posture_sql)));
    km_arena_done(&arena);
    km_pg_guard_free(guard);
}

static bool find(const char *name, void *ret_function)
{
    void *symbol = dlsym(lib->handle, name);

    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static int setup(void **state)
{
    struct km_err err;

    (void)state;
    if (km_pg_lib_open(&lib, &err) < 0)
        return -1;
    return find("PQmakeEmptyPGresult", &make_result) && find("PQsetResultAttrs", &set_columns) &&
                   find("PQsetvalue", &set_value)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    lib = km_pg_lib_close(lib);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reason_is_a_role_that_only_reads),
        cmocka_unit_test(reasons_are_told_in_their_order),
        cmocka_unit_test(a_long_text_is_cut_at_its_room),
        cmocka_unit_test(the_question_is_one_that_the_guard_would_let_pass),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
