/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "support.h"

/* kill -9 with an oracle.  A child writes intents and settlements as fast as the store takes
 * them and notes in a file, after the store has said that it is committed, what it was told.
 * It is killed at a random moment; then the file is opened and asked:
 *
 *     whole, nothing twice, no open intent left, sums equal the rows, and in strict accounting
 *     every settlement that was acknowledged is there at its cost, every intent that was
 *     acknowledged is there at least as incomplete.
 */

#define ROUNDS 12
#define MOST_ROUNDS 120 /* on a machine so busy that children die before they write anything */

struct ack {
    uint8_t id[16];
    int64_t cost; /* -1: the intent was acknowledged */
};

struct writer {
    struct place *p;
    int acks;
    size_t calls;
};

struct call {
    struct writer *w;
    struct km_ledger_entry e;
    bool settled;
};

static void next_call(struct writer *w);

static void note(struct writer *w, const struct call *c)
{
    struct ack ack = { .cost = c->settled ? c->e.cost : -1 };

    memcpy(ack.id, c->e.id.b, 16);
    if (write(w->acks, &ack, sizeof ack) != (ssize_t)sizeof ack)
        _exit(3);
}

static void on_step(void *ctx, const struct km_err *err)
{
    struct call *c = ctx;
    struct writer *w = c->w;
    bool wait;

    if (err)
        _exit(4);
    note(w, c);
    if (c->settled) {
        free(c);
        next_call(w);
        return;
    }
    c->settled = true;
    km_ledger_settle(w->p->ledger, &c->e, on_step, c, &wait);
    if (!wait)
        _exit(5);
}

static void next_call(struct writer *w)
{
    struct call *c = calloc(1, sizeof *c);
    bool wait;

    if (!c)
        _exit(6);
    c->w = w;
    c->e = entry(w->p, (uint8_t)(w->calls % 3), (int64_t)(w->calls % 1000) + 1);
    w->calls++;
    if (km_ledger_intent(w->p->ledger, &c->e, on_step, c, &wait, NULL) < 0 || !wait)
        _exit(7);
}

/* Strict: thirty calls at once, each told of both commits, for ever. */
static void run_strict(struct place *p, int acks)
{
    struct writer w = { .p = p, .acks = acks };

    for (int i = 0; i < 30; i++)
        next_call(&w);
    km_loop_run(p->loop);
}

/* Eventual: calls with and without their settlement, at once and a while later. */
static void run_eventual(struct place *p)
{
    struct km_ledger_entry ring[64];
    bool wait;

    for (size_t i = 0;; i++) {
        struct km_ledger_entry e = entry(p, (uint8_t)(i % 3), (int64_t)(i % 1000) + 1);

        if (km_ledger_intent(p->ledger, &e, NULL, NULL, &wait, NULL) < 0) {
            sched_yield();
            continue;
        }
        if (i % 2) {
            settle(p, &e);
            continue;
        }
        if (i >= 128 && i % 64 != 2)
            settle(p, &ring[i / 2 % 64]);
        ring[i / 2 % 64] = e;
    }
}

static void child(struct place *p, bool strict)
{
    struct km_err err = { 0 };
    char path[128];
    int acks;

    (void)snprintf(path, sizeof path, "%s/acks", p->dir);
    acks = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    p->settings.accounting = strict ? KM_ACCOUNTING_STRICT : KM_ACCOUNTING_EVENTUAL;
    p->loop = km_loop_new(NULL);
    p->reply = km_mailbox_new(p->loop, p, NULL);
    km_idgen_init(&p->ids);
    if (acks < 0 || place_try_open(p, false, &err) < 0)
        _exit(2);
    p->ledger = km_ledger_new(p->store, p->loop, p->reply, 0, NULL);
    if (strict)
        run_strict(p, acks);
    else
        run_eventual(p);
    _exit(8);
}

static void kill_after(pid_t pid, unsigned ms)
{
    const struct timespec t = { .tv_nsec = (long)ms * 1000000 };
    int status;

    nanosleep(&t, NULL); /* the moment of death is what is being tested, not waited for */
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (!WIFSIGNALED(status))
        fail_msg("the child ended by itself with %d", WEXITSTATUS(status));
}

static void check_sums(const char *db)
{
    assert_int_equal(number(db, "SELECT count(*) = 1 AND max(integrity_check) = 'ok'"
                                " FROM pragma_integrity_check"),
                     1);
    assert_int_equal(number(db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(db, "SELECT count(*) - count(DISTINCT id) FROM spend"), 0);
    assert_int_equal(number(db, "SELECT coalesce(sum(cost), 0) FROM spend"),
                     number(db, "SELECT coalesce(sum(cost), 0) FROM daily"));
    assert_int_equal(number(db, "SELECT count(*) FROM spend"),
                     number(db, "SELECT coalesce(sum(calls), 0) FROM daily"));
    assert_int_equal(number(db, "SELECT coalesce(sum(spend), 0) FROM keys"),
                     number(db, "SELECT coalesce(sum(cost), 0) FROM spend"));
}

/* How many acknowledgements there were; each must be kept. */
static size_t check_acks(const struct place *p)
{
    char path[128];
    struct ack ack;
    sqlite3 *db;
    sqlite3_stmt *s;
    size_t n = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/acks", p->dir);
    f = fopen(path, "rb");
    if (!f && errno == ENOENT)
        return 0; /* killed before it began */
    assert_non_null(f);
    assert_int_equal(sqlite3_open_v2(p->db, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT cost FROM spend WHERE id = ?1", -1, &s, NULL),
                     SQLITE_OK);
    for (; fread(&ack, sizeof ack, 1, f) == 1; n++) {
        sqlite3_bind_blob(s, 1, ack.id, 16, SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_ROW)
            fail_msg("acknowledged call %zu is not in the store", n);
        if (ack.cost >= 0)
            assert_int_equal(sqlite3_column_int64(s, 0), ack.cost);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    (void)fclose(f);
    return n;
}

static void torture(bool strict)
{
    struct place p;
    size_t acks = 0;
    bool written = false;
    uint64_t rng = km_mono_ns() | 1;

    place_init(&p);
    place_open(&p);
    for (uint8_t i = 0; i < 3; i++) {
        struct km_key_row row = key_row(i);

        put_key(&p, &row, true);
        assert_int_equal(answer(&p), 0);
    }
    place_close(&p);
    /* The child has its own; nothing of ours may be open in it. */
    km_mailbox_free(p.reply);
    km_loop_free(p.loop);
    for (int round = 0; round < ROUNDS || (!written && round < MOST_ROUNDS); round++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            child(&p, strict);
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        kill_after(pid, 5 + (unsigned)(rng >> 40) % 120);
        p.loop = km_loop_new(NULL);
        p.reply = km_mailbox_new(p.loop, &p, NULL);
        place_open(&p); /* charges what was open */
        check_sums(p.db);
        if (strict)
            acks = check_acks(&p);
        written = strict ? acks > 0 : number(p.db, "SELECT count(*) FROM spend") > 0;
        place_close(&p);
        km_mailbox_free(p.reply);
        km_loop_free(p.loop);
    }
    p.loop = km_loop_new(NULL);
    p.reply = km_mailbox_new(p.loop, &p, NULL);
    assert_true(written);
    place_done(&p);
}

static void strict_keeps_whatever_it_acknowledged(void **state)
{
    (void)state;
    torture(true);
}

static void eventual_counts_nothing_twice_and_stays_whole(void **state)
{
    (void)state;
    torture(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_keeps_whatever_it_acknowledged),
        cmocka_unit_test(eventual_counts_nothing_twice_and_stays_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
