/* SPDX-License-Identifier: Apache-2.0 */
/* model_stored.c - what is different for a model that the management API stored.
 *
 * A file's author can read the machine's variables anyway; who has the master key cannot.  An
 * entry `{"model": "openai/x", "api_base": "https://elsewhere"}` without a key would send
 * OPENAI_API_KEY elsewhere.  So an address that a stored entry names gets the entry's own
 * credentials, or none; what stands at a provider's own address is called as ever.
 *
 * An id that the file gives is the file's: a stored entry that has it is left out, and is there
 * again when the file has it no more.
 */
#include "llm/model_build.h"

#include "config/tree.h"

bool km_model_entry_stored(const struct km_model_entry *entry)
{
    return entry->node && km_str_eq(entry->node->file, KM_STR(KM_MODEL_STORED_NAME));
}

bool km_model_entry_alone(const struct km_model_entry *entry)
{
    const struct km_litellm_params *p = &entry->params;

    return km_model_entry_stored(entry) &&
           (p->api_base.n || p->base_url.n || p->aws.runtime_endpoint.n || p->aws.sts_endpoint.n);
}

bool km_model_entry_hidden(const struct km_model_build *b, const struct km_table_list *list,
                           size_t at)
{
    const struct km_model_entry *entries = list->v, *e = &entries[at];

    for (size_t i = 0; km_model_entry_stored(e) && i < list->n; i++) {
        if (km_model_entry_stored(&entries[i]))
            return false; /* they follow the file's */
        if (!km_str_eq(entries[i].info.id, e->info.id))
            continue;
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0319", entries[i].node,
                    "give one of them another id, or delete the stored one",
                    "the stored model '%.*s' is left out: this deployment has its id, '%.*s'",
                    KM_STR_ARG(e->model_name), KM_STR_ARG(e->info.id));
        return true;
    }
    return false;
}
