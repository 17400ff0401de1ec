/* SPDX-License-Identifier: Apache-2.0 */
/* row_copy.c - see row_copy.h for the contract.
 *
 * A row crosses threads (the operation that writes it) and lives for ever (the table that
 * admits by it); both want one block to free:
 *
 *     [ struct of the row | elements of its lists | bytes of all strings ]
 *
 * The copy is the struct, then each string moved behind it; which they are is what the columns say
 * (key_columns.h, accounts.h), so a new one cannot be forgotten.
 */
#include "store/row_copy.h"

#include <stdlib.h>

/* Where a copy's parts go next: a block that was measured before. */
struct room {
    struct km_str *elements;
    char *bytes;
};

static struct km_str *text_at(void *row, size_t offset)
{
    return (struct km_str *)(void *)((char *)row + offset);
}

static struct km_str_list *list_at(void *row, size_t offset)
{
    return (struct km_str_list *)(void *)((char *)row + offset);
}

static struct km_str move(struct room *room, struct km_str s)
{
    struct km_str moved = { room->bytes, s.n };

    if (s.n)
        memcpy(room->bytes, s.p, s.n);
    room->bytes += s.n;
    return moved;
}

static void move_list(struct room *room, struct km_str_list *list)
{
    struct km_str *v = room->elements;

    for (size_t i = 0; i < list->n; i++)
        v[i] = move(room, list->v[i]);
    room->elements += list->n;
    list->v = v;
}

static void measure(const struct km_row_shape *shape, void *row, size_t *ret_elements,
                    size_t *ret_bytes)
{
    size_t elements = 0, bytes = 0;

    for (size_t i = 0; i < shape->ntexts; i++)
        bytes += text_at(row, shape->texts[i])->n;
    for (size_t i = 0; i < shape->n; i++) {
        const struct km_key_column *c = &shape->v[i];

        if (km_key_is_text(c))
            bytes += text_at(row, c->offset)->n;
        if (c->kind != KM_KEY_LIST)
            continue;
        elements += list_at(row, c->offset)->n;
        for (size_t k = 0; k < list_at(row, c->offset)->n; k++)
            bytes += list_at(row, c->offset)->v[k].n;
    }
    *ret_elements = elements;
    *ret_bytes = bytes;
}

static void move_all(const struct km_row_shape *shape, void *row, struct room *room)
{
    for (size_t i = 0; i < shape->n; i++)
        if (shape->v[i].kind == KM_KEY_LIST)
            move_list(room, list_at(row, shape->v[i].offset));
    for (size_t i = 0; i < shape->n; i++)
        if (km_key_is_text(&shape->v[i]))
            *text_at(row, shape->v[i].offset) = move(room, *text_at(row, shape->v[i].offset));
    for (size_t i = 0; i < shape->ntexts; i++)
        *text_at(row, shape->texts[i]) = move(room, *text_at(row, shape->texts[i]));
}

void *km_row_copy_new(const struct km_row_shape *shape, const void *from)
{
    size_t elements, bytes;
    struct room room;
    char *row;

    measure(shape, (void *)(uintptr_t)from, &elements, &bytes);
    row = malloc(shape->size + elements * sizeof(struct km_str) + bytes);
    if (!row)
        return NULL;
    memcpy(row, from, shape->size);
    room.elements = (struct km_str *)(void *)(row + shape->size);
    room.bytes = (char *)(room.elements + elements);
    move_all(shape, row, &room);
    return row;
}

int km_row_copy(const struct km_row_shape *shape, const void *from, struct km_arena *arena,
                void *ret)
{
    size_t elements, bytes;
    struct room room;

    memcpy(ret, from, shape->size);
    measure(shape, ret, &elements, &bytes);
    room.elements = km_arena_alloc(arena, (elements + 1) * sizeof(struct km_str) + bytes);
    if (!room.elements)
        return KM_E_NOMEM;
    room.bytes = (char *)(room.elements + elements + 1);
    move_all(shape, ret, &room);
    return 0;
}
