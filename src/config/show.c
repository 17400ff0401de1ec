/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - effective settings with their origins, and what differs between two snapshots.
 *
 * Shown values are built for being pasted into a bug report: secrets never come out.  A row
 * of type SECRET is masked whole.  In raw nodes, which rows do not describe, what a variable
 * brought in and what stands under a name like api_key is masked; elsewhere text is cut where
 * mask.c says a secret begins, so that a database URL keeps its scheme and loses its password.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "config/mask.h"
#include "config/snapshot.h"
#include "config/value.h"

static void masked_text(struct km_str text, struct km_buf *out)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    bool open;
    size_t from = km_mask_from(text, &open);

    km_buf_str(&line, km_str_sub(text, 0, from));
    if (from < text.n)
        km_buf_str(&line, KM_STR(KM_MASK));
    km_buf_json(out, km_buf_view(&line));
}

/* Its values are header fields or variables of a child: as good as credentials. */
static bool holds_fields(struct km_str name)
{
    return km_str_ends(name, KM_STR("headers")) || km_str_eq(name, KM_STR("env"));
}

/* ["--api-key", "value", "--token=value"]: the second and the third. */
static bool is_argument(const struct km_node *list, size_t i)
{
    struct km_str word = list->v[i]->text, before = i ? list->v[i - 1]->text : KM_STR_NONE;
    size_t eq = km_str_chr(word, '=');

    return (km_str_starts(word, KM_STR("-")) && eq < word.n &&
            km_mask_name(km_str_sub(word, 0, eq))) ||
           (km_str_starts(before, KM_STR("-")) && km_str_chr(before, '=') == before.n &&
            km_mask_name(before));
}

/* As JSON, with everything that may be a secret masked; hidden: all texts of a mapping. */
static void masked(const struct km_node *node, bool hidden, struct km_buf *out)
{
    bool map = node->type == KM_NODE_MAP;

    if (node->type == KM_NODE_STR) {
        if (node->from_env && node->line)
            km_buf_json(out, KM_STR(KM_MASK));
        else
            masked_text(node->text, out);
        return;
    }
    if (node->type != KM_NODE_SEQ && !map) {
        km_node_json(node, out);
        return;
    }
    km_buf_byte(out, map ? '{' : '[');
    for (size_t i = 0; i < node->n; i++) {
        if (i)
            km_buf_byte(out, ',');
        if (map) {
            km_buf_json(out, node->k[i]->text);
            km_buf_byte(out, ':');
        }
        if (node->v[i]->type == KM_NODE_STR &&
            (map ? hidden || km_mask_name(node->k[i]->text) : is_argument(node, i)))
            km_buf_json(out, KM_STR(KM_MASK));
        else
            masked(node->v[i], map && holds_fields(node->k[i]->text), out);
    }
    km_buf_byte(out, map ? '}' : ']');
}

/* The value as JSON. */
static void value(const struct km_effective *e, struct km_buf *out)
{
    switch (e->row->type) {
    case KM_SET_SECRET:
        km_buf_json(out, KM_STR(KM_MASK));
        break;
    case KM_SET_NODE:
    case KM_SET_STR_MAP:
    case KM_SET_STR_LIST:
        masked(e->node, holds_fields(km_str_c(e->row->name)), out);
        break;
    case KM_SET_BOOL:
        km_node_json(e->node, out);
        break;
    default:
        if (e->node->type == KM_NODE_INT || e->node->type == KM_NODE_FLOAT)
            km_node_json(e->node, out);
        else
            masked_text(e->node->text, out);
    }
}

static void origin(const struct km_node *node, struct km_buf *out)
{
    km_buf_str(out, node->file);
    if (node->line)
        km_buf_printf(out, ":%u", node->line);
    if (node->line && node->from_env)
        km_buf_str(out, KM_STR(", from the environment"));
}

static void show_json(const struct km_effective *e, struct km_buf *out)
{
    struct km_buf from KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    km_buf_str(out, KM_STR("{\"setting\":"));
    km_buf_json(out, e->path);
    km_buf_str(out, KM_STR(",\"value\":"));
    value(e, out);
    km_buf_str(out, KM_STR(",\"origin\":"));
    origin(e->node, &from);
    km_buf_json(out, km_buf_view(&from));
    km_buf_byte(out, '}');
}

void km_config_show(const struct km_config *config, bool json, struct km_buf *out)
{
    if (json)
        km_buf_byte(out, '[');
    for (size_t i = 0; i < config->nsettings; i++) {
        const struct km_effective *e = &config->settings[i];

        if (json) {
            if (i)
                km_buf_byte(out, ',');
            show_json(e, out);
            continue;
        }
        km_buf_str(out, e->path);
        km_buf_str(out, KM_STR(" = "));
        value(e, out);
        km_buf_str(out, KM_STR("  # "));
        origin(e->node, out);
        km_buf_byte(out, '\n');
    }
    if (json)
        km_buf_byte(out, ']');
}

static const struct km_effective *find(const struct km_config *c, struct km_str path)
{
    for (size_t i = 0; i < c->nsettings; i++)
        if (km_str_eq(c->settings[i].path, path))
            return &c->settings[i];
    return NULL;
}

const struct km_node *km_config_origin(const struct km_config *config, const char *path)
{
    const struct km_effective *e = find(config, km_str_c(path));

    return e ? e->node : NULL;
}

/* Is it the same number, however it is written: 20ms, 0.02s? */
static bool same_number(const struct km_effective *a, const struct km_effective *b)
{
    int64_t x, y;

    return km_value_is_number(a->row->type) && km_value_number(a->row, a->node, &x, NULL) == 0 &&
           km_value_number(b->row, b->node, &y, NULL) == 0 && x == y;
}

/* Compared by what a reader of the value would see; scalars by their text. */
static bool same(const struct km_effective *a, const struct km_effective *b)
{
    struct km_buf x KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_buf y KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    if (!a || !b)
        return a == b;
    if (same_number(a, b))
        return true;
    if (a->node->type < KM_NODE_SEQ && b->node->type < KM_NODE_SEQ)
        return km_str_eq(a->node->text, b->node->text);
    km_node_json(a->node, &x);
    km_node_json(b->node, &y);
    return km_str_eq(km_buf_view(&x), km_buf_view(&y));
}

/* Restart rows of `a` that are different in b or, when `gone` is asked for, not there. */
static void differing(const struct km_config *a, const struct km_config *b, bool gone,
                      struct km_buf *out)
{
    for (size_t i = 0; i < a->nsettings; i++) {
        const struct km_effective *e = &a->settings[i], *other;

        if (!(e->row->flags & KM_SET_RESTART))
            continue; /* most of them: looking each up in the other would take the square */
        other = find(b, e->path);
        if (gone ? other != NULL : same(e, other))
            continue;
        if (out->n)
            km_buf_byte(out, '\n');
        km_buf_str(out, e->path);
    }
}

void km_config_needs_restart(const struct km_config *from, const struct km_config *to,
                             struct km_buf *out_names)
{
    differing(to, from, false, out_names);
    differing(from, to, true, out_names);
}
