/* SPDX-License-Identifier: Apache-2.0 */
/* A price file of any bytes: it is read or refused.  Every entry that was taken is found again
 * under its own name, and no price is negative except for `unknown`. */
#include "fuzz.h"

#include "policy/price.h"

static void check(int64_t v)
{
    if (v < -1)
        abort();
}

static int on_entry(void *ctx, struct km_str model, struct km_str json, struct km_err *err)
{
    struct km_price price = KM_PRICE_NONE;

    if (km_prices_add_json(ctx, model, json, err) < 0)
        return 0;
    if (!km_prices_find(ctx, KM_STR_NONE, model, &price))
        abort();
    check(price.input);
    check(price.output);
    check(price.cache_read);
    check(price.cache_write);
    for (unsigned i = 0; i < price.nsteps; i++) {
        check(price.steps[i].above);
        check(price.steps[i].rates.input);
        check(price.steps[i].rates.output);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct km_prices
        *prices; /* one for all inputs: to read the built-in rows takes longer */
    struct km_err err;
    size_t n = 0;

    if (!prices)
        prices = km_prices_new();
    if (!prices)
        return 0;
    (void)!km_prices_parse_file(km_str((const char *)data, size), on_entry, prices, &n, &err);
    return 0;
}
