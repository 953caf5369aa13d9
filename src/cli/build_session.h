/* What the commands about builds begin with: the site, and where its builds are kept. */
#pragma once

#include "builder/builder.h"
#include "cli/command.h"

struct build_session {
    struct diags diags;
    struct site *site;
    char *artifacts;
    struct build_env env;
    struct builder *builder;
};

/* Reads the configuration folder. 0, or -errno with diagnostics in s->diags. `s` stays where it is. */
int build_session_begin(struct build_session *s, const struct context *context);
void build_session_end(struct build_session *s);
#define cleanup_build_session __attribute__((cleanup(build_session_end)))
