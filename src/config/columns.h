/* SPDX-License-Identifier: Apache-2.0 */
/* columns.h - columns of a line, which are code points and not bytes. */
#ifndef KM_CONFIG_COLUMNS_H
#define KM_CONFIG_COLUMNS_H

#include "base/str.h"

/* Byte offset of a column (counted in code points from 1). */
static inline size_t km_column_byte(struct km_str line, unsigned column)
{
    size_t i = 0;

    while (i < line.n && column > 1) {
        i++;
        while (i < line.n && ((unsigned char)line.p[i] & 0xc0) == 0x80)
            i++;
        column--;
    }
    return i;
}

/* Of valid UTF-8. */
static inline unsigned km_columns(struct km_str s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

#endif
