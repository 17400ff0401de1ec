/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - what of a configuration is a credential (config.h), for the veil.
 *
 * Rows know their secrets, but not all there is: header fields, a child's environment and its
 * arguments, what stands in a URL, what other programs' variables hold.  So the whole tree is
 * walked and judged by names, in favour of hiding: what is hidden needlessly is a word in an error
 * that an upstream repeated.
 */
#include <string.h>

#include "base/veil.h"
#include "config/snapshot.h"
#include "config/tree.h"

#define FIELD_LEAST 12 /* of a header field or variable that is no credential by its name */

static bool is_number(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < '0' || s.p[i] > '9') && !memchr(".+-eE_", s.p[i], 6))
            return false;
    return true;
}

static void tell(struct km_veil *veil, struct km_str value)
{
    if (!is_number(value) && !km_str_starts(value, KM_STR("os.environ/")))
        km_veil_add(veil, value);
}

/* scheme://user:password@host/path?api_key=value */
static void tell_url(struct km_veil *veil, struct km_str text)
{
    struct km_str rest = km_str_skip(text, km_str_find(text, KM_STR("://")) + 3), pair;
    size_t at = km_str_chr(km_str_sub(rest, 0, km_str_chr(rest, '/')), '@');
    size_t colon = km_str_chr(rest, ':');

    if (colon < at && at < km_str_chr(rest, '/') && at < rest.n)
        tell(veil, km_str_sub(rest, colon + 1, at - colon - 1));
    rest = km_str_skip(rest, km_str_chr(rest, '?') + 1);
    while (km_str_split(&rest, '&', &pair)) {
        size_t eq = km_str_chr(pair, '=');

        if (eq < pair.n && km_veil_names(km_str_sub(pair, 0, eq)))
            tell(veil, km_str_skip(pair, eq + 1));
    }
}

/* ["--api-key", "value", "--token=value"] */
static void tell_words(struct km_veil *veil, const struct km_node *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct km_str word = list->v[i]->text;
        size_t eq = km_str_chr(word, '=');

        if (list->v[i]->type != KM_NODE_STR || !km_str_starts(word, KM_STR("-")) ||
            !km_veil_names(km_str_sub(word, 0, eq)))
            continue;
        if (eq < word.n)
            tell(veil, km_str_skip(word, eq + 1));
        else if (i + 1 < list->n && list->v[i + 1]->type == KM_NODE_STR)
            tell(veil, list->v[i + 1]->text);
    }
}

static bool holds_fields(struct km_str name)
{
    return km_str_ends(name, KM_STR("headers")) || km_str_eq(name, KM_STR("env")) ||
           km_str_eq(name, KM_STR("environment_variables"));
}

/* A file or folder, by its name and as it looks: servers say in errors where they may not go. */
static bool is_place(struct km_str name, struct km_str value)
{
    static const char *const ends[] = { "path", "dir",  "home",   "file",
                                        "root", "pwd",  "folder", "directory" };

    if (!km_str_starts(value, KM_STR("/")) && !km_str_starts(value, KM_STR("~/")))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i]);

        if (name.n >= n && km_str_ieq(km_str_skip(name, name.n - n), km_str_c(ends[i])))
            return true;
    }
    return false;
}

/* fields: the node is a value of header fields or of an environment. */
static void walk(struct km_veil *veil, const struct km_node *node, struct km_str name, bool fields)
{
    if (node->type == KM_NODE_STR) {
        if (km_veil_names(name) ||
            (fields && node->text.n >= FIELD_LEAST && !is_place(name, node->text)))
            tell(veil, node->text);
        if (fields && km_str_chr(node->text, ' ') < node->text.n) /* behind a scheme */
            tell(veil, km_str_skip(node->text, km_str_chr(node->text, ' ') + 1));
        if (km_str_find(node->text, KM_STR("://")) < node->text.n)
            tell_url(veil, node->text);
    } else if (node->type == KM_NODE_MAP) {
        for (size_t i = 0; i < node->n; i++)
            walk(veil, node->v[i], node->k[i]->text, holds_fields(name));
    } else if (node->type == KM_NODE_SEQ) {
        if (km_str_eq(name, KM_STR("args")))
            tell_words(veil, node);
        for (size_t i = 0; i < node->n; i++)
            walk(veil, node->v[i], name, false);
    }
}

void km_config_veil(const struct km_config *config, struct km_veil *veil)
{
    if (config->root)
        walk(veil, config->root, KM_STR_NONE, false);
    for (size_t i = 0; i < config->nsettings; i++)
        if (config->settings[i].row->type == KM_SET_SECRET)
            tell(veil, config->settings[i].node->text);
    for (size_t i = 0; i < KM_ENV_SOURCES; i++)
        for (const struct km_env_var *v = config->env.vars[i]; v; v = v->next)
            if (km_veil_names(v->name))
                tell(veil, v->value);
}
