/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - see judge.h.
 *
 * config.c has read the file: its rows are filled, each value is of its kind.  What remains is
 * whether they go together, and with this machine.  Every question is asked, so that one look
 * shows all that is wrong; none changes anything or depends on a gateway that may be running.
 */
#include "host/judge.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"
#include "host/gateway.h"
#include "host/judge_files.h"
#include "host/worker.h"

struct judge {
    const struct km_judge_args *args;
    const struct km_config *config;
    const struct km_gateway_settings *settings;
    struct km_diags *diags;
    struct km_err first; /* what is said where there is room for one thing */
    bool exposed; /* other machines could come in without a key */
};

static void wrong_at(struct judge *j, const struct km_node *at, const struct km_err *err)
{
    if (!j->first.code)
        j->first = *err;
    km_diag_add(j->diags, KM_DIAG_ERROR, "E0112", at, NULL, "%s", err->text);
}

/* Something is wrong with `setting`; NULL: with what is said alone. */
static void wrong(void *ctx, const char *setting, const struct km_err *err)
{
    struct judge *j = ctx;

    wrong_at(j, setting ? km_config_origin(j->config, setting) : NULL, err);
}

static void refuse_exposed(struct judge *j, const struct km_node *at, const char *why)
{
    j->exposed = true;
    if (!j->first.code)
        km_fail(&j->first, KM_E_CONFIG, "%s", why);
    km_diag_add(j->diags, KM_DIAG_ERROR, "E0113", at, NULL, "%s", why);
}

/* At the setting where it is written, else at the section in which it is missing. */
static void opens(struct judge *j, const char *setting, const char *section,
                  const struct km_err *err)
{
    const struct km_node *at = km_config_origin(j->config, setting);

    if (!at || !at->line)
        at = km_node_path(km_config_root(j->config), section);
    if (!j->first.code)
        j->first = *err;
    km_diag_add(j->diags, KM_DIAG_ERROR, "E0114", at, NULL, "%s", err->text);
}

static void judge_places(struct judge *j)
{
    struct km_listening *l = malloc(sizeof *l);
    struct km_err err = { 0 };

    if (!l) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        wrong(j, NULL, &err);
        return;
    }
    if (km_listening_of(j->config, &j->args->listen, l, j->diags, &err) < 0 && !j->first.code)
        j->first = err;
    for (size_t i = 0; i < l->n; i++)
        if (km_listening_exposed(j->config, &l->v[i].addr, &err) < 0)
            refuse_exposed(j, l->v[i].node, err.text);
    free(l);
    for (size_t i = 0; !j->exposed && i < j->args->nrunning; i++)
        if (km_listening_exposed(j->config, &j->args->running[i], &err) < 0) {
            km_fail(&err, KM_E_CONFIG, "until it is restarted, %s", err.text);
            refuse_exposed(j, NULL, err.text);
        }
}

static void judge_workers(struct judge *j)
{
    struct km_err err = { 0 };
    size_t n;

    if (km_gateway_workers(j->settings, &n, &err) < 0)
        wrong(j, "kanmon_settings.workers", &err);
}

/* Root becomes this user; somebody else never asks who it is. */
static void judge_user(struct judge *j)
{
    struct km_err err = { 0 };
    struct passwd pw, *found = NULL;
    char name[256], text[1024];

    if (geteuid() != 0 || !j->settings->user.n)
        return;
    snprintf(name, sizeof name, "%.*s", KM_STR_ARG(j->settings->user));
    if (getpwnam_r(name, &pw, text, sizeof text, &found) == 0 && found)
        return;
    km_fail(&err, KM_E_CONFIG, "kanmon_settings.user: this machine has no user '%s'", name);
    wrong(j, "kanmon_settings.user", &err);
}

/* What is compared with the Host field, without its port: a name, an address or, for all, `*`. */
static bool may_be_host(struct km_str s)
{
    const bool v6 = s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';

    if (km_str_eq(s, KM_STR("*")))
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("/*@?#\\", s.p[i]) || (s.p[i] == ':' && !v6))
            return false;
    return s.n > 0;
}

static void judge_hosts(struct judge *j)
{
    const struct km_node *at = km_config_origin(j->config, "kanmon_settings.allowed_hosts");

    for (size_t i = 0; i < j->settings->allowed_hosts.n; i++) {
        const struct km_str host = j->settings->allowed_hosts.v[i];
        struct km_err err = { 0 };

        if (may_be_host(host))
            continue;
        km_fail(&err, KM_E_CONFIG,
                "kanmon_settings.allowed_hosts: '%.*s' is never a host: write the name alone, "
                "without scheme, port, path or wildcard (`*` alone is any), an IPv6 address in []",
                KM_STR_ARG(km_str_sub(host, 0, 100)));
        wrong_at(j, at && at->type == KM_NODE_SEQ && i < at->n ? at->v[i] : at, &err);
    }
}

