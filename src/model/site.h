/* The site: all definitions together, checked as a whole and then never changed. What a generation is made
 * of. */
#pragma once

#include "model/class.h"
#include "model/image.h"
#include "model/kernel.h"
#include "model/node.h"
#include "model/profile.h"
#include "model/subnet.h"

/* W3: how much of HTTP there is at once. */
struct http_limits {
    uint32_t connections, per_source;         /* in all, and from one address; 4096 and 64 */
    uint32_t downloads, downloads_per_source; /* files being sent; 2048 and 32 */
};

/* H7 and the ports: settings of the server itself. */
struct server_settings {
    VEC(char *) interfaces; /* where it serves; empty: every interface that has an address in a subnet */
    uint16_t dhcp_port;     /* 67 */
    uint16_t tftp_port;     /* 69 */
    uint16_t http_port;     /* 8069 */
    struct http_limits http;
    uint16_t https_port;       /* 8443 once `tls:` is there; 0: no TLS */
    char *tls_certificate;     /* PEM, with the chain; NULL: one that rambox makes in STATE/tls */
    char *tls_key;             /* PEM; NULL with tls_certificate */
    bool tls_boot;             /* UEFI HTTP boot is told https:// */
    uint32_t tftp_per_source;  /* H7: transfers at once from one address; 11 */
    uint32_t tftp_cps;         /* H7: new transfers per second before a pause; 0: no limit (the default) */
    uint32_t tftp_pause_s;     /* H7: the pause then, seconds; 2 */
    uint16_t tftp_max_blksize; /* the largest block size granted; 1468 */
    uint16_t tftp_max_window;  /* the largest window granted; 64 */
    uint16_t tftp_rollover;    /* T7: the block number after 65535, 0 or 1; 0 */
    uint16_t tftp_workers;     /* threads; 0: half as many as processors, 1 to 4 */
    bool tftp_own_ports;       /* T12: each transfer has a port of its own; false: tftp_port's carries all */
    bool router_advert;        /* P14: answer iPXE's router solicitation; true */
    char *state_dir;           /* store, artifacts and generations; /var/lib/rambox */
    char *cache_dir;           /* fetched inputs and builds; /var/cache/rambox */
    char *user;                /* whom the server becomes; NULL: `rambox`, if there is such a user */
    char *efi_stub;            /* what unified images begin with; NULL: the distribution's */
    char *loader_dir;          /* where pxelinux.0 and ldlinux.c32 are; NULL: the distribution's places */
};

/* Who signs what firmware starts by itself (build/sign.h). */
struct secure_boot {
    char *key;         /* PEM, absolute path; NULL: nothing is signed */
    char *certificate; /* PEM, absolute path; NULL with key */
    struct pos pos;
};

struct site_index; /* sorted look-up tables; made by site_index() */

struct site {
    struct server_settings server;
    struct secure_boot secure_boot;
    struct option_values options;     /* DHCP options of everybody */
    VEC(struct client_class) classes; /* at most CLASSES_MAX */
    VEC(struct subnet) subnets;
    VEC(struct profile) profiles;
    VEC(struct node) nodes;
    VEC(struct image_def) images; /* the user's and the built-in ones */
    VEC(struct kernel_def) kernels;
    VEC(char *) files; /* names that `pos.file` of all the above point to */
    struct site_index *index;
};

struct site *site_new(void); /* with the defaults above */
void site_free(struct site *site);
DEFINE_CLEANUP(struct site *, site_free);

/* Builds the look-up tables and resolves the pools' classes, once all is in. When two nodes share a name, a
 * MAC, an address or a UUID, reports it at the later one, naming the place of the earlier, and returns
 * -EEXIST. */
int site_index(struct site *site, struct diags *diags);

/* By the tables, O(log n); NULL when there is none. All but site_subnet_of need the index. */
const struct node *site_node_by_name(const struct site *site, const char *name);
const struct node *site_node_by_mac(const struct site *site, const struct mac *mac);
const struct node *site_node_by_ip(const struct site *site, ipv4_t ip);
const struct node *site_node_by_uuid(const struct site *site, const uint8_t uuid[static 16]);

const struct profile *site_profile(const struct site *site, const char *name);
const struct image_def *site_image(const struct site *site, const char *name);
const struct kernel_def *site_kernel(const struct site *site, const char *name);
/* The name of the modules artifact that goes with a kernel: its own, or NULL for a kernel without one, an
 * unknown one and NULL. */
const char *site_modules(const struct site *site, const char *kernel);
/* Whether a profile is fitted, for x86_64: then every kernel of a hardware class is part of the site. */
bool site_is_fitted(const struct site *site);
const struct client_class *site_class(const struct site *site, const char *name);
/* The subnet whose prefix holds the address (prefixes do not overlap); NULL when there is none. */
const struct subnet *site_subnet_of(const struct site *site, ipv4_t address);
/* The subnet that a relay agent (giaddr) speaks for: the one that lists it; else the one whose prefix holds
 * it, unless that one lists others. NULL: none, the relay is a stranger. */
const struct subnet *site_subnet_of_relay(const struct site *site, ipv4_t relay);

/* Destructors of the parts, for parsers that build one of them. They free what the value owns, not the value.
 */
void node_clear(struct node *node);
void subnet_clear(struct subnet *subnet);
void profile_clear(struct profile *profile);
void image_def_clear(struct image_def *image);
void kernel_def_clear(struct kernel_def *kernel);
