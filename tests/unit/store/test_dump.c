/* SPDX-License-Identifier: Apache-2.0 */
/* test_dump.c - every operation of the store against a fresh file, compared with a dump that is
 * kept: what is written, and what is answered, stays what it was (dump.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dump_doubt.h"
#include "dump_kept.h"

static void what_a_store_writes_and_answers_stays_what_it_was(void **state)
{
    struct dump d = { .text = KM_BUF(1 << 24) };
    char key[128];

    (void)state;
    place_init(&d.p);
    d.p.settings.crash_hold_ms = 600000;
    open_again(&d, false, "a new file");
    dump_schema(&d);
    keys(&d);
    ledger(&d);
    objects(&d);
    answers(&d);
    hand_over(&d);
    spill(&d);
    doubts(&d);
    read_keys(&d);
    read_spend(&d);
    prices(&d);
    grants(&d);
    seen_of_servers(&d);
    added_servers(&d);
    stored_models(&d);
    accounts(&d);
    payers(&d);
    daily(&d);
    audit(&d);
    stats(&d);
    spent(&d);
    close_it(&d, "as it should be");
    open_again(&d, false, "again: nothing changes but what was left open");
    dump_compare(&d);
    (void)snprintf(key, sizeof key, "%s/answers.key", d.p.dir);
    (void)unlink(key);
    place_done(&d.p);
    dump_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_store_writes_and_answers_stays_what_it_was),
    };

    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
