/* See cli/artifacts.h. */
#include "cli/artifacts.h"
#include "base/str.h"
#include "builder/builder.h"
#include "store/store.h"

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

/* Whether the store says so. */
struct asked {
    const char *hardware_class;
    const struct digest *kernel;
    bool proven;
};

static int look_at_trial(void *user, const struct trial *trial)
{
    struct asked *asked = user;
    asked->proven |= trial->state == TRIAL_PROVEN && str_starts(asked->hardware_class, trial->class) &&
                     digest_equal(&trial->kernel, asked->kernel);
    return 0;
}

static bool is_proven(void *user, const char *hardware_class, const struct digest *kernel)
{
    CLEANUP(store_close) struct store *store = NULL;
    cleanup_diags struct diags unused = {0};
    cleanup_free char *state = find_state_dir(user);
    cleanup_free char *path = xasprintf("%s/rambox.db", state);
    struct asked asked = {hardware_class, kernel, false};
    if (store_open_reader(path, &unused, &store) == 0)
        (void)store_each_trial(store, look_at_trial, &asked);
    return asked.proven;
}

struct artifact_source built_artifacts(struct context *context)
{
    return (struct artifact_source){
        .find = find, .user = context, .proven = is_proven, .proven_user = context};
}

struct artifact_source recorded_artifacts(struct context *context)
{
    return (struct artifact_source){.find = find_recorded, .user = context};
}
