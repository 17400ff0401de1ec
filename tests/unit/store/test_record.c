/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/open_state.h"

static struct km_ledger_entry sample(void)
{
    struct km_ledger_entry e = {
        .call_type = KM_STR("acompletion"),
        .model_group = KM_STR("g"),
        .model = KM_STR("m"),
        .deployment = KM_STR("d"),
        .provider = KM_STR("p"),
        .api_base = KM_STR("b"),
        .user = KM_STR("u"),
        .metadata = KM_STR("{\"tags\":[]}"),
        .client_ip = KM_STR("::1"),
        .start_us = 1,
        .first_us = 2,
        .end_us = 3,
        .prompt_tokens = 4,
        .completion_tokens = 5,
        .cached_tokens = 6,
        .reserved = 7,
        .cost = 8,
        .status = 429,
        .flags = KM_CALL_STREAM,
        .attempt = 2,
        .deadline_us = 11,
        .attempts = KM_STR("[{},{}]"),
    };

    e.id.b[0] = 9;
    e.key_hash[31] = 10;
    return e;
}

static struct km_str encode(const struct km_ledger_entry *e, uint64_t room[1024])
{
    size_t size = km_record_size(e);

    assert_true(size <= 8192);
    km_record_write((struct km_record *)(void *)room, size, e, KM_RECORD_SETTLED);
    return km_str((const char *)room, size);
}

static void an_entry_comes_back_as_it_went(void **state)
{
    uint64_t room[1024];
    struct km_ledger_entry e = sample(), back;
    struct km_str bytes = encode(&e, room);

    (void)state;
    assert_true(km_record_valid(bytes));
    km_record_entry((const struct km_record *)(const void *)room, &back);
    assert_memory_equal(&back.id, &e.id, sizeof e.id);
    assert_memory_equal(back.key_hash, e.key_hash, sizeof e.key_hash);
    assert_true(km_str_eq(back.call_type, e.call_type));
    assert_true(km_str_eq(back.model_group, e.model_group));
    assert_true(km_str_eq(back.model, e.model));
    assert_true(km_str_eq(back.deployment, e.deployment));
    assert_true(km_str_eq(back.provider, e.provider));
    assert_true(km_str_eq(back.api_base, e.api_base));
    assert_true(km_str_eq(back.user, e.user));
    assert_true(km_str_eq(back.metadata, e.metadata));
    assert_true(km_str_eq(back.client_ip, e.client_ip));
    assert_int_equal(back.start_us, 1);
    assert_int_equal(back.first_us, 2);
    assert_int_equal(back.end_us, 3);
    assert_int_equal(back.prompt_tokens, 4);
    assert_int_equal(back.completion_tokens, 5);
    assert_int_equal(back.cached_tokens, 6);
    assert_int_equal(back.reserved, 7);
    assert_int_equal(back.cost, 8);
    assert_int_equal(back.status, 429);
    assert_int_equal(back.flags, KM_CALL_STREAM);
    assert_int_equal(back.attempt, 2);
    assert_int_equal(back.deadline_us, 11);
    assert_true(km_str_eq(back.attempts, e.attempts));
}

static void long_names_are_cut_and_long_metadata_left_out(void **state)
{
    uint64_t room[1024];
    char text[5000];
    struct km_ledger_entry e = sample(), back;

    (void)state;
    memset(text, 'x', sizeof text);
    e.model = km_str(text, sizeof text);
    e.metadata = km_str(text, KM_RECORD_METADATA_BYTES);
    encode(&e, room);
    km_record_entry((const struct km_record *)(const void *)room, &back);
    assert_int_equal(back.model.n, KM_RECORD_NAME_BYTES);
    assert_int_equal(back.metadata.n, KM_RECORD_METADATA_BYTES);
    e.metadata.n++;
    encode(&e, room);
    km_record_entry((const struct km_record *)(const void *)room, &back);
    assert_int_equal(back.metadata.n, 0);
    assert_true(km_str_eq(back.client_ip, e.client_ip));
}

static void a_record_cut_or_stretched_is_not_believed(void **state)
{
    uint64_t room[1024] = { 0 };
    struct km_ledger_entry e = sample();
    struct km_str bytes = encode(&e, room);
    struct km_record *rec = (struct km_record *)(void *)room;

    (void)state;
    for (size_t n = 0; n < bytes.n; n++)
        assert_false(km_record_valid(km_str(bytes.p, n)));
    assert_false(km_record_valid(km_str(bytes.p, bytes.n + 8)));
    assert_true(km_record_valid(bytes));
    rec->len[KM_RECORD_MODEL] += 8;
    assert_false(km_record_valid(bytes));
    encode(&e, room);
    rec->version++;
    assert_false(km_record_valid(bytes));
    encode(&e, room);
    rec->kind = KM_RECORD_VOID;
    assert_false(km_record_valid(bytes));
}

