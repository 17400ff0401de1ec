/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.h - YAML text to a tree of nodes (tree.h).
 *
 * Everything lives in the arena; `text` may go away afterwards.  A document over a limit, or
 * one PyYAML's safe_load refuses, is KM_E_CONFIG with the place in *diags; KM_E_NOMEM when
 * the arena is full.  An empty document is a NULL-typed node.
 */
#ifndef KM_CONFIG_YAML_H
#define KM_CONFIG_YAML_H

#include "config/diag.h"

struct km_yaml_limits {
    size_t max_bytes; /* of the text */
    size_t max_nodes; /* with every alias counted as often as it is used */
    unsigned max_depth; /* of nesting, aliases included */
};

#define KM_YAML_LIMITS                                                                             \
    {                                                                                              \
        .max_bytes = 8 << 20, .max_nodes = 200000, .max_depth = 64                                 \
    }

int km_yaml_parse(struct km_arena *arena, struct km_str file, struct km_str text,
                  const struct km_yaml_limits *limits, struct km_diags *diags,
                  const struct km_node **ret_root, struct km_err *err) KM_MUST_USE;

#endif
