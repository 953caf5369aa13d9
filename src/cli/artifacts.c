/* See cli/artifacts.h. */
#include "cli/artifacts.h"
#include "base/str.h"
#include "builder/builder.h"

/* Finds what was built for a site, where its own settings say that it is kept. A builder is made for each
 * question: whoever asks again may have another site. */
static int find_by(struct artifact_source (*source_of)(struct builder *b), const struct context *context,
                   const struct site *site, enum artifact_kind kind, const char *name, struct diags *diags,
                   struct generation_artifact *ret_artifact)
{
    CLEANUP(builder_free) struct builder *builder = NULL;
    cleanup_free char *artifacts = xasprintf("%s/artifacts", site->server.state_dir);
    struct build_env env = {.cache_dir = site->server.cache_dir,
                            .artifact_dir = artifacts,
                            .share_dir = context->share_dir,
                            .config_dir = context->config_dir,
                            .diags = diags};
    int r = builder_new(&env, context->libexec_dir, &builder);
    if (r < 0)
        return r;
    struct artifact_source source = source_of(builder);
    return source.find(source.user, site, kind, name, diags, ret_artifact);
}

static int find(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                struct diags *diags, struct generation_artifact *ret_artifact)
{
    return find_by(builder_source, user, site, kind, name, diags, ret_artifact);
}

static int find_recorded(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                         struct diags *diags, struct generation_artifact *ret_artifact)
{
    return find_by(builder_recorded_source, user, site, kind, name, diags, ret_artifact);
}

struct artifact_source built_artifacts(struct context *context)
{
    return (struct artifact_source){.find = find, .user = context};
}

struct artifact_source recorded_artifacts(struct context *context)
{
    return (struct artifact_source){.find = find_recorded, .user = context};
}
