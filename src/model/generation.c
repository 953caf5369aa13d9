/* See model/generation.h. */
#include "model/generation.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

static const char *const kind_names[] = {
    [ARTIFACT_KERNEL] = "kernel",
    [ARTIFACT_IMAGE] = "image",
    [ARTIFACT_UNIFIED] = "unified",
    [ARTIFACT_MODULES] = "modules",
};

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

/* What stands behind the name. */
static const char *const kind_endings[ARRAY_SIZE(kind_names)] = {
    [ARTIFACT_KERNEL] = "", [ARTIFACT_IMAGE] = "", [ARTIFACT_UNIFIED] = ".efi", [ARTIFACT_MODULES] = ""};

const char *artifact_path_format(unsigned generation, enum artifact_kind kind, const char *name,
                                 char buf[static ARTIFACT_PATH_MAX])
{
    snprintf(buf, ARTIFACT_PATH_MAX, "g%u/%s/%s%s", generation, kind_names[kind], name, kind_endings[kind]);
    return buf;
}

/* `g12/`; *ret_rest: what follows. */
static int parse_generation(const char *path, unsigned *ret_generation, const char **ret_rest)
{
    char number[12];
    uint64_t generation;
    const char *slash = strchr(path, '/');
    if (path[0] != 'g' || !slash || (size_t)(slash - path) > sizeof(number))
        return -EINVAL;
    memcpy(number, path + 1, (size_t)(slash - path - 1));
    number[slash - path - 1] = '\0';
    if (parse_u64(number, 1, UINT32_MAX, &generation) < 0)
        return -EINVAL;
    *ret_generation = (unsigned)generation;
    *ret_rest = slash + 1;
    return 0;
}

/* `kernel/smallest` */
static int parse_artifact(const char *path, enum artifact_kind *ret_kind,
                          char ret_name[static ARTIFACT_NAME_MAX])
{
    for (size_t kind = 0; kind < ARRAY_SIZE(kind_names); kind++) {
        const char *ending = kind_endings[kind];
        size_t n = strlen(kind_names[kind]);
        if (!str_starts(path, kind_names[kind]) || path[n] != '/' || !str_ends(path + n + 1, ending))
            continue;
        const char *name = path + n + 1;
        size_t length = strlen(name) - strlen(ending);
        char copy[ARTIFACT_NAME_MAX], definition[ARTIFACT_NAME_MAX];
        enum cpu_arch arch;
        if (length >= sizeof(copy))
            return -EINVAL;
        memcpy(copy, name, length);
        copy[length] = '\0';
        if (artifact_name_parse(copy, definition, &arch) < 0)
            return -EINVAL;
        *ret_kind = (enum artifact_kind)kind;
        memcpy(ret_name, copy, length + 1);
        return 0;
    }
    return -EINVAL;
}

int artifact_path_parse(const char *path, unsigned *ret_generation, enum artifact_kind *ret_kind,
                        char ret_name[static ARTIFACT_NAME_MAX])
{
    unsigned generation = 0;
    const char *rest = path;
    if (!str_starts(path, "unified/") && parse_generation(path, &generation, &rest) < 0)
        return -EINVAL;
    int r = parse_artifact(rest, ret_kind, ret_name);
    if (r == 0)
        *ret_generation = generation;
    return r;
}
