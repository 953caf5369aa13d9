/* See builder/record.h. */
#include "builder/record.h"
#include "build/sign.h"
#include "builder/context.h"
#include "kernel/kernel.h"
#include "modules/archive.h"

int record_key(const struct builder *b, const struct site *site, enum artifact_kind kind, const char *name,
               enum cpu_arch arch, const struct digest *initramfs, struct diags *diags,
               struct digest *ret_key)
{
    struct build_env env = builder_env(b, arch, diags);
    if (kind == ARTIFACT_MODULES) {
        modules_definition_key(&env, site_kernel(site, name), ret_key);
        return 0;
    }
    if (kind == ARTIFACT_KERNEL) {
        int r = kernel_definition_key(site_kernel(site, name), initramfs, &env, ret_key);
        if (r < 0 || !site->secure_boot.key)
            return r;
        struct hash hash;
        hash_init(&hash);
        hash_add(&hash, ret_key, sizeof(*ret_key));
        sign_hash_definition(&site->secure_boot, &env, &hash);
        hash_end(&hash, ret_key);
        return 0;
    }
    struct image_inputs inputs = builder_image_inputs(b, site, name, arch);
    image_definition_key(&env, site_image(site, name), &inputs, ret_key);
    return 0;
}

/* The state folder; the caller's. */
static char *record_home(const struct builder *b)
{
    const char *slash = strrchr(b->env.artifact_dir, '/');
    return slash && slash != b->env.artifact_dir
               ? xstrndup(b->env.artifact_dir, (size_t)(slash - b->env.artifact_dir))
               : xstrdup("/");
}

int record_put(const struct builder *b, const struct digest *key, const struct built *built)
{
    cleanup_free char *home = record_home(b);
    struct built last;
    if (built_get(home, b->env.artifact_dir, key, &last) == 0 &&
        digest_equal(&last.artifact, &built->artifact))
        return 0;
    int r = built_put(home, b->env.artifact_dir, key, built);
    return r < 0 ? diag_errno(b->env.diags, r, "cannot write to the state folder %s", home) : 0;
}

int record_get(const struct builder *b, const struct digest *key, struct built *ret_built)
{
    cleanup_free char *home = record_home(b);
    return built_get(home, b->env.artifact_dir, key, ret_built);
}
