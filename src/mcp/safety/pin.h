/* SPDX-License-Identifier: Apache-2.0 */
/* pin.h - tool definitions as they were at first sight, and what became of them since.
 *
 *     first list of a server    every definition of it is remembered and accepted; so are tools
 *                               nobody saw of the first list to a new kind of client
 *     a name nobody saw         NEW      ─┐
 *     another definition        CHANGED   ├─ told; withheld where pins are strict, until a person
 *     one that hides something  FLAGGED  ─┘  accepts that very definition
 *
 * A definition is known by a digest of what a model decides by: name, title, description, both
 * schemas and annotations, in canonical JSON.  Several may be accepted for one tool: a server may
 * show another one to another client.  What is known is kept in the store (store/pins.h), so that
 * it outlives a restart; it belongs to the server's configured name, whatever command or address
 * stands behind it today.
 *
 * Thread: any; locked inside.  Callbacks run under that lock and must not come back here.
 */
#ifndef KM_MCP_PIN_H
#define KM_MCP_PIN_H

#include "http/json.h"
#include "mcp/safety/scan.h"
#include "store/store.h"

#define KM_PINS_MOST ((size_t)100000) /* definitions of all servers */
#define KM_PIN_TEXTS_MOST ((size_t)20000) /* of these, whose text is kept */
#define KM_PIN_TEXT_BYTES ((size_t)16 * 1024) /* of one, each member cut by itself (shown_args.h) */
#define KM_PINS_OF_TOOL 32 /* the oldest that was never accepted makes room */

enum km_pin_mode { KM_PIN_OFF, KM_PIN_WARN, KM_PIN_STRICT };
enum km_pin_state { KM_PIN_OK, KM_PIN_NEW, KM_PIN_CHANGED, KM_PIN_FLAGGED, KM_PIN_GONE };
const char *km_pin_state_name(enum km_pin_state state); /* "changed" */

/* The definition as people compare it: JSON of title, description, both schemas and annotations,
 * those that are there.  Safe on a terminal, and bounded as KM_PIN_TEXT_BYTES says. */
void km_pin_text(struct km_str tool, struct km_buf *out);
/* The digest of a tool's definition; 32 bytes. */
int km_pin_digest(const struct km_json *tool, uint8_t ret[32], struct km_err *err) KM_MUST_USE;

struct km_pins;
struct km_pins *km_pins_new(void); /* NULL: no memory */
struct km_pins *km_pins_free(struct km_pins *p);
/* What the store has; blocking, before loops run. */
int km_pins_load(struct km_pins *p, struct km_store *store, struct km_err *err) KM_MUST_USE;

/* One tool as it is offered now. */
struct km_pin_tool {
    struct km_str name;
    const uint8_t *hash; /* 32 bytes: its pin */
    unsigned flags; /* enum km_scan_flag */
};

/* What is told of it, once a definition: gone tells of a name that is not offered any more. */
struct km_pin_news {
    struct km_str tool;
    enum km_pin_state state;
    const uint8_t *hash, *before; /* NULL: there is none */
    unsigned flags;
};
typedef void km_pin_news_fn(void *ctx, const struct km_pin_news *news);

struct km_pin_look {
    struct km_str server;
    const struct km_pin_tool *tools;
    size_t n;
    bool whole; /* it is all that the server offers to anybody: what is missing is gone */
    const uint8_t *kind; /* 32 bytes: what its clients declare they can be asked; NULL: nothing */
    struct km_store *store; /* what is new is written there; NULL: nowhere */
    /* The text of tools[i] (km_pin_text()), for what is written; NULL: none is kept. */
    void (*text)(void *ctx, size_t i, struct km_buf *out);
    km_pin_news_fn *news; /* NULL: nobody hears */
    void *ctx;
};
/* A server's list came.  *ret_first: so many were pinned at first sight. */
void km_pins_look(struct km_pins *p, const struct km_pin_look *look, size_t *ret_first);

enum km_pin_state km_pins_state(struct km_pins *p, struct km_str server,
                                const struct km_pin_tool *tool);

struct km_pin_accept {
    struct km_str server, tool; /* tool empty: all of the server */
    struct km_str hash; /* hexadecimal, or its beginning; empty: what was offered last */
    struct km_store *store;
    km_pin_news_fn *accepted; /* each; may be NULL */
    void *ctx;
};
/* A person accepts; how many definitions were accepted that were not before. */
size_t km_pins_accept(struct km_pins *p, const struct km_pin_accept *a);

/* Counts up when a state may be another one: for whoever keeps what depends on states. */
uint64_t km_pins_generation(const struct km_pins *p);

/* Every tool whose definition offered last is not simply accepted, as objects without brackets:
 * {"server","tool","state","flags","hash","since","before"?},...  before: the hash of the one that
 * was accepted before it.  server empty: of all. */
void km_pins_json(struct km_pins *p, struct km_str server, struct km_buf *out);

#endif
