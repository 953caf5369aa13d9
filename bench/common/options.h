/* Command lines of the benchmarks' tools: a table says what can be set, where it goes and what it means, and
 * is the help too. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,    /* bool; takes no value */
    OPTION_TEXT,    /* const char * */
    OPTION_NUMBER,  /* uint64_t within min..max */
    OPTION_SECONDS, /* uint64_t, milliseconds within min..max; decimals are allowed */
    OPTION_SHARE,   /* double, 0..1, given in percent; decimals are allowed */
    OPTION_ADDRESS, /* ipv4_t */
    OPTION_MAC,     /* struct mac */
};

struct option_spec {
    const char *name, *value, *help; /* value: what it is called; NULL for a flag */
    enum option_kind kind;
    size_t offset; /* in the struct of values */
    uint64_t min, max;
};

struct option_table {
    const char *program;
    const char *usage;    /* lines before the options */
    const char *examples; /* lines after them */
    const struct option_spec *specs;
    size_t n;
};

/* Sets what stands on the command line in the struct at `values`; the rest stays. 0, or -EINVAL after it said
 * on stderr what is wrong. */
int options_take(const struct option_table *table, int argc, char **argv, void *values);
void options_usage(const struct option_table *table, FILE *out);
