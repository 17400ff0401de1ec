/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/accounts.h"
#include "support.h"

static const struct km_audit by_admin = { .actor = { "master", 6 },
                                          .action = { "team.new", 8 },
                                          .target = { "t1", 2 },
                                          .detail = { "{}", 2 } };

static struct km_account_row full_row(void)
{
    static const struct km_str models[] = { { "gpt-4o", 6 },
                                            { "we\"ird\\\n\x01 name", 13 },
                                            { "openai/*", 8 } };
    struct km_account_row row =
        km_account_row_none(KM_ACCOUNT_MEMBER, KM_STR("u1"), KM_STR("t \"1\""));
    int64_t number = 1000;

    for (size_t i = 0; i < km_account_columns_n; i++) {
        const struct km_key_column *c = &km_account_columns[i];
        char *at = (char *)&row + c->offset;

        if (km_key_is_text(c))
            *(struct km_str *)(void *)at = km_str_c(c->name ? c->name : "its own");
        else if (c->kind == KM_KEY_FLAG)
            *(bool *)(void *)at = true;
        else if (c->kind == KM_KEY_LIST)
            *(struct km_str_list *)(void *)at = (struct km_str_list){ models, 3 };
        else
            *(int64_t *)(void *)at = number++;
    }
    return row;
}

struct seen {
    size_t n;
    struct km_account_row *rows[8];
};

static void on_account(void *ctx, const struct km_account_row *row)
{
    struct seen *seen = ctx;

    assert_true(seen->n < 8);
    seen->rows[seen->n++] = km_account_row_new(row);
}

static void load(struct place *p, struct seen *ret)
{
    *ret = (struct seen){ 0 };
    assert_int_equal(km_store_accounts(p->store, on_account, ret, NULL), 0);
}

static void forget(struct seen *seen)
{
    for (size_t i = 0; i < seen->n; i++)
        free(seen->rows[i]);
}

static int put(struct place *p, const struct km_account_row *row, bool insert)
{
    km_store_account_put(p->store, p->reply, row, insert, &by_admin, on_done, p);
    return answer(p);
}

static int put_named(struct place *p, enum km_account_kind kind, const char *id, const char *of)
{
    struct km_account_row row = km_account_row_none(kind, km_str_c(id), km_str_c(of));

    return put(p, &row, true);
}

static int delete(struct place *p, enum km_account_kind kind, const char *id, const char *of)
{
    km_store_account_delete(p->store, p->reply, kind, km_str_c(id), km_str_c(of), &by_admin,
                            on_done, p);
    return answer(p);
}

static void assert_same(const struct km_account_row *row, const struct km_account_row *want)
{
    assert_int_equal(row->kind, want->kind);
    assert_true(km_str_eq(row->id, want->id));
    assert_true(km_str_eq(row->of, want->of));
    for (size_t i = 0; i < km_account_columns_n; i++) {
        const struct km_key_column *c = &km_account_columns[i];
        const char *a = (const char *)row + c->offset, *b = (const char *)want + c->offset;

        if (km_key_is_text(c))
            assert_true(km_str_eq(*(const struct km_str *)(const void *)a,
                                  *(const struct km_str *)(const void *)b));
        else if (c->kind == KM_KEY_FLAG)
            assert_int_equal(*(const bool *)(const void *)a, *(const bool *)(const void *)b);
        else if (c->kind != KM_KEY_LIST)
            assert_int_equal(*(const int64_t *)(const void *)a, *(const int64_t *)(const void *)b);
    }
    assert_int_equal(row->models.n, want->models.n);
    for (size_t i = 0; i < row->models.n; i++)
        assert_true(km_str_eq(row->models.v[i], want->models.v[i]));
}

static void an_account_comes_back_as_it_went(void **state)
{
    const struct km_account_row want = full_row();
    struct seen seen;
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, &want, true), 0);
    place_close(&p);
    place_open(&p);
    load(&p, &seen);
    assert_int_equal(seen.n, 1);
    assert_same(seen.rows[0], &want);
    forget(&seen);
    place_done(&p);
}

static void a_row_is_made_once_and_changed_while_it_is_there(void **state)
{
    struct km_account_row row = full_row();
    struct seen seen;
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, &row, false), KM_E_NOT_FOUND);
    assert_int_equal(put(&p, &row, true), 0);
    assert_int_equal(put(&p, &row, true), KM_E_EXISTS);
    row.max_budget = 7 * USD;
    row.models.n = 0;
    assert_int_equal(put(&p, &row, false), 0);
    load(&p, &seen);
    assert_int_equal(seen.n, 1);
    assert_same(seen.rows[0], &row);
    forget(&seen);
    assert_int_equal(delete (&p, KM_ACCOUNT_MEMBER, "u1", "another"), KM_E_NOT_FOUND);
    assert_int_equal(delete (&p, KM_ACCOUNT_MEMBER, "u1", "t \"1\""), 0);
    load(&p, &seen);
    assert_int_equal(seen.n, 0);
    place_done(&p);
}

static void one_id_names_an_account_of_each_kind(void **state)
{
    struct seen seen;
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(put_named(&p, KM_ACCOUNT_TEAM, "x", ""), 0);
    assert_int_equal(put_named(&p, KM_ACCOUNT_USER, "x", ""), 0);
    assert_int_equal(put_named(&p, KM_ACCOUNT_TAG, "x", ""), 0);
    assert_int_equal(put_named(&p, KM_ACCOUNT_MEMBER, "x", "x"), 0);
    assert_int_equal(put_named(&p, KM_ACCOUNT_MEMBER, "x", "y"), 0);
    assert_int_equal(put_named(&p, KM_ACCOUNT_ORG_MEMBER, "x", "y"), 0);
    /* The team's members go with it, nobody else's. */
    assert_int_equal(delete (&p, KM_ACCOUNT_TEAM, "x", ""), 0);
    load(&p, &seen);
    assert_int_equal(seen.n, 4);
    forget(&seen);
    /* The user is no member any more, of anything. */
    assert_int_equal(delete (&p, KM_ACCOUNT_USER, "x", ""), 0);
    load(&p, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.rows[0]->kind, KM_ACCOUNT_TAG);
    forget(&seen);
    place_done(&p);
}

static void which_ids_are_good(void **state)
{
    char most[KM_ACCOUNT_ID_BYTES + 1];

    (void)state;
    memset(most, 'x', sizeof most);
    assert_true(km_account_id_is_good(KM_STR("team-1 \xe2\x82\xac")));
    assert_true(km_account_id_is_good(km_str(most, KM_ACCOUNT_ID_BYTES)));
    assert_false(km_account_id_is_good(km_str(most, sizeof most)));
    assert_false(km_account_id_is_good(KM_STR("")));
    assert_false(km_account_id_is_good(KM_STR("a\nb")));
    assert_false(km_account_id_is_good(KM_STR("a\x1f")));
    assert_false(km_account_id_is_good(KM_STR("\x7f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_comes_back_as_it_went),
        cmocka_unit_test(a_row_is_made_once_and_changed_while_it_is_there),
        cmocka_unit_test(one_id_names_an_account_of_each_kind),
        cmocka_unit_test(which_ids_are_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
