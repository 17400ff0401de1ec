/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "host/listening.h"

static const struct km_settings_table *const tables[] = { &km_gateway_settings_table,
                                                          &km_general_settings_table,
                                                          &km_config_top_table, NULL };

/* The configuration with these lines of kanmon_settings. */
static struct km_config *load(const char *lines, const char *const *environ_list)
{
    char path[] = "/tmp/kanmon-listening.XXXXXX";
    struct km_config_args args = { .file = path, .tables = tables, .environ = environ_list };
    struct km_diags *diags = km_diags_new();
    struct km_config *config = NULL;
    struct km_err err = { 0 };
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");

    assert_non_null(f);
    fprintf(f, "general_settings: {litellm_key_header_name: x}\nkanmon_settings:\n  auth: keys\n%s",
            lines);
    fclose(f);
    if (km_config_load(&args, diags, &config, &err) < 0)
        fail_msg("%s: %s", lines, err.text);
    unlink(path);
    km_diags_free(diags);
    return config;
}

static const char *const nothing[] = { NULL };
static const struct km_listen_flags no_flags;

/* "127.0.0.1:4000 [::1]:1", or the error's text. */
static const char *places(const char *lines, const char *const *environ_list,
                          const struct km_listen_flags *flags)
{
    static char out[600];
    struct km_config *config = load(lines, environ_list);
    struct km_listening l;
    struct km_err err = { 0 };
    char text[KM_ADDR_TEXT];
    size_t n = 0;

    out[0] = 0;
    if (km_listening_of(config, flags, &l, NULL, &err) < 0) {
        assert_int_equal(err.code, KM_E_CONFIG);
        snprintf(out, sizeof out, "%s", err.text);
    }
    for (size_t i = 0; !err.code && i < l.n; i++) {
        km_addr_text(&l.v[i].addr, text);
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", i ? " " : "", text);
    }
    km_config_unref(config);
    return out;
}

static void entries_and_the_default_one(void **state)
{
    (void)state;
    assert_string_equal(places("", nothing, &no_flags), "127.0.0.1:4000");
    assert_string_equal(places("  listen: []\n", nothing, &no_flags), "127.0.0.1:4000");
    assert_string_equal(
        places("  listen: [{port: 1}, {host: '::1', port: 1}]\n", nothing, &no_flags),
        "127.0.0.1:1 [::1]:1");
    assert_string_equal(places("  listen: [{host: localhost}]\n", nothing, &no_flags),
                        "127.0.0.1:4000");
    assert_string_equal(places("  listen: [{port: 0}, {port: 0}]\n", nothing, &no_flags),
                        "127.0.0.1:0 127.0.0.1:0");
}

static void flags_and_variables_stand_in_for_what_the_file_says(void **state)
{
    static const char *const by[] = { "KANMON_PORT=4100", "KANMON_HOST=0.0.0.0", NULL };
    static const char *const service[] = { "KANMON_PORT=tcp://10.96.0.1:4000", NULL };
    static const struct km_listen_flags port = { .port = "4200" };

    (void)state;
    assert_string_equal(places("", by, &no_flags), "0.0.0.0:4100");
    assert_string_equal(places("  listen: [{port: 1}]\n", by, &port), "0.0.0.0:4200");
    assert_string_equal(places("  listen: [{port: 1}]\n", service, &no_flags), "127.0.0.1:1");
}

static void what_cannot_be_is_named_by_where_it_comes_from(void **state)
{
    static const char *const port[] = { "KANMON_PORT=http", NULL };
    static const char *const host[] = { "KANMON_HOST=my.example", NULL };
    static const struct km_listen_flags flag = { .port = "70000" };

    (void)state;
    assert_non_null(strstr(places("", port, &no_flags), "KANMON_PORT"));
    assert_non_null(strstr(places("", host, &no_flags), "KANMON_HOST"));
    assert_non_null(strstr(places("", port, &flag), "--port"));
    assert_non_null(
        strstr(places("  listen: [{host: my.example}]\n", nothing, &no_flags), "listen[].host"));
}

