/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_env.c - what the environment or .env says of a deployment that its entry does not: its
 * provider's key and base (model_build.h).  Apart from deployment.c, which everything is built by,
 * so that what only asks for a variable does not reach all of that.
 */
#include "llm/model_build.h"

static struct km_str getenv_first(const struct km_config *config, const char *const *names,
                                  size_t n)
{
    struct km_str value;

    km_assert(names);
    for (size_t i = 0; i < n && names[i]; i++)
        if (km_config_getenv(config, names[i], &value) && value.n)
            return value;
    return KM_STR_NONE;
}

struct km_str km_deployment_env(const struct km_model_build *b, const char *name)
{
    return getenv_first(b->args->config, &name, 1);
}

struct km_str km_deployment_key(const struct km_deployment *d, const struct km_model_build *b,
                                const struct km_model_entry *entry)
{
    if (entry->params.api_key.n || km_model_entry_alone(entry))
        return entry->params.api_key;
    return getenv_first(b->args->config, d->provider->key_env, 3);
}
