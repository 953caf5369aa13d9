/* Help texts, made from the table of commands. */
#pragma once

#include "cli/command.h"

#include <stdio.h>

void help_all(FILE *out);
void help_command(const struct command *command, FILE *out);
/* Lists the commands whose name begins with the word `group`; false when there is none. */
bool help_group(const char *group, FILE *out);
/* Says that there is no such command, and the nearest one; returns 2. */
int unknown_command(const char *name);
