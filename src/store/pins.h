/* SPDX-License-Identifier: Apache-2.0 */
/* pins.h - definitions of MCP tools that were seen, and who accepted them: a row a definition.
 *
 * The store keeps them; what they mean is mcp/safety/pin.h's.
 */
#ifndef KM_STORE_PINS_H
#define KM_STORE_PINS_H

#include "store/store.h"

enum km_pin_accepted { KM_PIN_PENDING, KM_PIN_FIRST_SIGHT, KM_PIN_BY_PERSON };

struct km_pin_row {
    struct km_str server, tool;
    uint8_t hash[32];
    enum km_pin_accepted accepted;
    uint32_t flags; /* what a scan found */
    int64_t first_us; /* wall: seen first */
    struct km_str definition; /* JSON: what it said.  Put empty: what is kept of it stays */
    bool kept; /* read: its definition is there, though this struct has it not */
};

/* In place of the row with this server, tool and hash.  Copied before return. */
void km_store_pin_put(struct km_store *store, const struct km_pin_row *row);
/* The row made room for another. */
void km_store_pin_drop(struct km_store *store, const struct km_pin_row *row);

typedef void km_pin_row_fn(void *ctx, const struct km_pin_row *row);
/* Every one, oldest first; blocking, before loops run. */
int km_store_pins(struct km_store *store, km_pin_row_fn *each, void *ctx,
                  struct km_err *err) KM_MUST_USE;

/* What was said, of the tools that have a definition nobody accepted or that a scan flagged:
 * {"<64 hexadecimal digits>": {...}}.  server empty: of all. */
void km_store_pin_texts(struct km_store *store, struct km_mailbox *reply, struct km_str server,
                        km_store_json_fn *fn, void *ctx);

#endif
