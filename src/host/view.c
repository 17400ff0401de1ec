/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - a worker's hold on the snapshot (gateway.h): who only reads a configuration needs
 * nothing else of the worker.
 */
#include "host/gateway.h"

#include <stdlib.h>

struct km_view *km_view_ref(struct km_view *v)
{
    v->refs++;
    return v;
}

void km_view_unref(struct km_view *v)
{
    if (!v || --v->refs > 0)
        return;
    km_snapshot_unref(v->snap);
    free(v);
}
