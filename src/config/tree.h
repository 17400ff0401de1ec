/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - a parsed YAML file: typed nodes that know their line and column.
 *
 * Scalars resolve as PyYAML's safe_load does (YAML 1.1: yes/no/on/off, 0o and 1_000 ints,
 * sexagesimals, timestamps); anchors, aliases and merge keys are expanded (bounded: aliases
 * cannot grow a document past max_nodes); of duplicate keys the last wins, with a warning.
 * Nodes are immutable and live in the arena given to the parser.
 */
#ifndef KM_CONFIG_TREE_H
#define KM_CONFIG_TREE_H

#include "base/arena.h"
#include "base/buf.h"

struct km_buf;

enum km_node_type {
    KM_NODE_NULL,
    KM_NODE_BOOL,
    KM_NODE_INT,
    KM_NODE_FLOAT,
    KM_NODE_STR,
    KM_NODE_TIME, /* a YAML timestamp; text holds it */
    KM_NODE_SEQ,
    KM_NODE_MAP,
};

struct km_node {
    enum km_node_type type;
    struct km_str text; /* scalar: its source text, unquoted; resolved for STR */
    bool b;
    int64_t i; /* INT; saturated where it does not fit (big is set) */
    bool big;
    double f; /* INT and FLOAT, for pass-through to JSON only */
    size_t n; /* SEQ, MAP: number of children */
    const struct km_node *const *v; /* SEQ items, MAP values */
    const struct km_node *const *k; /* MAP keys */
    const struct km_lost *lost; /* MAP: values that others took the place of, the latest first */
    struct km_str file; /* where it stands, for messages */
    unsigned line, column; /* from 1 */
    bool from_env; /* text came from os.environ/NAME */
};

/* A value of a mapping that is not among its values any more. */
struct km_lost {
    const struct km_lost *next;
    const struct km_node *key, *value;
    const struct km_node *by; /* the same key, where it stands again */
};

/* The value of a key in a MAP, or NULL (also when node is NULL or no MAP). */
const struct km_node *km_node_get(const struct km_node *node, struct km_str key);
/* Dotted path through MAPs: "general_settings.master_key". */
const struct km_node *km_node_path(const struct km_node *node, const char *path);

/* false, null, an empty text, list or mapping: what switches nothing on.  An os.environ/NAME that
 * is not set is not among them, for it was to have a value. */
bool km_node_says_nothing(const struct km_node *node);

/* The node as JSON (strings escaped, big ints by their text, times as strings). */
void km_node_json(const struct km_node *node, struct km_buf *out);

#endif
