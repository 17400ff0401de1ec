/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/spill.h"
#include "support.h"

#define MOST_BYTES (1 << 20)

struct spilled {
    char dir[64], path[96], aside[4096];
    struct km_uuid store;
    struct km_spill *s;
    int64_t last; /* frames read, and what was in them */
    size_t n;
};

static void spill_open(struct spilled *t)
{
    struct km_err err = { 0 };

    if (km_spill_open(t->path, &t->store, MOST_BYTES, 0, &t->s, t->aside, &err) < 0)
        fail_msg("%s", err.text);
}

static void spill_init(struct spilled *t)
{
    memset(t, 0, sizeof *t);
    (void)snprintf(t->dir, sizeof t->dir, "/tmp/kanmon-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    (void)snprintf(t->path, sizeof t->path, "%s/store.spill", t->dir);
    memset(t->store.b, 7, sizeof t->store.b);
    spill_open(t);
}

static void spill_done(struct spilled *t)
{
    t->s = km_spill_close(t->s);
    (void)unlink(t->path);
    if (t->aside[0])
        (void)unlink(t->aside);
    assert_int_equal(rmdir(t->dir), 0);
}

/* Frame n has n bytes of the letter n. */
static void put(struct spilled *t, size_t n)
{
    char bytes[64];
    struct km_str parts[2];

    memset(bytes, (int)('a' + n), sizeof bytes);
    parts[0] = km_str(bytes, n / 2);
    parts[1] = km_str(bytes, n - n / 2);
    assert_int_equal(km_spill_append(t->s, parts, 2, NULL), 0);
}

static int each(void *ctx, int64_t seq, struct km_str bytes, struct km_err *err)
{
    struct spilled *t = ctx;

    (void)err;
    assert_true(seq > t->last);
    t->last = seq;
    t->n++;
    for (size_t i = 0; i < bytes.n; i++)
        assert_int_equal(bytes.p[i], (char)('a' + bytes.n));
    return 0;
}

static size_t count(struct spilled *t)
{
    t->n = 0;
    t->last = 0;
    assert_int_equal(km_spill_read(t->s, each, t, NULL), 0);
    return t->n;
}

static void what_was_spilled_is_there_after_a_start(void **state)
{
    struct spilled t;

    (void)state;
    spill_init(&t);
    for (size_t n = 1; n <= 20; n++)
        put(&t, n);
    assert_int_equal(km_spill_sync(t.s, NULL), 0);
    t.s = km_spill_close(t.s);
    spill_open(&t);
    assert_int_equal(count(&t), 20);
    assert_int_equal(km_spill_last(t.s), 20);
    put(&t, 21);
    assert_int_equal(count(&t), 21);
    spill_done(&t);
}

/* Cut at any byte: the frames before it are there.  With any byte wrong: all others are, and that
 * one is missing is known.  None is made up. */
static void a_file_that_is_torn_anywhere_has_all_that_is_whole(void **state)
{
    struct spilled t;
    static char whole[4096];
    size_t size, found;
    FILE *f;

    (void)state;
    spill_init(&t);
    for (size_t n = 1; n <= 5; n++)
        put(&t, n);
    size = 80 + 5 * 48 + 15; /* the header, five heads, their bytes */
    assert_int_equal(km_spill_bytes(t.s), size - 80);
    f = fopen(t.path, "rb");
    assert_int_equal(fread(whole, 1, size, f), size);
    (void)fclose(f);
    for (size_t at = 80; at < size; at++) {
        for (int cut = 0; cut < 2; cut++) {
            char byte = (char)(whole[at] ^ 1);

            t.s = km_spill_close(t.s);
            f = fopen(t.path, "wb");
            assert_int_equal(fwrite(whole, 1, cut ? at : size, f), cut ? at : size);
            if (!cut) {
                assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
                assert_int_equal(fwrite(&byte, 1, 1, f), 1);
            }
            assert_int_equal(fclose(f), 0);
            spill_open(&t);
            found = count(&t);
            assert_true(cut ? found < 5 : found == 4);
            if (!cut)
                assert_int_equal(km_spill_missing(t.s), 1);
            put(&t, 9); /* and it goes on behind them */
            assert_int_equal(count(&t), found + 1);
            assert_int_equal(t.last, km_spill_last(t.s));
            t.s = km_spill_close(t.s);
            spill_open(&t);
            assert_int_equal(count(&t), found + 1);
        }
    }
    spill_done(&t);
}

static void an_emptied_file_shows_nothing_of_before(void **state)
{
    struct spilled t;

    (void)state;
    spill_init(&t);
    for (size_t n = 1; n <= 20; n++)
        put(&t, n);
    assert_int_equal(km_spill_reset(t.s, 20, NULL), 0);
    assert_int_equal(count(&t), 0);
    put(&t, 1); /* exactly as long as the one that lay there */
    assert_int_equal(count(&t), 1);
    assert_int_equal(km_spill_last(t.s), 21);
    t.s = km_spill_close(t.s);
    spill_open(&t);
    assert_int_equal(count(&t), 1);
    assert_int_equal(km_spill_reset(t.s, 100, NULL), 0); /* the store has seen more */
    put(&t, 1);
    assert_int_equal(km_spill_last(t.s), 101);
    spill_done(&t);
}

static void a_file_of_another_store_is_kept_and_not_read(void **state)
{
    struct spilled t;

    (void)state;
    spill_init(&t);
    put(&t, 3);
    t.s = km_spill_close(t.s);
    memset(t.store.b, 8, sizeof t.store.b);
    spill_open(&t);
    assert_int_equal(count(&t), 0);
    assert_int_equal(access(t.aside, F_OK), 0);
    spill_done(&t);
}

static void it_is_bounded_and_tells_when_it_was_deleted(void **state)
{
    static char much[KM_SPILL_FRAME];
    struct spilled t;
    struct km_str part = km_str(much, sizeof much);
    struct km_err err = { 0 };
    int frames = 0;

    (void)state;
    spill_init(&t);
    while (km_spill_append(t.s, &part, 1, &err) == 0)
        assert_in_range(++frames, 1, MOST_BYTES / KM_SPILL_FRAME);
    assert_int_equal(err.code, KM_E_LIMIT);
    assert_int_equal(km_spill_reset(t.s, frames, NULL), 0);
    assert_int_equal(km_spill_append(t.s, &part, 1, &err), 0);
    assert_int_equal(unlink(t.path), 0);
    assert_true(km_spill_append(t.s, &part, 1, &err) < 0);
    assert_non_null(strstr(err.text, "was deleted"));
    spill_done(&t);
}

/* The remains of frames before the file was emptied are no damage, nor is their number. */
static void an_emptied_file_has_no_damage(void **state)
{
    struct spilled t;

    (void)state;
    spill_init(&t);
    for (size_t n = 1; n <= 20; n++)
        put(&t, n);
    for (size_t n = 0; n < 30; n++) {
        assert_int_equal(km_spill_reset(t.s, 20, NULL), 0);
        put(&t, n);
        t.s = km_spill_close(t.s);
        spill_open(&t);
        assert_int_equal(count(&t), 1);
        assert_int_equal(km_spill_missing(t.s), 0);
    }
    spill_done(&t);
}

static void it_is_one_process_s_at_a_time(void **state)
{
    struct km_spill *second = NULL;
    struct km_err err = { 0 };
    struct km_uuid other;
    struct spilled t;
    char aside[4096];

    (void)state;
    spill_init(&t);
    put(&t, 3);
    memset(other.b, 9, sizeof other.b);
    assert_int_equal(km_spill_open(t.path, &other, MOST_BYTES, 0, &second, aside, &err),
                     KM_E_EXISTS);
    assert_non_null(strstr(err.text, "in use by another gateway"));
    assert_string_equal(aside, "");
    put(&t, 4);
    assert_int_equal(count(&t), 2);
    assert_int_equal(km_spill_look(t.s), KM_SPILL_THERE);
    spill_done(&t);
}

/* Two stores take turns in one folder, more often than once a second: no file is lost, and each
 * finds its own again. */
static void stores_that_take_turns_find_their_own(void **state)
{
    struct spilled t;
    char names[3][4096];

    (void)state;
    spill_init(&t);
    for (uint8_t store = 7; store < 10; store++) {
        t.s = km_spill_close(t.s);
        memset(t.store.b, store, sizeof t.store.b);
        spill_open(&t);
        assert_int_equal(count(&t), 0);
        for (size_t n = 0; n < store; n++)
            put(&t, n);
        memcpy(names[store - 7], t.aside, sizeof t.aside);
    }
    for (uint8_t store = 7; store < 10; store++) {
        t.s = km_spill_close(t.s);
        memset(t.store.b, store, sizeof t.store.b);
        spill_open(&t);
        assert_int_equal(count(&t), store);
        assert_false(km_spill_find_aside(t.s, 0, names[0]));
    }
    (void)snprintf(t.aside, sizeof t.aside, "rm %s.other-*", t.path);
    assert_int_equal(system(t.aside), 0);
    t.aside[0] = 0;
    spill_done(&t);
}

static void one_that_was_deleted_or_cut_is_known_and_can_be_copied(void **state)
{
    struct km_spill *old;
    struct spilled t;
    int64_t lost;

    (void)state;
    spill_init(&t);
    for (size_t n = 1; n <= 5; n++)
        put(&t, n);
    assert_int_equal(km_spill_look(t.s), KM_SPILL_THERE);
    assert_int_equal(unlink(t.path), 0);
    assert_int_equal(km_spill_look(t.s), KM_SPILL_GONE);
    old = t.s;
    spill_open(&t);
    assert_int_equal(km_spill_copy(old, t.s, &lost, NULL), 0);
    assert_int_equal(lost, 0);
    km_spill_close(old);
    assert_int_equal(count(&t), 5);
    assert_int_equal(km_spill_last(t.s), 5);
    assert_int_equal(truncate(t.path, 80 + 2 * 48 + 3), 0); /* two frames */
    assert_int_equal(km_spill_look(t.s), KM_SPILL_CUT);
    old = t.s;
    assert_int_equal(unlink(t.path), 0);
    spill_open(&t);
    assert_int_equal(km_spill_copy(old, t.s, &lost, NULL), 0);
    assert_int_equal(lost, 3);
    km_spill_close(old);
    assert_int_equal(count(&t), 2);
    assert_int_equal(km_spill_last(t.s), 5);
    spill_done(&t);
}

/* A hole in the file is no room: a full disk could refuse to fill it. */
static void what_is_reserved_has_its_blocks(void **state)
{
    struct km_err err = { 0 };
    struct spilled t;
    struct stat st;
    uint64_t room;

    (void)state;
    spill_init(&t);
    room = km_spill_room(t.s);
    assert_true(room > 0 && room < MOST_BYTES);
    assert_int_equal(stat(t.path, &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= room);
    put(&t, 10);
    assert_int_equal(km_spill_room(t.s), room - 10 - KM_SPILL_FRAME_HEAD);
    assert_int_equal(km_spill_reserve(t.s, MOST_BYTES, MOST_BYTES, &err), KM_E_LIMIT);
    t.s = km_spill_close(t.s);
    assert_int_equal(truncate(t.path, 4096), 0);
    assert_int_equal(truncate(t.path, MOST_BYTES), 0);
    spill_open(&t);
    assert_int_equal(stat(t.path, &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= km_spill_room(t.s));
    assert_int_equal(count(&t), 1);
    spill_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_spilled_is_there_after_a_start),
        cmocka_unit_test(a_file_that_is_torn_anywhere_has_all_that_is_whole),
        cmocka_unit_test(an_emptied_file_shows_nothing_of_before),
        cmocka_unit_test(a_file_of_another_store_is_kept_and_not_read),
        cmocka_unit_test(an_emptied_file_has_no_damage),
        cmocka_unit_test(it_is_one_process_s_at_a_time),
        cmocka_unit_test(stores_that_take_turns_find_their_own),
        cmocka_unit_test(one_that_was_deleted_or_cut_is_known_and_can_be_copied),
        cmocka_unit_test(what_is_reserved_has_its_blocks),
        cmocka_unit_test(it_is_bounded_and_tells_when_it_was_deleted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
