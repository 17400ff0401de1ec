/* SPDX-License-Identifier: Apache-2.0 */
/* judge_files.c - see judge_files.h.
 *
 * A start makes the files it does not find, and its folders; so a path is wrong where something
 * else stands already, where there is no folder to make it in, or where another setting names it
 * too: what one writes there the other would take for its own.
 *
 * What cannot be looked at passes, for the gateway may be another user than who asks.
 */
#include "host/judge_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "host/gateway.h"
#include "host/judge.h"
#include "store/place.h"
#include "store/store.h"

#define FILES_MOST 4

/* A file some setting names, and the path by which two names of one file are told. */
struct file {
    const char *setting;
    char path[PATH_MAX], real[2 * PATH_MAX];
};

struct files {
    const struct km_config *config;
    km_judge_wrong_fn *wrong;
    void *ctx;
    struct file v[FILES_MOST];
    size_t n;
};

/* The folder a path lies in. */
static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (slash)
        snprintf(out, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    else
        snprintf(out, PATH_MAX, ".");
}

static void resolve(struct file *f)
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(f->path, '/');

    if (realpath(f->path, real)) {
        snprintf(f->real, sizeof f->real, "%s", real);
        return;
    }
    folder_of(f->path, folder);
    snprintf(f->real, sizeof f->real, "%s/%s", realpath(folder, real) ? real : folder,
             slash ? slash + 1 : f->path);
}

/* Two settings, or the configuration itself, that name one file. */
static void judge_twice(struct files *fs, const struct file *f)
{
    struct km_err err = { 0 };

    for (size_t i = 0; i < fs->n; i++) {
        if (strcmp(fs->v[i].real, f->real) != 0)
            continue;
        km_fail(&err, KM_E_CONFIG, "%s: '%s' is %s, too", f->setting, f->path, fs->v[i].setting);
        fs->wrong(fs->ctx, f->setting, &err);
        return;
    }
}

/* Is there a folder to make it in, and is what lies there a file?  `any`: or a pipe, a device. */
static void judge_file(struct files *fs, const char *setting, const char *path, bool any)
{
    struct file *f = &fs->v[fs->n];
    struct km_err err = { 0 };
    char folder[PATH_MAX];
    struct stat st;

    f->setting = setting;
    snprintf(f->path, sizeof f->path, "%s", path);
    resolve(f);
    folder_of(path, folder);
    if (stat(folder, &st) == 0 ? !S_ISDIR(st.st_mode) : errno == ENOENT || errno == ENOTDIR)
        km_fail(&err, KM_E_CONFIG, "%s: '%s' is no folder", setting, folder);
    else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        km_fail(&err, KM_E_CONFIG, "%s: '%s' is a folder, and a file is needed", setting, path);
    else if (!any && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        km_fail(&err, KM_E_CONFIG, "%s: '%s' is no regular file", setting, path);
    if (err.code)
        fs->wrong(fs->ctx, setting, &err);
    else
        judge_twice(fs, f);
    fs->n++;
}

/* The state folder is made with all above it: none of them may be something else. */
static void judge_state_dir(struct files *fs)
{
    static const char setting[] = "kanmon_settings.state_dir";
    char dir[KM_STATE_DIR_BYTES], path[KM_STATE_DIR_BYTES + 1];
    struct km_err err = { 0 };
    struct stat st;

    if (km_gateway_state_dir(fs->config, dir, &err) < 0) {
        fs->wrong(fs->ctx, setting, &err);
        return;
    }
    snprintf(path, sizeof path, "%s/", dir);
    for (char *at = strchr(path + 1, '/'); at && !err.code; at = strchr(at + 1, '/')) {
        *at = 0;
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            km_fail(&err, KM_E_CONFIG, "%s: '%s' is no folder", setting, path);
        *at = '/';
    }
    if (err.code)
        fs->wrong(fs->ctx, setting, &err);
}

/* What the start would make of the setting; one beside the state folder is made with that. */
static void judge_store(struct files *fs, const struct km_store_settings *s)
{
    static const char setting[] = "kanmon_settings.store";
    struct km_place place;
    struct km_err err = { 0 };

    if (km_place_init(&place, s->store, "", &err) < 0 ||
        ((place.path[0] == ':' || km_place_is_passing(&place)) &&
         km_fail(&err, KM_E_CONFIG,
                 "store '%s': a store in memory is not supported, for it would forget every key "
                 "and all spend",
                 place.path)))
        fs->wrong(fs->ctx, setting, &err);
    else
        judge_file(fs, setting, place.path, false);
}

static void judge_config_file(struct files *fs)
{
    struct file *f = &fs->v[fs->n];

    f->setting = "the configuration";
    snprintf(f->path, sizeof f->path, "%.*s", KM_STR_ARG(km_config_file(fs->config)));
    resolve(f);
    fs->n++;
}

void km_judge_files(const struct km_config *config, km_judge_wrong_fn *wrong, void *ctx)
{
    const struct km_gateway_settings *g = km_config_get(config, &km_gateway_settings_table);
    const struct km_store_settings *s = km_config_get(config, &km_store_settings_table);
    struct files fs = { .config = config, .wrong = wrong, .ctx = ctx };
    char file[PATH_MAX], path[PATH_MAX];

    judge_state_dir(&fs);
    judge_config_file(&fs);
    if (s->store.n)
        judge_store(&fs, s);
    if (s->spill.n) {
        snprintf(path, sizeof path, "%.*s", KM_STR_ARG(s->spill));
        judge_file(&fs, "kanmon_settings.store_spill", path, false);
    }
    snprintf(file, sizeof file, "%.*s", KM_STR_ARG(km_config_file(config)));
    if (km_gateway_log_path(g, file, path, sizeof path))
        judge_file(&fs, "kanmon_settings.log_file", path, true);
}
