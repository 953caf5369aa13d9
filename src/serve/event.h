/* Events: what the server does for nodes, as it happens. The serving code calls one sink; the daemon fans
 * them out to the log, to the store (a boot's timeline) and to whoever watches (`rambox serve --events`).
 */
#pragma once

#include "base/addr.h"
#include "model/boot.h"
#include "model/trial.h"

#include <stdbool.h>
#include <stdint.h>

/* The time of one moment, injected into every decision: no code below src/daemon reads a clock. */
struct moment {
    uint64_t mono_us; /* CLOCK_MONOTONIC (BOOTTIME), microseconds: for spans and time-outs */
    int64_t unix_us;  /* CLOCK_REALTIME, microseconds: for what people and the store see */
};

enum event_kind {
    EVENT_DHCP_IN,  /* detail: message type, `DISCOVER` ... */
    EVENT_DHCP_OUT, /* detail: message type, `NAK: reason`; ip: the address given; interface; lease_s; path */
    EVENT_DHCP_IGNORED, /* detail: the reason, and what to do about it */
    EVENT_DHCP_ALERT,   /* detail: what a person should see to: an address in use, a foreign server */
    /* A file that a node fetches, by `protocol` */
    EVENT_FILE_START,    /* file, bytes_total */
    EVENT_FILE_PROGRESS, /* file, bytes, bytes_total; at most ten a second and transfer */
    EVENT_FILE_END,      /* file, bytes, took_us, retransmissions */
    EVENT_FILE_REFUSED,  /* file, detail: the reason */
    EVENT_FILE_ABORTED,  /* file, bytes, bytes_total, detail: the client's words, or that it fell silent */
    EVENT_BOOT,     /* a boot began, or its ip or generation became known: see boot_table_get. detail: `gN` */
    EVENT_STAGE,    /* detail: the stage's name [: detail]; node_us: CLOCK_BOOTTIME on the node */
    EVENT_FACTS,    /* json: the node's facts (H30) */
    EVENT_HARDWARE, /* class, label, json: what the node is made of; detail: the label and the counts */
    EVENT_TRIAL,    /* trial: as it is now; detail: what became of it, NULL: its stage alone is another one */
    EVENT_UNSTARTED, /* file: a program that firmware fetched whole, and then nothing; detail: what that means
                      */
    EVENT_KINDS
};

enum file_protocol { PROTOCOL_TFTP, PROTOCOL_HTTP };
const char *file_protocol_name(enum file_protocol protocol); /* `tftp`, `http` */

struct event {
    enum event_kind kind;
    enum file_protocol protocol; /* of EVENT_FILE_* */
    struct moment at;
    struct mac mac; /* of the node; all zero when not known */
    const char
        *identity;    /* of EVENT_DHCP_*: what it has instead of a MAC address, for people; NULL or empty */
    const char *node; /* its name, or NULL */
    ipv4_t ip;        /* 0: none */
    uint64_t boot;    /* 0: none */
    bool hearsay;     /* of a report (stages, facts, hardware) that did not name its boot: anybody may have
                         sent it */
    const char *file;
    const char *detail;
    const char *json;
    const char *class; /* of hardware, and what people call it */
    const char *label;
    const struct trial *trial;
    const char *interface; /* NULL: not known */
    const char *path;      /* of EVENT_DHCP_OUT, static: the boot path that firmware was told; NULL: none */
    uint32_t lease_s;      /* seconds; 0: no lease */
    uint64_t bytes, bytes_total, took_us, node_us;
    uint32_t retransmissions;
};

/* The name under which it is told: `dhcp-in`, `tftp-end`, `http-end`, ... Static text. */
const char *event_name(const struct event *event);

struct event_sink {
    void (*emit)(struct event_sink *sink, const struct event *event);
};
