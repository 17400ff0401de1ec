/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - reading files: the main one, what it includes, .env (see load.h).
 *
 * Includes merge as LiteLLM merges them, because people's files rely on it: lists grow by the
 * included file's items, everything else is replaced by the included value.  A mapping that
 * replaces another is worth a warning; it is rarely what was meant.
 *
 *     main.yaml   include: [models.yaml]   model_list: [a]      -> model_list: [a, b]
 *     models.yaml                          model_list: [b]
 *
 * LiteLLM does not follow an include inside an included file; here it works, relative to that
 * file, and a file that includes itself, however far around, is refused.
 */
#include "config/load.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "config/yaml.h"
#include "sys/read_file.h"

enum { MAX_INCLUDE_DEPTH = 16, MAX_FILES = 256 };

static const struct km_yaml_limits yaml_limits = KM_YAML_LIMITS;

struct loading {
    struct km_arena *arena;
    struct km_diags *diags;
    struct km_err *err;
    struct km_str stack[MAX_INCLUDE_DEPTH]; /* real paths, outermost first */
    unsigned depth;
    unsigned files;
};

static struct km_str directory(struct km_str path)
{
    size_t slash = km_str_rchr(path, '/');

    return slash < path.n ? km_str_sub(path, 0, slash + 1) : KM_STR_NONE;
}

static struct km_str beside(struct km_arena *arena, struct km_str path, struct km_str name)
{
    const struct km_str parts[] = { directory(path), name };

    if (km_str_starts(name, KM_STR("/")))
        return name;
    return km_arena_cat(arena, parts, 2);
}

static int load_file(struct loading *l, struct km_str path, const struct km_node *from,
                     const struct km_node **ret);

static int cannot_read(struct loading *l, struct km_str path, const struct km_node *from,
                       const struct km_err *why)
{
    if (from) {
        km_diag_add(l->diags, KM_DIAG_ERROR, "E0106", from,
                    "paths are relative to the file that includes", "cannot read '%.*s': %s",
                    KM_STR_ARG(path), why->text);
        return km_fail(l->err, KM_E_CONFIG, "cannot read '%.*s': %s", KM_STR_ARG(path), why->text);
    }
    if (why->code == KM_E_NOT_FOUND)
        return km_fail(l->err, KM_E_NOT_FOUND,
                       "no configuration file at '%.*s'.  Name another with --config FILE, or "
                       "create it: cp examples/minimal.yaml '%.*s'",
                       KM_STR_ARG(path), KM_STR_ARG(path));
    return km_fail(l->err, KM_E_CONFIG, "cannot read the configuration file '%.*s': %s",
                   KM_STR_ARG(path), why->text);
}

/* The index of a key in a mapping, or its size. */
static size_t index_of(const struct km_node *map, struct km_str key)
{
    size_t i = 0;

    while (i < map->n && !km_str_eq(map->k[i]->text, key))
        i++;
    return i;
}

static const struct km_node *appended(struct km_arena *arena, const struct km_node *a,
                                      const struct km_node *b)
{
    struct km_node *list = km_arena_alloc(arena, sizeof *list);
    const struct km_node **v = km_arena_alloc(arena, (a->n + b->n) * sizeof *v);

    if (!list || !v)
        return a;
    *list = *a;
    list->n = a->n + b->n;
    list->v = v;
    for (size_t i = 0; i < a->n; i++)
        v[i] = a->v[i];
    for (size_t i = 0; i < b->n; i++)
        v[a->n + i] = b->v[i];
    return list;
}

/* lost.c looks whether it restricted something. */
static void lose(struct loading *l, struct km_node *map, const struct km_node *key,
                 const struct km_node *value, const struct km_node *by)
{
    struct km_lost *lost = km_arena_alloc(l->arena, sizeof *lost);

    if (!lost) /* which fails the load */
        return;
    *lost = (struct km_lost){ map->lost, key, value, by };
    map->lost = lost;
}

/* One included key into the mapping being built. */
static void merge_key(struct loading *l, struct km_node *into, const struct km_node **k,
                      const struct km_node **v, const struct km_node *key,
                      const struct km_node *value)
{
    size_t at = index_of(into, key->text);

    if (at == into->n) {
        k[at] = key;
        v[at] = value;
        into->n++;
    } else if (value->type == KM_NODE_SEQ && v[at]->type == KM_NODE_SEQ) {
        v[at] = appended(l->arena, v[at], value);
    } else {
        km_diag_add(l->diags, KM_DIAG_WARNING, "W0203", key,
                    "an included value takes the place of the including file's, as in LiteLLM",
                    "'%.*s' replaces the one at %.*s:%u", KM_STR_ARG(key->text),
                    KM_STR_ARG(v[at]->file), v[at]->line);
        lose(l, into, k[at], v[at], key);
        k[at] = key;
        v[at] = value;
    }
}

