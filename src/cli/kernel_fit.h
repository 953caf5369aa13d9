/* What `rambox kernel fit` and its --class share. */
#pragma once

#include "cli/command.h"
#include "fit/fit.h"

/* In the first lines of what they write; a file without it is a person's, and stays. */
#define FIT_MADE_BY "`rambox kernel fit`"

/* 0, or an error: a file is there that a person wrote. */
int fit_check_target(const char *path, struct diags *diags);
/* Every device with what drives it, as lines; `path`: where the fragment is. */
void fit_print(const struct fit *fit, const char *name, const char *path);
/* The same as one document, with the fragment; path NULL: it was written nowhere. */
json_t *fit_to_json(const struct fit *fit, const char *name, const char *path, const struct str *text);
