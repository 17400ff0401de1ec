/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/record.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_comes_back_as_it_went),
        cmocka_unit_test(long_names_are_cut_and_long_metadata_left_out),
        cmocka_unit_test(a_record_cut_or_stretched_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
