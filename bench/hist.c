/* SPDX-License-Identifier: Apache-2.0 */
/* hist.c - see hist.h for the contract.
 *
 * Values below 2^8 have a cell each.  Above, the cell of a value is its top seven bits
 * after the leading one, in the row of its power of two:
 *
 *     value   1xxxxxxx yyyy...      row = position of the leading bit
 *              ^^^^^^^ column       (y is what is lost)
 */
#include "hist.h"

static unsigned cell_of(uint64_t ns)
{
    unsigned shift;

    if (ns < (2u << HIST_SUB_BITS))
        return (unsigned)ns;
    shift = 63u - (unsigned)__builtin_clzll(ns) - HIST_SUB_BITS;
    return (shift << HIST_SUB_BITS) + (unsigned)(ns >> shift);
}

/* The largest value that falls into a cell. */
static uint64_t top_of(unsigned cell)
{
    unsigned shift;
    uint64_t top;

    if (cell < (2u << HIST_SUB_BITS))
        return cell;
    shift = (cell >> HIST_SUB_BITS) - 1;
    top = (cell & ((1u << HIST_SUB_BITS) - 1)) | (1u << HIST_SUB_BITS);
    return ((top + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t ns)
{
    if (ns >= 1ull << HIST_TOP_BIT)
        ns = (1ull << HIST_TOP_BIT) - 1;
    h->cells[cell_of(ns)]++;
    h->sum_ns += ns;
    if (!h->count || ns < h->min_ns)
        h->min_ns = ns;
    if (ns > h->max_ns)
        h->max_ns = ns;
    h->count++;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
    uint64_t rank = (uint64_t)((double)h->count * percent / 100.0 + 0.999999);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HIST_CELLS; i++) {
        seen += h->cells[i];
        if (seen && seen >= rank) {
            uint64_t top = top_of(i);
            return top < h->max_ns ? top : h->max_ns;
        }
    }
    return h->max_ns;
}

static double us(uint64_t ns)
{
    return (double)ns / 1000.0;
}

void hist_print_json(const struct hist *h, FILE *out)
{
    double mean = h->count ? us(h->sum_ns) / (double)h->count : 0.0;

    fprintf(out,
            "{\"count\":%llu,\"mean_us\":%.3f,\"min_us\":%.3f,\"p50_us\":%.3f,\"p90_us\":%.3f,"
            "\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f}",
            (unsigned long long)h->count, mean, us(h->min_ns), us(hist_percentile(h, 50)),
            us(hist_percentile(h, 90)), us(hist_percentile(h, 99)), us(hist_percentile(h, 99.9)),
            us(h->max_ns));
}
