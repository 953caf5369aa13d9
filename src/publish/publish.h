/* Generations on disk, and the one atomic switch.
 *
 *     STATE/artifacts/<sha256>          built files (build/artifact.h)
 *     STATE/generations/<N>/            one generation: immutable once its folder has this name
 *         definitions/                  the definitions as they were checked: rambox.yaml, nodes.d, images,
 * kernels, with those built-in ones that the profiles use manifest.json                 number, time, and the
 * hash and size of each artifact STATE/generations/current -> N    switched by rename(2): that is what
 * `publish` means STATE/generations/.lock           held while something changes here
 *
 * A publish that is cut short (F9) leaves a folder with a temporary name, which the next one removes;
 * `current` is untouched. A generation needs nothing outside STATE: neither the configuration folder nor the
 * share folder.
 */
#pragma once

#include "base/diag.h"
#include "base/progress.h"
#include "model/generation.h"

/* What a publish needs from a builder: finds the artifact that the definition builds to now. Injected, so
 * that this module builds nothing. Returns 0, or -ENOENT with `diags` ("image smallest is not built: rambox
 * build"). `name` is an artifact's: that of the definition, with the architecture. `name` of the result is
 * the caller's to free. */
struct artifact_source {
    int (*find)(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                struct diags *diags, struct generation_artifact *ret_artifact);
    void *user;
    /* Whether the kernel of a hardware class has brought a machine to ready. NULL: nobody knows, and all that
     * were published are taken for good ones. */
    bool (*proven)(void *proven_user, const char *hardware_class, const struct digest *kernel);
    void *proven_user;
};

/* Checks `config_dir`, joins it with its artifacts (the kernel and the image of every profile, the modules of
 * the kernel, and its unified image where it asks for one, each of which must be in STATE/artifacts with its
 * size and its hash; with a fitted profile also the kernels of hardware classes, see publish/class_kernels.h,
 * of which those that are not whole are left out with a warning)
 * and makes it the current generation. When nothing differs from the current one no new
 * one is made: *ret_number is the current number and > 0 (PUBLISH_UNCHANGED) is returned. On failure -errno
 * with `diags`, and what was current still is.
 *
 * The last GENERATIONS_KEPT stay, and the one that was current before; older ones go, with the artifacts that
 * only they had. */
enum { PUBLISH_UNCHANGED = 1, GENERATIONS_KEPT = 16 };
int publish(const char *config_dir, const char *share_dir, const char *state_dir,
            const struct artifact_source *artifacts, struct diags *diags, unsigned *ret_number);

/* Loads one generation; number 0 is the current one. Verifies that each artifact is there with its size; a
 * kernel of a hardware class that is not is left out of it, with a warning. -ENOENT: none; -EBADMSG: it is
 * there and damaged. `diags` says so. */
int generation_load(const char *state_dir, unsigned number, struct diags *diags,
                    struct generation **ret_generation);

/* Whether a kernel of a hardware class was left out of it because it was not built: what is built then
 * completes it (by publish()). */
bool generation_lacks_kernels(const struct generation *generation);

/* The numbers of all generations, ascending, ends with 0 (the caller frees), and the current one (0: none).
 * No generations at all is an empty list. */
int generation_list(const char *state_dir, unsigned **ret_numbers, unsigned *ret_current);

/* When it was made (Unix time, seconds) and what it holds, without its site: for listing. 0 or -errno. */
int generation_summary(const char *state_dir, unsigned number, struct diags *diags, int64_t *ret_created,
                       unsigned *ret_artifacts);

/* Makes an existing generation the current one (roll back), after loading it. */
int generation_switch(const char *state_dir, unsigned number, struct diags *diags);

/* What differs between two generations (either number may be 0: the current), as lines of text for people; ""
 * when nothing does:
 *     + node n2: mac 52:54:00:12:34:57, ip 192.168.7.12, profile default
 *     ~ subnet lab: lease 86400 s -> 3600 s
 *     ~ image smallest: 1a2b3c4d5e6f -> 6f5e4d3c2b1a (0.71 MB -> 0.70 MB)
 * The caller's. */
int generation_diff(const char *state_dir, unsigned from, unsigned to, struct diags *diags, char **ret_text);

/* What publishing `site` now would change, in the same form; all of it when nothing is published. An artifact
 * that `artifacts` cannot find shows as not built (diagnostics of that go nowhere). With `artifacts` NULL,
 * artifacts are not compared. */
int publish_preview(const struct site *site, const char *state_dir, const struct artifact_source *artifacts,
                    struct diags *diags, char **ret_text);
