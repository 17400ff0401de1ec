/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faulty_vfs.h"
#include "support.h"

/* The power goes off.  Of each file only what was synced is left (faulty_vfs.h keeps it beside
 * the file); from these a second store is put together and opened.  kill -9 cannot show this:
 * what a process wrote survives it, synced or not. */

struct ruin {
    struct place p;
};

static void after_the_lights_went_out(struct ruin *r, const struct place *alive)
{
    static const char *const files[] = { "", "-wal" };

    place_init(&r->p);
    for (size_t i = 0; i < 2; i++) {
        char from[160], to[160];

        (void)snprintf(from, sizeof from, "%s%s.synced", alive->db, files[i]);
        (void)snprintf(to, sizeof to, "%s%s", r->p.db, files[i]);
        if (access(from, F_OK) == 0)
            assert_true(faulty_copy(from, to));
    }
    place_open(&r->p);
    assert_int_equal(number(r->p.db, "SELECT count(*) = 1 AND max(integrity_check) = 'ok'"
                                     " FROM pragma_integrity_check"),
                     1);
    assert_int_equal(number(r->p.db, "SELECT coalesce(sum(cost), 0) FROM spend"),
                     number(r->p.db, "SELECT coalesce(sum(cost), 0) FROM daily"));
}

static void clear(const struct place *alive)
{
    static const char *const files[] = { "", "-wal", "-journal", ".new", ".new-journal" };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[160];

        (void)snprintf(path, sizeof path, "%s%s.synced", alive->db, files[i]);
        (void)unlink(path);
    }
}

static void start(struct place *p, enum km_accounting accounting)
{
    char kept[160];

    place_init(p);
    p->settings.accounting = accounting;
    (void)snprintf(faulty.keep, sizeof faulty.keep, "%s/", p->dir);
    place_open(p);
    (void)snprintf(kept, sizeof kept, "%s.synced", p->db);
    if (access(kept, F_OK) != 0)
        assert_true(faulty_copy(p->db, kept)); /* made under another name, every step synced */
}

static void finish(struct place *p)
{
    place_close(p);
    faulty.keep[0] = 0;
    clear(p);
    place_done(p);
}

static void strict_keeps_what_it_acknowledged(void **state)
{
    struct place p;
    int64_t cost = 0;

    (void)state;
    start(&p, KM_ACCOUNTING_STRICT);
    for (int i = 0; i < 25; i++) {
        struct km_ledger_entry e = entry(&p, 1, i + 1);
        struct ruin r;
        bool wait;

        assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
        assert_int_equal(answer(&p), 0);
        after_the_lights_went_out(&r, &p);
        assert_int_equal(number(r.p.db, "SELECT count(*) FROM spend WHERE flags & 8"), 1);
        assert_int_equal(number(r.p.db, "SELECT count(*) FROM spend"), i + 1);
        place_done(&r.p);

        km_ledger_settle(p.ledger, &e, on_done, &p, &wait);
        assert_int_equal(answer(&p), 0);
        cost += e.cost;
        after_the_lights_went_out(&r, &p);
        assert_int_equal(number(r.p.db, "SELECT count(*) FROM spend WHERE flags & 8"), 0);
        assert_int_equal(number(r.p.db, "SELECT sum(cost) FROM spend"), cost);
        place_done(&r.p);
    }
    finish(&p);
}

static void eventual_may_lose_the_last_but_stays_whole(void **state)
{
    struct place p;

    (void)state;
    start(&p, KM_ACCOUNTING_EVENTUAL);
    for (int round = 0; round < 10; round++) {
        struct ruin r;

        for (int i = 0; i < 300; i++) {
            struct km_ledger_entry e = entry(&p, 1, 1);

            intend(&p, &e);
            settle(&p, &e);
        }
        sync_store(&p);
        after_the_lights_went_out(&r, &p);
        assert_true(number(r.p.db, "SELECT count(*) FROM spend") <= 300 * (round + 1));
        place_done(&r.p);
    }
    finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_keeps_what_it_acknowledged),
        cmocka_unit_test(eventual_may_lose_the_last_but_stays_whole),
    };

    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
