/* Lists: sorted, and what is equal in the order in which it stood. */
#include "core/core_shared.h"
#include "support/support.h"

struct item {
    unsigned key, place;
    struct item *next;
};

static bool is_after(const void *a, const void *b)
{
    return ((const struct item *)a)->key > ((const struct item *)b)->key;
}

static void every_length_is_sorted_and_stable(void **state)
{
    static struct item items[300];

    (void)state;
    for (size_t count = 0; count <= 300; count++) {
        struct item *list = NULL;
        size_t found = 0;

        for (size_t i = count; i > 0; i--) {
            items[i - 1] =
                (struct item){(unsigned)(i * 7919 % 41), (unsigned)i, list};
            list = &items[i - 1];
        }
        list =
            onward_core__list_sort(list, offsetof(struct item, next), is_after);
        for (const struct item *i = list; i != NULL; i = i->next) {
            found++;
            if (i->next != NULL)
                assert_true(
                    i->key < i->next->key ||
                    (i->key == i->next->key && i->place < i->next->place));
        }
        assert_int_equal(found, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_sorted_and_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
