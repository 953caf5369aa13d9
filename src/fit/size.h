/* What the bytes of a built kernel go to, by the folders of its tree: from the objects in its build folder,
 * which the linker puts together. What is compressed later is counted as it is before.
 */
#pragma once

#include "base/diag.h"
#include "base/vec.h"

#include <stdint.h>

struct size_part {
    char *folder;   /* `net/ipv4`; the deepest level that was asked for */
    uint64_t bytes; /* code and data; what is zero at the start (bss) takes no room in the image */
    uint64_t zeroed;
};
struct kernel_size {
    VEC(struct size_part) parts; /* largest first */
    uint64_t bytes, zeroed;      /* of all objects */
    uint64_t image;              /* of the bzImage; 0: there is none */
};
void kernel_size_free(struct kernel_size *s);
static inline void kernel_size_cleanup(struct kernel_size *s)
{
    kernel_size_free(s);
}
#define cleanup_kernel_size __attribute__((cleanup(kernel_size_cleanup)))

/* `depth`: levels of folders that are told apart, from 1. 0; -errno with diagnostics (-ENOENT: not built). */
int kernel_size_read(const char *build_folder, unsigned depth, struct diags *diags,
                     struct kernel_size *ret_size);

/* One line of `size`: text, data, bss, ..., ..., path. Adds it to the part of its folder. 0, or -EINVAL when
 * it is none. */
int kernel_size_add_line(struct kernel_size *s, const char *line, const char *build_folder, unsigned depth);