static const struct km_node *merged(struct loading *l, const struct km_node *a,
                                    const struct km_node *b)
{
    struct km_node *map = km_arena_alloc(l->arena, sizeof *map);
    const struct km_node **k = km_arena_alloc(l->arena, (a->n + b->n) * sizeof *k);
    const struct km_node **v = km_arena_alloc(l->arena, (a->n + b->n) * sizeof *v);

    if (!map || !k || !v)
        return a;
    *map = *a;
    map->k = k;
    map->v = v;
    for (size_t i = 0; i < a->n; i++) {
        k[i] = a->k[i];
        v[i] = a->v[i];
    }
    for (size_t i = 0; i < b->n; i++)
        if (!km_str_eq(b->k[i]->text, KM_STR("include")))
            merge_key(l, map, k, v, b->k[i], b->v[i]);
    return map;
}

static int include_one(struct loading *l, struct km_str path, const struct km_node *item,
                       const struct km_node **root)
{
    const struct km_node *other = NULL;
    int r;

    if (item->type != KM_NODE_STR) {
        km_diag_add(l->diags, KM_DIAG_ERROR, "E0106", item, NULL,
                    "include takes a list of file names");
        return km_fail(l->err, KM_E_CONFIG, "include takes a list of file names");
    }
    r = load_file(l, beside(l->arena, path, item->text), item, &other);
    if (r < 0 || !other)
        return r;
    if (other->type == KM_NODE_MAP) {
        *root = merged(l, *root, other);
        return 0;
    }
    if (other->type == KM_NODE_NULL)
        return 0;
    km_diag_add(l->diags, KM_DIAG_ERROR, "E0101", other, NULL,
                "an included file must be a mapping");
    return km_fail(l->err, KM_E_CONFIG, "an included file must be a mapping");
}

static int include_all(struct loading *l, struct km_str path, const struct km_node **root)
{
    const struct km_node *list = km_node_get(*root, KM_STR("include"));
    int r = 0;

    if (!list || list->type == KM_NODE_NULL)
        return 0;
    if (list->type != KM_NODE_SEQ)
        return include_one(l, path, list, root);
    for (size_t i = 0; r == 0 && i < list->n; i++)
        r = include_one(l, path, list->v[i], root);
    return r;
}

static int enter(struct loading *l, struct km_str path, const struct km_node *from)
{
    char *real = realpath(km_arena_cstr(l->arena, path), NULL);
    struct km_str name = real ? km_arena_str(l->arena, km_str_c(real)) : path;
    const char *why = NULL;

    free(real);
    if (l->depth == MAX_INCLUDE_DEPTH || l->files == MAX_FILES)
        why = "too many includes";
    for (unsigned i = 0; i < l->depth; i++)
        if (km_str_eq(l->stack[i], name))
            why = "this file includes itself";
    if (why && from) {
        km_diag_add(l->diags, KM_DIAG_ERROR, "E0106", from, NULL, "%s", why);
        return km_fail(l->err, KM_E_CONFIG, "%.*s: %s", KM_STR_ARG(path), why);
    }
    l->stack[l->depth++] = name;
    l->files++;
    return 0;
}

/* A pipe with a name may never have a writer.  One the shell made, /dev/fd/63, has one: it has no
 * path of its own. */
static enum km_file_kind kind_of(const char *path)
{
    char *real = realpath(path, NULL);
    struct stat st;
    const bool waits = real && stat(real, &st) == 0 && S_ISFIFO(st.st_mode);

    free(real);
    return waits ? KM_FILE_REGULAR : KM_FILE_ANY;
}

static int load_file(struct loading *l, struct km_str path, const struct km_node *from,
                     const struct km_node **ret)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    const char *name = km_arena_cstr(l->arena, path);
    struct km_err why;
    int r = enter(l, path, from);

    if (r < 0)
        return r;
    if (km_file_read(name, from ? KM_FILE_REGULAR : kind_of(name), &text, &why) < 0)
        return cannot_read(l, path, from, &why);
    r = km_yaml_parse(l->arena, path, km_buf_view(&text), &yaml_limits, l->diags, ret, l->err);
    if (r == 0)
        r = include_all(l, path, ret);
    l->depth--;
    return r;
}