static void of_too_many_none_is_left(void **state)
{
    char lines[KM_LISTEN_MAX * 16 + 64];
    size_t n = (size_t)snprintf(lines, sizeof lines, "  listen: [");
    struct km_listening l;
    struct km_err err = { 0 };
    struct km_config *config;

    (void)state;
    for (int i = 0; i <= KM_LISTEN_MAX; i++)
        n += (size_t)snprintf(lines + n, sizeof lines - n, "{port: %d}, ", i + 1);
    snprintf(lines + n, sizeof lines - n, "]\n");
    config = load(lines, nothing);
    memset(&l, 0xff, sizeof l); /* who asks does not make it */
    assert_int_equal(km_listening_of(config, &no_flags, &l, NULL, &err), KM_E_CONFIG);
    assert_int_equal(l.n, 0);
    km_config_unref(config);
}

static void two_entries_cannot_have_one_address(void **state)
{
    static const struct km_listen_flags port = { .port = "4200" };
    static const char *const both[] = {
        "  listen: [{port: 1}, {port: 1}]\n",
        "  listen: [{port: 1}, {host: localhost, port: 1}]\n",
        "  listen: [{host: 0.0.0.0, port: 1}, {port: 1}]\n",
        "  listen: [{port: 1}, {host: 0.0.0.0, port: 1}]\n",
        "  listen: [{host: '::1', port: 1}, {host: '::', port: 1}]\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
        assert_non_null(strstr(places(both[i], nothing, &no_flags), "both want"));
    assert_non_null(
        strstr(places("  listen: [{port: 1}, {port: 2}]\n", nothing, &port), "by --port"));
}

static bool exposed(const char *more, const char *host)
{
    struct km_config *config = load(more, nothing);
    union km_addr addr;
    struct km_err err;
    bool r;

    assert_int_equal(km_addr_parse(km_str_c(host), 1, &addr), 0);
    r = km_listening_exposed(config, &addr, &err) < 0;
    km_config_unref(config);
    return r;
}

static void only_loopback_without_a_key(void **state)
{
    (void)state;
    assert_true(exposed("", "0.0.0.0"));
    assert_true(exposed("", "::"));
    assert_true(exposed("", "10.0.0.1"));
    assert_false(exposed("", "127.0.0.1"));
    assert_false(exposed("", "127.8.9.1"));
    assert_false(exposed("", "::1"));
}

/* What differs between two files, its lines joined by blanks. */
static const char *changed(const char *a, const char *b, const struct km_listen_flags *flags)
{
    static char out[600];
    struct km_config *from = load(a, nothing), *to = load(b, nothing);
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    km_listening_changed(from, to, flags, &names);
    for (size_t i = 0; i < names.n; i++)
        if (names.p[i] == '\n')
            names.p[i] = ' ';
    snprintf(out, sizeof out, "%.*s", (int)names.n, names.p ? names.p : "");
    km_config_unref(from);
    km_config_unref(to);
    return out;
}

#define AT "kanmon_settings.listen"

static void changes_are_those_of_addresses(void **state)
{
    static const struct km_listen_flags port = { .port = "4200" };

    (void)state;
    assert_string_equal(changed("", "  listen: [{port: 4000}]\n", &no_flags), "");
    assert_string_equal(changed("", "  listen: [{host: localhost}]\n", &no_flags), "");
    assert_string_equal(changed("", "  listen: [{port: 1}]\n", &no_flags), AT "[0].port");
    assert_string_equal(changed("  listen: [{port: 1}]\n", "", &no_flags), AT "[0].port");
    assert_string_equal(changed("", "  listen: [{port: 1}]\n", &port), "");
    assert_string_equal(changed("", "  listen: [{host: '::1', port: 1}]\n", &no_flags),
                        AT "[0].host " AT "[0].port");
    assert_string_equal(changed("", "  listen: [{}, {port: 1}]\n", &no_flags), AT "[1]");
    assert_string_equal(
        changed("  listen: [{port: 1}, {port: 2}]\n", "  listen: [{port: 1}]\n", &no_flags),
        AT "[1]");
    assert_string_equal(changed("  listen: [{port: 1}, {port: 2}]\n",
                                "  listen: [{port: 2}, {port: 1}]\n", &no_flags),
                        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_and_the_default_one),
        cmocka_unit_test(flags_and_variables_stand_in_for_what_the_file_says),
        cmocka_unit_test(what_cannot_be_is_named_by_where_it_comes_from),
        cmocka_unit_test(of_too_many_none_is_left),
        cmocka_unit_test(two_entries_cannot_have_one_address),
        cmocka_unit_test(only_loopback_without_a_key),
        cmocka_unit_test(changes_are_those_of_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
