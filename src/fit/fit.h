/* From hardware to a fragment: every device of a machine, or of a class of machines, to the driver that a
 * distribution's kernel has for it, that driver to the symbol that builds it, and that symbol to everything
 * it needs, on top of a kernel definition.
 *
 * Nothing is lost silently: every device comes out as one of the outcomes below, with the reason in words.
 */
#pragma once

#include "base/diag.h"
#include "build/env.h"
#include "fit/catalog.h"
#include "fit/hardware.h"
#include "fit/makefiles.h"
#include "fit/resolve.h"
#include "model/kernel.h"

enum device_outcome {
    DEVICE_DRIVEN,     /* a symbol for it is asked for, or on already */
    DEVICE_ALWAYS,     /* driven by what is in every kernel of this kind, or in need of no driver */
    DEVICE_NO_DRIVER,  /* the distribution's kernel has none either */
    DEVICE_LEFT_OUT,   /* its kind was asked to be left out */
    DEVICE_NOT_DRIVEN, /* it has a driver, which this kernel cannot have: see the reason */
};
const char *device_outcome_name(enum device_outcome outcome);

/* A driver that some device needs, once. */
struct fit_driver {
    char *name;
    const struct catalog_module
        *module; /* of the catalog; NULL: built into every kernel that has its symbols */
    struct driver_symbols symbols;
    char *failure; /* why it cannot be had; NULL: it is asked for */
    char *why;     /* why it is there when no device names it; NULL */
};

struct fit_device {
    const struct device *device;
    enum device_outcome outcome;
    VEC(size_t) drivers; /* indices into fit.drivers */
    char *reason;        /* of every outcome but DEVICE_DRIVEN; for that one what is to be said, or NULL */
    bool ambiguous;      /* more than one driver is for it, and nothing says which: all are asked for */
};

struct fit {
    struct hardware hardware;
    struct catalog catalog;
    char *base, *source;            /* what it goes on top of, and the tree, in words */
    VEC(struct fit_device) devices; /* one for each device of the hardware, in its order */
    VEC(struct fit_driver) drivers;
    VEC(const char *) firmware; /* files that the drivers ask for; of the catalog */
    struct resolution resolution;
};

void fit_free(struct fit *f);
static inline void fit_cleanup(struct fit *f)
{
    fit_free(f);
}
#define cleanup_fit __attribute__((cleanup(fit_cleanup)))

struct fit_options {
    const char *name;             /* of the fragment */
    const struct kernel_def *def; /* what it goes on top of */
    const char *modules;          /* package or folder that has the distribution's modules */
    const char *const *only;      /* kinds of drivers to ask for, ends with NULL; NULL: all */
    const char *const *without;   /* kinds to leave out, ends with NULL; NULL: none */
};

/* Finds everything and configures the tree with it once, so that every symbol that is asked for has survived.
 * `fit->hardware` is filled by the caller. 0; -errno with diagnostics: nothing was found then. */
int fit_find(struct fit *fit, const struct fit_options *options, const struct build_env *env);

/* ---- its parts, for tests ---- */

/* Only hardware and catalog to devices and drivers; the symbols come from the tree. */
void fit_match(struct fit *fit, const char *tree, const struct fit_options *options);

/* The fragment, as a person reads it and kernels/NAME.config holds it. */
void fit_write(const struct fit *fit, const struct fit_options *options, struct str *out);

/* What a device is called in one line: its label or its modalias, and its place. */
void fit_device_name(const struct device *device, struct str *out);
