/* SPDX-License-Identifier: Apache-2.0 */
/* override.c - values from flags and variables, and defaults, as nodes (see fill.h).
 *
 * The engine reads nodes only, so whatever comes from elsewhere becomes one: a scalar of the
 * given text, or for lists and mappings the text parsed as YAML (KANMON_LISTEN='[{port: 1}]').
 * The place of such a node is the name of its source, on line 0.
 *
 * Variables are of two strengths.  KANMON_<FLAG> is meant for us and beats the file.  A row's
 * other variables are LiteLLM's habit (LITELLM_MASTER_KEY, DATABASE_URL): there they stand in
 * for a key that is absent, and so they do here.
 */
#include "config/fill.h"
#include "config/scalar.h"
#include "config/yaml.h"

static bool takes_yaml(enum km_setting_type type)
{
    return type == KM_SET_STR_LIST || type == KM_SET_STR_MAP || type == KM_SET_NODE ||
           type == KM_SET_TABLE_LIST || type == KM_SET_TABLE_MAP;
}

static struct km_node *new_node(struct km_fill *fill, struct km_str origin)
{
    struct km_node *n = km_arena_zalloc(fill->arena, sizeof *n);

    if (n)
        n->file = origin;
    return n;
}

/* "a,b" for a list of strings. */
static const struct km_node *split_list(struct km_fill *fill, struct km_str text,
                                        struct km_str origin)
{
    struct km_node *list = new_node(fill, origin);
    struct km_str rest = text, part;
    const struct km_node **v;
    size_t n = 1;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    v = km_arena_alloc(fill->arena, n * sizeof *v);
    if (!list || !v)
        return NULL;
    list->type = KM_NODE_SEQ;
    list->v = v;
    while (km_str_split(&rest, ',', &part)) {
        struct km_node *item = new_node(fill, origin);

        if (!item)
            return NULL;
        item->type = KM_NODE_STR;
        item->text = km_str_trim(part);
        if (item->text.n)
            v[list->n++] = item;
    }
    return list;
}

static const struct km_node *yaml_text(struct km_fill *fill, struct km_str text,
                                       struct km_str origin)
{
    static const struct km_yaml_limits limits = KM_YAML_LIMITS;
    const struct km_node *node = NULL;

    /* What is wrong with the text is in the diagnostics. */
    if (km_yaml_parse(fill->arena, origin, text, &limits, fill->diags, &node, NULL) < 0)
        return NULL;
    return node;
}

const struct km_node *km_fill_text(struct km_fill *fill, const struct km_setting *row,
                                   struct km_str text, struct km_str origin)
{
    const struct km_node *parsed;
    struct km_node *node;

    if (takes_yaml(row->type)) {
        if (row->type == KM_SET_STR_LIST && km_str_chr(text, '[') == text.n)
            return split_list(fill, text, origin);
        parsed = yaml_text(fill, text, origin);
        return parsed;
    }
    node = new_node(fill, origin);
    if (!node)
        return NULL;
    node->type = KM_NODE_STR;
    node->text = text;
    node->from_env = true;
    return node;
}

struct km_str km_fill_variable(struct km_arena *arena, const char *section,
                               const struct km_setting *row)
{
    static const char ours[] = "kanmon_settings";
    struct km_str s = km_str_c(section), path;
    char *p;

    if (!km_str_starts(s, km_str_c(ours)) || row->type == KM_SET_TABLE)
        return KM_STR_NONE;
    s = km_str_skip(s, sizeof ours - 1 + (s.n > sizeof ours - 1));
    path = km_fill_path(arena, s, km_str_c(row->name));
    path = km_arena_printf(arena, "KANMON_%.*s", KM_STR_ARG(path));
    p = km_arena_alloc(arena, path.n + 1);
    if (!p)
        return KM_STR_NONE;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];

        p[i] = c == '.' || c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return km_str(p, path.n);
}

static const struct km_node *from_variable(struct km_fill *fill, const struct km_setting *row,
                                           struct km_str name)
{
    struct km_str value;

    if (!name.n || !km_env_get(fill->env, name, &value) || !value.n)
        return NULL;
    if (km_env_is_service(name, value)) {
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0202", NULL,
                    "Kubernetes sets it for a Service; the setting needs another source",
                    "%.*s=%.*s is passed over", KM_STR_ARG(name), KM_STR_ARG(value));
        return NULL;
    }
    return km_fill_text(fill, row, value,
                        km_arena_printf(fill->arena, "environment %.*s", KM_STR_ARG(name)));
}

static const struct km_node *from_flag(struct km_fill *fill, const char *section,
                                       const struct km_setting *row)
{
    struct km_str path = km_fill_path(fill->arena, km_str_c(section), km_str_c(row->name));

    for (size_t i = fill->nflags; i-- > 0;) {
        const struct km_config_flag *f = &fill->flags[i];

        if (km_str_eq(km_str_c(f->path), path))
            return km_fill_text(fill, row,
                                km_arena_str(fill->arena, km_str_c(f->value ? f->value : "true")),
                                km_arena_printf(fill->arena, "flag %s", f->flag));
    }
    return NULL;
}

const struct km_node *km_fill_override(struct km_fill *fill, const char *section,
                                       const struct km_setting *row, bool weak)
{
    const struct km_node *node = NULL;
    struct km_str rest = km_str_c(row->env), name;

    if (!weak) {
        node = from_flag(fill, section, row);
        if (!node)
            node = from_variable(fill, row, km_fill_variable(fill->arena, section, row));
    }
    while (!node && km_str_split(&rest, ',', &name))
        if (km_str_starts(km_str_trim(name), KM_STR("KANMON_")) != weak)
            node = from_variable(fill, row, km_str_trim(name));
    return node;
}

const struct km_node *km_fill_default(struct km_fill *fill, const struct km_setting *row)
{
    struct km_str text = km_str_c(row->def);
    struct km_node *node;

    if (!row->def || (km_setting_is_amount(row->type) && km_str_eq(text, KM_STR("-1"))))
        return NULL;
    if (takes_yaml(row->type))
        return yaml_text(fill, text, KM_STR("default"));
    node = new_node(fill, KM_STR("default"));
    if (!node)
        return NULL;
    if (row->type == KM_SET_STR || row->type == KM_SET_SECRET ||
        km_scalar_construct(fill->arena, km_scalar_resolve(text), text, node, NULL) < 0) {
        node->type = KM_NODE_STR;
        node->text = text;
    }
    return node;
}
