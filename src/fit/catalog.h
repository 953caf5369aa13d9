/* The drivers of a whole kernel: which devices each one is for, which firmware it loads. Taken from a
 * distribution's kernel, whose package is read without being installed, and kept in the cache as one text:
 *
 *     kernel 6.1.0-56-amd64
 *     module e1000e drivers/net/ethernet/intel/e1000e/e1000e
 *     alias pci:v00008086d000010D3sv*sd*bc*sc*i*
 *     firmware NAME
 *     beside MODULE                  it works better, or only, with that one loaded too (softdep)
 *     builtin 8250 drivers/tty/serial/8250/8250
 *     config CONFIG_SERIAL_8250=y    what the distribution's kernel is configured with
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "build/env.h"
#include "fit/alias.h"

struct catalog_module {
    char *name; /* with _ for - */
    char *path; /* its object in the tree, without a suffix: drivers/net/.../e1000e */
    bool builtin;
    VEC(char *) aliases;
    VEC(char *) firmware;
    VEC(char *) beside;
};

struct catalog {
    char *kernel;                       /* release */
    VEC(struct catalog_module) modules; /* sorted by name */
    VEC(char *) config;                 /* names that are y or m there, without CONFIG_, sorted */
};

void catalog_free(struct catalog *c);
static inline void catalog_cleanup(struct catalog *c)
{
    catalog_free(c);
}
#define cleanup_catalog __attribute__((cleanup(catalog_cleanup)))

/* Reads the text above. Lines that are none of these are skipped: a later version may have more. */
void catalog_parse(const char *text, struct catalog *ret_catalog);

/* The drivers of a kernel package (build/kernel_package.h: `linux-image-amd64`, or the path of a .deb), or of
 * a folder like /lib/modules/RELEASE, which has a slash in it. 0; -errno with diagnostics. */
int catalog_get(const struct build_env *env, const char *source, struct catalog *ret_catalog);

/* `-` and `_` are the same in it. NULL: none. */
const struct catalog_module *catalog_module(const struct catalog *c, const char *name);
bool catalog_has(const struct catalog *c, const char *symbol);

/* One driver for one device. */
struct driver_match {
    const struct catalog_module *module;
    const char *alias; /* the pattern; the most particular one that matched */
    enum alias_match sure;
    unsigned weight; /* of the pattern: how many of its characters are no `*` */
};
struct driver_matches {
    VEC(struct driver_match) list; /* no module twice */
};

/* Adds every driver whose patterns match. */
void catalog_match(const struct catalog *c, const char *modalias, struct driver_matches *matches);
