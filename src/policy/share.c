/* SPDX-License-Identifier: Apache-2.0 */
/* share.c - see share.h for the contract.
 *
 * Equal parts would be fair to the deployments and not to the caller: of three the first would have
 * a third of the time, and mostly it is the first that answers.  So each gets the larger part of
 * what is left, and a stream, of which only the beginning is bounded, can do with less of it.
 */
#include "policy/share.h"

uint64_t km_share_ms(const struct km_share_facts *f)
{
    uint64_t share = f->left_ms;

    if (f->follows)
        share -= f->stream ? share / 2 : share / 4;
    if (f->own_ms && f->own_ms < share)
        share = f->own_ms;
    return share ? share : 1;
}
