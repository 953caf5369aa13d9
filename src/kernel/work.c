/* See kernel/work.h. */
#include "kernel/work.h"
#include "base/str.h"
#include "kernel/kernel.h"

struct kernel_work kernel_work_of(const struct kernel_def *def, const struct build_env *env)
{
    char name[ARTIFACT_NAME_MAX];
    artifact_name_format(def->name, env->arch, name);
    struct kernel_work w = {
        .def = def,
        .env = env,
        .arch = &kernel_archs[env->arch],
        .name = xstrdup(name),
        .label = xasprintf("kernel %s", name),
        .out = kernel_build_folder(def, env),
        .log = xasprintf("%s/work/kernel-%s.log", env->cache_dir, name),
    };
    kernel_find_ccache(&w);
    return w;
}

void kernel_work_clear(struct kernel_work *w)
{
    free(w->name);
    free(w->label);
    free(w->out);
    free(w->log);
    free(w->tree);
    free(w->initramfs);
    free(w->source_words);
    free(w->compiler);
    free(w->ccache_path);
    free(w->ccache_dir);
    fragments_free(&w->fragments);
}
