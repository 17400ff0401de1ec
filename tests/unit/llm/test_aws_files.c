/* SPDX-License-Identifier: Apache-2.0 */
/* The texts credentials come from: shared files, JSON of metadata services, XML of STS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "llm/aws/parse.h"
#include "llm/aws/profile.h"

static const char credentials[] = "# a comment\n"
                                  "[default]\r\n"
                                  "aws_access_key_id = AKIDDEFAULT\r\n"
                                  "aws_secret_access_key=s/e+c=ret\r\n"
                                  "\n"
                                  "[work]\n"
                                  "aws_access_key_id=AKIDWORK # of the team\n"
                                  "s3 =\n"
                                  "  aws_secret_access_key = nested\n"
                                  "[profile odd]\n"
                                  "aws_access_key_id=NEVER\n";
static const char config[] = "[default]\nregion = us-east-1\n"
                             "[profile work]\nregion=ap-northeast-1\naws_access_key_id=CONFIG\n"
                             "role_arn = arn:aws:iam::1:role/r\n"
                             "[odd]\nregion=nowhere\n"
                             "[sso-session work]\nsso_region=eu-west-1\n"
                             "[profile  spaced name ]\nregion = eu-central-1";

static const struct km_aws_files files = { { credentials, sizeof credentials - 1 },
                                           { config, sizeof config - 1 } };

static void expect(const char *profile, const char *key, const char *want)
{
    struct km_str value = KM_STR_NONE;
    bool found = km_aws_profile_get(&files, km_str_c(profile), key, &value);

    if (found != (want != NULL) || (want && !km_str_eq(value, km_str_c(want))))
        fail_msg("%s.%s is '%.*s', not '%s'", profile, key, KM_STR_ARG(value), want ? want : "-");
}

static void keys_are_found_in_their_profile_and_credentials_win(void **state)
{
    (void)state;
    expect("default", "aws_access_key_id", "AKIDDEFAULT");
    expect("default", "aws_secret_access_key", "s/e+c=ret");
    expect("default", "region", "us-east-1");
    expect("work", "aws_access_key_id", "AKIDWORK");
    expect("work", "region", "ap-northeast-1");
    expect("work", "role_arn", "arn:aws:iam::1:role/r");
    expect("spaced name", "region", "eu-central-1");
}

static void other_sections_and_nested_keys_are_not_the_profiles(void **state)
{
    (void)state;
    expect("work", "aws_secret_access_key", NULL);
    expect("work", "sso_region", NULL);
    expect("odd", "region", NULL);
    expect("odd", "aws_access_key_id", NULL);
    expect("nobody", "region", NULL);
    assert_true(km_aws_profile_exists(&files, KM_STR("work")));
    assert_false(km_aws_profile_exists(&files, KM_STR("nobody")));
    assert_false(km_aws_profile_exists(&files, KM_STR("odd")));
}

static void a_missing_file_is_empty_and_a_large_one_is_refused(void **state)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_str text = KM_STR("x");
    struct km_err err = { 0 };
    char path[] = "/tmp/kanmon-aws-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, KM_AWS_FILE_MOST + 1), 0);
    close(fd);
    km_arena_init(&arena, 16 * 1024 * 1024, NULL);
    assert_int_equal(km_aws_read_file(&arena, KM_STR("/nonexistent/x"), &text, &err), 0);
    assert_int_equal(text.n, 0);
    assert_int_equal(km_aws_read_file(&arena, KM_STR("/proc/self/stat"), &text, &err), 0);
    assert_true(text.n > 0);
    assert_int_equal(km_aws_read_file(&arena, km_str_c(path), &text, &err), KM_E_LIMIT);
    assert_int_equal(km_aws_read_file(&arena, KM_STR("/dev/zero"), &text, &err), KM_E_INVALID);
    assert_int_equal(unlink(path), 0);
}

static void json_of_every_service_is_read(void **state)
{
    static const char imds[] =
        "{\"Code\":\"Success\",\"LastUpdated\":\"2026-11-20T00:00:00Z\",\"Type\":\"AWS-HMAC\","
        "\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
        "\"Expiration\":\"2026-11-20T06:00:00Z\"}";
    static const char process[] = "{\"Version\":1,\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":"
                                  "\"s\",\"SessionToken\":\"u\"}";
    static const char *const bad[] = { "", "[]", "{}",
                                       "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}",
                                       "{\"AccessKeyId\":\"A\"}",
                                       "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\","
                                       "\"Expiration\":\"soon\"}" };
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_aws_found f;
    struct km_err err = { 0 };

    (void)state;
    km_arena_init(&arena, 1024 * 1024, NULL);
    assert_int_equal(km_aws_parse_json(&arena, km_str_c(imds), &f, &err), 0);
    assert_true(km_str_eq(f.akid, KM_STR("ASIA1")) && km_str_eq(f.token, KM_STR("t")));
    assert_int_equal(f.expires_us, INT64_C(1795154400) * 1000000);
    assert_int_equal(km_aws_parse_json(&arena, km_str_c(process), &f, &err), 0);
    assert_true(km_str_eq(f.token, KM_STR("u")) && f.expires_us == INT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_aws_parse_json(&arena, km_str_c(bad[i]), &f, &err),
                         KM_E_UPSTREAM_PROTOCOL);
}

static void stss_answers_are_read(void **state)
{
    static const char good[] =
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        "<AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials>"
        "<AccessKeyId>ASIA2</AccessKeyId><SecretAccessKey>s&amp;s</SecretAccessKey>"
        "<SessionToken>tok==</SessionToken><Expiration>2026-11-20T06:00:00Z</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>";
    static const char no[] = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                             "<Message>not &lt;you&gt;</Message></Error></ErrorResponse>";
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_aws_found f;
    struct km_err err = { 0 };

    (void)state;
    km_arena_init(&arena, 1024 * 1024, NULL);
    assert_int_equal(km_aws_parse_sts(&arena, km_str_c(good), &f, &err), 0);
    assert_true(km_str_eq(f.secret, KM_STR("s&s")) && km_str_eq(f.token, KM_STR("tok==")));
    assert_int_equal(km_aws_parse_sts(&arena, km_str_c(no), &f, &err), KM_E_UPSTREAM_PROTOCOL);
    assert_true(
        km_str_eq(km_aws_sts_error(&arena, km_str_c(no)), KM_STR("AccessDenied: not <you>")));
    for (size_t n = 0; n < sizeof good; n++) { /* cut anywhere: read, or refused */
        struct km_err why = { 0 };

        (void)!km_aws_parse_sts(&arena, km_str(good, n), &f, &why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_in_their_profile_and_credentials_win),
        cmocka_unit_test(other_sections_and_nested_keys_are_not_the_profiles),
        cmocka_unit_test(a_missing_file_is_empty_and_a_large_one_is_refused),
        cmocka_unit_test(json_of_every_service_is_read),
        cmocka_unit_test(stss_answers_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
