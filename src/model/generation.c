/* See model/generation.h. */
#include "model/generation.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

static const char *const kind_names[] = {[ARTIFACT_KERNEL] = "kernel", [ARTIFACT_IMAGE] = "image"};

const char *artifact_kind_name(enum artifact_kind kind)
{
    return kind_names[kind];
}

int artifact_kind_parse(const char *name, enum artifact_kind *ret_kind)
{
    for (size_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++)
        if (str_eq(name, kind_names[kind])) {
            *ret_kind = (enum artifact_kind)kind;
            return 0;
        }
    return -EINVAL;
}

struct generation *generation_new(unsigned number, int64_t created, struct site *site)
{
    struct generation *g = xcalloc(1, sizeof(*g));
    atomic_init(&g->references, 1);
    g->number = number;
    g->created = created;
    g->site = site;
    return g;
}

struct generation *generation_ref(struct generation *g)
{
    atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);
    return g;
}

void generation_unref(struct generation *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->references, 1, memory_order_acq_rel) != 1)
        return;
    VEC_EACH(artifact, &g->artifacts)
        free(artifact->name);
    VEC_FREE(&g->artifacts);
    site_free(g->site);
    free(g);
}

const struct generation_artifact *generation_artifact(const struct generation *g, enum artifact_kind kind,
                                                      const char *name)
{
    VEC_EACH(artifact, &g->artifacts)
        if (artifact->kind == kind && str_eq(artifact->name, name))
            return artifact;
    return NULL;
}

const char *artifact_path_format(unsigned generation, enum artifact_kind kind, const char *name,
                                 char buf[static ARTIFACT_PATH_MAX])
{
    snprintf(buf, ARTIFACT_PATH_MAX, "g%u/%s/%s", generation, kind_names[kind], name);
    return buf;
}

int artifact_path_parse(const char *path, unsigned *ret_generation, enum artifact_kind *ret_kind,
                        const char **ret_name)
{
    char number[12], definition[ARTIFACT_NAME_MAX];
    enum cpu_arch arch;
    uint64_t generation;
    const char *slash = strchr(path, '/');
    if (path[0] != 'g' || !slash || (size_t)(slash - path) > sizeof(number))
        return -EINVAL;
    memcpy(number, path + 1, (size_t)(slash - path - 1));
    number[slash - path - 1] = '\0';
    if (parse_u64(number, 1, UINT32_MAX, &generation) < 0)
        return -EINVAL;
    for (size_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++) {
        size_t n = strlen(kind_names[kind]);
        if (!str_starts(slash + 1, kind_names[kind]) || slash[1 + n] != '/' ||
            artifact_name_parse(slash + 2 + n, definition, &arch) < 0)
            continue;
        *ret_generation = (unsigned)generation;
        *ret_kind = (enum artifact_kind)kind;
        *ret_name = slash + 2 + n;
        return 0;
    }
    return -EINVAL;
}
