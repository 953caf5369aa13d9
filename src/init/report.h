/*
 * The body of a report, and where it goes. Pure: values in, text out.
 *
 *   POST /v1/report
 * {"boot":"ID","node":"NAME","mac":"aa:bb:cc:dd:ee:ff","stages":[{"stage":"init","us":123456, "detail":"only
 * where there is one"},...],"facts":{...}}
 *
 * What the machine is made of is in the facts, as "hardware"; alone there when it is told afterwards.
 */
#pragma once

#include <netinet/in.h>

#include "init/facts.h"
#include "init/inventory.h"
#include "init/stages.h"
#include "init/text.h"

struct report {
    const char *boot;
    const char *node;
    const char *mac; /* empty: unknown */
    const struct stages *stages;
    const struct facts *facts;         /* NULL: none in this report */
    const struct inventory *inventory; /* NULL: none in this report */
    int level;                         /* of inventory_json() */
};

/* Writes the JSON body. Look at body->cut afterwards. */
void report_body(const struct report *report, struct text *body);

/* Reads A.B.C.D:PORT. Returns 0 or -EINVAL. */
int report_server(const char *text, struct sockaddr_in *ret);
