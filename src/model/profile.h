/* A profile: what a group of nodes boots. */
#pragma once

#include "base/diag.h"
#include "model/arch.h"
#include "model/menu.h"
#include "model/option.h"

#include <stdbool.h>
#include <stdint.h>

/* H11: how the kernel gets its address. */
enum ip_mode {
    IP_STATIC, /* ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:off, which spares the second DHCP round
                */
    IP_DHCP,   /* ip=dhcp */
    IP_NONE,   /* no ip= at all: init configures the network */
};

/* H21..H24: where the node's root is. */
enum root_mode {
    ROOT_RAM,   /* the word `rambox`: keep the RAM root */
    ROOT_SHELL, /* the word `shell`: a shell at once */
    ROOT_OTHER, /* neither: `root` names what to switch to */
};

/* What a profile's nodes load first, where their firmware can (serve/bootpath.h). */
enum loader {
    LOADER_AUTO,      /* the fastest that is reliable with each firmware */
    LOADER_PXELINUX,  /* BIOS, by TFTP */
    LOADER_LPXELINUX, /* BIOS, by HTTP from its configuration on */
    LOADER_IPXE,
    LOADER_GRUB,
    LOADER_UNIFIED, /* UEFI loads the kernel itself, with ramdisk and command line in it */
    LOADER_SHIM,    /* UEFI with Secure Boot: the distribution's signed GRUB behind its shim */
};
extern const char *const loader_words[]; /* as in YAML: `auto`, `pxelinux`, ...; ends with NULL */
const char *loader_name(enum loader loader);

struct profile {
    char *name;
    char *kernel; /* name of a kernel definition; of a fitted profile, the one for machines without a kernel
                     of their class */
    char *discovery; /* `discovery:` as it was said; NULL: it was not */
    bool fitted; /* `kernel: fitted`: nodes get the kernel of their hardware class (model/class_kernel.h) */
    uint32_t ready_within_s; /* of a fitted profile: what the first boot of a class's kernel has to ready */
    char *image;   /* name of an image definition; NULL when the kernel embeds its initramfs (H18) */
    char *cmdline; /* appended to what rambox puts on the kernel's command line; never NULL */
    char *console; /* console=..., such as `ttyS0,115200`; NULL: the kernel's default */
    char *root;    /* root=... for ROOT_OTHER; else NULL */
    enum ip_mode ip;
    enum root_mode root_mode;
    bool unified; /* kernel, image and command line are built into one program for UEFI firmware as well */
    struct option_values options;
    enum loader loader;
    char *boot_file; /* what firmware loads instead of rambox's own choice: a file of the loader folders, or a
                        URL for UEFI HTTP boot (P2); NULL: rambox's choice */
    arch_set
        archs; /* processors of its nodes: what its kernel and image are built for; empty: x86_64 alone */
    struct menu menu;
    uint64_t memory; /* RAM budget of its nodes in bytes; an image that needs more is refused. 0: not said */
    struct pos pos;
};

#define KERNEL_FITTED        "fitted"       /* the word of `kernel:`; no definition is called so */
#define DISCOVERY_DEFAULT    "distribution" /* the kernel that drives most machines */
#define READY_WITHIN_DEFAULT 300            /* seconds */

/* The architectures that a profile is for, never empty. */
static inline arch_set profile_archs(const struct profile *profile)
{
    return profile->archs ? profile->archs : 1 << ARCH_X86_64;
}
