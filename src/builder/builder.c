/* See builder/builder.h and builder/context.h. */
#include "builder/builder.h"
#include "base/file.h"
#include "builder/context.h"
#include "config/config.h"

#include <time.h>

#define BASE      "image/base.yaml"
#define INIT      "rambox-init"
#define BASE_SIZE (1U << 20) /* no definition is longer */

static int read_epoch(struct diags *diags, uint32_t *ret_mtime)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    uint64_t value = 0;
    if (text && parse_u64(text, 0, UINT32_MAX, &value) < 0)
        return diag_error(diags, NULL, "SOURCE_DATE_EPOCH is \"%.40s\"; expected seconds since 1970", text);
    *ret_mtime = (uint32_t)value;
    return 0;
}

int builder_new(const struct build_env *env, const char *libexec_dir, struct builder **ret_builder)
{
    CLEANUP(builder_free) struct builder *b = xcalloc(1, sizeof(*b));
    cleanup_free char *text = NULL;
    size_t size;
    b->env = *env;
    b->base_file = xasprintf("%s/" BASE, env->share_dir);
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
        char name[ARTIFACT_NAME_MAX];
        b->init[arch] = xasprintf("%s/%s", libexec_dir, artifact_name_format(INIT, arch, name));
    }
    int r = read_epoch(env->diags, &b->mtime);
    if (r < 0)
        return r;
    r = file_read(b->base_file, BASE_SIZE, &text, &size);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read the base of all images, %s", b->base_file);
    r = config_parse_image(b->base_file, text, size, env->diags, &b->base);
    if (r == 0)
        *ret_builder = TAKE_PTR(b);
    return r;
}

void builder_free(struct builder *b)
{
    if (!b)
        return;
    image_def_clear(&b->base);
    free(b->base_file);
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++)
        free(b->init[arch]);
    free(b);
}

void builder_set_jobs(struct builder *b, unsigned jobs, bool refresh)
{
    struct timespec now;
    b->env.jobs = jobs;
    b->env.refresh = 0;
    if (refresh && clock_gettime(CLOCK_REALTIME, &now) == 0)
        b->env.refresh = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- what goes into a build ---- */

struct build_env builder_env(const struct builder *b, enum cpu_arch arch, struct diags *diags)
{
    struct build_env env = b->env;
    env.arch = arch;
    env.diags = diags;
    return env;
}

bool builder_profile_uses(const struct site *site, const struct profile *profile, const char *image)
{
    const struct kernel_def *kernel = profile->kernel ? site_kernel(site, profile->kernel) : NULL;
    return str_eq(profile->image, image) || (kernel && str_eq(kernel->initramfs, image));
}

struct image_inputs builder_image_inputs(const struct builder *b, const struct site *site, const char *image,
                                         enum cpu_arch arch)
{
    struct image_inputs inputs = {.base = &b->base, .init = b->init[arch], .mtime = b->mtime};
    VEC_EACH(profile, &site->profiles)
        if (profile->memory && arch_in(profile_archs(profile), arch) &&
            builder_profile_uses(site, profile, image) && (!inputs.memory || profile->memory < inputs.memory))
            inputs.memory = profile->memory;
    return inputs;
}

int builder_unified_inputs(const struct site *site, const struct profile *profile, enum cpu_arch arch,
                           const struct digest *kernel, const struct digest *image,
                           char cmdline[static UNIFIED_CMDLINE_MAX], struct diags *diags,
                           struct unified_inputs *ret_inputs)
{
    int r = profile_unified_cmdline(profile, arch, site->server.http_port, cmdline);
    if (r < 0)
        return diag_error(diags, &profile->pos, "profile %s: its kernel command line is too long",
                          profile->name);
    *ret_inputs = (struct unified_inputs){.profile = profile->name,
                                          .kernel = *kernel,
                                          .image = profile->image ? image : NULL,
                                          .cmdline = cmdline,
                                          .stub = site->server.efi_stub,
                                          .signing = &site->secure_boot};
    return 0;
}