/* As a program of version 1 wrote it: nine strings, and of a call that is under way no more than
 * what it has reserved. */
struct old_record {
    uint32_t size;
    uint16_t version;
    uint8_t kind, alone;
    uint16_t len[9], status;
    uint32_t flags;
    uint8_t id[16], key_hash[32];
    int64_t start_us, first_us, end_us, prompt_tokens, completion_tokens, cached_tokens;
    int64_t reserved, cost;
    void *done, *ctx;
    char text[16];
};

static struct old_record old_record(uint8_t kind)
{
    struct old_record r = { .size = sizeof r,
                            .version = 1,
                            .kind = kind,
                            .len = { 1, 1, 3, 1, 1, 1, 0, 2, 3 },
                            .status = 200,
                            .flags = KM_CALL_STREAM,
                            .id = { 9 },
                            .key_hash = { 10 },
                            .start_us = 1,
                            .end_us = 3,
                            .prompt_tokens = 4,
                            .reserved = 7,
                            .cost = 5,
                            .text = "tgmmmdpb{}::1" };

    return r;
}

static void a_record_of_the_version_before_is_read(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct old_record both[2] = { old_record(KM_RECORD_SETTLED), old_record(KM_RECORD_INTENT) };
    struct km_str bytes = km_str((const char *)both, sizeof both);
    const struct km_record *rec;
    struct km_ledger_entry e;
    size_t n, first;

    (void)state;
    for (size_t cut = 0; cut < sizeof both[0]; cut++) {
        km_record_read(km_str(bytes.p, cut), &out, &n);
        assert_int_equal(n, 0);
    }
    assert_int_equal(out.n, 0);
    km_record_read(bytes, &out, &n);
    assert_int_equal(n, sizeof both[0]);
    first = out.n;
    km_record_read(km_str_skip(bytes, n), &out, &n);
    assert_int_equal(n, sizeof both[1]);
    rec = (const struct km_record *)(const void *)out.p;
    assert_int_equal(rec->size, first);
    assert_true(km_record_valid(km_str(out.p, first)));
    assert_true(km_record_valid(km_str(out.p + first, out.n - first)));
    km_record_entry(rec, &e);
    assert_true(km_str_eq(e.model, KM_STR("mmm")) && km_str_eq(e.metadata, KM_STR("{}")));
    assert_true(km_str_eq(e.client_ip, KM_STR("::1")) && e.attempts.n == 0 && e.user.n == 0);
    assert_int_equal(e.cost, 5);
    assert_int_equal(e.key_hash[0], 10);
    km_record_entry((const struct km_record *)(const void *)(out.p + first), &e);
    assert_int_equal(e.cost, 7); /* what it would be charged */
    both[0].version = 3;
    km_record_read(bytes, &out, &n);
    assert_int_equal(n, 0);
    both[0] = old_record(KM_RECORD_PROGRESS); /* there was none */
    km_record_read(bytes, &out, &n);
    assert_int_equal(n, 0);
}

/* As a program of version 2 wrote it: no payers. */
struct record_of_2 {
    uint32_t size;
    uint16_t version;
    uint8_t kind, alone;
    uint16_t len[10], status, attempt;
    uint32_t flags;
    uint8_t id[16], key_hash[32];
    int64_t start_us, first_us, end_us, prompt_tokens, completion_tokens, cached_tokens;
    int64_t reserved, cost, deadline_us;
    void *done, *ctx;
    char text[16];
};

static void a_record_without_payers_is_read(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    const struct record_of_2 old = { .size = sizeof old,
                                     .version = 2,
                                     .kind = KM_RECORD_PROGRESS,
                                     .len = { 1, 1, 3, 1, 1, 1, 0, 2, 3, 2 },
                                     .status = 200,
                                     .attempt = 2,
                                     .flags = KM_CALL_STREAM,
                                     .id = { 9 },
                                     .key_hash = { 10 },
                                     .start_us = 1,
                                     .reserved = 7,
                                     .cost = 5,
                                     .deadline_us = 8,
                                     .text = "tgmmmdpb{}::1[]" };
    const struct km_str bytes = km_str((const char *)&old, sizeof old);
    struct km_ledger_entry e;
    size_t n;

    (void)state;
    for (size_t cut = 0; cut < sizeof old; cut++) {
        km_record_read(km_str(bytes.p, cut), &out, &n);
        assert_int_equal(n, 0);
    }
    km_record_read(bytes, &out, &n);
    assert_int_equal(n, sizeof old);
    assert_true(km_record_valid(km_buf_view(&out)));
    km_record_entry((const struct km_record *)(const void *)out.p, &e);
    assert_true(km_str_eq(e.model, KM_STR("mmm")) && km_str_eq(e.client_ip, KM_STR("::1")));
    assert_true(km_str_eq(e.attempts, KM_STR("[]")) && e.payers.n == 0);
    assert_int_equal(e.cost, 5);
    assert_int_equal(e.attempt, 2);
    assert_int_equal(e.deadline_us, 8);
    assert_int_equal(e.key_hash[0], 10);
}

