/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a document whose reader took some of its members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http/json_take.h"

#define DEEP 200000

struct left {
    size_t n;
    char last[KM_JSON_PLACE + 1];
};

static void on_left(void *ctx, struct km_str place)
{
    struct left *l = ctx;

    l->n++;
    memcpy(l->last, place.p, place.n);
    l->last[place.n] = '\0';
}

static struct left left_of(struct km_str text, const char *taken)
{
    struct left l = { 0 };
    const struct km_json *root = NULL;
    struct km_arena arena;

    km_arena_init(&arena, (size_t)64 << 20, NULL);
    assert_int_equal(km_json_parse_answer(&arena, text, &root, NULL), 0);
    if (taken)
        assert_non_null(km_json_take(root, taken));
    km_json_left(root, NULL, on_left, &l);
    km_arena_done(&arena);
    return l;
}

static void what_nobody_took_is_told_by_its_place(void **state)
{
    struct left l = left_of(KM_STR("{\"a\":{\"b\":1},\"c\":null}"), "a");

    (void)state;
    assert_int_equal(l.n, 1);
    assert_string_equal(l.last, "a.b");
}

/* Each level a call would be a process that ends by what an upstream says. */
static void a_document_may_be_as_deep_as_an_upstream_likes(void **state)
{
    static const char open[] = "{\"a\":";
    char *text = malloc(sizeof open + 2 * DEEP + 8), *at = text;
    struct left l;

    (void)state;
    assert_non_null(text);
    at = stpcpy(at, open);
    memset(at, '[', DEEP);
    at += DEEP;
    *at++ = '1';
    memset(at, ']', DEEP);
    at += DEEP;
    *at++ = '}';
    l = left_of(km_str(text, (size_t)(at - text)), "a");
    assert_int_equal(l.n, 1);
    assert_string_equal(l.last, "a");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_took_is_told_by_its_place),
        cmocka_unit_test(a_document_may_be_as_deep_as_an_upstream_likes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
