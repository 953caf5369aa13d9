/* What machines are made of, as people and programs write it down: lists of modaliases, what lspci and lsmod
 * print, a folder that looks like /sys, a node's report. Several sources together are a class of machines,
 * and what they have is the union.
 *
 * A list says less than a machine: lspci without -v does not tell a device's subsystem or its programming
 * interface. What is not told is a `*` in the modalias, which then stands for every value.
 */
#pragma once

#include "base/diag.h"
#include "base/str.h"
#include "base/vec.h"

struct device {
    char
        *modalias; /* as in /sys, with `*` for what the source does not say; NULL: only its driver is known */
    char *where;   /* its address on its bus (`00:1f.2`), or NULL */
    char *label;   /* what it is (`Ethernet controller: Intel ...`), or NULL */
    char *driver;  /* the driver it has in that machine, or NULL */
    char *modules; /* the modules that the source names for it, separated by blanks, or NULL */
};

struct hardware {
    VEC(struct device) devices; /* no modalias twice */
    VEC(char *) sources;        /* what each source was: `office.txt: lspci, 23 devices` */
};

void hardware_free(struct hardware *h);
static inline void hardware_cleanup(struct hardware *h)
{
    hardware_free(h);
}
#define cleanup_hardware __attribute__((cleanup(hardware_cleanup)))

/* Takes the strings of `device`, in which control characters become blanks. One that is there already gives
 * its place, label and driver where these are not known yet. */
void hardware_add(struct hardware *h, struct device *device);

/* Takes `text`, which says what a source was; likewise without control characters. */
void hardware_add_note(struct hardware *h, char *text);

/* Adds what a file, a folder or `-` (standard input) says. 0; -errno with diagnostics: a text that is none of
 * the known forms, a source without any device. */
int hardware_add_source(struct hardware *h, const char *path, struct diags *diags);

/* The same for a text that `name` stands for. Bytes that are no text are an error. */
int hardware_add_text(struct hardware *h, const char *name, const char *text, size_t size,
                      struct diags *diags);

/* A folder like /sys, `/` of a copied tree included: every file `modalias` in it below devices/, with the
 * driver beside it. */
int hardware_add_sys(struct hardware *h, const char *folder, struct diags *diags);

/* ---- the readers; each returns how many devices it found ---- */

bool lspci_looks_like(const char *line);
unsigned lspci_read(struct hardware *h, char *text);         /* lspci -nn, -n, with -k and -v or without */
unsigned lspci_read_records(struct hardware *h, char *text); /* lspci -vmm, with -nn or -n, and -k */
bool modalias_looks_like(const char *line);
