/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - os.environ/NAME and credential_list put into the tree (see load.h).
 *
 * Nodes never change, so a replaced leaf means new parents up to the root; whatever has no
 * such leaf below it stays the node it was.  What came from a variable is marked, because a
 * value that is not in the file must not be shown as if it were.
 */
#include "config/load.h"

static const struct km_str prefix = { "os.environ/", 11 };

static const struct km_node *resolve_scalar(struct km_arena *arena, const struct km_env *env,
                                            const struct km_node *node)
{
    struct km_node *copy;
    struct km_str value;

    if (node->type != KM_NODE_STR || !km_str_starts(node->text, prefix))
        return node;
    copy = km_arena_alloc(arena, sizeof *copy);
    if (!copy)
        return node;
    *copy = *node;
    copy->from_env = true;
    if (km_env_get(env, km_str_skip(node->text, prefix.n), &value))
        copy->text = value;
    else
        copy->type = KM_NODE_NULL;
    return copy;
}

/* A copy of a collection with room of its own for `extra` more children. */
static struct km_node *copy_collection(struct km_arena *arena, const struct km_node *node,
                                       size_t extra)
{
    struct km_node *copy = km_arena_alloc(arena, sizeof *copy);
    const struct km_node **v = km_arena_alloc(arena, (node->n + extra) * sizeof *v);
    const struct km_node **k = km_arena_alloc(arena, (node->n + extra) * sizeof *k);

    if (!copy || !v || !k)
        return NULL;
    *copy = *node;
    copy->v = v;
    copy->k = node->type == KM_NODE_MAP ? k : NULL;
    for (size_t i = 0; i < node->n; i++) {
        v[i] = node->v[i];
        if (copy->k)
            k[i] = node->k[i];
    }
    return copy;
}

/* The children arrays of a copy are its own to write until it is handed out. */
static void set_child(struct km_node *copy, size_t i, const struct km_node *value)
{
    ((const struct km_node **)(uintptr_t)copy->v)[i] = value;
}

static void set_key(struct km_node *copy, size_t i, const struct km_node *key)
{
    ((const struct km_node **)(uintptr_t)copy->k)[i] = key;
}

const struct km_node *km_load_resolve(struct km_arena *arena, const struct km_env *env,
                                      const struct km_node *root)
{
    struct km_node *copy = NULL;

    if (root->type != KM_NODE_SEQ && root->type != KM_NODE_MAP)
        return resolve_scalar(arena, env, root);
    for (size_t i = 0; i < root->n; i++) {
        const struct km_node *child = km_load_resolve(arena, env, root->v[i]);

        if (child == root->v[i])
            continue;
        if (!copy)
            copy = copy_collection(arena, root, 0);
        if (!copy)
            return root;
        set_child(copy, i, child);
    }
    return copy ? copy : root;
}

static const struct km_node *find_credential(const struct km_node *list, struct km_str name)
{
    for (size_t i = 0; list && list->type == KM_NODE_SEQ && i < list->n; i++) {
        const struct km_node *n = km_node_get(list->v[i], KM_STR("credential_name"));

        if (n && km_str_eq(n->text, name))
            return km_node_get(list->v[i], KM_STR("credential_values"));
    }
    return NULL;
}

/* litellm_params with the credential's values for the keys it does not have itself, in the
 * place of the credential's name. */
static const struct km_node *with_credential(struct km_arena *arena, const struct km_node *params,
                                             const struct km_node *values)
{
    struct km_node *copy = copy_collection(arena, params, values->n);
    size_t kept = 0;

    for (size_t i = 0; copy && i < params->n; i++) {
        if (km_str_eq(params->k[i]->text, KM_STR("litellm_credential_name")))
            continue;
        set_key(copy, kept, params->k[i]);
        set_child(copy, kept++, params->v[i]);
    }
    if (copy)
        copy->n = kept;
    for (size_t i = 0; copy && i < values->n; i++) {
        if (km_node_get(params, values->k[i]->text))
            continue;
        set_key(copy, copy->n, values->k[i]);
        set_child(copy, copy->n, values->v[i]);
        copy->n++;
    }
    return copy ? copy : params;
}

/* One entry of model_list. */
static const struct km_node *expand_entry(struct km_arena *arena, const struct km_node *entry,
                                          const struct km_node *list, struct km_diags *diags)
{
    const struct km_node *params = km_node_get(entry, KM_STR("litellm_params"));
    const struct km_node *name = km_node_get(params, KM_STR("litellm_credential_name"));
    const struct km_node *values;
    struct km_node *copy;

    if (!name || name->type != KM_NODE_STR)
        return entry;
    values = find_credential(list, name->text);
    if (!values || values->type != KM_NODE_MAP) {
        km_diag_add(diags, KM_DIAG_ERROR, "E0111", name,
                    "add it to credential_list with credential_name and credential_values",
                    "no credential named '%.*s'", KM_STR_ARG(name->text));
        return entry;
    }
    copy = copy_collection(arena, entry, 0);
    for (size_t i = 0; copy && i < copy->n; i++)
        if (copy->v[i] == params)
            set_child(copy, i, with_credential(arena, params, values));
    return copy ? copy : entry;
}

const struct km_node *km_load_credentials(struct km_arena *arena, const struct km_node *root,
                                          struct km_diags *diags)
{
    const struct km_node *list = km_node_get(root, KM_STR("credential_list"));
    const struct km_node *models = km_node_get(root, KM_STR("model_list"));
    struct km_node *new_models, *new_root;

    for (size_t i = 0; list && list->type == KM_NODE_SEQ && i < list->n; i++) {
        const struct km_node *values = km_node_get(list->v[i], KM_STR("credential_values"));

        for (size_t j = 0; values && j < values->n; j++)
            km_diags_hide(diags, values->v[j]);
    }
    if (!models || models->type != KM_NODE_SEQ)
        return root;
    new_models = copy_collection(arena, models, 0);
    new_root = copy_collection(arena, root, 0);
    if (!new_models || !new_root)
        return root;
    for (size_t i = 0; i < models->n; i++)
        set_child(new_models, i, expand_entry(arena, models->v[i], list, diags));
    for (size_t i = 0; i < root->n; i++)
        if (root->v[i] == models)
            set_child(new_root, i, new_models);
    return new_root;
}
