/* SPDX-License-Identifier: Apache-2.0 */
/* price_text.h - a reader of JSON and of the object literals of JavaScript, for price files.
 *
 * It walks text once, in place, one value at a time; a value nobody asked for is skipped.
 * Understood besides JSON: names without quotes, strings in '...' and `...`, !0 and !1,
 * numbers like .5 and 2e5, a comma before the closing bracket, comments.  Views point into the
 * text, which must outlive them.  Nesting is bounded by KM_PRICE_TEXT_DEPTH.
 */
#ifndef KM_POLICY_PRICE_TEXT_H
#define KM_POLICY_PRICE_TEXT_H

#include "base/str.h"

#define KM_PRICE_TEXT_DEPTH 64

struct km_price_text {
    struct km_str s; /* what is left */
    bool first; /* no member or item of the open container was read yet */
};

/* Is the next value of this kind?  '{', '[', '"' (any string), '0' (number), 'a' (another). */
char km_price_text_kind(struct km_price_text *t);

/* Takes the opening bracket.  false: another value stands there. */
bool km_price_text_open(struct km_price_text *t, char bracket);

/* The next member of an object: its name as written between its quotes.  *ret_more false: the
 * object has ended and its bracket is taken. */
int km_price_text_member(struct km_price_text *t, struct km_str *ret_name, bool *ret_more,
                         struct km_err *err) KM_MUST_USE;
/* Likewise of an array: the reader stands before the item. */
int km_price_text_item(struct km_price_text *t, bool *ret_more, struct km_err *err) KM_MUST_USE;

/* Takes one whole value of any kind; *ret_value: its source, of a string what is between its
 * quotes. */
int km_price_text_value(struct km_price_text *t, struct km_str *ret_value,
                        struct km_err *err) KM_MUST_USE;

#endif
