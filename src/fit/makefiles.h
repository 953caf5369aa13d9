/* Which configuration symbol builds which driver, from the Kbuild files of the tree:
 *
 *     obj-$(CONFIG_E1000E) += e1000e/        the folder is entered
 *     obj-$(CONFIG_E1000E) += e1000e.o       the object is built
 *
 * Understood: obj-y, obj-m, obj-$(CONFIG_X) and forms such as obj-$(subst m,y,$(CONFIG_X)), lines that go on,
 * ifdef, ifndef, ifeq and ifneq on one symbol, else. Nothing is run; what depends on other variables is not
 * seen.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

/* One object or folder of a Kbuild file. */
struct kbuild_rule {
    char *target; /* `e1000e.o` or `e1000e/` */
    char *symbol; /* without CONFIG_; NULL: always (obj-y) */
    char *within; /* the symbol of the ifdef around it, or NULL */
};
struct kbuild_rules {
    VEC(struct kbuild_rule) list;
};
void kbuild_rules_free(struct kbuild_rules *r);
static inline void kbuild_rules_cleanup(struct kbuild_rules *r)
{
    kbuild_rules_free(r);
}
#define cleanup_kbuild_rules __attribute__((cleanup(kbuild_rules_cleanup)))

/* Reads one file's text. */
void kbuild_rules_parse(const char *text, struct kbuild_rules *ret_rules);

/* What has to be on for an object to be built. Each name is a symbol, or several of which one is enough,
 * joined by |. */
struct driver_symbols {
    char *symbol;      /* that of the object itself; NULL: always there when its folders are */
    VEC(char *) gates; /* of the folders on the way to it, and of ifdefs */
};
void driver_symbols_free(struct driver_symbols *d);

/* Looks an object up (`drivers/net/ethernet/intel/e1000e/e1000e`). 0; -ENOENT: no Kbuild file builds it. */
int driver_symbols_find(const char *tree, const char *object, struct driver_symbols *ret_symbols);