int km_load_tree(struct km_arena *arena, struct km_str path, struct km_diags *diags,
                 const struct km_node **ret_root, struct km_err *err)
{
    struct loading l = { .arena = arena, .diags = diags, .err = err };

    return load_file(&l, path, NULL, ret_root);
}

#define LEVELS 2

/* `a` with the keys of `b` it has not; to the depth of `levels` mappings. */
static const struct km_node *below(struct km_arena *arena, const struct km_node *a,
                                   const struct km_node *b, unsigned levels)
{
    struct km_node *map = km_arena_alloc(arena, sizeof *map);
    const struct km_node **k = km_arena_alloc(arena, (a->n + b->n) * sizeof *k);
    const struct km_node **v = km_arena_alloc(arena, (a->n + b->n) * sizeof *v);

    if (!map || !k || !v)
        return a;
    *map = *a;
    map->type = KM_NODE_MAP;
    map->k = k;
    map->v = v;
    for (size_t i = 0; i < a->n; i++) {
        k[i] = a->k[i];
        v[i] = a->v[i];
    }
    for (size_t i = 0; i < b->n; i++) {
        size_t at = index_of(map, b->k[i]->text);

        if (at == map->n) {
            k[map->n] = b->k[i];
            v[map->n++] = b->v[i];
        } else if (v[at]->type == KM_NODE_NULL) {
            v[at] = b->v[i];
        } else if (levels > 1 && v[at]->type == KM_NODE_MAP && b->v[i]->type == KM_NODE_MAP) {
            v[at] = below(arena, v[at], b->v[i], levels - 1);
        } else if (levels == LEVELS && v[at]->type == KM_NODE_SEQ && b->v[i]->type == KM_NODE_SEQ) {
            v[at] = appended(arena, v[at], b->v[i]);
        }
    }
    return map;
}

int km_load_below(struct km_arena *arena, struct km_str name, struct km_str text,
                  struct km_diags *diags, const struct km_node **root, struct km_err *err)
{
    const struct km_node *more;
    int r = km_yaml_parse(arena, name, text, &yaml_limits, diags, &more, err);

    if (r == 0 && more->type == KM_NODE_MAP &&
        ((*root)->type == KM_NODE_MAP || (*root)->type == KM_NODE_NULL))
        *root = below(arena, *root, more, LEVELS);
    return r;
}

static int load_dotenv(struct km_env *env, enum km_env_source source, struct km_str path,
                       const char *name, struct km_diags *diags, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_str file = beside(env->arena, path, km_str_c(name));
    const char *cstr = km_arena_cstr(env->arena, file);
    struct km_err why;
    struct stat st;
    int r = km_file_read(cstr, KM_FILE_REGULAR, &text, &why);

    if (r == KM_E_NOT_FOUND)
        return 0;
    if (r == KM_E_INVALID && stat(cstr, &st) == 0 && S_ISDIR(st.st_mode))
        return 0; /* somebody else's; a pipe is refused, for it would be waited for */
    if (r < 0)
        return km_fail(err, KM_E_CONFIG, "cannot read '%.*s': %s", KM_STR_ARG(file), why.text);
    km_env_dotenv(env, source, file, km_buf_view(&text), diags);
    if (text.p)
        explicit_bzero(text.p, text.n);
    return 0;
}

/* A value of environment_variables as Python's str() would have it. */
static struct km_str variable_text(const struct km_env *env, const struct km_node *value)
{
    struct km_str text = value->text;

    if (value->type == KM_NODE_BOOL)
        return value->b ? KM_STR("True") : KM_STR("False");
    if (km_str_starts(text, KM_STR("os.environ/")))
        if (!km_env_get(env, km_str_skip(text, 11), &text))
            return KM_STR_NONE;
    return text;
}

int km_load_env(struct km_env *env, struct km_str path, const struct km_node *root,
                struct km_diags *diags, struct km_err *err)
{
    const struct km_node *vars = km_node_get(root, KM_STR("environment_variables"));
    int r = load_dotenv(env, KM_ENV_DOTENV, path, ".env", diags, err);

    if (r == 0)
        r = load_dotenv(env, KM_ENV_LOCAL, path, ".env.local", diags, err);
    if (r < 0 || !vars || vars->type != KM_NODE_MAP)
        return r;
    for (size_t i = 0; i < vars->n; i++) {
        enum km_node_type type = vars->v[i]->type;

        km_diags_hide(diags, vars->v[i]);
        if (type != KM_NODE_NULL && type != KM_NODE_SEQ && type != KM_NODE_MAP)
            km_env_set(env, KM_ENV_FILE, vars->k[i]->text, variable_text(env, vars->v[i]));
    }
    return 0;
}
