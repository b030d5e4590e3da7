/*
 * The ordered tree of a store in memory. No recursion: depth is bounded by
 * chance only.
 */
#include "store/memstore_priv.h"

struct onward_store__entry *
onward_store__tree_from(const struct onward_store__tree *tree,
                        struct onward_str key, bool after)
{
    struct onward_store__entry *at = tree->root, *best = NULL;

    while (at != NULL) {
        int order = onward_core__str_cmp(onward_store__entry_key(at), key);

        if (order > 0 || (order == 0 && !after)) {
            best = at;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return best;
}

struct onward_store__entry *
onward_store__tree_next(const struct onward_store__entry *e)
{
    struct onward_store__entry *at = e->right;

    if (at != NULL) {
        while (at->left != NULL)
            at = at->left;
        return at;
    }
    at = e->parent;
    while (at != NULL && at->right == e) {
        e = at;
        at = at->parent;
    }
    return at;
}

/* Put child, which may be NULL, where e hangs. */
static void replace(struct onward_store__tree *tree,
                    struct onward_store__entry *e,
                    struct onward_store__entry *child)
{
    if (e->parent == NULL)
        tree->root = child;
    else if (e->parent->left == e)
        e->parent->left = child;
    else
        e->parent->right = child;
    if (child != NULL)
        child->parent = e->parent;
}

/* Lift e above its parent; the order of keys stays. */
static void lift(struct onward_store__tree *tree, struct onward_store__entry *e)
{
    struct onward_store__entry *parent = e->parent, *moved;

    replace(tree, parent, e);
    if (parent->left == e) {
        moved = e->right;
        e->right = parent;
        parent->left = moved;
    } else {
        moved = e->left;
        e->left = parent;
        parent->right = moved;
    }
    parent->parent = e;
    if (moved != NULL)
        moved->parent = parent;
}

void onward_store__tree_add(struct onward_store__tree *tree,
                            struct onward_store__entry *e)
{
    struct onward_store__entry **link = &tree->root, *parent = NULL;
    struct onward_str key = onward_store__entry_key(e);

    while (*link != NULL) {
        parent = *link;
        link = onward_core__str_cmp(key, onward_store__entry_key(parent)) < 0
                   ? &parent->left
                   : &parent->right;
    }
    e->parent = parent;
    e->left = e->right = NULL;
    *link = e;
    while (e->parent != NULL && e->parent->priority < e->priority)
        lift(tree, e);
}

void onward_store__tree_remove(struct onward_store__tree *tree,
                               struct onward_store__entry *e)
{
    /* Down to where at most one child is left. */
    while (e->left != NULL && e->right != NULL)
        lift(tree, e->left->priority > e->right->priority ? e->left : e->right);
    replace(tree, e, e->left != NULL ? e->left : e->right);
}
