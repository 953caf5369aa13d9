/* A client class: machines that say something of themselves alike, and what they get for it. */
#pragma once

#include "base/glob.h"
#include "model/option.h"

/* What a class can look at, one list of patterns each. */
enum class_field {
    CLASS_VENDOR_CLASS, /* option 60 */
    CLASS_USER_CLASS,   /* option 77: any of its classes (RFC 3004), or the bare text */
    CLASS_HOST_NAME,    /* option 12 */
    CLASS_CIRCUIT_ID,   /* option 82, sub-option 1 */
    CLASS_REMOTE_ID,    /* option 82, sub-option 2 */
    CLASS_MAC,          /* the hardware address as text, `52:54:00:*` */
    CLASS_FIELDS
};

struct client_class {
    char *name;
    VEC(struct glob) match[CLASS_FIELDS]; /* all lists that are not empty must have a pattern that matches */
    VEC(uint16_t) archs;                  /* option 93 has one of these; empty: not looked at */
    struct option_values options;
    char *profile; /* of machines that name none themselves: without an entry, or whose entry has none. NULL:
                      no say */
    char *boot_file; /* as in struct profile */
    struct pos pos;
};

enum { CLASSES_MAX = 64 };
void client_class_clear(struct client_class *class);
