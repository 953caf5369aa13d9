/*
 * The modules beside an image, as one text says them: rambox.index in /lib/modules/RELEASE. Pure: text in,
 * values out.
 *
 *   rambox modules 1
 *   m kernel/drivers/net/virtio_net.ko 2 ?5 +7    module 0: needs 2, is better with 5, brings 7 after it
 *   l 3                                           load 3 at once, in this order
 *   a virtio:d00000001v* 0                        a device with such an alias brings 0
 *
 * In this order: all m, all l, all a; the aliases sorted by their bytes. An index that breaks a rule is
 * refused whole, so that nothing that is read here needs to be checked again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MODULE_INDEX_MODULES 16384
#define MODULE_INDEX_ALIASES 131072
#define MODULE_INDEX_PATTERN 256 /* bytes of the longest alias */

enum module_state { MODULE_NEW, MODULE_BUSY, MODULE_LOADED, MODULE_FAILED };

struct module_entry {
    const char *path; /* beneath /lib/modules/RELEASE; ends at a blank or a newline */
    unsigned length;
    enum module_state state; /* the reader's, MODULE_NEW at first */
};

struct module_index {
    struct module_entry *modules;
    unsigned module_count;
    const char **aliases; /* each the pattern, a blank, a number, a newline */
    unsigned alias_count;
    const char *at_once; /* the first l line, or where it would be */
};

/*
 * Reads `size` bytes, the last of them a NUL, which must outlive *ret. Returns 0, -EBADMSG for a text that
 * breaks a rule, or -ENOMEM. The tables are freed with module_index_free().
 */
int module_index_parse(const char *text, size_t size, struct module_index *ret);
void module_index_free(struct module_index *index);

enum module_step {
    MODULE_NEEDS,  /* load it before; without it, this one cannot be */
    MODULE_BEFORE, /* load it before, if it can be */
    MODULE_AFTER,  /* load it afterwards, if it can be */
};

/* Takes the next step of a module; *at begins as NULL. Returns false at the end. */
bool module_index_step(const struct module_entry *module, const char **at, enum module_step *ret_step,
                       unsigned *ret_module);

/* Takes the next module to be loaded at once; *at begins as NULL. Returns false at the end. */
bool module_index_at_once(const struct module_index *index, const char **at, unsigned *ret_module);

/* Calls `found` for each module that an alias of a device stands for; a module may come several times. */
void module_index_match(const struct module_index *index, const char *modalias,
                        void (*found)(void *user, unsigned module), void *user);

/* Whether `modalias` is as the pattern, which ends at a blank: *, ?, and sets like [0-9A-F]. */
bool module_alias_matches(const char *pattern, const char *modalias);

/*
 * The alias of a device that a kernel message of `size` bytes (NETLINK_KOBJECT_UEVENT) says was added, or
 * NULL. The message ends with a NUL.
 */
const char *module_event_alias(const char *message, size_t size);