/* As a column of the store. */
static void the_state_of_an_open_call_comes_back_as_it_went(void **state)
{
    static const int64_t values[] = { 0, 1, 127, 128, 16383, 16384, (int64_t)1 << 40 };
    uint8_t packed[KM_OPEN_STATE_BYTES];
    uint64_t room[1024];
    struct km_open_state back;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct km_ledger_entry e = sample();

        e.start_us = 1700000000000000;
        e.deadline_us = i ? e.start_us + values[i] : 0;
        e.prompt_tokens = e.completion_tokens = e.cost = values[i];
        e.flags = UINT32_MAX;
        e.attempt = 70000;
        encode(&e, room);
        n = km_open_state_pack((const struct km_record *)(const void *)room, packed);
        for (size_t cut = 0; cut < n; cut++)
            assert_false(km_open_state_read(km_str((const char *)packed, cut), e.start_us, &back));
        assert_true(km_open_state_read(km_str((const char *)packed, n), e.start_us, &back));
        assert_int_equal(back.deadline_us, e.deadline_us);
        assert_int_equal(back.prompt_tokens, values[i]);
        assert_int_equal(back.completion_tokens, values[i]);
        assert_int_equal(back.cost, values[i]);
        assert_int_equal(back.flags, UINT32_MAX);
        assert_int_equal(back.attempt, UINT16_MAX);
        assert_true(back.user_n == 1 && back.metadata_n == 11 && back.client_ip_n == 3);
        assert_true(km_str_eq(km_open_texts((const struct km_record *)(const void *)room),
                              KM_STR("u{\"tags\":[]}::1")));
    }
}

static void the_most_there_is_of_a_state_has_its_room(void **state)
{
    uint8_t packed[KM_OPEN_STATE_BYTES];
    uint64_t room[1024];
    struct km_ledger_entry e = sample();
    struct km_record *rec = (struct km_record *)(void *)room;
    struct km_open_state back;
    size_t n;

    (void)state;
    e.start_us = 1;
    e.deadline_us = e.prompt_tokens = e.completion_tokens = e.cost = INT64_MAX;
    encode(&e, room);
    rec->flags = UINT32_MAX;
    rec->attempt = rec->len[KM_RECORD_USER] = rec->len[KM_RECORD_METADATA] =
        rec->len[KM_RECORD_CLIENT_IP] = UINT16_MAX;
    n = km_open_state_pack(rec, packed);
    assert_in_range(n, 1, KM_OPEN_STATE_BYTES);
    assert_true(km_open_state_read(km_str((const char *)packed, n), 1, &back));
    rec->deadline_us = rec->prompt_tokens = rec->completion_tokens = rec->cost = INT64_MIN;
    n = km_open_state_pack(rec, packed);
    assert_in_range(n, 1, KM_OPEN_STATE_BYTES);
    assert_true(km_open_state_read(km_str((const char *)packed, n), 1, &back));
    assert_true(back.cost == 0 && back.deadline_us == 1);
}

static void records_of_this_version_are_read_one_by_one(void **state)
{
    uint64_t room[1024];
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_ledger_entry e = sample();
    struct km_str bytes = encode(&e, room);
    size_t n;

    (void)state;
    for (size_t cut = 0; cut < bytes.n; cut++) {
        km_record_read(km_str(bytes.p, cut), &out, &n);
        assert_int_equal(n, 0);
    }
    km_record_read(km_str(bytes.p, bytes.n + 8), &out, &n);
    assert_int_equal(n, bytes.n);
    assert_memory_equal(out.p, bytes.p, bytes.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_comes_back_as_it_went),
        cmocka_unit_test(long_names_are_cut_and_long_metadata_left_out),
        cmocka_unit_test(a_record_cut_or_stretched_is_not_believed),
        cmocka_unit_test(a_record_of_the_version_before_is_read),
        cmocka_unit_test(a_record_without_payers_is_read),
        cmocka_unit_test(the_state_of_an_open_call_comes_back_as_it_went),
        cmocka_unit_test(the_most_there_is_of_a_state_has_its_room),
        cmocka_unit_test(records_of_this_version_are_read_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
