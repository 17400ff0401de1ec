/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_settings.c - YAML text to settings: parse, variables, credentials, rows, messages.
 *
 * Properties beyond not crashing: a parse that fails says where, and what no row would take
 * never reaches a field.  The same bytes are read as a .env file as well.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "config/fill.h"
#include "config/litellm.h"
#include "config/load.h"
#include "config/yaml.h"

struct inner {
    struct km_str name, key;
    int64_t price;
    const struct km_node *all;
};

struct all {
    bool flag;
    int64_t number, bytes, ms, seconds, choice, price, money;
    struct km_str text, secret;
    struct km_str_list list;
    struct km_str_map map;
    const struct km_node *node;
    struct inner table;
    struct km_table_list tables, named;
};

static const char *const choices[] = { "one", "two", NULL };

static const struct km_setting inner_rows[] = {
    { "name", KM_SET_STR, offsetof(struct inner, name), .flags = KM_SET_REQUIRED, .help = "N." },
    { "api_key", KM_SET_SECRET, offsetof(struct inner, key), .help = "K." },
    { "price", KM_SET_PRICE, offsetof(struct inner, price), .help = "P." },
    { 0 },
};
static const struct km_settings_table inner = { .rows = inner_rows,
                                                .size = sizeof(struct inner),
                                                .extra = offsetof(struct inner, all) };

#define ROW(name_, type_, member)                                                                  \
    {                                                                                              \
        #name_, type_, offsetof(struct all, member), .help = "H."                                  \
    }

static const struct km_setting rows[] = {
    ROW(flag, KM_SET_BOOL, flag),
    ROW(number, KM_SET_INT, number),
    ROW(bytes, KM_SET_BYTES, bytes),
    ROW(ms, KM_SET_MS, ms),
    ROW(seconds, KM_SET_SECONDS, seconds),
    { "choice", KM_SET_ENUM, offsetof(struct all, choice), .choices = choices, .help = "H." },
    ROW(price, KM_SET_PRICE, price),
    ROW(money, KM_SET_MONEY, money),
    ROW(text, KM_SET_STR, text),
    ROW(secret, KM_SET_SECRET, secret),
    ROW(list, KM_SET_STR_LIST, list),
    ROW(map, KM_SET_STR_MAP, map),
    ROW(node, KM_SET_NODE, node),
    { "table", KM_SET_TABLE, offsetof(struct all, table), .table = &inner, .flags = KM_SET_SAFETY,
      .help = "H." },
    { "tables", KM_SET_TABLE_LIST, offsetof(struct all, tables), .table = &inner,
      .flags = KM_SET_OPEN, .help = "H." },
    { "named", KM_SET_TABLE_MAP, offsetof(struct all, named), .table = &inner, .help = "H." },
    { 0 },
};
static const struct km_settings_table own = { .section = "kanmon_settings.all",
                                              .rows = rows,
                                              .size = sizeof(struct all),
                                              .extra = SIZE_MAX };

static const struct km_settings_table *const tables[] = { &own,
                                                          &km_config_top_table,
                                                          &km_config_own_table,
                                                          &km_litellm_top_table,
                                                          &km_litellm_settings_table,
                                                          &km_litellm_general_table,
                                                          &km_litellm_router_table,
                                                          NULL };

static void settle(struct km_arena *arena, const struct km_node *root, struct km_diags *diags)
{
    static const char *const environ_list[] = { "NAME=value", "EMPTY=", NULL };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    void *structs[sizeof tables / sizeof *tables];
    struct km_env env;
    struct km_fill fill = { .arena = arena, .diags = diags, .env = &env, .tables = tables };
    const struct all *all;

    km_env_init(&env, arena, environ_list);
    root = km_load_resolve(arena, &env, root);
    root = km_load_credentials(arena, root, diags);
    fill.root = root;
    fill.accept = km_node_path(root, "kanmon_settings.accept_unsupported");
    km_fill_all(&fill, structs);
    km_node_json(root, &out);
    all = structs[0];
    km_assert(!all || all->choice == 0 || all->choice == 1);
    km_assert(!all || all->price >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct km_yaml_limits limits = { .max_bytes = 1 << 16,
                                                  .max_nodes = 5000,
                                                  .max_depth = 32 };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4 << 20);
    struct km_str text = { (const char *)data, size };
    struct km_diags *diags = km_diags_new();
    const struct km_node *root = NULL;
    struct km_arena arena;
    struct km_env env;
    int r;

    km_arena_init(&arena, 64 << 20, NULL);
    r = km_yaml_parse(&arena, KM_STR("fuzz.yaml"), text, &limits, diags, &root, NULL);
    if (r == 0)
        settle(&arena, root, diags);
    else
        km_assert(r == KM_E_NOMEM || km_diags_at(diags, 0));
    km_env_init(&env, &arena, NULL);
    km_env_dotenv(&env, KM_ENV_DOTENV, KM_STR(".env"), text, diags);
    km_diags_seal(diags);
    km_diags_text(diags, true, &out);
    km_diags_json(diags, &out);
    km_diags_free(diags);
    km_arena_done(&arena);
    return 0;
}
