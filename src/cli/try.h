/* The parts of `rambox try`, in the order in which a run goes through them:
 *
 *     try_plan     what to boot: a configuration of its own with the nodes, in a folder that only this
 * process sees try_build    the real `rambox build` and `rambox publish` on it try_run      the real `rambox
 * serve` and the virtual nodes in a network of their own, until all are ready or failed try_check    H30 on
 * each node, and the figures try_view     what a person sees meanwhile; try_report: what is said at the end,
 * as text or JSON try_shell    a node's console in this terminal
 */
#pragma once

#include "cli/command.h"
#include "lab/node.h"

#include <jansson.h>

/* A boot path, and the virtual machine that begins it. */
struct try_firmware {
    const char *name, *alias; /* as `rambox boot paths` has it, and as it is called too; NULL: by no other */
    enum lab_firmware firmware;
    enum lab_method method;
    const char *loader; /* what `loader:` of a node's profile is set to; NULL: it stays as it is */
    const char *kernel; /* of the built-in profile; NULL: it stays as it is */
    double target_s;    /* power-on to ready; 0: none */
    bool own_key;       /* its variable store has the certificate of the site's `secure_boot:` */
    unsigned memory_mb; /* what its kernel needs beyond the firmware; 0: no more than that */
};
const struct try_firmware *try_firmware_default(void);
/* NULL when there is none of this name. */
const struct try_firmware *try_firmware_named(const char *name);
/* `bios, ... or arm64-http`, the caller's. */
char *try_firmware_names(void);

struct try_options {
    const struct try_firmware *firmware;
    bool own_config;     /* --config was given: that site instead of the built-in one */
    const char *profile; /* NULL: as the nodes say */
    unsigned nodes;
    enum lab_nic nic;
    uint64_t memory; /* bytes; 0: the profile's budget, or what the firmware needs */
    enum lab_accel accel;
    unsigned timeout_s; /* from power-on until every node is ready */
    bool shell;
};

/* One line of a node's timeline. */
struct try_row {
    int64_t at_us; /* CLOCK_BOOTTIME of this machine */
    uint64_t
        node_us; /* the same moment by the node's own clock, since its kernel started; 0: not by its clock */
    char what[24]; /* `power on`, `DISCOVER`, `kernel`, `ready`, ... */
    char *detail;  /* never NULL */
};

/* A file on its way. */
struct try_transfer {
    char *file; /* NULL: none */
    uint64_t bytes, total;
    int64_t started_us;
};

struct try_check {
    const char *name;
    char *howto, *expected, *found; /* text; never NULL */
    bool holds;
    bool counts; /* false: shown, but the run does not fail for it */
};

struct try_node {
    char *name;
    struct mac mac;
    ipv4_t ip;
    char *profile;
    bool made_up; /* not in the configuration that was given */
    struct lab_node machine;
    VEC(struct try_row) rows;
    struct try_transfer transfer;
    int64_t power_on_us;
    int64_t packet_us;        /* when its first packet was there; 0: not yet */
    int64_t loader_us;        /* when it asked for its first file */
    int64_t fetch_us;         /* when it asked for its kernel */
    int64_t loaded_us;        /* when the last of kernel and image had arrived */
    int64_t kernel_us;        /* when its kernel started; 0: not known yet */
    uint64_t init_us;         /* by its clock; 0: not yet */
    int64_t ready_us;         /* 0: not yet */
    int64_t console_ready_us; /* its console said that it is ready; 0: not yet */
    uint64_t ready_node_us;   /* by its clock */
    uint64_t transferred;     /* bytes of kernel and image, or of both in one */
    json_t *facts;            /* H30, as it reported them; NULL: not yet */
    char *failure;            /* why it will not become ready; NULL: it still may */
    VEC(struct try_check) checks;
};

struct try_figure {
    const char *name;
    double value;
    const char *unit;
    double target; /* met when the value is not above; 0: none */
    int decimals;
};

