/* SPDX-License-Identifier: Apache-2.0 */
/* repeat.c - see repeat.h for the contract.
 *
 * A hint counts where it is said outright.  One that says it only reads and that it destroys says
 * neither; one that destroys may well be idempotent: what is deleted twice is gone once.
 */
#include "policy/repeat.h"

#include <stddef.h>

const char *const km_repeat_words[] = { "default", "always", "never", NULL };

static bool only_reads(const struct km_repeat_facts *f)
{
    return f->trusted && f->read_only > 0 && f->destructive <= 0;
}

static enum km_repeat_said configured(const struct km_repeat_facts *f)
{
    return (enum km_repeat_said)(f->of_tool != KM_REPEAT_UNSAID ? f->of_tool : f->of_server);
}

bool km_repeat_may(const struct km_repeat_facts *f)
{
    const enum km_repeat_said said = configured(f);

    if (!f->sent)
        return true;
    if (said != KM_REPEAT_UNSAID)
        return said == KM_REPEAT_ALWAYS;
    return only_reads(f) || (f->trusted && f->idempotent > 0);
}

bool km_repeat_shares(const struct km_repeat_facts *f)
{
    const enum km_repeat_said said = configured(f);

    return said != KM_REPEAT_UNSAID ? said == KM_REPEAT_ALWAYS : only_reads(f);
}
