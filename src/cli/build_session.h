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
/* The value of --arch; NULL: none was given, and the set stays as it is. 0, or 2 after a usage_error. */
int parse_archs(const struct command *command, const char *text, arch_set *archs);
void build_session_end(struct build_session *s);
#define cleanup_build_session __attribute__((cleanup(build_session_end)))
