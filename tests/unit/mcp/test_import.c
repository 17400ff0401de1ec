/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mcp/import.h"

struct done {
    struct km_buf yaml, notes;
    struct km_err err;
    int r;
};

static struct done import(const char *text)
{
    struct done d = { .yaml = KM_BUF(65536), .notes = KM_BUF(65536) };
    char *copy = strdup(text);

    assert_non_null(copy);
    d.r = km_mcp_import(copy, strlen(copy), &d.yaml, &d.notes, &d.err);
    free(copy);
    return d;
}

static void done(struct done *d)
{
    km_buf_done(&d->yaml);
    km_buf_done(&d->notes);
}

static void expect(const char *text, const char *yaml, const char *notes)
{
    struct done d = import(text);

    assert_int_equal(d.r, 0);
    assert_string_equal(km_buf_cstr(&d.yaml), yaml);
    assert_string_equal(km_buf_cstr(&d.notes), notes);
    done(&d);
}

static void comments_and_trailing_commas_become_blanks(void **state)
{
    static const char *const table[][2] = {
        { "{\"a\":1,}", "{\"a\":1 }" },
        { "[1, // two\n]", "[1        \n]" },
        { "{/* x\ny */\"a\":\"//,}\",/**/}", "{    \n    \"a\":\"//,}\"     }" },
        { "\"\\\"//\"//", "\"\\\"//\"  " },
        { "[1,2]", "[1,2]" },
        { "/* open", "       " },
        { "\"open", "\"open" },
        { "[,", "[," },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[64];

        snprintf(text, sizeof text, "%s", table[i][0]);
        km_jsonc_strip(text, strlen(text));
        assert_string_equal(text, table[i][1]);
    }
}

static void a_claude_file_becomes_stdio_servers(void **state)
{
    (void)state;
    expect(
        "{\"mcpServers\":{\"docs\":{\"command\":\"npx\",\"args\":[\"-y\",\"@up/docs\"],"
        "\"env\":{\"LEVEL\":\"info\",\"PORT\":1}},\"off\":{\"command\":\"x\",\"disabled\":true}}}",
        "mcp_servers:\n  \"docs\":\n    transport: stdio\n    command: \"npx\"\n    args:\n"
        "      - \"-y\"\n      - \"@up/docs\"\n    env:\n      \"LEVEL\": \"info\"\n"
        "      \"PORT\": \"1\"\n  \"off\":\n    transport: stdio\n    command: \"x\"\n"
        "    enabled: false\n",
        "");
}

static void a_vs_code_file_becomes_servers_by_url(void **state)
{
    (void)state;
    expect("{\"inputs\":[],\"servers\":{\"gh\":{\"type\":\"http\",\"url\":\"https://a.test/mcp\","
           "\"headers\":{\"Authorization\":\"Bearer ${input:gh-token}\",\"X-Team\":\"t\"}},"
           "\"old\":{\"url\":\"https://a.test/sse\"}}}",
           "mcp_servers:\n  \"gh\":\n    transport: http\n    url: \"https://a.test/mcp\"\n"
           "    auth_type: bearer_token\n    auth_value: \"os.environ/GH_TOKEN\"\n"
           "    static_headers:\n      \"X-Team\": \"t\"\n"
           "  \"old\":\n    transport: sse\n    url: \"https://a.test/sse\"\n",
           "gh: is read from the environment: GH_TOKEN\n");
}

static void secrets_are_left_out_and_asked_for(void **state)
{
    (void)state;
    expect("{\"mcp\":{\"servers\":{\"my-s\":{\"command\":\"c\",\"args\":[\"--api-key\",\"abc\","
           "\"ghp_zzz\"],\"env\":{\"GITHUB_TOKEN\":\"t1\",\"token\":\"t2\",\"A\":\"${env:B}\","
           "\"D\":\"${workspaceFolder}/x\"}}}}}",
           "mcp_servers:\n  \"my-s\":\n    transport: stdio\n    command: \"c\"\n    args:\n"
           "      - \"--api-key\"\n      - \"os.environ/MY_S_API_KEY\"\n"
           "      - \"os.environ/MY_S_ARGUMENT\"\n    env:\n"
           "      \"GITHUB_TOKEN\": \"os.environ/GITHUB_TOKEN\"\n"
           "      \"token\": \"os.environ/MY_S_TOKEN\"\n      \"A\": \"os.environ/B\"\n"
           "      \"D\": \"${workspaceFolder}/x\"\n",
           "my-s: put the secret into the environment as MY_S_API_KEY; it was left out here\n"
           "my-s: put the secret into the environment as MY_S_ARGUMENT; it was left out here\n"
           "my-s: put the secret into the environment as GITHUB_TOKEN; it was left out here\n"
           "my-s: put the secret into the environment as MY_S_TOKEN; it was left out here\n"
           "my-s: is read from the environment: B\n"
           "my-s: write out what only the other program knew in D\n");
}

static void secrets_in_words_and_addresses_are_left_out_too(void **state)
{
    (void)state;
    expect("\xef\xbb\xbf{\"mcpServers\":{\"s\":{\"command\":\"c\",\"args\":[\"--token=abc\",\"--"
           "level=1\","
           "\"git+https://me:pw@h.test/x\",\"a@b:c\"],\"env\":{\"ON\":true}},"
           "\"u\":{\"url\":\"https://h.test/mcp?v=1&api_key=abc\"},"
           "\"v\":{\"url\":\"https://h.test/mcp?v=1&token=\"}}}",
           "mcp_servers:\n  \"s\":\n    transport: stdio\n    command: \"c\"\n    args:\n"
           "      - \"--token\"\n      - \"os.environ/S_TOKEN\"\n      - \"--level=1\"\n"
           "      - \"os.environ/S_ARGUMENT\"\n      - \"a@b:c\"\n"
           "  \"u\":\n    transport: http\n    url: \"os.environ/U_URL\"\n"
           "  \"v\":\n    transport: http\n    url: \"https://h.test/mcp?v=1&token=\"\n",
           "s: put the secret into the environment as S_TOKEN; it was left out here\n"
           "s: put the secret into the environment as S_ARGUMENT; it was left out here\n"
           "s: is no text, and was left out: ON\n"
           "u: put the secret into the environment as U_URL; it was left out here\n");
}

static void what_is_no_list_of_servers_is_refused(void **state)
{
    static const char *const table[] = { "", "{", "[]", "{}", "{\"mcpServers\":[]}",
                                         "{\"mcpServers\":{\"x\":{}}}",
                                         "{\"mcpServers\":{\"x\":7}}" };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct done d = import(table[i]);

        assert_int_equal(d.r, KM_E_INVALID);
        assert_true(d.err.text[0] != 0);
        done(&d);
    }
    expect("{\"mcpServers\":{}}", "mcp_servers: {}\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_and_trailing_commas_become_blanks),
        cmocka_unit_test(a_claude_file_becomes_stdio_servers),
        cmocka_unit_test(a_vs_code_file_becomes_servers_by_url),
        cmocka_unit_test(secrets_are_left_out_and_asked_for),
        cmocka_unit_test(secrets_in_words_and_addresses_are_left_out_too),
        cmocka_unit_test(what_is_no_list_of_servers_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