/* Blanks would be a key that nobody can show, or that anybody guesses. */
static void judge_master_key(struct judge *j)
{
    const struct km_general_settings *g = km_config_get(j->config, &km_general_settings_table);
    struct km_str key = g->master_key;
    struct km_err err = { 0 };
    size_t skip;

    while (key.n && (skip = *key.p == '\n' || *key.p == '\r' ? 1 : km_unseen(key)) > 0)
        key = km_str_skip(key, skip);
    if (!g->master_key.n || key.n)
        return;
    km_fail(&err, KM_E_CONFIG, "general_settings.master_key: there is nothing but blanks in it");
    wrong(j, "general_settings.master_key", &err);
}

static bool asks_for_keys(const struct km_config *config)
{
    const struct km_general_settings *g = km_config_get(config, &km_general_settings_table);
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);

    return s->auth == KM_AUTH_MODE_KEYS && g->master_key.n > 0;
}

/* A file may be read while an editor is half through it.  So what is open to fewer than anybody
 * stays so for as long as this process runs. */
static void judge_opening(struct judge *j)
{
    const struct km_snapshot *before = j->args->snapshot.before;
    struct km_err err = { 0 };

    if (!before)
        return;
    if (!before->auth_off && !asks_for_keys(j->config)) {
        km_fail(&err, KM_E_CONFIG,
                "a reload does not turn authentication off: %s.  If that is meant, restart",
                j->settings->auth == KM_AUTH_MODE_NONE ? "kanmon_settings.auth is none now"
                                                       : "there is no master_key any more");
        opens(j, "kanmon_settings.auth", "general_settings", &err);
    }
    if (before->gateway->allowed_hosts.n && !j->settings->allowed_hosts.n) {
        km_fail(&err, KM_E_CONFIG,
                "a reload does not serve every host: there are no allowed_hosts any more.  If that "
                "is meant, restart");
        opens(j, "kanmon_settings.allowed_hosts", "kanmon_settings", &err);
    }
}

/* Models, MCP servers, routes and certificates: by making what would serve. */
static void judge_snapshot(struct judge *j, struct km_snapshot **ret)
{
    const size_t before = km_diags_count(j->diags, KM_DIAG_ERROR);
    struct km_err err = { 0 };

    if (km_snapshot_new(&j->args->snapshot, j->diags, ret, &err) < 0) {
        if (km_diags_count(j->diags, KM_DIAG_ERROR) == before)
            wrong(j, NULL, &err);
        else if (!j->first.code)
            j->first = err;
    } else if (km_worker_check_tls(*ret, &err) < 0) {
        wrong_at(j, km_node_path(km_config_root(j->config), "kanmon_settings.listen"), &err);
    }
}

int km_gateway_judge(const struct km_judge_args *args, struct km_diags *diags,
                     struct km_snapshot **ret_snapshot, struct km_err *err)
{
    struct judge j = { .args = args, .config = args->snapshot.config, .diags = diags };
    struct km_snapshot *snap = NULL;

    j.settings = km_config_get(j.config, &km_gateway_settings_table);
    judge_workers(&j);
    judge_user(&j);
    judge_places(&j);
    judge_hosts(&j);
    judge_master_key(&j);
    judge_opening(&j);
    km_judge_files(j.config, wrong, &j);
    judge_snapshot(&j, &snap);
    km_diags_seal(diags);
    if (j.first.code == 0) {
        if (ret_snapshot)
            *ret_snapshot = snap;
        else
            km_snapshot_unref(snap);
        return 0;
    }
    km_snapshot_unref(snap);
    return km_fail(err, KM_E_CONFIG, "%s", j.first.text);
}

/* The folder of the configuration file, absolute. */
static int folder_of(const struct km_config *config, char out[PATH_MAX], struct km_err *err)
{
    char path[PATH_MAX];
    char *slash;

    snprintf(path, sizeof path, "%.*s", KM_STR_ARG(km_config_file(config)));
    if (!realpath(path, out))
        return km_fail(err, KM_E_SYSTEM, "'%s' cannot be resolved", path);
    slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    return 0;
}

int km_gateway_state_dir(const struct km_config *config, char out[KM_STATE_DIR_BYTES],
                         struct km_err *err)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    const struct km_str set = s->state_dir;
    char folder[PATH_MAX] = "";
    int n, r;

    if (!(set.n && set.p[0] == '/') && km_str_eq(km_config_file(config), KM_STR(KM_CONFIG_NO_FILE)))
        return km_fail(err, KM_E_CONFIG,
                       "there is no configuration file whose folder could have the state: set "
                       "--state-dir or KANMON_STATE_DIR to an absolute path");
    r = set.n && set.p[0] == '/' ? 0 : folder_of(config, folder, err);
    if (r < 0)
        return r;
    n = snprintf(out, KM_STATE_DIR_BYTES, "%s%s%.*s", folder, *folder ? "/" : "",
                 set.n ? (int)set.n : 7, set.n ? set.p : ".kanmon");
    if (n >= 0 && n < KM_STATE_DIR_BYTES)
        return 0;
    return km_fail(err, KM_E_CONFIG,
                   "the state folder's path has %d bytes, at most %d can be used: set a shorter "
                   "kanmon_settings.state_dir",
                   n, KM_STATE_DIR_BYTES - 1);
}
