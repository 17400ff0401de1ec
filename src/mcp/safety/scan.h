/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - what a tool's definition says to a model that a person who reads it would not see, or
 * would not want said: hidden characters, orders to the model, encoded text, letters of another
 * script in a name.
 *
 * It finds what is known from attacks and is no proof of harmlessness; what it finds is shown to
 * people (pin.h), nothing is ever changed by it.  Pure functions, bounded by their input.
 */
#ifndef KM_MCP_SCAN_H
#define KM_MCP_SCAN_H

#include "http/json.h"

enum km_scan_flag {
    KM_SCAN_HIDDEN = 1, /* characters nobody sees: tags, bidi controls, zero width, private use */
    KM_SCAN_ORDERS = 2, /* it tells the model to ignore, to conceal, to pass secrets on */
    KM_SCAN_ENCODED = 4, /* a long piece of base64 */
    KM_SCAN_LOOKALIKE = 8, /* a name of Latin letters and others that look like them */
};

/* Of a text of any length; flags, 0: nothing was found. */
unsigned km_scan_text(struct km_str s);
/* Of a name: km_scan_text(), and letters of two scripts. */
unsigned km_scan_name(struct km_str s);
/* Of all names and texts of a tool, prompt or resource but its icons. */
unsigned km_scan_item(const struct km_json *item);

/* The first character of s, which is not empty; a byte that is no UTF-8 counts as itself. */
uint32_t km_scan_code_point(struct km_str s, size_t *ret_n);
/* Is it a character that nobody sees?  For texts that are shown to a person who decides. */
bool km_scan_invisible(uint32_t cp);
/* Appends s with such characters, and controls, as \uXXXX; ends of lines and tabs stay. */
void km_scan_plain(struct km_buf *out, struct km_str s);
/* The same where all of it is to stay on its line: they are spelled out, too. */
void km_scan_line(struct km_buf *out, struct km_str s);

/* ["hidden_characters","orders"] */
void km_scan_words(unsigned flags, struct km_buf *out);

#endif
