/* The modules that some nodes may need, and all that these need: what modprobe would load, found by libkmod
 * in the folder of a kernel that is not the running one. Nothing of this machine's own modules or settings
 * counts.
 *
 * Wanted are names (`virtio_net`; - and _ are the same), aliases (`pci:v00008086d000010D3*` as a device has
 * them, `fs-nfs`), and groups: `network`, all drivers of network cards, and `storage`, all drivers of disks
 * and what they hang on. Besides what libkmod names (dependencies, and dependencies that are only advised), a
 * module for devices on a bus brings the bus's own drivers: virtio_net needs virtio_pci, but nothing in it
 * says so.
 */
#pragma once

#include "base/diag.h"
#include "base/vec.h"

#include <stdint.h>

/* Modules by their places in the list. */
struct places {
    size_t *items;
    size_t n, cap; /* as of VEC */
};

struct module {
    char *name;           /* virtio_net */
    char *file;           /* path on this machine, as it is in the package: .ko, .ko.xz, .ko.zst, .ko.gz */
    char *path;           /* beneath the folder of the modules, uncompressed: kernel/drivers/net/x.ko */
    struct places needs;  /* what must be loaded before */
    struct places before; /* what should be */
    struct places after;  /* what should be loaded when it is */
    VEC(char *) aliases;  /* of devices, sorted */
    VEC(char *) firmware; /* files that it may ask for */
    bool at_once;         /* asked for by name, and no device would bring it */
};

struct closure {
    VEC(struct module)
    list;              /* in the order in which they were found: what is wanted first, as it was named */
    unsigned built_in; /* wanted or needed, but inside the kernel */
};
void closure_clear(struct closure *closure);
static inline void closure_cleanup(struct closure *closure)
{
    closure_clear(closure);
}
#define cleanup_closure __attribute__((cleanup(closure_cleanup)))

/* `folder` holds depmod's files. `wanted` are `n` names; `at` is the place of the definition. 0, or -errno
 * with a diagnostic for each name that stands for nothing. */
int closure_find(const char *folder, char *const *wanted, size_t n, const struct pos *at, struct diags *diags,
                 struct closure *ret_closure);

/* The bytes of a module as the kernel takes them, decompressed; the caller's. 0, or -errno with a diagnostic.
 */
int module_read(const struct module *module, struct diags *diags, char **ret_data, size_t *ret_size);

/* The Debian package that has a firmware file (`rtl_nic/rtl8168g-2.fw`), or NULL when it is not known. */
const char *firmware_package(const char *file);
