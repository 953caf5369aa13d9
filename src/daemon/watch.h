/* Watches for edits and publishes them.
 *
 * What is watched (inotify, gathered for WATCH_SETTLE_MS, so that one save of many files is one change):
 *   - the configuration folder: a valid edit whose artifacts are built becomes the next generation by itself;
 * an invalid one is told with file:line:column, and what runs stays (F13);
 *   - STATE/generations: when `current` is switched by somebody else (`rambox publish`, a roll back), that
 *     generation is loaded;
 *   - STATE/built and STATE/artifacts, while an edit waits for its artifacts, or a generation for the kernel
 * of a hardware class: `rambox build` completes it.
 *
 * Reading, checking and publishing run in a thread of libuv's pool; the loop goes on serving meanwhile.
 */
#pragma once

#include "publish/publish.h"

#include <uv.h>

enum { WATCH_SETTLE_MS = 300 };

struct watch_config {
    uv_loop_t *loop;
    const char *config_dir, *share_dir, *state_dir; /* must outlive the watch */
    const struct artifact_source *artifacts;
    bool incomplete; /* the generation that the caller has lacks what a build would add to it */
    /* In the loop: a generation that is not the one last handed over, or that one with what it did without.
     * The reference becomes the callee's. */
    void (*on_generation)(void *user, struct generation *generation);
    /* In the loop, at the end of each attempt: 0, or the -errno of the edit that was refused (then `diags`
     * says why, and has not been shown); `diags` may hold warnings too. `repeated`: the same was told the
     * last time. */
    void (*on_attempt)(void *user, int r, const struct diags *diags, bool repeated);
    void *user;
};

struct watch;

/* Starts watching. `known` is the number of the generation that the caller has already (0: none). -ENOMEM;
 * a folder that cannot be watched is a warning in `diags`: SIGHUP still works. */
int watch_new(const struct watch_config *config, unsigned known, struct diags *diags,
              struct watch **ret_watch);
/* Publishes what is in the configuration folder now, without waiting for an edit (start, SIGHUP). */
void watch_publish(struct watch *watch);
/* An attempt that runs is waited for by the loop, but its callbacks are not called any more. NULL is allowed.
 */
void watch_free(struct watch *watch);
