/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - from a path to one resolved tree: files, includes, variables, credentials. */
#ifndef KM_CONFIG_LOAD_H
#define KM_CONFIG_LOAD_H

#include "config/env.h"

/* Reads `path` with everything it includes into one tree.  KM_E_NOT_FOUND when it is not
 * there, KM_E_CONFIG with diagnostics when it cannot be used. */
int km_load_tree(struct km_arena *arena, struct km_str path, struct km_diags *diags,
                 const struct km_node **ret_root, struct km_err *err) KM_MUST_USE;

/* Puts another text below the tree: of a mapping that both have at the top the keys of both are
 * there, and those of the tree win; of a list that both have at the top the other's items
 * follow. */
int km_load_below(struct km_arena *arena, struct km_str name, struct km_str text,
                  struct km_diags *diags, const struct km_node **root,
                  struct km_err *err) KM_MUST_USE;

/* Reads the .env files beside `path` and `environment_variables` of root into env. */
int km_load_env(struct km_env *env, struct km_str path, const struct km_node *root,
                struct km_diags *diags, struct km_err *err) KM_MUST_USE;

/* The tree with every os.environ/NAME replaced: by a string, or where the variable is not set
 * by a NULL node that still has the text.  Unchanged parts are shared with `root`. */
const struct km_node *km_load_resolve(struct km_arena *arena, const struct km_env *env,
                                      const struct km_node *root);

/* The tree with the values of credential_list put into the litellm_params that name one; a
 * name that is not there is a diagnostic. */
const struct km_node *km_load_credentials(struct km_arena *arena, const struct km_node *root,
                                          struct km_diags *diags);

#endif
