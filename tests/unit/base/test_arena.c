/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/arena.h"

static void allocations_are_aligned_and_apart(void **state)
{
    struct km_arena a;
    char *last = NULL;
    size_t sizes[200];
    char *at[200];

    (void)state;
    km_arena_init(&a, 1 << 20, NULL);
    for (size_t i = 0; i < 200; i++) {
        sizes[i] = i * 37 % 500;
        at[i] = km_arena_alloc(&a, sizes[i]);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % 16, 0);
        assert_ptr_not_equal(at[i], last);
        memset(at[i], (int)i, sizes[i]);
        last = at[i];
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal((unsigned char)at[i][j], i);
    assert_false(km_arena_overflowed(&a));
    km_arena_done(&a);
}

static void large_blocks_do_not_waste_the_one_being_filled(void **state)
{
    struct km_arena a;
    char *small, *next;

    (void)state;
    km_arena_init(&a, 1 << 20, NULL);
    small = km_arena_alloc(&a, 16);
    assert_non_null(km_arena_alloc(&a, 100000));
    next = km_arena_alloc(&a, 16);
    assert_ptr_equal(next, small + 16);
    assert_in_range(a.used, 104096, 104200);
    km_arena_done(&a);
    assert_int_equal(a.used, 0);
}

static void the_cap_holds_and_overflow_sticks(void **state)
{
    struct km_arena a;
    size_t got = 0;

    (void)state;
    km_arena_init(&a, 10000, NULL);
    while (km_arena_alloc(&a, 100))
        got += 100;
    assert_true(km_arena_overflowed(&a));
    assert_true(a.used <= 10000);
    assert_true(got > 8500);
    assert_null(km_arena_alloc(&a, 1));
    assert_null(km_arena_str(&a, KM_STR("x")).p);
    assert_string_equal(km_arena_cstr(&a, KM_STR("x")), "");
    assert_null(km_arena_printf(&a, "%d", 1).p);
    km_arena_done(&a);
    assert_false(km_arena_overflowed(&a));
    assert_non_null(km_arena_alloc(&a, 1));
    km_arena_done(&a);
}

static void a_size_near_the_end_of_memory_overflows(void **state)
{
    struct km_arena a;

    (void)state;
    km_arena_init(&a, SIZE_MAX, NULL);
    assert_null(km_arena_alloc(&a, SIZE_MAX));
    assert_true(km_arena_overflowed(&a));
    km_arena_done(&a);
    assert_null(km_arena_alloc(&a, SIZE_MAX - 5000));
    km_arena_done(&a);
}

static void texts_are_copied_and_terminated(void **state)
{
    struct km_arena a;
    char longer[1000];
    struct km_str s;

    (void)state;
    km_arena_init(&a, 1 << 20, NULL);
    s = km_arena_str(&a, km_str("abc", 2));
    assert_string_equal(s.p, "ab");
    assert_int_equal(s.n, 2);
    s = km_arena_str(&a, KM_STR_NONE);
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    s = km_arena_cat(&a, (struct km_str[]){ KM_STR("a"), KM_STR_NONE, KM_STR("bc") }, 3);
    assert_string_equal(s.p, "abc");
    assert_string_equal(km_arena_i64(&a, INT64_MIN).p, "-9223372036854775808");
    assert_string_equal(km_arena_i64(&a, INT64_MAX).p, "9223372036854775807");
    assert_string_equal(km_arena_i64(&a, 0).p, "0");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (size_t n = 0; n < 999; n++) {
        s = km_arena_printf(&a, "%s", longer + n);
        assert_int_equal(s.n, 999 - n);
        assert_string_equal(s.p, longer + n);
    }
    km_arena_done(&a);
}

static void zalloc_clears_recycled_memory(void **state)
{
    struct km_arena_pool *pool = km_arena_pool_new(4);
    struct km_arena a;
    char *p;

    (void)state;
    km_arena_init(&a, 1 << 16, pool);
    memset(km_arena_alloc(&a, 3000), 0xff, 3000);
    km_arena_done(&a);
    p = km_arena_zalloc(&a, 3000);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(p[i], 0);
    km_arena_done(&a);
    assert_null(km_arena_pool_free(pool));
    assert_null(km_arena_pool_free(NULL));
}

static void a_pool_gives_the_same_block_again(void **state)
{
    struct km_arena_pool *pool = km_arena_pool_new(1);
    struct km_arena a;
    void *first;

    (void)state;
    km_arena_init(&a, 1 << 16, pool);
    first = km_arena_alloc(&a, 10);
    km_arena_done(&a);
    assert_ptr_equal(km_arena_alloc(&a, 10), first);
    for (int i = 0; i < 10; i++)
        assert_non_null(km_arena_alloc(&a, 3000));
    km_arena_done(&a); /* more blocks than the pool keeps */
    km_arena_pool_free(pool);
}

struct note {
    char text[8];
    size_t n;
};

struct letter {
    struct note *note;
    char c;
};

static void write_letter(void *data)
{
    struct letter *l = data;

    l->note->text[l->note->n++] = l->c;
}

static void the_deferred_run_backwards(void **state)
{
    struct note note = { .n = 0 };
    struct letter a = { &note, 'a' }, b = { &note, 'b' };
    struct km_arena arena;

    (void)state;
    km_arena_init(&arena, 1 << 16, NULL);
    assert_int_equal(km_arena_defer(&arena, write_letter, &a), 0);
    assert_int_equal(km_arena_defer(&arena, write_letter, &b), 0);
    assert_int_equal(note.n, 0);
    km_arena_done(&arena);
    assert_int_equal(note.n, 2);
    assert_memory_equal(note.text, "ba", 2);
    km_arena_done(&arena);
    assert_int_equal(note.n, 2);
}

static void a_deferred_that_finds_no_room_runs_at_once(void **state)
{
    struct note note = { .n = 0 };
    struct letter a = { &note, 'a' };
    struct km_arena arena;

    (void)state;
    km_arena_init(&arena, 0, NULL);
    assert_int_equal(km_arena_defer(&arena, write_letter, &a), KM_E_NOMEM);
    assert_int_equal(note.n, 1);
    km_arena_done(&arena);
    assert_int_equal(note.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(large_blocks_do_not_waste_the_one_being_filled),
        cmocka_unit_test(the_cap_holds_and_overflow_sticks),
        cmocka_unit_test(a_size_near_the_end_of_memory_overflows),
        cmocka_unit_test(texts_are_copied_and_terminated),
        cmocka_unit_test(zalloc_clears_recycled_memory),
        cmocka_unit_test(a_pool_gives_the_same_block_again),
        cmocka_unit_test(the_deferred_run_backwards),
        cmocka_unit_test(a_deferred_that_finds_no_room_runs_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
