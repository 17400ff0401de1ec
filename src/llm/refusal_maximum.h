/* SPDX-License-Identifier: Apache-2.0 */
/* refusal_maximum.h - the most output tokens that an upstream's refusal names. */
#ifndef KM_LLM_REFUSAL_MAXIMUM_H
#define KM_LLM_REFUSAL_MAXIMUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* The maximum that the text of a 400, 416 or 422 names, or -1: it names none.  asked: the bound
 * that was sent; a maximum is less than that.  -1: none was sent, or nobody knows: then only what
 * the text itself says of it is asked.  *ret_passing: it is what this request left of the model's
 * window, and nothing that holds for another. */
int64_t km_refusal_names_maximum(struct km_str text, int64_t asked, bool *ret_passing);

#endif
