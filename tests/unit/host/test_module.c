/* SPDX-License-Identifier: Apache-2.0 */
/* test_module.c - moments of fake modules: their order, what a failure at each of them leaves, and
 * where a state is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/gateway.h"
#include "host/module.h"
#include "torture.h"

static struct fixture {
    struct km_gateway gw;
    struct km_gateway_args args;
    struct km_snapshot snap;
    struct km_snapshot_args snap_args;
    struct km_worker w;
    const char *fails; /* the moment that does, "a.worker_init" */
    bool busy; /* b is */
    char said[400]; /* the moments as they came */
} f;

static int say(const char *moment)
{
    size_t n = strlen(f.said);

    snprintf(f.said + n, sizeof f.said - n, "%s%s", n ? " " : "", moment);
    return f.fails && strcmp(f.fails, moment) == 0;
}

static int make(const char *moment, void **ret_state, struct km_err *err)
{
    char *state = say(moment) ? NULL : malloc(1);

    if (!state)
        return km_fail(err, KM_E_NOMEM, "%s fails", moment);
    *state = moment[0];
    *ret_state = state;
    return 0;
}

static void drop(const char *moment, void *state)
{
    (void)say(moment);
    assert_int_equal(*(char *)state, moment[0]);
    free(state);
}

#define MOMENTS(m)                                                                                 \
    static int m##_gateway_init(struct km_gateway *gw, void **ret_state, struct km_err *err)       \
    {                                                                                              \
        assert_ptr_equal(gw, &f.gw);                                                               \
        return make(#m ".gateway_init", ret_state, err);                                           \
    }                                                                                              \
    static void m##_gateway_free(void *state)                                                      \
    {                                                                                              \
        drop(#m ".gateway_free", state);                                                           \
    }                                                                                              \
    static int m##_snapshot_init(struct km_snapshot *s, const struct km_snapshot_args *args,       \
                                 struct km_diags *diags, void **ret_state, struct km_err *err)     \
    {                                                                                              \
        assert_ptr_equal(s, &f.snap);                                                              \
        assert_ptr_equal(args, &f.snap_args);                                                      \
        assert_null(diags);                                                                        \
        return make(#m ".snapshot_init", ret_state, err);                                          \
    }                                                                                              \
    static void m##_snapshot_free(void *state)                                                     \
    {                                                                                              \
        drop(#m ".snapshot_free", state);                                                          \
    }                                                                                              \
    static int m##_worker_init(struct km_worker *w, void **ret_state, struct km_err *err)          \
    {                                                                                              \
        assert_ptr_equal(w, &f.w);                                                                 \
        return make(#m ".worker_init", ret_state, err);                                            \
    }                                                                                              \
    static void m##_worker_revoke(struct km_worker *w, void *state)                                \
    {                                                                                              \
        assert_ptr_equal(w, &f.w);                                                                 \
        assert_int_equal(*(char *)state, #m[0]);                                                   \
        (void)say(#m ".worker_revoke");                                                            \
    }                                                                                              \
    static void m##_worker_drain(struct km_worker *w, void *state)                                 \
    {                                                                                              \
        assert_ptr_equal(w, &f.w);                                                                 \
        assert_int_equal(*(char *)state, #m[0]);                                                   \
        (void)say(#m ".worker_drain");                                                             \
    }                                                                                              \
    static void m##_worker_end(struct km_worker *w, void *state)                                   \
    {                                                                                              \
        assert_ptr_equal(w, &f.w);                                                                 \
        assert_int_equal(*(char *)state, #m[0]);                                                   \
        (void)say(#m ".worker_end");                                                               \
    }                                                                                              \
    static bool m##_worker_quiet(struct km_worker *w, void *state)                                 \
    {                                                                                              \
        assert_ptr_equal(w, &f.w);                                                                 \
        assert_int_equal(*(char *)state, #m[0]);                                                   \
        (void)say(#m ".worker_quiet");                                                             \
        return !f.busy || #m[0] != 'b';                                                            \
    }                                                                                              \
    static void m##_worker_free(void *state)                                                       \
    {                                                                                              \
        drop(#m ".worker_free", state);                                                            \
    }                                                                                              \
    static const char m##_place KM_MODULE_PLACE;                                                   \
    static const struct km_module m##_module = { .name = #m,                                       \
                                                 .place = &m##_place,                              \
                                                 .gateway_init = m##_gateway_init,                 \
                                                 .gateway_free = m##_gateway_free,                 \
                                                 .snapshot_init = m##_snapshot_init,               \
                                                 .snapshot_free = m##_snapshot_free,               \
                                                 .worker_init = m##_worker_init,                   \
                                                 .worker_revoke = m##_worker_revoke,               \
                                                 .worker_drain = m##_worker_drain,                 \
                                                 .worker_end = m##_worker_end,                     \
                                                 .worker_quiet = m##_worker_quiet,                 \
                                                 .worker_free = m##_worker_free }

MOMENTS(a);
MOMENTS(b);
MOMENTS(c);

/* One that has nothing but a name, and one that is in the program and not among its rows. */
static const char idle_place KM_MODULE_PLACE, absent_place KM_MODULE_PLACE;
static const struct km_module idle_module = { .name = "idle", .place = &idle_place };
static const struct km_module absent_module = { .name = "absent", .place = &absent_place };

/* Not the order in which they stand above, by which their places go. */
static const struct km_module *const rows[] = { &c_module, &idle_module, &a_module, &b_module,
                                                NULL };

static void begin(void)
{
    memset(&f, 0, sizeof f);
    f.args.modules = f.snap_args.modules = rows;
    f.gw.args = &f.args;
    f.w.gw = &f.gw;
}

static int init_gateway(struct km_err *err)
{
    return km_modules_gateway_init(&f.gw, err);
}

static void free_gateway(void)
{
    km_modules_gateway_free(&f.gw);
}

static int init_snapshot(struct km_err *err)
{
    return km_modules_snapshot_init(&f.snap, &f.snap_args, NULL, err);
}

static void free_snapshot(void)
{
    km_modules_snapshot_free(&f.snap);
}

static int init_worker(struct km_err *err)
{
    return km_modules_worker_init(&f.w, err);
}

static void free_worker(void)
{
    km_modules_worker_free(&f.w);
}

/* What modules keep states for. */
static const struct scope {
    const char *name;
    struct km_slots **slots;
    int (*init)(struct km_err *err);
    void (*free)(void);
} scopes[] = {
    { "gateway", &f.gw.slots, init_gateway, free_gateway },
    { "snapshot", &f.snap.slots, init_snapshot, free_snapshot },
    { "worker", &f.w.slots, init_worker, free_worker },
};

#define SCOPES (sizeof scopes / sizeof scopes[0])

/* "c.init a.init" of one scope, as the moments say it. */
static const char *in_full(const struct scope *s, const char *text)
{
    static char full[400];
    size_t n = 0;

    for (; *text && n + 20 < sizeof full; text++) {
        full[n++] = *text;
        if (*text == '.')
            n += (size_t)snprintf(full + n, sizeof full - n, "%s_", s->name);
    }
    full[n] = '\0';
    return full;
}

static void all_begin_in_the_order_of_the_rows_and_end_in_reverse(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCOPES; i++) {
        struct km_err err = { 0 };

        begin();
        assert_int_equal(scopes[i].init(&err), 0);
        scopes[i].free();
        assert_null(*scopes[i].slots);
        assert_string_equal(f.said,
                            in_full(&scopes[i], "c.init a.init b.init b.free a.free c.free"));
    }
}

static void a_worker_ends_in_the_reverse_of_the_rows(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    begin();
    assert_int_equal(km_modules_worker_init(&f.w, &err), 0);
    f.said[0] = '\0';
    km_modules_worker_revoke(&f.w);
    km_modules_worker_drain(&f.w);
    km_modules_worker_end(&f.w);
    assert_string_equal(f.said, "b.worker_revoke a.worker_revoke c.worker_revoke "
                                "b.worker_drain a.worker_drain c.worker_drain "
                                "b.worker_end a.worker_end c.worker_end");
    f.said[0] = '\0';
    f.busy = true;
    assert_false(km_modules_worker_quiet(&f.w));
    f.busy = false;
    assert_true(km_modules_worker_quiet(&f.w));
    assert_string_equal(f.said, "b.worker_quiet b.worker_quiet a.worker_quiet c.worker_quiet");
    km_modules_worker_free(&f.w);
}

static void a_failed_init_unwinds_what_was_begun(void **state)
{
    static const struct {
        const char *fails, *said;
    } all[] = {
        { "c.init", "c.init" },
        { "a.init", "c.init a.init c.free" },
        { "b.init", "c.init a.init b.init a.free c.free" },
    };

    (void)state;
    for (size_t k = 0; k < SCOPES; k++)
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            struct km_err err = { 0 };
            char fails[40];

            begin();
            snprintf(fails, sizeof fails, "%s", in_full(&scopes[k], all[i].fails));
            f.fails = fails;
            assert_int_equal(scopes[k].init(&err), KM_E_NOMEM);
            assert_non_null(strstr(err.text, fails));
            assert_null(*scopes[k].slots);
            assert_string_equal(f.said, in_full(&scopes[k], all[i].said));
            scopes[k].free(); /* of what never began */
            assert_string_equal(f.said, in_full(&scopes[k], all[i].said));
        }
}

static void a_state_is_found_by_its_row(void **state)
{
    (void)state;
    for (size_t k = 0; k < SCOPES; k++) {
        struct km_err err = { 0 };
        const struct km_slots *slots;

        begin();
        assert_int_equal(scopes[k].init(&err), 0);
        slots = *scopes[k].slots;
        assert_int_equal(*(char *)km_module_state(slots, &a_module), 'a');
        assert_int_equal(*(char *)km_module_state(slots, &b_module), 'b');
        assert_int_equal(*(char *)km_module_state(slots, &c_module), 'c');
        assert_null(km_module_state(slots, &idle_module));
        assert_null(slots->v[absent_module.place - km_module_places].module); /* to ask aborts */
        scopes[k].free();
    }
}

static void a_program_may_have_no_modules(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    begin();
    f.args.modules = f.snap_args.modules = NULL;
    for (size_t k = 0; k < SCOPES; k++)
        assert_int_equal(scopes[k].init(&err), 0);
    km_modules_worker_revoke(&f.w);
    km_modules_worker_drain(&f.w);
    km_modules_worker_end(&f.w);
    assert_true(km_modules_worker_quiet(&f.w));
    for (size_t k = 0; k < SCOPES; k++)
        scopes[k].free();
    assert_string_equal(f.said, "");
}

static void life(void)
{
    begin();
    for (size_t k = 0; k < SCOPES; k++) {
        struct km_err err = { 0 };

        if (scopes[k].init(&err) < 0) {
            assert_int_equal(err.code, KM_E_NOMEM);
            assert_null(*scopes[k].slots);
        }
    }
    for (size_t k = 0; k < SCOPES; k++)
        scopes[k].free();
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(km_torture(life), SCOPES * 4); /* the slots, three states */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_begin_in_the_order_of_the_rows_and_end_in_reverse),
        cmocka_unit_test(a_worker_ends_in_the_reverse_of_the_rows),
        cmocka_unit_test(a_failed_init_unwinds_what_was_begun),
        cmocka_unit_test(a_state_is_found_by_its_row),
        cmocka_unit_test(a_program_may_have_no_modules),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