struct
try {
    struct context *context;
    struct try_options options;
    struct diags diags;

    char *folder;    /* our own, in memory, seen by nobody else: `config`, `state` */
    char *artifacts; /* where built files are kept from run to run */
    char *config;    /* FOLDER/config */
    char *state;     /* FOLDER/state */
    char *kernel;    /* the files that the first node's profile boots; NULL: none */
    char *image;
    char *variables; /* what the machines' variable stores begin as; NULL: their firmware's own */
    char *interface; /* name of the bridge: what the site calls its network card */
    ipv4_t address;  /* of the server */
    struct ipv4_prefix prefix;

    struct lab_net net;
    struct lab_child server;
    struct lab_console server_log;
    int events; /* what the server tells, a JSON object a line */
    struct str event_text;
    unsigned serving; /* the generation that the server serves; 0: none yet */
    int signals;      /* SIGINT, SIGTERM, SIGHUP as a descriptor */
    int stopped_by;   /* the signal that came; 0: none */
    VEC(struct try_node) nodes;
    VEC(struct try_figure) figures;
    struct try_view *view; /* NULL: nothing is shown (--json, --quiet) */
};

int64_t try_now_us(void); /* CLOCK_BOOTTIME */

/* Whether the boot program of the path is installed. 0, or -ENOENT with a diagnostic. */
int try_firmware_check(struct try *t, const struct site *site);
/* For a firmware with Secure Boot: makes t->variables with the site's certificate, as the only key of one
 * that has the site's own, else as one that shim trusts besides. *ret_secure_boot: YAML of `secure_boot:` for
 * a site that has none, the caller's; untouched when there is nothing to set. */
int try_firmware_keys(struct try *t, const struct site *site, char **ret_secure_boot);

/* All return 0, or -errno with a diagnostic in t->diags. */
int try_plan(struct try *t);
int try_build(struct try *t);
int try_start(struct try *t);  /* the network, the server, the machines; powers them on */
void try_watch(struct try *t); /* until every node is ready or failed, or a signal came */
/* Waits at most `ms` while consoles, events and the log are taken in. */
void try_pump(struct try *t, int ms);
void try_end(struct try *t);

/* Takes in one line of `rambox serve --events`. A line that is not understood is passed over. */
void try_take_event(struct try *t, const char *line);
/* The row is the node's until the end; fmt may give an empty detail. */
struct try_row *try_add_row(struct try_node *node, int64_t at_us, const char *what, const char *fmt, ...)
    PRINTF(4, 5);
/* Seconds since the node's power-on at which the row happened. */
double try_row_seconds(const struct try_node *node, const struct try_row *row);

void try_check(struct try *t);
unsigned try_checks_failed(const struct try_node *node);
bool try_ok(const struct try *t); /* every node is ready and every check that counts holds */

/* NULL-safe. */
struct try_view *try_view_new(FILE *out);
void try_view_begin(struct try_view *view, const struct try *t);
void try_view_update(struct try_view *view, const struct try *t);
void try_view_end(struct try_view *view, const struct try *t);

/* Where the time of a boot went, seconds. Their sum is power-on to ready, less the report's way to the
 * server.
 */
enum try_phase {
    TRY_FIRMWARE, /* power-on until its first packet */
    TRY_DHCP,     /* until it asks for its first file */
    TRY_LOADER,   /* until it asks for its kernel; 0 where firmware starts that itself */
    TRY_FILES,    /* until the last of kernel and image has arrived */
    TRY_KERNEL,   /* until init's first instruction */
    TRY_INIT,     /* until ready */
    TRY_PHASES
};
const char *try_phase_name(enum try_phase phase);
/* False when not all of it is known. */
bool try_phases(const struct try_node *node, double seconds[TRY_PHASES]);

void try_report(const struct try *t, FILE *out);
json_t *try_report_json(const struct try *t);
void try_report_failures(const struct try *t, FILE *out);

/* Until Ctrl-] or the end of the node. */
void try_shell(struct try *t, struct try_node *node);
