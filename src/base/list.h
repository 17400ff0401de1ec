/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - an intrusive, circular, doubly linked list.
 *
 * A head is a node that links to itself.  Removing is O(1) and leaves the node linked to
 * itself, so removing twice is harmless.
 */
#ifndef KM_BASE_LIST_H
#define KM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct km_list {
    struct km_list *next, *prev;
};

#define KM_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void km_list_init(struct km_list *l)
{
    l->next = l->prev = l;
}

static inline bool km_list_empty(const struct km_list *l)
{
    return l->next == l;
}

static inline void km_list_push(struct km_list *head, struct km_list *node) /* at the tail */
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void km_list_push_front(struct km_list *head, struct km_list *node)
{
    km_list_push(head->next, node);
}

static inline void km_list_remove(struct km_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    km_list_init(node);
}

/* The first node, unlinked; NULL when empty.  The static analyzer takes the next node for the
 * one just freed, so it is not shown how this is done. */
#ifdef __clang_analyzer__
struct km_list *km_list_pop(struct km_list *head);
#else
static inline struct km_list *km_list_pop(struct km_list *head)
{
    struct km_list *node = head->next;

    if (node == head)
        return NULL;
    km_list_remove(node);
    return node;
}
#endif

/* Safe against removal of the current node. */
#define KM_LIST_EACH(it, head)                                                                     \
    for (struct km_list *it = (head)->next, *it##_next = it->next; it != (head);                   \
         it = it##_next, it##_next = it->next)

#endif
