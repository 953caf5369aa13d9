/*
 * The kernel command line, as far as init obeys it. Pure: text in, value out.
 *
 *   shell                  H21: a shell at once
 *   rambox                 H23: the RAM root stays; `init` is started in it
 *   init=PATH              H22: what to start; /sbin/init by itself; must be absolute
 *   root=WHAT              H22: /dev/NAME, UUID=, LABEL=, /dev/nfs, nfs:SERVER:/PATH, SERVER:/PATH
 *   rootfstype= rootflags= ro rw nfsroot= ip= panic=      as the kernel means them
 *   rambox.secure[=0|1]    never a root shell that init starts by itself; init= remains the operator's word
 *   rambox.console=no      no shell on the console when the node is ready
 *   rambox.rootwait=SECONDS  how long to wait for the device of root=, 10 by itself
 *   rambox.server=[A.B.C.D]:PORT rambox.boot=ID rambox.node=NAME    where and as whom to report; without an
 *                          address to the server that DHCP named
 *   trial=SECONDS          the node restarts when the server has taken no ready report in that time
 *
 * What else the network's set-up reads of it is in netspec.h.
 *
 * Words are split as the kernel splits them: white space, with double quotes around what contains some. The
 * last of several wins. `--` separates nothing for us: what follows it is meant for init, and init is what
 * reads this. Words that are not listed belong to somebody else and are passed over.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CMDLINE_MAX      8192 /* bytes read of /proc/cmdline; the kernel's own limit is 2048 on x86 */
#define CMDLINE_ROOTWAIT 10   /* seconds */
#define CMDLINE_INIT     "/sbin/init"
#define CMDLINE_PROBLEMS 8

/* One value that was not taken: which key, and why, as text a person reads. Both are static. */
struct cmdline_problem {
    const char *key;
    const char *why;
};

struct cmdline {
    bool shell;
    bool rambox;
    bool secure;
    bool console;      /* true unless rambox.console=no */
    bool read_write;   /* rw; the kernel's own default is ro */
    bool init_refused; /* the last init= cannot be used; `init` is empty then */
    bool panic_given;
    long panic; /* as the kernel means it: 0 waits for ever, below 0 reboots at once; meaningful if given */
    long rootwait; /* seconds */
    long trial;    /* seconds; 0: none */
    char init[256];
    char root[256]; /* empty: none given */
    char rootfstype[128];
    char rootflags[256];
    char nfsroot[256];
    char ip[256];      /* empty: none given */
    char hostname[65]; /* the fifth field of ip= */
    char server[64];
    char boot[128];
    char node[65];
    unsigned problem_count;
    struct cmdline_problem problems[CMDLINE_PROBLEMS];
};

/* One word of the line: its name, and its value where there is a `=`. They point into the line. */
struct cmdline_word {
    const char *name;
    size_t name_length;
    const char *value; /* never NULL */
    size_t value_length;
    bool has_value;
};

/* Takes the next word off *text, its quotes away. Returns false at the end. */
bool cmdline_next(const char **text, struct cmdline_word *ret);

/* Reads `text` (terminated, a final newline is harmless) into *ret. Never fails: problems are in the value.
 */
void cmdline_parse(const char *text, struct cmdline *ret);
