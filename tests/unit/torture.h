/* SPDX-License-Identifier: Apache-2.0 */
/* torture.h - lets each allocation of a piece of code fail in turn.
 *
 * km_torture(life) runs life() once with its first allocation failing, once with its second,
 * and so on, until it runs through; each time everything it allocated must have been freed.
 * The program is linked with --wrap for malloc, calloc, realloc, aligned_alloc and free, so
 * only calls made by our own objects count; libraries keep their memory.
 */
#ifndef KM_TESTS_TORTURE_H
#define KM_TESTS_TORTURE_H

#include <stddef.h>

typedef void km_torture_fn(void);

/* How many allocations life() makes when none fails. */
size_t km_torture(km_torture_fn *life);

#endif
