/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - what an option is worth: the flag, else the variable KANMON_<NAME>.
 *
 * What an option takes is the word its row shows for it (PORT, N), so help and check cannot
 * differ.  Variables are read once, before the command runs, and judged as flags are; what is
 * wrong names the one or the other, whichever it came by.
 *
 * A switch by variable says yes or no in words: KANMON_JSON=false is off.  An empty variable is
 * none, as everywhere.  Kubernetes puts KANMON_PORT=tcp://10.0.0.1:4000 into every container that
 * runs beside a Service named kanmon: that is nobody's wish, and is passed over with a word.
 */
#include "app/cli.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/time.h"
#include "config/env.h"

static bool is_port(struct km_str text)
{
    uint64_t n;

    return km_str_u64(text, &n) == 0 && n <= 65535;
}

static bool is_number(struct km_str text)
{
    int64_t n;

    return km_str_decimal(text, 9, &n) == 0;
}

static bool is_workers(struct km_str text)
{
    uint64_t n;

    return km_str_eq(text, KM_STR("auto")) || (km_str_u64(text, &n) == 0 && n > 0);
}

static bool is_when(struct km_str text)
{
    int64_t us;

    return km_time_parse_when(text, km_wall_us(), &us) == 0;
}

/* The words of rows whose values have a form. */
static const struct {
    const char *arg, *expects;
    bool (*fits)(struct km_str text);
} kinds[] = {
    { "PORT", "a port, 0 to 65535", is_port },
    { "N", "a number", is_number },
    { "WHEN", "a time: 1h or 7d (ago), 2026-01-31, or 2026-01-31T09:30:00Z", is_when },
    { "N|auto", "`auto` or a number above 0", is_workers },
};

/* A flag is a matter of usage, a variable one of configuration. */
static int refuse(const struct km_cli *cli, const char *from, const char *value,
                  const char *expects)
{
    struct km_err err;

    if (from[0] == '-')
        return km_cli_usage(cli, "%s is '%.80s': it must be %s", from, value, expects);
    km_fail(&err, KM_E_CONFIG, "the variable %s is '%.80s': it must be %s", from, value, expects);
    return km_cli_fail(cli, &err);
}

int km_option_judge(const struct km_cli *cli, const struct km_option *o, const char *value,
                    const char *from)
{
    for (size_t i = 0; o->arg && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(o->arg, kinds[i].arg) == 0 && !kinds[i].fits(km_str_c(value)))
            return refuse(cli, from, value, kinds[i].expects);
    return 0;
}

static void variable_of(const struct km_option *o, char out[KM_OPTION_VARIABLE])
{
    size_t at = (size_t)snprintf(out, KM_OPTION_VARIABLE, "KANMON_");

    for (const char *p = o->name; *p && at < KM_OPTION_VARIABLE - 1; p++)
        out[at++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    out[at] = 0;
}

static int take_switch(struct km_cli *cli, const struct km_option *o, const char *name,
                       const char *value)
{
    bool on;

    if (km_env_bool(km_str_c(value), &on) < 0)
        return refuse(cli, name, value, "true or false");
    return on ? km_option_give(cli, o, "", true) : 0;
}

static int take_variable(struct km_cli *cli, const struct km_option *o)
{
    char name[KM_OPTION_VARIABLE];
    const char *value;
    int r;

    variable_of(o, name);
    value = getenv(name);
    if (!value || !*value || km_cli_option(cli, o->name))
        return 0;
    if (km_env_is_service(km_str_c(name), km_str_c(value))) {
        fprintf(stderr, "note: %s=%.80s is passed over: Kubernetes sets it for a Service\n", name,
                value);
        return 0;
    }
    if (!o->arg)
        return take_switch(cli, o, name, value);
    r = km_option_judge(cli, o, value, name);
    return r ? r : km_option_give(cli, o, value, true);
}

int km_options_take_variables(struct km_cli *cli, const struct km_option *options)
{
    int r = 0;

    for (; r == 0 && options && options->name; options++)
        if (strcmp(options->name, "help") != 0)
            r = take_variable(cli, options);
    return r;
}

int km_option_give(struct km_cli *cli, const struct km_option *o, const char *value, bool variable)
{
    if (cli->ngiven == KM_CLI_ARGS)
        return km_cli_usage(cli, "too many options");
    cli->given[cli->ngiven].option = o;
    cli->given[cli->ngiven].variable = variable;
    cli->given[cli->ngiven++].value = value;
    return 0;
}

static const char *given(const struct km_cli *cli, const char *name, bool flags_only)
{
    for (size_t i = cli->ngiven; i-- > 0;)
        if (strcmp(cli->given[i].option->name, name) == 0 &&
            !(flags_only && cli->given[i].variable))
            return cli->given[i].value;
    return NULL;
}

const char *km_cli_option(const struct km_cli *cli, const char *name)
{
    return given(cli, name, false);
}

const char *km_cli_flag_value(const struct km_cli *cli, const char *name)
{
    return given(cli, name, true);
}
