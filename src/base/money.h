/* SPDX-License-Identifier: Apache-2.0 */
/* money.h - amounts as people and JSON read them. */
#ifndef KM_BASE_MONEY_H
#define KM_BASE_MONEY_H

#include <stdint.h>

#define KM_MONEY_LEN 32

/* "1.0025" from nano-USD, no trailing zeros: all of it, so that a reader who adds decimals gets
 * what the books hold. */
void km_money_text(int64_t nanousd, char out[KM_MONEY_LEN]);

#endif
