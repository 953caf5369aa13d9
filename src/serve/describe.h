/* What a node boots, said once for every loader: kernel, ramdisks and command line from (generation, node,
 * boot). */
#pragma once

#include "model/generation.h"
#include "serve/fitted.h"

/* COMMAND_LINE_SIZE of the kernel on x86, with the final NUL, less what PXELINUX adds: BOOT_IMAGE= and
 * initrd=, with a path each and one more for modules. The kernel cuts what is longer without a word. */
#define CMDLINE_MAX_SIZE (2048 - 3 * ARTIFACT_PATH_MAX - sizeof("BOOT_IMAGE=  initrd=,"))

/* Who boots, and what it is told of us. */
struct boot_client {
    const struct node *node; /* NULL: a machine without an entry, with its subnet's `unknown_profile` */
    ipv4_t ip;               /* its address; 0: not known, and ip=dhcp stands in for IP_STATIC */
    struct mac mac;          /* all zero: not known */
    ipv4_t server;           /* our address on its network */
    uint16_t http_port;      /* where it reports */
    bool http;               /* its configuration is fetched by HTTP already */
    uint64_t boot;           /* id; 0: none */
    enum cpu_arch arch;      /* of its processor; ARCH_UNKNOWN: the first of its profile */
    struct fitted
        *fitted; /* what is known of machines; NULL: those of fitted profiles get the discovery kernel */
    const struct moment *now; /* with `fitted` */
    bool looks;               /* nothing will be booted by the answer: it begins no trial */
    const char *profile; /* the one that DHCP found for this boot (serve/dhcp_class.c); NULL or empty: not
                            known, as after a restart */
};

struct boot_menu;

struct boot_description {
    unsigned generation;
    ipv4_t server; /* where HTTP is, for a loader that got its configuration by TFTP and can do better; */
    uint16_t http_port; /* 0: nowhere, or that is where it came from */
    const char *name;   /* of the node, or `unknown` */
    char kernel[ARTIFACT_PATH_MAX];
    char image[ARTIFACT_PATH_MAX];   /* empty: the kernel embeds its initramfs (H18) */
    char modules[ARTIFACT_PATH_MAX]; /* empty: the kernel has no modules */
    uint32_t
        trial_s; /* the kernel of its class is on trial, and has so many seconds to ready; 0: it is not */
    const char *console;            /* the kernel's, `ttyS0,115200`; NULL: its default */
    const struct boot_menu *menu;   /* what may be chosen instead; NULL: it is booted at once */
    char cmdline[CMDLINE_MAX_SIZE]; /* H11: without initrd= */
};

/* What its profile offers a person at the machine besides. */
struct boot_menu_item {
    char key[8]; /* a word of its own: `e1` */
    const char *title;
    bool local;       /* the machine's own disk */
    const char *file; /* of the loader folders, started as it is; NULL: `boot`, or the local disk */
    struct boot_description boot;
};
struct boot_menu {
    uint32_t timeout_s; /* until the profile itself is booted; 0: never by itself */
    size_t n;
    struct boot_menu_item items[];
};

/* One ramdisk. */
struct boot_initrd {
    const char *name; /* a word that loaders can call it by */
    const char *path; /* in the description */
};
#define BOOT_INITRDS_MAX 2
/* The ramdisks in the order in which the kernel unpacks them into one root; returns how many. The image comes
 * first, so that its folders are there already: the archive of modules names no folder that an image may have
 * as a link. */
size_t boot_initrds(const struct boot_description *description,
                    struct boot_initrd ret_initrds[static BOOT_INITRDS_MAX]);

/* 0; -ENODEV: the profile is not for this processor; -ENOENT: the node's profile, kernel, its modules or
 * image is not in the generation, or the machine has neither an entry nor a profile for unknown ones; -E2BIG:
 * the command line is longer than the kernel takes; -EINVAL: it holds a control character that would break
 * out of a boot script. */
int boot_describe(const struct generation *generation, const struct boot_client *client,
                  struct boot_description *ret_description);
/* Frees what it points to (its menu); harmless on one of zeros. */
void boot_description_clear(struct boot_description *description);
