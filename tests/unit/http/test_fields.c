/* SPDX-License-Identifier: Apache-2.0 */
/* test_fields.c - which header fields go where: the whole table, by way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/fields.h"

static const enum km_way ways[] = { KM_WAY_TARGET, KM_WAY_VENDOR, KM_WAY_MCP,
                                    KM_WAY_INNER,  KM_WAY_CLIENT, KM_WAY_RENAMED };
#define WAYS (sizeof ways / sizeof ways[0])

/* Each name with a letter a way: (T)arget, (V)endor, (M)CP, (I)nner, (C)lient, (R)enamed. */
static void each_field_goes_its_ways(void **state)
{
    static const struct {
        const char *name, *goes;
    } rows[] = {
        { "X-Anything", "TVMICR" },
        { "Host", "IR" },
        { "Connection", "" },
        { "Keep-Alive", "" },
        { "Transfer-Encoding", "" },
        { "Content-Length", "R" },
        { "Upgrade", "" },
        { "Trailer", "" },
        { "TE", "R" },
        { "Expect", "R" },
        { "Authorization", "IR" },
        { "x-api-key", "IR" },
        { "Cookie", "IR" },
        { "Proxy-Authorization", "IR" },
        { "Proxy-Authenticate", "TVMIC" },
        { "Set-Cookie", "TVMI" },
        { "Date", "TVMIR" },
        { "Content-Type", "CR" },
        { "Content-Encoding", "TVMC" },
        { "Accept", "R" },
        { "Accept-Encoding", "TCR" },
        { "Origin", "TMCR" },
        { "Referer", "TMICR" },
        { "Mcp-Session-Id", "TVCR" },
        { "Last-Event-ID", "TVCR" },
        { "x-amz-date", "TMICR" },
        { "X-LiteLLM-Call-Id", "TMICR" },
        { "X-Forwarded-For", "TMICR" },
        { "", "TVMICR" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < WAYS; k++) {
            bool goes = strchr(rows[i].goes, "TVMICR"[k]) != NULL;

            if (km_field_goes(km_str_c(rows[i].name), ways[k]) != goes)
                fail_msg("%s by way %zu", rows[i].name, k);
        }
}

static void where_a_key_may_stand_proves(void **state)
{
    (void)state;
    for (size_t i = 0; i < KM_KEY_FIELDS; i++) {
        assert_true(km_field_proves(km_key_fields[i].name));
        assert_false(km_field_goes(km_key_fields[i].name, KM_WAY_TARGET));
    }
    assert_true(km_field_proves(KM_STR("COOKIE")));
    assert_false(km_field_proves(KM_STR("host")));
    assert_false(km_field_proves(KM_STR("accept")));
}

static void framing_is_of_the_hop(void **state)
{
    (void)state;
    assert_true(km_field_of_hop(KM_STR("Host")));
    assert_true(km_field_of_hop(KM_STR("content-length")));
    assert_false(km_field_of_hop(KM_STR("content-type")));
    assert_false(km_field_of_hop(KM_STR("authorization")));
}

/* An answer's names of any length: what no row has goes. */
static void a_name_of_any_length_is_looked_at(void **state)
{
    char name[200];

    (void)state;
    memset(name, 'a', sizeof name);
    for (size_t n = 0; n <= sizeof name; n++)
        for (size_t k = 0; k < WAYS; k++)
            assert_true(km_field_goes(km_str(name, n), ways[k]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_goes_its_ways),
        cmocka_unit_test(where_a_key_may_stand_proves),
        cmocka_unit_test(framing_is_of_the_hop),
        cmocka_unit_test(a_name_of_any_length_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
