/* SPDX-License-Identifier: Apache-2.0 */
/* diag.h - what is wrong with a configuration: every problem at once, with its place.
 *
 * Printed as rustc does:
 *
 *     error[E0103]: unknown key 'max_tokns' in kanmon_settings.limits
 *       --> config.yaml:12:5
 *        |
 *     12 |     max_tokns: 3
 *        |     ^^^^^^^^^
 *        = help: did you mean 'max_tokens'?
 */
#ifndef KM_CONFIG_DIAG_H
#define KM_CONFIG_DIAG_H

#include "config/tree.h"

enum km_diag_level { KM_DIAG_WARNING, KM_DIAG_ERROR };

struct km_diag {
    enum km_diag_level level;
    const char *code; /* "E0103"; static */
    struct km_str file; /* empty: no place */
    unsigned line, column, width;
    struct km_str source; /* the line's text, without its end; never a secret's */
    struct km_str message, help;
    struct km_str each; /* of km_diag_add_each: what its entries have in common */
    unsigned n; /* and how many there were */
};

struct km_diags; /* at most 200 are kept, errors before warnings; the rest are counted */

struct km_diags *km_diags_new(void);
struct km_diags *km_diags_free(struct km_diags *d);

/* The text of a file that diagnostics will point into; both are copied.  Lines shown from it
 * have what follows a name like api_key, token or password masked, known to the rows or not. */
void km_diags_source(struct km_diags *d, struct km_str file, struct km_str text);

/* The node is a secret: its characters are never shown, whoever points at its line. */
void km_diags_hide(struct km_diags *d, const struct km_node *secret);

/* At a node (its place) or nowhere (node NULL).  help may be NULL. */
void km_diag_add(struct km_diags *d, enum km_diag_level level, const char *code,
                 const struct km_node *at, const char *help, const char *fmt, ...) KM_PRINTF(6, 7);

/* One entry for all with the same code and `many`, at the place of the first:
 *
 *     one      model 'a' cannot be called: OPENAI_API_KEY is not set
 *     more     3 models cannot be called: OPENAI_API_KEY is not set: model 'a', model 'b' (line 9),
 *              model 'c' (line 14)
 *
 * The first is `subject` and `one`, the second the number, `many` and the subjects, of which a
 * dozen are named. */
void km_diag_add_each(struct km_diags *d, enum km_diag_level level, const char *code,
                      const struct km_node *at, const char *help, struct km_str subject,
                      struct km_str one, struct km_str many);

/* At a place without a node: a syntax error. */
void km_diag_add_at(struct km_diags *d, enum km_diag_level level, const char *code,
                    struct km_str file, unsigned line, unsigned column, const char *help,
                    const char *fmt, ...) KM_PRINTF(8, 9);

/* All secrets are known: `source` of every entry is filled (of later ones as they come), and
 * the entries are put into the order of the file. */
void km_diags_seal(struct km_diags *d);

size_t km_diags_count(const struct km_diags *d, enum km_diag_level level);
const struct km_diag *km_diags_at(const struct km_diags *d, size_t i);

/* Human form (colour when asked), and a JSON list of objects with file, line, column, level,
 * code, message and suggestion. */
void km_diags_text(const struct km_diags *d, bool colour, struct km_buf *out);
void km_diags_json(const struct km_diags *d, struct km_buf *out);

#endif
