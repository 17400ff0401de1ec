/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - see config.h for the contract.
 *
 * A snapshot is one arena: tree, environment, filled structs and the record of where each
 * value came from.  It is built by one thread, published, and freed whole when the last call
 * that took a reference ends.
 *
 *     file ─ include ─ .env ─ os.environ/ ─ credentials ─ rows ─ snapshot
 *      load.c                  resolve.c                  fill.c
 *
 * Loading goes on after problems as far as it makes sense, to report all of them; any error
 * among them means there is no snapshot.
 */
#include "config/config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/fill.h"
#include "config/load.h"
#include "config/snapshot.h"

enum { MAX_SNAPSHOT = 256 << 20 };

static int build(struct km_config *c, const struct km_config_args *args, struct km_diags *diags,
                 struct km_err *err)
{
    const char *const *environ_list = args->environ ? args->environ : (const char *const *)environ;
    struct km_fill fill = { .arena = &c->arena,
                            .diags = diags,
                            .env = &c->env,
                            .tables = c->tables,
                            .flags = args->flags,
                            .nflags = args->nflags };
    int r;

    km_env_init(&c->env, &c->arena, environ_list);
    c->file = km_arena_str(&c->arena, km_str_c(args->file));
    r = km_load_tree(&c->arena, c->file, diags, &c->root, err);
    for (size_t i = 0; r == 0 && i < KM_CONFIG_BELOW; i++)
        if (args->below[i].text.n)
            r = km_load_below(&c->arena, km_str_c(args->below[i].name), args->below[i].text, diags,
                              &c->root, err);
    if (r == 0)
        r = km_load_env(&c->env, c->file, c->root, diags, err);
    if (r < 0)
        return r;
    if (c->root->type == KM_NODE_NULL && !km_str_eq(c->file, KM_STR(KM_CONFIG_NO_FILE)))
        km_diag_add(diags, KM_DIAG_ERROR, "E0109", c->root, "it needs at least a model_list",
                    "the configuration is empty");
    fill.root = c->root;
    km_fill_lost(&fill);
    c->root = km_load_resolve(&c->arena, &c->env, c->root);
    c->root = km_load_credentials(&c->arena, c->root, diags);
    fill.root = c->root;
    fill.accept = km_node_path(c->root, "kanmon_settings.accept_unsupported");
    km_fill_all(&fill, c->structs);
    c->settings = fill.settings;
    c->nsettings = fill.n;
    if (km_arena_overflowed(&c->arena))
        return km_fail(err, KM_E_NOMEM, "the configuration needs too much memory");
    return 0;
}

static int outcome(const struct km_config_args *args, const struct km_diags *diags, int r,
                   struct km_err *err)
{
    size_t errors = km_diags_count(diags, KM_DIAG_ERROR);

    if (r == 0 && errors)
        return km_fail(err, KM_E_CONFIG, "configuration '%s' has %zu error%s", args->file, errors,
                       errors == 1 ? "" : "s");
    return r;
}

int km_config_load(const struct km_config_args *args, struct km_diags *diags,
                   struct km_config **ret_config, struct km_err *err)
{
    struct km_config *c = calloc(1, sizeof *c);
    size_t n = 0;
    int r;

    if (!c)
        return km_fail(err, KM_E_NOMEM, "no memory for a configuration");
    atomic_init(&c->refs, 1);
    km_arena_init(&c->arena, MAX_SNAPSHOT, NULL);
    c->tables = args->tables;
    while (args->tables[n])
        n++;
    c->structs = km_arena_zalloc(&c->arena, n * sizeof *c->structs);
    r = c->structs ? build(c, args, diags, err) : KM_E_NOMEM;
    km_diags_seal(diags);
    r = outcome(args, diags, r, err);
    if (r < 0)
        km_config_unref(c);
    else
        *ret_config = c;
    return r;
}

struct km_config *km_config_ref(struct km_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

struct km_config *km_config_unref(struct km_config *config)
{
    if (config && atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) == 1) {
        km_arena_done(&config->arena);
        free(config);
    }
    return NULL;
}

const void *km_config_get(const struct km_config *config, const struct km_settings_table *table)
{
    size_t i = 0;

    while (config->tables[i] && config->tables[i] != table)
        i++;
    km_assert(config->tables[i]);
    return config->structs[i];
}

const struct km_node *km_config_root(const struct km_config *config)
{
    return config->root;
}

struct km_str km_config_file(const struct km_config *config)
{
    return config->file;
}

bool km_config_getenv(const struct km_config *config, const char *name, struct km_str *ret_value)
{
    return km_env_get(&config->env, km_str_c(name), ret_value);
}

bool km_config_accepts(const struct km_config *config, struct km_arena *arena, struct km_str path)
{
    const struct km_fill fill = {
        .arena = arena,
        .accept = km_node_path(config->root, "kanmon_settings.accept_unsupported"),
    };

    return km_fill_accepted(&fill, path);
}
