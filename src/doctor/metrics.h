/* What a running server counts. */
#pragma once

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

/* Asks the server at that address, for at most 3 s: its metrics as text, a `NAME VALUE` a line (the
 * caller's); NULL when it does not answer. */
char *metrics_fetch(ipv4_t address, uint16_t port);
/* The value of one metric, by its full name with labels; 0 when it is not there. */
uint64_t metrics_value(const char *metrics, const char *name);
