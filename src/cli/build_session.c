/* See cli/build_session.h. */
#include "cli/build_session.h"
#include "base/str.h"
#include "config/config.h"

int build_session_begin(struct build_session *s, const struct context *context)
{
    int r = config_load(context->config_dir, context->share_dir, &s->diags, &s->site);
    if (r < 0)
        return r;
    s->artifacts = xasprintf("%s/artifacts", s->site->server.state_dir);
    s->env = (struct build_env){
        .cache_dir = s->site->server.cache_dir,
        .artifact_dir = s->artifacts,
        .share_dir = context->share_dir,
        .config_dir = context->config_dir,
        .progress = context->progress,
        .diags = &s->diags,
    };
    return builder_new(&s->env, context->libexec_dir, &s->builder);
}

int parse_archs(const struct command *command, const char *text, arch_set *archs)
{
    enum cpu_arch arch;
    if (!text)
        return 0;
    if (arch_parse(text, &arch) < 0)
        return usage_error(command, "--arch %s: expected x86_64 or arm64", text);
    *archs = (arch_set)(1 << arch);
    return 0;
}

void build_session_end(struct build_session *s)
{
    builder_free(s->builder);
    diags_free(&s->diags);
    site_free(s->site);
    free(s->artifacts);
}
