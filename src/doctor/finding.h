/* What rambox doctor found: a list of findings, each one line for a person, with what to do. */
#pragma once

#include "base/cleanup.h"
#include "base/vec.h"

#include <stddef.h>

enum result { RESULT_OK, RESULT_WARNING, RESULT_PROBLEM };
const char *result_name(enum result result); /* `ok`, `warning`, `problem` */

struct finding {
    const char *check;  /* a constant: the check's name in the table */
    char interface[16]; /* the one it is about; empty: the whole machine */
    enum result result;
    char *text;   /* what was found */
    char *advice; /* what to do; NULL: nothing */
};

struct findings {
    VEC(struct finding) list;
    const char *check; /* of the check that runs: what is added is its */
};
void findings_clear(struct findings *findings);
static inline void findings_cleanup(struct findings *findings)
{
    findings_clear(findings);
}
#define cleanup_findings __attribute__((cleanup(findings_cleanup)))

/* Adds one; `interface` NULL: of the whole machine. The text is what was found; finding_advise, called next,
 * says what to do about it. Characters that a terminal would act on, which a hostile network may have sent,
 * come out as `?`. */
void finding_add(struct findings *findings, const char *interface, enum result result, const char *fmt, ...)
    PRINTF(4, 5);
void finding_advise(struct findings *findings, const char *fmt, ...) PRINTF(2, 3);

/* How many have that result. */
size_t findings_count(const struct findings *findings, enum result result);
