/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - see tree.h for the contract.
 *
 * Look-ups walk the children in file order: a mapping of a configuration has tens of keys,
 * and every key is read a handful of times while a snapshot is built, so an index would cost
 * more than it saves.
 *
 * JSON out of a node is what a provider or a person reads, so numbers keep the digits they
 * were written with where JSON can express them: a price of 0.0000025 must not come out as
 * 2.4999999999999998e-06.  What JSON has no word for (.inf, .nan) becomes null.
 */
#include "config/tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

const struct km_node *km_node_get(const struct km_node *node, struct km_str key)
{
    if (!node || node->type != KM_NODE_MAP)
        return NULL;
    for (size_t i = 0; i < node->n; i++)
        if (node->k[i]->type == KM_NODE_STR && km_str_eq(node->k[i]->text, key))
            return node->v[i];
    return NULL;
}

const struct km_node *km_node_path(const struct km_node *node, const char *path)
{
    struct km_str rest = km_str_c(path), part;

    while (node && km_str_split(&rest, '.', &part))
        node = km_node_get(node, part);
    return node;
}

bool km_node_says_nothing(const struct km_node *node)
{
    switch (node->type) {
    case KM_NODE_NULL:
        return !node->from_env;
    case KM_NODE_BOOL:
        return !node->b;
    case KM_NODE_SEQ:
    case KM_NODE_MAP:
        return node->n == 0;
    case KM_NODE_STR:
        return node->text.n == 0;
    default:
        return false;
    }
}

/* The shortest text that reads back as the same double. */
static void json_float(double f, struct km_buf *out)
{
    char text[40];

    if (!isfinite(f)) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, f);
        if (!(strtod(text, NULL) < f) && !(strtod(text, NULL) > f))
            break;
    }
    km_buf_str(out, km_str_c(text));
}

/* Whether the text is a JSON integer as it stands. */
static bool plain_digits(struct km_str s)
{
    size_t i = s.n && s.p[0] == '-' ? 1 : 0;

    if (i == s.n || (s.p[i] == '0' && s.n > i + 1))
        return false;
    for (; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static void json_int(const struct km_node *node, struct km_buf *out)
{
    if (!node->big)
        km_buf_i64(out, node->i);
    else if (plain_digits(node->text))
        km_buf_str(out, node->text);
    else
        json_float(node->f, out);
}

/* A key as Python's json.dumps would write it: scalars by their text. */
static void json_key(const struct km_node *key, struct km_buf *out)
{
    switch (key->type) {
    case KM_NODE_NULL:
        km_buf_str(out, KM_STR("\"null\""));
        break;
    case KM_NODE_BOOL:
        km_buf_str(out, key->b ? KM_STR("\"true\"") : KM_STR("\"false\""));
        break;
    default:
        km_buf_json(out, key->text);
    }
}

static void json_children(const struct km_node *node, struct km_buf *out)
{
    bool map = node->type == KM_NODE_MAP;

    km_buf_byte(out, map ? '{' : '[');
    for (size_t i = 0; i < node->n; i++) {
        if (i)
            km_buf_byte(out, ',');
        if (map) {
            json_key(node->k[i], out);
            km_buf_byte(out, ':');
        }
        km_node_json(node->v[i], out);
    }
    km_buf_byte(out, map ? '}' : ']');
}

void km_node_json(const struct km_node *node, struct km_buf *out)
{
    switch (node ? node->type : KM_NODE_NULL) {
    case KM_NODE_NULL:
        km_buf_str(out, KM_STR("null"));
        break;
    case KM_NODE_BOOL:
        km_buf_str(out, node->b ? KM_STR("true") : KM_STR("false"));
        break;
    case KM_NODE_INT:
        json_int(node, out);
        break;
    case KM_NODE_FLOAT:
        json_float(node->f, out);
        break;
    case KM_NODE_STR:
    case KM_NODE_TIME:
        km_buf_json(out, node->text);
        break;
    case KM_NODE_SEQ:
    case KM_NODE_MAP:
        json_children(node, out);
        break;
    }
}
