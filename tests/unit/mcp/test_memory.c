/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "mcp/memory.h"

#define TASKS 7

static int open_memory(void **state)
{
    *state = km_mcp_memory_new();
    return *state ? 0 : -1;
}

static int close_memory(void **state)
{
    *state = km_mcp_memory_free(*state);
    return 0;
}

static void learn(struct km_mcp_memory *m, const char *who, const char *server, const char *result)
{
    km_mcp_memory_learn(m, km_str_c(who), km_str_c(server), km_str_c(result));
}

/* The ids of all pages of three, one after the other. */
static void list(struct km_mcp_memory *m, const char *who, char *out, size_t size)
{
    struct km_arena arena;
    struct km_mcp_task v[3];
    struct km_str after = KM_STR_NONE;
    size_t at = 0, n;

    out[0] = 0;
    km_arena_init(&arena, 1 << 20, NULL);
    do {
        n = km_mcp_memory_tasks(m, &arena, km_str_c(who), after, v, 3);
        for (size_t i = 0; i < n; i++)
            at += (size_t)snprintf(out + at, size - at, "%.*s@%.*s ", KM_STR_ARG(v[i].id),
                                   KM_STR_ARG(v[i].server));
        after = n ? v[n - 1].id : after;
    } while (n == 3);
    km_arena_done(&arena);
}

static void test_tasks_are_listed_in_pages_in_the_order_of_their_ids(void **state)
{
    static const char order[TASKS] = { 'd', 'a', 'g', 'c', 'f', 'b', 'e' };
    char text[256];

    for (size_t i = 0; i < TASKS; i++) {
        snprintf(text, sizeof text, "{\"task\":{\"taskId\":\"%c\"}}", order[i]);
        learn(*state, "ann", i % 2 ? "two" : "one", text);
    }
    list(*state, "ann", text, sizeof text);
    assert_string_equal(text, "a@two b@two c@two d@one e@one f@one g@one ");
}

static void test_tasks_are_their_callers_own(void **state)
{
    char text[256];

    learn(*state, "ann", "one", "{\"taskId\":\"of ann\",\"uri\":\"memo://not-a-task\"}");
    learn(*state, "anna", "one", "{\"taskId\":\"of anna\"}");
    learn(*state, "ann", "one", "{\"taskId\":\"of ann\"}"); /* told again: still one */
    list(*state, "ann", text, sizeof text);
    assert_string_equal(text, "of ann@one ");
    list(*state, "anna", text, sizeof text);
    assert_string_equal(text, "of anna@one ");
    list(*state, "bob", text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tasks_are_listed_in_pages_in_the_order_of_their_ids,
                                        open_memory, close_memory),
        cmocka_unit_test_setup_teardown(test_tasks_are_their_callers_own, open_memory,
                                        close_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
