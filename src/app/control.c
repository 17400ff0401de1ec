/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - see control.h.  The members are those of GET /kanmon/status, in its form. */
#include "app/control.h"

/* What is shown of it and printed on. */
static const struct {
    const char *member, *label;
} rows[] = {
    { "pid", "pid" },           { "supervisor", "supervisor" },
    { "config", "config" },     { "listen", "listening" },
    { "state_dir", "state" },   { "config_version", NULL },
    { "waits_for_restart", "waits for a restart:" },
};

int km_control_status(struct km_cli *cli, struct km_answer *ret, struct km_err *err)
{
    return km_cli_call(cli, "GET", "/kanmon/status", KM_STR_NONE, ret, err);
}

static void show_one(const char *label, const struct km_json *v)
{
    struct km_str text;

    if (km_json_string(v, &text) || km_json_number(v, &text))
        printf("  %-12s %.*s\n", label, KM_STR_ARG(text));
}

void km_control_show(const struct km_json *status)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_json *v = km_json_get(status, rows[i].member), *item;
        struct km_json_iter it;
        struct km_str key;

        if (!rows[i].label)
            continue;
        if (km_json_kind(v) != KM_JSON_ARRAY) {
            show_one(rows[i].label, v);
            continue;
        }
        for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
            show_one(rows[i].label, item);
    }
}

void km_control_json(const struct km_json *status, struct km_buf *out)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_json *v = km_json_get(status, rows[i].member);

        if (!v)
            continue;
        km_buf_printf(out, ",\"%s\":", rows[i].member);
        km_json_write(v, out);
    }
}
