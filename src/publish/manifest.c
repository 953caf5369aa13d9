/* See publish/manifest.h. */
#include "publish/manifest.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>

enum { MANIFEST_MAX = 4 << 20 };

void manifest_clear(struct manifest *manifest)
{
    VEC_EACH(artifact, &manifest->artifacts)
        free(artifact->name);
    VEC_FREE(&manifest->artifacts);
}

int manifest_write(const char *path, const struct manifest *manifest)
{
    char hex[DIGEST_TEXT_MAX];
    json_t *artifacts = json_array();
    VEC_EACH(artifact, &manifest->artifacts)
        json_array_append_new(artifacts, json_pack("{s:s, s:s, s:s, s:I}", "kind",
                                                   artifact_kind_name(artifact->kind), "name", artifact->name,
                                                   "sha256", digest_format(&artifact->digest, hex), "size",
                                                   (json_int_t)artifact->size));
    json_t *root = json_pack("{s:I, s:I, s:s, s:o}", "number", (json_int_t)manifest->number, "created",
                             (json_int_t)manifest->created, "definitions",
                             digest_format(&manifest->definitions, hex), "artifacts", artifacts);
    cleanup_free char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (!text)
        return -ENOMEM;
    cleanup_free char *line = xasprintf("%s\n", text);
    return file_write_atomic(path, line, strlen(line), 0644);
}

static int read_artifact(json_t *item, struct manifest *manifest)
{
    const char *kind_name, *name, *sha256;
    enum artifact_kind kind;
    char definition[ARTIFACT_NAME_MAX];
    enum cpu_arch arch;
    json_int_t size;
    struct digest digest;
    if (json_unpack(item, "{s:s, s:s, s:s, s:I}", "kind", &kind_name, "name", &name, "sha256", &sha256,
                    "size", &size) < 0 ||
        size < 0 || digest_parse(sha256, &digest) < 0 || artifact_name_parse(name, definition, &arch) < 0 ||
        artifact_kind_parse(kind_name, &kind) < 0)
        return -EBADMSG;
    *VEC_ADD(&manifest->artifacts) = (struct generation_artifact){
        .kind = kind, .name = xstrdup(name), .digest = digest, .size = (uint64_t)size};
    return 0;
}

static int read_root(json_t *root, struct manifest *manifest)
{
    json_int_t number, created;
    const char *definitions;
    json_t *artifacts, *item;
    size_t i;
    if (json_unpack(root, "{s:I, s:I, s:s, s:o}", "number", &number, "created", &created, "definitions",
                    &definitions, "artifacts", &artifacts) < 0 ||
        number < 1 || number > UINT32_MAX || digest_parse(definitions, &manifest->definitions) < 0 ||
        !json_is_array(artifacts))
        return -EBADMSG;
    manifest->number = (unsigned)number;
    manifest->created = created;
    json_array_foreach(artifacts, i, item)
    {
        int r = read_artifact(item, manifest);
        if (r < 0)
            return r;
    }
    return 0;
}

int manifest_read(const char *path, struct manifest *ret_manifest)
{
    cleanup_free char *text = NULL;
    size_t size;
    int r = file_read(path, MANIFEST_MAX, &text, &size);
    if (r < 0)
        return r;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    struct manifest manifest = {0};
    r = root ? read_root(root, &manifest) : -EBADMSG;
    json_decref(root);
    if (r < 0)
        manifest_clear(&manifest);
    else
        *ret_manifest = manifest;
    return r;
}
